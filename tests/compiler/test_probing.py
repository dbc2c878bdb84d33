"""A pattern is tried out in a process of its own before it is accepted."""

import sys
from collections.abc import Iterator

import pytest

from bastion.compiler.probing import probe
from bastion.compiler.process import shared_process
from bastion.errors import CheckUnavailable


@pytest.fixture(autouse=True)
def _stopped() -> Iterator[None]:
    yield
    shared_process("probe").stop()


def test_what_must_not_be_used_is_named_and_progress_told() -> None:
    told = []

    faults = probe(["fine", "a(", r"\p{L}", "(?i)привет"], lambda: told.append(1))

    assert {source: fault.column for source, fault in faults.items()} == {"a(": 3, r"\p{L}": 1}
    assert len(told) == 4
    assert probe([]) == {}


def test_what_takes_too_long_must_not_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = "(?:[ab]{100}c){480}"
    assert probe(["fine"]) == {}
    monkeypatch.setattr(shared_process("probe"), "_expression_seconds", 1.0)

    assert "it takes longer than 1 seconds" in probe([slow])[slow].reason


def test_what_cannot_be_tried_out_now_is_not_said_to_be_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    shared_process("probe").stop()
    with monkeypatch.context() as broken:
        broken.setattr(sys, "executable", "/nonexistent/python")
        with pytest.raises(CheckUnavailable, match=r"cannot be checked now: .* cannot be started"):
            probe(["fine"])

    assert probe(["fine"]) == {}


def test_building_does_not_keep_it_waiting() -> None:
    assert shared_process("probe") is not shared_process("build")


def test_what_follows_a_slow_expression_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = ["(?:[ab]{100}c){480}", "(?:[ab]{100}c){481}"]
    assert probe(["fine"]) == {}
    monkeypatch.setattr(shared_process("probe"), "_expression_seconds", 1.0)

    assert list(probe(["a(", *slow], stop_at_slow=True)) == ["a(", slow[0]]
