"""While somebody edits, what changes is compiled apart; when it is quiet, all rules together. Verdicts stay."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from bastion.compiler.caching import CachingCompiler
from bastion.compiler.process import CompilerProcess
from bastion.engine import Verdict, Views
from bastion.firewall import live
from bastion.firewall.live import LiveRules, RuleSet
from bastion.models import Rule
from bastion.runtime import Runtime
from bastion.services.rules.stored_rules import delete_rule
from tests.factories import stored_rule as stored_with_views

pytestmark = pytest.mark.parametrize("kind", ["sqlite"], indirect=True)

TEXTS = ("nothing", "ignore previous", "a key", "a secret key", "привет: ignore previous secret")


def stored_rule(session: Session, pattern: str) -> None:
    """Without the signs of disguises, which take a while to compile."""
    stored_with_views(session, pattern=pattern, views=Views.RAW)


@pytest.fixture
def process() -> Iterator[CompilerProcess]:
    made = CompilerProcess(expression_seconds=30)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all tests: what they have in common is compiled once."""
    return tmp_path_factory.mktemp("compiled")


@pytest.fixture
def compiler(folder: Path, process: CompilerProcess) -> CachingCompiler:
    return CachingCompiler(folder, process)


@pytest.fixture
def rules(app: Flask, parts: Runtime, session: Session, compiler: CachingCompiler) -> LiveRules:
    """The rules of the application's database, looked at when the test says so: no thread does."""
    for pattern in (r"ignore\s+previous", "key", "(?i)привет"):
        stored_rule(session, pattern=pattern)
    made = LiveRules(parts.firewall.rules._database, compiler, parts.firewall.rules._kept)
    made.refresh()
    return made


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "QUIET_SECONDS", 0)
    monkeypatch.setattr(live, "QUIET_SECONDS_EACH", 0)


def layers_of(rule_set: RuleSet) -> list[set[str]]:
    return [layer.sources for layer, *_ in rule_set.engine._detectors["rule"]._layers]  # type: ignore[attr-defined]


def verdicts_of(rule_set: RuleSet) -> list[Verdict]:
    return [rule_set.engine.scan(text) for text in TEXTS]


def test_an_edit_is_compiled_apart_and_later_with_the_rest(rules: LiveRules, session: Session, quiet: None) -> None:
    assert len(layers_of(rules.refresh())) == 1
    before = verdicts_of(rules.refresh())
    stored_rule(session, pattern="secret")

    edited = rules.refresh()
    verdicts = verdicts_of(edited)
    assert layers_of(edited)[1:] == [{"secret"}]
    assert verdicts != before

    rules.settle()

    settled = rules.refresh()
    assert len(layers_of(settled)) == 1
    assert {"secret", "key"} <= layers_of(settled)[0]
    assert verdicts_of(settled) == verdicts
    assert (settled.revision, settled.specs, settled.rules) == (edited.revision, edited.specs, edited.rules)
    assert settled.engine.runs_on == {"rule": "hyperscan"}


def test_what_is_deleted_goes_when_it_settles(rules: LiveRules, session: Session, quiet: None) -> None:
    gone = session.query(Rule).filter_by(pattern="key").one()
    delete_rule(session, gone, with_triggers=0)
    session.commit()

    assert len(layers_of(rules.refresh())) == 1
    assert not rules.refresh().engine.scan("a key").matches
    stored_rule(session, pattern="new")
    assert "key" in layers_of(rules.refresh())[0]

    rules.settle()

    assert "key" not in layers_of(rules.refresh())[0]


def test_while_it_is_not_quiet_nothing_settles(rules: LiveRules, session: Session) -> None:
    stored_rule(session, pattern="secret")
    edited = rules.refresh()

    rules.settle()

    assert rules.refresh() is edited
    assert len(layers_of(edited)) == 2


def test_settled_rules_are_left_as_they_are(
    rules: LiveRules, session: Session, quiet: None, process: CompilerProcess
) -> None:
    stored_rule(session, pattern="secret")
    rules.refresh()
    rules.settle()
    settled = rules.refresh()
    process.stop()

    rules.settle()

    assert rules.refresh() is settled
    assert process._process is None


def test_nothing_settles_before_the_rules_are_loaded(
    parts: Runtime, compiler: CachingCompiler, process: CompilerProcess, quiet: None
) -> None:
    LiveRules(parts.firewall.rules._database, compiler, parts.firewall.rules._kept).settle()

    assert process._process is None


def test_an_edit_while_it_settles_is_not_lost(
    rules: LiveRules, session: Session, quiet: None, compiler: CachingCompiler, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored_rule(session, pattern="secret")
    rules.refresh()
    settled = compiler.settled

    def edited_meanwhile(sources: set[str]) -> object:
        layers = settled(sources)
        monkeypatch.setattr(compiler, "settled", settled)
        stored_rule(session, pattern="meanwhile")
        assert rules.refresh().engine.scan("meanwhile").matches
        return layers

    monkeypatch.setattr(compiler, "settled", edited_meanwhile)
    rules.settle()

    assert rules.refresh().engine.scan("meanwhile").matches
    rules.settle()
    assert len(layers_of(rules.refresh())) == 1
    assert rules.refresh().engine.scan("meanwhile, a secret").matches


def test_a_restart_loads_what_was_settled(
    rules: LiveRules, session: Session, quiet: None, parts: Runtime, process: CompilerProcess, folder: Path
) -> None:
    stored_rule(session, pattern="secret")
    rules.refresh()
    rules.settle()
    verdicts = verdicts_of(rules.refresh())
    process.stop()

    again = LiveRules(parts.firewall.rules._database, CachingCompiler(folder, process), parts.firewall.rules._kept)

    assert verdicts_of(again.refresh()) == verdicts
    assert len(layers_of(again.refresh())) == 1
    assert process._process is None
