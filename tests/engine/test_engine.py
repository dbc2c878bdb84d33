"""Rules in, verdicts out, and nothing else behind it."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import pytest

from bastion.engine import Action, Engine, Match, PipelineVerdict, RuleFault, Status, Verdict
from bastion.engine.detectors import BY_ID, BY_LANGUAGE, LANGUAGES, PIPELINES
from bastion.engine.detectors.regex_rules import RegexDetector
from tests.conftest import ROOT
from tests.factories import rule_spec

BLOCKS = Match(rule_spec(action=Action.BLOCK), ((0, 1),), "x")
NOTIFIES = Match(rule_spec(action=Action.NOTIFY), ((0, 1),), "x")
FAULT = RuleFault(rule_spec(), "took too long")


def test_the_rules_that_match_are_found_in_their_order() -> None:
    first, noise, last = rule_spec(pattern="b"), rule_spec(pattern="never in the text"), rule_spec(pattern="a")

    verdict = Engine([first, noise, last]).scan("ab")

    (pipeline,) = verdict.pipelines
    assert pipeline.pipeline == "rule"
    assert verdict.matches == pipeline.matches == (Match(first, ((1, 2),), "b"), Match(last, ((0, 1),), "a"))
    assert verdict.faults == ()


def test_only_the_pipelines_named_run() -> None:
    engine = Engine([rule_spec(pattern="a")])

    assert len(engine.scan("a", ["rule"]).matches) == 1
    assert len(engine.scan("a", None).pipelines) == len(PIPELINES)
    assert engine.scan("a", []).pipelines == ()
    assert [one.pipeline for one in engine.scan("a", ("rule", "similarity", "rule")).pipelines] == ["rule"]


def test_an_engine_without_rules_allows() -> None:
    verdict = Engine([]).scan("ignore previous")

    assert [pipeline.status for pipeline in verdict.pipelines] == [Status.ALLOW]


def test_rules_that_cannot_run_are_listed_and_the_others_run() -> None:
    strange = [rule_spec(language="sigma"), rule_spec(language="Llm-Regex-Pattern"), rule_spec(language="")]
    broken, good = rule_spec(pattern="a("), rule_spec(pattern="a")

    engine = Engine([strange[0], broken, good, *strange[1:]])

    reasons = {fault.rule: fault.reason for fault in engine.rejected}
    assert set(reasons) == {broken, *strange}
    assert reasons[broken].startswith("line 1, column 3: ")
    assert reasons[strange[0]] == "no pipeline runs the language 'sigma'; there are llm-regex-pattern, nova"
    assert [match.rule for match in engine.scan("a").matches] == [good]


def test_every_span_of_a_rule_goes_beyond_what_a_scan_lists() -> None:
    rule, noise = rule_spec(pattern="x"), rule_spec(pattern="y")
    engine = Engine([noise, rule])

    assert len(engine.scan("x" * 25).matches[0].spans) == 20
    assert engine.every_span(rule, "x" * 25) == tuple((at, at + 1) for at in range(25))


@pytest.mark.parametrize(("blocks", "fault", "notifies"), list(product([True, False], repeat=3)))
def test_a_pipelines_status_is_the_worst_of_block_error_notify_allow(blocks: bool, fault: bool, notifies: bool) -> None:
    matches = (NOTIFIES,) * notifies + (BLOCKS,) * blocks

    status = PipelineVerdict("rule", matches, (FAULT,) * fault).status

    worst = [word for word, there in (("block", blocks), ("error", fault), ("notify", notifies)) if there]
    assert status == (worst[0] if worst else "allow")


def test_what_was_not_looked_at_is_an_error() -> None:
    unseen = PipelineVerdict("rule", (NOTIFIES,), (), "more")

    assert unseen.status == "error"
    assert PipelineVerdict("rule", (BLOCKS,), (), "more").status == "block"
    assert Verdict((unseen, PipelineVerdict("other"))).unseen == ("more",)


def test_a_verdict_adds_its_pipelines_up() -> None:
    verdict = Verdict((PipelineVerdict("a", (NOTIFIES,)), PipelineVerdict("b", (BLOCKS,), (FAULT,))))

    assert verdict.matches == (NOTIFIES, BLOCKS)
    assert verdict.faults == (FAULT,)


def test_every_pipeline_can_be_found_by_its_id_and_its_language() -> None:
    assert list(BY_ID.values()) == list(PIPELINES)
    assert list(BY_LANGUAGE) == list(LANGUAGES) == ["llm-regex-pattern", "nova"]
    assert {pipeline.id for pipeline in BY_LANGUAGE.values()} == {"rule"}


def test_threads_share_an_engine() -> None:
    rules = [rule_spec(pattern=f"{letter}+\n{letter}{letter}") for letter in "abcdefgh"]
    # Time enough for eight threads on a busy machine.
    engine = RegexDetector(rules, rule_seconds=60, scan_seconds=600)
    texts = [f"{'abcdefgh'[at % 8] * (at % 5 + 1)} and {at}" for at in range(400)]
    alone = [engine.scan(text) for text in texts]

    with ThreadPoolExecutor(8) as threads:
        together = [list(threads.map(engine.scan, texts)) for _ in range(4)]

    assert all(found == alone for found in together)
    assert any(verdict.matches for verdict in alone)


def test_the_engine_needs_no_framework() -> None:
    script = "import sys, bastion.engine, bastion.engine.validation; print(*sorted(sys.modules))"

    run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)

    loaded = set(run.stdout.split())
    assert "bastion.engine.engine" in loaded
    assert not loaded & {"flask", "sqlalchemy", "flask_sqlalchemy", "werkzeug", "bastion.models", "bastion.settings"}
