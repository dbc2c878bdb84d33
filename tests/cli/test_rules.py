"""``flask rules``."""

import json
from pathlib import Path

import yaml
from sqlalchemy.orm import Session

from bastion.engine import Engine
from bastion.models import Rule
from bastion.runtime import Runtime
from bastion.services.rules.stored_rules import archive_rule
from tests.cli.conftest import Run
from tests.factories import stored_rule

SAMPLES = "samples:\n  must_match: [a cat]\n  must_not_match: [dog]\n"


def rule_text(name: str = "a", pattern: str = "(?i)cat", extra: str = "") -> str:
    return f"name: {name}\ndetails: d\nuuid: {name}\n{extra}detection:\n  pattern:\n    - '{pattern}'\n"


def test_rule_files_are_imported_or_every_fault_is_named(run: Run, session: Session, tmp_path: Path) -> None:
    good = tmp_path / "a.yml"
    good.write_text("name: a\ndetails: a\nuuid: a\ndetection: {pattern: a}\n")
    bad = tmp_path / "b.yml"
    bad.write_text("name: b\ndetails: b\nuuid: b\ndetection:\n  pattern: b(\n---\nname: c\n")

    refused = run("rules", "import", str(tmp_path))

    assert refused.exit_code == 1
    assert "b.yml:5: 'b': pattern: line 1, column 3: missing )" in refused.output
    assert "b.yml:7: lacks details, uuid, detection" in refused.output
    assert "nothing imported, faults: 2" in refused.output
    assert session.query(Rule).count() == 0
    bad.unlink()
    assert run("rules", "import", str(tmp_path)).output == "1 new, 0 changed, 0 unchanged\n"
    assert run("rules", "import", str(good)).output == "0 new, 0 changed, 1 unchanged\n"


def test_an_import_says_first_what_it_would_do(run: Run, session: Session, tmp_path: Path) -> None:
    kept = stored_rule(session, name="Kept")
    stored_rule(session, uuid="b", name="b", details="d", pattern="(?i)dog", category=None)
    lines = [json.loads(json.dumps(yaml.safe_load(rule_text(name)))) for name in "ab"]
    file = tmp_path / "rules.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)) + "\n")

    planned = run("rules", "import", str(file), "--dry-run")

    assert planned.exit_code == 0
    assert planned.output == (
        "new        a\n"
        "changed    b\n  pattern\n    - (?i)dog\n    + (?i)cat\n  action\n    - block\n    + notify\n"
        "  severity\n    - high\n    + \n"
        "1 new, 1 changed, 0 same\nNothing is stored.\n"
    )
    assert session.query(Rule).count() == 2
    assert run("rules", "diff", str(file)).output == planned.output.replace("Nothing is stored.\n", "")
    assert run("rules", "import", str(file)).output == "1 new, 1 changed, 0 unchanged\n"
    session.expire_all()
    assert (session.query(Rule).count(), kept.version) == (3, 1)


def test_a_diff_names_what_is_invalid_too(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "a.yml"
    file.write_text(f"{rule_text()}---\nname: b\n")

    told = run("rules", "diff", str(file))

    assert told.exit_code == 1
    assert "invalid    a.yml:8: lacks details, uuid, detection\n" in told.output
    assert "new        a\n" in told.output


def test_an_import_tries_samples(run: Run, session: Session, tmp_path: Path) -> None:
    file = tmp_path / "a.yml"
    failing = SAMPLES.replace("dog", "a CAT")
    file.write_text(rule_text("good", extra=SAMPLES) + "---\n" + rule_text("bad", extra=failing + "response: block\n"))

    refused = run("rules", "import", str(file))

    assert refused.exit_code == 1
    assert "a.yml:11: 'bad': samples.must_not_match: number 1 is matched (view raw): 'a CAT'" in refused.output
    assert session.query(Rule).count() == 0
    file.write_text(file.read_text().replace("response: block", "status: draft"))
    assert run("rules", "import", str(file)).output == "2 new, 0 changed, 0 unchanged\n"
    stored = {rule.name: (rule.enabled, rule.must_not_match) for rule in session.query(Rule)}
    assert stored == {"good": (True, ("dog",)), "bad": (False, ("a CAT",))}


def test_a_rule_that_blocks_without_samples_is_imported_and_told(run: Run, session: Session, tmp_path: Path) -> None:
    file = tmp_path / "a.yml"
    file.write_text(rule_text(extra="response: block\n"))

    assert run("rules", "import", str(file)).output == (
        "note: 1 rules block and lack a sample of a kind, such as 'a'\n1 new, 0 changed, 0 unchanged\n"
    )
    assert session.query(Rule).one().action == "block"


def test_rules_are_tried_on_their_samples(run: Run, session: Session, tmp_path: Path) -> None:
    stored_rule(session, name="Bare")
    stored_rule(session, name="Fine", must_match=("ignore previous",))
    assert run("rules", "test").output == "2 rules, 1 samples, 0 failed, 1 rules without samples\n"
    draft = stored_rule(session, name="Draft", enabled=False, must_match=("nothing",))

    failed, as_json = run("rules", "test"), run("rules", "test", "--json")

    assert (failed.exit_code, as_json.exit_code) == (1, 1)
    assert failed.output.splitlines() == [
        "Draft: samples.must_match: number 1 is not matched: 'nothing'",
        "3 rules, 2 samples, 1 failed, 1 rules without samples",
    ]
    (one,) = json.loads(as_json.output)["failed"]
    assert (one["uuid"], one["kind"], one["number"], one["matched"]) == (draft.uuid, "must_match", 1, False)
    file = tmp_path / "a.yml"
    file.write_text(rule_text(extra=SAMPLES))
    assert run("rules", "test", str(file)).output == "1 rules, 2 samples, 0 failed, 0 rules without samples\n"
    file.write_text("name: [")
    assert run("rules", "test", str(file)).exit_code == 1


def test_lint_names_file_line_and_column(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "a.yml"
    file.write_text(rule_text(pattern="Cat.*", extra="statsu: draft\nresponse: block\n"))

    warned = run("rules", "lint", str(file))

    assert warned.exit_code == 0
    lines = warned.output.splitlines()
    assert lines[0] == ("a.yml:1:1: warning: 'a' has the key 'statsu', which means nothing here and is left out")
    assert "a.yml:8:7: warning: 'a': pattern: line 1: tells upper from lower case: write (?i) first" in warned.output
    assert "a.yml:8:7: warning: 'a': pattern: line 1: begins or ends with an unlimited .*" in warned.output
    assert lines[-1] == "1 rules, 0 faults, 5 warnings"
    file.write_text(rule_text(pattern="ca(t", extra="severity: awful\n") + "---\n" + rule_text("b", "(?i)x", SAMPLES))
    faulty = run("rules", "lint", str(file))
    assert faulty.exit_code == 1
    assert "a.yml:4:11: fault: severity wants one of" in faulty.output
    assert "a.yml:7:7: fault: 'a': pattern: line 1, column 5: missing )" in faulty.output
    assert "a.yml:9:1: fault: 'b': samples.must_match: number 1 is not matched: 'a cat'" in faulty.output


def test_rules_are_exported_and_come_back(run: Run, session: Session, parts: Runtime, tmp_path: Path) -> None:
    rules = [
        stored_rule(session, uuid="one", must_match=("ignore previous\n",)),
        stored_rule(session, uuid="..\\TWO"),
    ]
    archive_rule(session, stored_rule(session, name="Archived"))
    session.commit()
    folder, stream, lines = tmp_path / "rules", tmp_path / "rules.yml", tmp_path / "rules.jsonl"
    folder.mkdir()
    (folder / "mine.yml").write_text(rule_text("mine"))

    into_folder = run("rules", "export", str(folder), "--with-history")
    assert run("rules", "export", str(stream)).output == "2 rules written\n"
    assert run("rules", "export", str(lines)).output == "2 rules written\n"

    assert into_folder.output == "2 rules written\nother rule files in the folder, left as they are: 1\n"
    names = sorted(file.name for file in folder.iterdir())
    assert names[1:] == ["mine.yml", "one.yml"]
    assert len(names[0]) == len(".yml") + 32
    assert sorted(path.name for path in tmp_path.iterdir() if "rules" in path.name) == [
        "rules",
        "rules.jsonl",
        "rules.yml",
    ]
    assert run("rules", "export").output == stream.read_text()
    assert run("rules", "export", "--format", "jsonl").output == lines.read_text()
    (folder / "mine.yml").unlink()
    for path in (folder, stream, lines):
        assert run("rules", "diff", str(path)).output.endswith("0 new, 0 changed, 2 same\n")
    notes = [json.loads(line) for line in parts.audit.path.read_text().splitlines()]
    exports = [note for note in notes if note["action"] == "export"]
    assert len(exports) == 5
    assert exports[0]["kind"] == "command"
    assert exports[0]["target"] == {
        "command": "flask rules export",
        "rules": len(rules),
        "as": "yaml",
        "with_history": True,
    }


def test_formats_that_do_not_go_together_are_refused(run: Run, tmp_path: Path) -> None:
    assert run("rules", "export", str(tmp_path), "--format", "jsonl").exit_code == 2
    assert run("rules", "export", str(tmp_path / "a.yml"), "--format", "jsonl").exit_code == 2
    assert list(tmp_path.glob("*.yml")) == []


NOVA = """rule Heist
{
    meta:
        description = "Asks for the plan of a heist"
    keywords:
        $vault = "open the vault"
        $crew = /crew of \\d+/
    condition:
        all of keywords
}
"""


def test_nova_rules_come_in_and_go_out(run: Run, session: Session, tmp_path: Path) -> None:
    file, out = tmp_path / "in" / "heist.nov", tmp_path / "out.yml"
    file.parent.mkdir()
    file.write_text(NOVA)

    assert run("rules", "lint", str(file)).output == "1 rules, 0 faults, 0 warnings\n"
    assert run("rules", "diff", str(file.parent)).output == "new        Heist\n1 new, 0 changed, 0 same\n"
    assert run("rules", "import", str(file.parent)).output == "1 new, 0 changed, 0 unchanged\n"
    rule = session.query(Rule).one()
    assert (rule.language, rule.enabled, rule.action, rule.category) == ("nova", True, "notify", None)
    assert run("rules", "export", str(out)).exit_code == 0
    assert run("rules", "import", str(out)).output == "0 new, 0 changed, 1 unchanged\n"
    rule.action, rule.must_match = "block", ("open the vault with a crew of 4",)
    session.commit()
    assert run("rules", "test").output == "1 rules, 1 samples, 0 failed, 0 rules without samples\n"
    # What NOVA has no word for stays as an analyst left it.
    assert run("rules", "import", str(file)).output == "0 new, 0 changed, 1 unchanged\n"
    session.expire_all()
    assert [match.rule.name for match in Engine([rule.spec]).scan("Crew of 11, open the vault").matches] == ["Heist"]


def test_a_faulty_nova_rule_is_told_by_line_and_column(run: Run, session: Session, tmp_path: Path) -> None:
    file = tmp_path / "heist.nov"
    file.write_text(NOVA.replace("all of keywords", "3 of keywords"))
    wanted = "'Heist': column 9: condition: wants 3 of 2: there must be at least one, and so many"

    refused = run("rules", "import", str(file))
    linted = run("rules", "lint", str(file))

    assert refused.exit_code == linted.exit_code == 1
    assert f"heist.nov:9: {wanted}\n" in refused.output
    assert f"heist.nov:9:9: fault: {wanted}\n" in linted.output
    assert session.query(Rule).count() == 0


def test_a_nova_rule_that_needs_a_model_is_a_draft(run: Run, session: Session, tmp_path: Path) -> None:
    file = tmp_path / "heist.nova"
    file.write_text(NOVA.replace("    condition:", '    llm:\n        $plan = "A plan?"\n    condition: llm.$plan and'))
    reason = "it needs llm.$plan, which nothing here runs: no keywords alone make its condition true"

    imported = run("rules", "import", str(file))

    assert imported.output == (
        f"note: heist.nova:1: 'Heist' is imported as a draft: {reason}\n1 new, 0 changed, 0 unchanged\n"
    )
    rule = session.query(Rule).one()
    assert not rule.enabled
    assert rule.details.endswith(f"Only a draft: {reason}.")
    assert "can only be a draft" in run("rules", "lint", str(file)).output
