"""The rules that ship: each finds what it is for, leaves its neighbours alone, and ends in time."""

from pathlib import Path

import pytest
import regex
import yaml

from bastion.engine import Engine, Views
from bastion.rulefile import FiledRule
from bastion.services.transfer import RULEPACK, read_rules

READ = read_rules(RULEPACK)
SAMPLES = yaml.safe_load((Path(__file__).parent / "rulepack_samples.yml").read_text("utf-8"))
HOSTILE = ("a" * 50_000, " " * 50_000, "\n" * 50_000, "ignore " * 7_000, "A1b2" * 12_500, "0" * 50_000, "../" * 16_000)


def test_it_has_no_fault_and_shares_no_uuid() -> None:
    assert READ.faults == ()
    assert [note for note in READ.notes if "uuid" in note.message] == []
    assert len(READ.rules) >= 30


def test_it_covers_what_it_promises() -> None:
    categories = {rule.spec.category for rule in READ.rules}
    assert categories == {
        *("injection", "jailbreak", "leakage", "obfuscation", "secrets", "pii", "code_injection"),
        *("indirect_injection", "multilingual", "denial_of_service"),
    }
    assert sum(rule.spec.category == "multilingual" for rule in READ.rules) >= 8


def test_rules_about_the_disguise_itself_are_looked_for_in_the_text_as_sent() -> None:
    assert {rule.spec.name for rule in READ.rules if rule.spec.views is Views.RAW} == {
        *("Hidden Unicode tag characters", "Bidirectional override", "Run of zero-width characters"),
        *("Spaced-out trigger words", "Leetspeak trigger words", "Encoded blob with an order to read it"),
        "Token flood",
    }


@pytest.mark.parametrize("filed", READ.rules, ids=lambda filed: filed.spec.name)
def test_each_rule_is_documented_and_finds_what_it_is_for(filed: FiledRule) -> None:
    spec = filed.spec
    engine = Engine([spec])

    assert engine.rejected == ()
    assert spec.severity
    assert spec.tags
    assert spec.references
    assert spec.false_positives
    samples = SAMPLES[spec.uuid]
    assert len(samples["match"]) >= 2
    assert len(samples["no_match"]) >= 2
    for text in samples["match"]:
        assert engine.scan(text).matches, text
    for text in samples["no_match"]:
        assert not engine.scan(text).matches, text


def test_no_rule_is_stopped_by_hostile_text() -> None:
    engine = Engine(rule.spec for rule in READ.rules)

    for text in HOSTILE:
        assert engine.scan(text).faults == ()


def test_every_sample_belongs_to_a_rule() -> None:
    assert set(SAMPLES) == {rule.spec.uuid for rule in READ.rules}


def test_files_read_as_plain_yaml_in_aidr_bastions_shape() -> None:
    for file in RULEPACK.glob("*.yml"):
        for document in yaml.safe_load_all(file.read_text("utf-8")):
            assert {"name", "details", "author", "severity", "date", "logsource", "detection", "uuid"} <= set(document)
            assert {"references", "license", "response", "tags"} <= set(document)
            assert document["detection"]["language"] == "llm-regex-pattern"
            assert all(regex.compile(pattern) for pattern in document["detection"]["pattern"])
