"""A process of its own compiles: whatever becomes of it, the one that asks gets an answer, and in time."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from bastion.compiler import process as module
from bastion.compiler.process import CompilerFailed, CompilerProcess, shared_process
from bastion.engine.compilation import Compiled, compile_expressions
from bastion.engine.layers import load
from bastion.engine.patterns import PatternError
from bastion.engine.prefilters import Prefilter, prefilter
from bastion.engine.projection import Projected
from tests.conftest import ROOT
from tests.engine.libraries import LIBRARIES

SLOW = "(?:[ab]{100}c){480}"
"""Vectorscan takes the better part of a minute for it."""

SOURCES = ("first", "a(", "(?i)привет", "[[:alpha:]]", r"(a|b)\1", "first", "\ud800")


def the(name: str) -> Prefilter:
    found = prefilter(name)
    assert found is not None
    return found


HYPERSCAN = the("hyperscan")


@pytest.fixture(scope="module")
def warm() -> Iterator[CompilerProcess]:
    """One child for all tests that leave it alive, or that do not mind a new one."""
    process = CompilerProcess(expression_seconds=30)
    yield process
    process.stop()


@pytest.fixture
def own() -> Iterator[CompilerProcess]:
    process = CompilerProcess(expression_seconds=30)
    yield process
    process.stop()


def child_of(process: CompilerProcess) -> "subprocess.Popen[bytes]":
    assert process._process is not None
    return process._process


def end(process: CompilerProcess, number: int = signal.SIGKILL) -> None:
    """Ends the child as the kernel or an operator would, and waits until it is gone."""
    os.kill(child_of(process).pid, number)
    os.waitid(os.P_PID, child_of(process).pid, os.WEXITED | os.WNOWAIT)


def test_faults_are_named_and_every_expression_is_told_of(warm: CompilerProcess) -> None:
    told = []

    faults = warm.faults(SOURCES, HYPERSCAN, lambda: told.append(1))

    assert set(faults) == {"a(", "[[:alpha:]]"}
    assert isinstance(faults["a("], PatternError)
    assert (faults["a("].line, faults["a("].column) == (1, 3)
    assert "re warns" in faults["[[:alpha:]]"].reason
    assert len(told) == len(set(SOURCES))


def test_nothing_to_do_starts_no_process() -> None:
    process = CompilerProcess()

    assert process.faults([], HYPERSCAN) == {}
    assert process._process is None
    process.stop()


@pytest.mark.parametrize("name", LIBRARIES)
def test_it_compiles_as_this_process_would(warm: CompilerProcess, name: str) -> None:
    sources = list(dict.fromkeys(SOURCES))

    compilation = warm.compile(sources, the(name), {})

    assert compilation == compile_expressions(sources, the(name))
    assert load(compilation, the(name)).sources == set(sources)


def test_no_expressions_are_compiled_too(warm: CompilerProcess) -> None:
    assert warm.compile([], HYPERSCAN, {}).expressions == ()


def test_what_is_known_is_not_compiled_again(warm: CompilerProcess) -> None:
    known = {
        "a(": Compiled("a(", "known", exact=True, beyond_ascii=False, witness="known"),
        "not asked for": Compiled("not asked for", "x", exact=True, beyond_ascii=False, witness=None),
    }

    compilation = warm.compile(["a(", "b"], HYPERSCAN, known)

    assert [one.source for one in compilation.expressions] == ["a(", "b"]
    assert compilation.expressions[0] == known["a("]
    assert compilation.refused == {}
    assert load(compilation, HYPERSCAN).candidates(Projected("it is known")) == [0]


def test_many_expressions_at_once(warm: CompilerProcess) -> None:
    sources = [f"word{number}[a-z]{{3}}{'é' * 500}" for number in range(100)]

    assert warm.faults(sources, the("loop")) == {}
    assert len(warm.compile(sources, the("loop"), {}).expressions) == 100


def test_threads_take_turns(warm: CompilerProcess) -> None:
    def of_thread(number: int) -> set[str]:
        return set(warm.faults([f"a{number}", f"b{number}(", f"c{number}"], HYPERSCAN))

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(of_thread, range(24))) == [{f"b{number}("} for number in range(24)]


def test_an_expression_that_takes_too_long_is_named_and_the_next_request_answered(
    warm: CompilerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert warm.faults(["before"], HYPERSCAN) == {}
    first = child_of(warm)
    began = time.monotonic()

    with monkeypatch.context() as impatient:
        impatient.setattr(warm, "_expression_seconds", 1.5)
        faults = warm.faults([SLOW], HYPERSCAN)

    assert list(faults) == [SLOW]
    assert "cannot be compiled: it takes longer than 1.5 seconds" in faults[SLOW].reason
    assert 1.4 < time.monotonic() - began < 10
    assert first.poll() is not None
    assert warm.faults(["after", "a("], HYPERSCAN).keys() == {"a("}


def test_a_child_that_was_ended_is_replaced(warm: CompilerProcess) -> None:
    assert warm.faults(["before"], HYPERSCAN) == {}
    for number in (signal.SIGKILL, signal.SIGTERM):
        ended = child_of(warm)
        end(warm, number)

        assert warm.faults(["after", "a("], HYPERSCAN).keys() == {"a("}
        assert child_of(warm).pid != ended.pid


def test_a_child_that_ends_while_it_is_written_to_is_replaced(
    warm: CompilerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert warm.faults(["before"], HYPERSCAN) == {}
    end(warm)
    # As if it had ended after the look and before the writing.
    monkeypatch.setattr(child_of(warm), "poll", lambda: None)

    assert warm.faults(["after", "a("], HYPERSCAN).keys() == {"a("}


def test_a_child_that_is_ended_at_work_is_replaced_and_the_others_are_answered(
    warm: CompilerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warm, "_expression_seconds", 5)
    killed = []

    def kill_once() -> None:
        if not killed:
            killed.append(child_of(warm).pid)
            os.kill(killed[0], signal.SIGKILL)

    faults = warm.faults(["first", SLOW, "last", "a("], HYPERSCAN, kill_once)

    assert set(faults) == {SLOW, "a("}
    assert "cannot be compiled" in faults[SLOW].reason
    assert child_of(warm).pid != killed[0]


@pytest.mark.parametrize("asked_for", ["faults", "compile"])
def test_one_death_from_outside_is_blamed_on_no_expression(
    own: CompilerProcess, monkeypatch: pytest.MonkeyPatch, asked_for: str
) -> None:
    """The kernel ends what is large when memory is short: that must not cost a rule that happens to be compiled."""
    assert own.faults(["before"], HYPERSCAN) == {}
    answer = own._answer

    def dying(seconds: float) -> dict[str, Any]:
        monkeypatch.setattr(own, "_answer", answer)
        end(own)
        return answer(seconds)

    # What it had answered before is not read any more: it dies before it is asked.
    send = own._send

    def send_to_the_dead(request: bytes) -> None:
        monkeypatch.setattr(own, "_send", send)
        os.kill(child_of(own).pid, signal.SIGSTOP)
        send(request)

    monkeypatch.setattr(own, "_answer", dying)
    monkeypatch.setattr(own, "_send", send_to_the_dead)

    if asked_for == "faults":
        assert own.faults(["innocent", "a("], HYPERSCAN).keys() == {"a("}
    else:
        assert own.compile(["innocent", "a("], HYPERSCAN, {}).refused.keys() == {"a("}


def test_who_stops_listening_leaves_nothing_behind_for_the_next(own: CompilerProcess) -> None:
    def fail() -> None:
        raise RuntimeError("the connection is closed")

    with pytest.raises(RuntimeError):
        own.faults(["a(", "b(", "c"], HYPERSCAN, fail)

    assert own.faults(["fine", "d("], HYPERSCAN).keys() == {"d("}
    assert own.compile(["fine"], HYPERSCAN, {}).refused == {}


def test_too_little_memory_names_the_expression_and_ends_nobody_else() -> None:
    process = CompilerProcess(expression_seconds=30, memory=1 << 20)
    try:
        faults = process.faults(["[а-я]+x"], HYPERSCAN)
    finally:
        process.stop()

    assert "cannot be compiled" in faults["[а-я]+x"].reason


def test_a_limit_that_the_system_sets_is_no_fault_of_an_expression() -> None:
    """With a hard limit, as of ``ulimit -v`` or systemd's ``LimitAS``, none beyond it can be set."""
    program = """if True:
        import resource
        resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
        from bastion.compiler.process import CompilerProcess
        from bastion.engine.prefilters import prefilter
        process = CompilerProcess(expression_seconds=30)
        print(process.faults(["fine"], prefilter("hyperscan")))
        process.stop()
    """

    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, timeout=60, check=False)

    assert (ran.returncode, ran.stdout) == (0, b"{}\n")


def test_what_is_refused_together_is_named_and_the_rest_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ASSEMBLY_SECONDS", 1)
    process = CompilerProcess(expression_seconds=3)
    try:
        compilation = process.compile(["first", SLOW, "a(", "last"], HYPERSCAN, {})
    finally:
        process.stop()

    assert [one.source for one in compilation.expressions] == ["first", "last"]
    assert set(compilation.refused) == {SLOW, "a("}
    assert compilation.refused[SLOW] == "column 1: cannot be compiled: it takes longer than 3 seconds"
    assert len(load(compilation, HYPERSCAN).expressions) == 2


def test_what_vectorscan_refuses_is_loosened(warm: CompilerProcess) -> None:
    compilation = warm.compile(["first", "(?:ab){20000}", r"(?:a|^b)c|d\Ae|f"], HYPERSCAN, {})

    assert compilation.refused == {}
    assert [one.exact for one in compilation.expressions] == [True, False, False]
    layer = load(compilation, HYPERSCAN)
    assert layer.always == ()
    assert 2 in layer.candidates(Projected("-- f"))


def test_what_cannot_be_compiled_together_even_when_each_can_alone_fails(
    warm: CompilerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ASSEMBLY_SECONDS", 0.01)
    monkeypatch.setattr(module, "ASSEMBLY_SECONDS_EACH", 0)

    with pytest.raises(CompilerFailed, match="longer than"):
        warm.compile(["(?:[ab]{100}c){30}"], HYPERSCAN, {})


def test_a_child_that_cannot_be_started_fails(own: CompilerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")

    with pytest.raises(CompilerFailed, match="cannot be started: No such file"):
        own.faults(["a"], HYPERSCAN)
    with pytest.raises(CompilerFailed, match="cannot be started"):
        own.compile(["a"], HYPERSCAN, {})


def test_a_child_that_ends_at_once_fails(own: CompilerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/true")

    with pytest.raises(CompilerFailed, match="does not start"):
        own.faults(["a"], HYPERSCAN)
    assert own._process is None


def test_a_child_that_does_not_get_ready_fails(
    own: CompilerProcess, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sleeper = tmp_path / "python"
    sleeper.write_text("#!/bin/sh\nexec sleep 60\n")
    sleeper.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(sleeper))
    monkeypatch.setattr(module, "START_SECONDS", 0.2)

    with pytest.raises(CompilerFailed, match=r"does not start: it takes longer than 0\.2 seconds"):
        own.faults(["a"], HYPERSCAN)
    assert own._process is None


def test_it_is_found_again_after_a_start_that_failed(own: CompilerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(sys, "executable", "/bin/true")
        with pytest.raises(CompilerFailed):
            own.faults(["a"], HYPERSCAN)

    assert own.faults(["a", "b("], the("loop")).keys() == {"b("}

    # Stopping ends the child, and twice does no harm.
    child = child_of(own)
    own.stop()
    own.stop()
    assert child.poll() is not None


def test_the_child_of_another_process_is_left_alone(own: CompilerProcess) -> None:
    assert own.faults(["a"], the("loop")) == {}
    of_parent = child_of(own)
    # As after a fork: the object is a copy, the child is somebody else's.
    own._owner = os.getpid() + 1

    assert own.faults(["a("], the("loop")).keys() == {"a("}

    assert child_of(own).pid != of_parent.pid
    # It was not killed: it ends because here its input was closed.
    assert of_parent.wait(10) == 0


def test_a_child_that_has_nothing_to_do_ends_by_itself() -> None:
    program = "import bastion.compiler.worker as worker; worker.IDLE_SECONDS = 0.1; worker.main()"

    ran = subprocess.run(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, capture_output=True, cwd=ROOT, timeout=30, check=False
    )

    assert (ran.returncode, ran.stdout, ran.stderr) == (0, b'{"ready": true}\n', b"")


def test_each_purpose_has_one_process() -> None:
    assert shared_process("a test") is shared_process("a test")
    assert shared_process("a test") is not shared_process("another test")
    assert shared_process("a test")._process is None
