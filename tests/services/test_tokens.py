"""Which programs may call the API, kept in a file that several processes share."""

import hashlib
import json
import multiprocessing
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bastion.errors import Conflict, InvalidInput, NotFound, SettingsError
from bastion.models import utc_now
from bastion.services.people.tokens import Scope, Token, Tokens, lifetime_of
from bastion.services.shared_state import SharedState


@pytest.fixture
def tokens(instance: Path) -> Tokens:
    """The tokens of an instance that has one already, which must not be mixed up with others."""
    made = Tokens(instance)
    made.create("noise")
    return made


def stored(instance: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((instance / "tokens.json").read_text())
    return content


def edit(instance: Path, name: str, **changes: Any) -> None:
    """What a person with an editor does to one entry."""
    content = stored(instance)
    content[name].update(changes)
    (instance / "tokens.json").write_text(json.dumps(content))


def test_a_token_is_found_by_its_clear_text(tokens: Tokens) -> None:
    clear = tokens.create("chat gateway", [Scope.ANALYZE])

    assert tokens.find(clear) == Token("chat gateway", frozenset({Scope.ANALYZE}))
    assert clear.startswith("bastion_")
    assert len(clear) >= 40


def test_a_token_may_do_everything_unless_scopes_are_named(tokens: Tokens) -> None:
    everything = tokens.find(tokens.create("all"))
    twice = tokens.find(tokens.create("some", [Scope.READ, Scope.WRITE, Scope.READ]))
    nothing = tokens.find(tokens.create("none", []))

    assert everything is not None
    assert everything.scopes == set(Scope)
    assert twice is not None
    assert twice.scopes == {Scope.READ, Scope.WRITE}
    assert nothing is not None
    assert nothing.scopes == frozenset()


def test_only_hashes_are_stored_and_only_for_the_owner(tokens: Tokens, instance: Path) -> None:
    clear = tokens.create("chat")
    file = instance / "tokens.json"

    assert clear.removeprefix("bastion_") not in file.read_text()
    assert stored(instance)["chat"]["hash"] == hashlib.sha256(clear.encode()).hexdigest()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_what_is_not_a_token_is_not_found(tokens: Tokens, instance: Path) -> None:
    clear = tokens.create("chat")
    wrong = ["", "chat", clear[:-1], clear + "x", clear.upper(), f" {clear}", "\ud800", "é", "x" * 100_000]

    assert [text for text in [*wrong, stored(instance)["chat"]["hash"]] if tokens.find(text)] == []


def test_there_is_no_token_at_first(instance: Path) -> None:
    tokens = Tokens(instance)

    assert not tokens.any()
    assert tokens.find("bastion_x") is None
    tokens.create("chat")
    assert tokens.any()


@pytest.mark.parametrize(
    ("expires_at", "valid"),
    [
        (None, True),
        ((utc_now() + timedelta(days=1)).isoformat(), True),
        ((utc_now() - timedelta(seconds=1)).isoformat(), False),
        ("2999-01-01T00:00:00Z", True),
        ("2020-01-01T00:00:00+14:00", False),
        # Times without a zone are UTC, as everywhere inside.
        ("2999-01-01", True),
        ("2020-01-01T12:00:00", False),
    ],
    ids=["no end", "tomorrow", "a second ago", "2999", "another zone", "a date", "no zone"],
)
def test_a_token_ends_with_its_time(tokens: Tokens, instance: Path, expires_at: str | None, valid: bool) -> None:
    clear, noise = tokens.create("chat"), tokens.create("other")
    assert tokens.find(clear)
    edit(instance, "chat", expires_at=expires_at)

    assert (tokens.find(clear) is not None) is valid
    assert tokens.find(noise)


def test_a_taken_name_is_a_conflict_and_stays_as_it_is(tokens: Tokens) -> None:
    clear = tokens.create("chat", [Scope.READ])

    with pytest.raises(Conflict, match="'chat'"):
        tokens.create("chat")

    assert tokens.find(clear) == Token("chat", frozenset({Scope.READ}))


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "a\0", "\x1b[31m", "\u202ea", "\ud800", "a" * 101])
def test_a_bad_name_is_refused(tokens: Tokens, instance: Path, name: str) -> None:
    with pytest.raises(InvalidInput, match=r"^name: wants 1 to 100 printable characters$"):
        tokens.create(name)

    assert list(stored(instance)) == ["noise"]


@pytest.mark.parametrize("name", ["a", "чат 1", "a" * 100])
def test_a_good_name_is_taken(tokens: Tokens, name: str) -> None:
    found = tokens.find(tokens.create(name))

    assert found is not None
    assert found.name == name


def test_a_token_that_was_taken_out_of_the_file_is_no_longer_found(tokens: Tokens, instance: Path) -> None:
    clear = tokens.create("chat")
    assert tokens.find(clear)
    content = stored(instance)
    del content["chat"]

    (instance / "tokens.json").write_text(json.dumps(content))

    assert tokens.find(clear) is None


def test_a_revoked_token_is_unknown_to_everybody_at_once(tokens: Tokens, instance: Path) -> None:
    clear, noise = tokens.create("chat"), tokens.create("other")
    elsewhere = Tokens(instance)
    assert elsewhere.find(clear)

    tokens.revoke("chat")

    assert elsewhere.find(clear) is None
    assert elsewhere.find(noise)
    with pytest.raises(NotFound, match="'chat'"):
        tokens.revoke("chat")


def test_a_source_belongs_to_its_token(tokens: Tokens) -> None:
    found = tokens.find(tokens.create("chat", [Scope.ANALYZE], source="chat-gateway"))

    assert found == Token("chat", frozenset({Scope.ANALYZE}), "chat-gateway")
    with pytest.raises(InvalidInput, match=r"^source: "):
        tokens.create("bad", source="a\nb")


@pytest.mark.parametrize(("text", "seconds"), [("90d", 7776000), ("12h", 43200), (" 30m ", 1800), ("2w", 1209600)])
def test_a_lifetime_is_a_number_and_a_unit(text: str, seconds: int) -> None:
    assert lifetime_of(text).total_seconds() == seconds


@pytest.mark.parametrize("text", ["", "90", "d", "0d", "-1d", "1.5h", "999999d", "90d90d", "1y", "\u0669d"])
def test_a_senseless_lifetime_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"^expires: wants a number of m, h, d or w"):
        lifetime_of(text)


def test_the_last_use_is_known_and_the_file_is_not_written_for_it(instance: Path) -> None:
    state = SharedState(instance / "state.db")
    tokens = Tokens(instance, state=state)
    clear, _ = tokens.create("chat"), tokens.create("idle")
    written = (instance / "tokens.json").stat().st_mtime_ns
    before = utc_now() - timedelta(seconds=1)

    for _ in range(3):
        assert tokens.find(clear)

    used = Tokens(instance, state=state).last_used()
    assert list(used) == ["chat"]
    assert before < used["chat"] <= utc_now()
    assert (instance / "tokens.json").stat().st_mtime_ns == written
    tokens.revoke("chat")
    assert not tokens.last_used()


def _create_ten(instance: Path, prefix: str) -> None:
    tokens = Tokens(instance)
    for number in range(10):
        tokens.create(f"{prefix}{number}")


def test_processes_that_create_at_once_lose_nothing(tokens: Tokens, instance: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=_create_ten, args=(instance, prefix)) for prefix in "ab"]
    for process in processes:
        process.start()
    for process in processes:
        process.join()

    assert [process.exitcode for process in processes] == [0, 0]
    assert set(stored(instance)) == {"noise", *(f"{prefix}{number}" for prefix in "ab" for number in range(10))}


def test_threads_that_create_at_once_lose_nothing(tokens: Tokens, instance: Path) -> None:
    several = [tokens, Tokens(instance), Tokens(instance)]

    with ThreadPoolExecutor(6) as threads:
        clear = list(threads.map(lambda number: several[number % 3].create(f"t{number}"), range(30)))

    found = [one.find(text) for one in several for text in clear]
    assert [token.name if token else None for token in found] == [f"t{number}" for number in range(30)] * 3
    assert sorted(path.name for path in instance.iterdir()) == ["tokens.json", "tokens.lock"]


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"\xff", b'{"noise": 3}', b'{"noise": {}}', b'{"noise": {"hash": 5, "scopes": []}}'],
)
def test_a_damaged_file_is_named_and_left_as_it_is(tokens: Tokens, instance: Path, content: bytes) -> None:
    (instance / "tokens.json").write_bytes(content)

    with pytest.raises(SettingsError, match=r"tokens\.json"):
        tokens.find("bastion_x")
    assert (instance / "tokens.json").read_bytes() == content


@pytest.mark.parametrize("changes", [{"scopes": ["fly"]}, {"scopes": 3}, {"expires_at": "soon"}, {"expires_at": 5}])
def test_an_entry_that_makes_no_sense_is_a_damaged_file(
    tokens: Tokens, instance: Path, changes: dict[str, Any]
) -> None:
    clear = tokens.create("chat")
    edit(instance, "chat", **changes)

    with pytest.raises(SettingsError, match=r"tokens\.json"):
        tokens.find(clear)
