"""Rule files into the database: all of them or none, and again without harm."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from bastion.engine import Action, Severity, Views
from bastion.errors import NotFound
from bastion.models import Rule
from bastion.services.rules.stored_rules import archive_rule
from bastion.services.rules.transfer import FaultyFilesError, ImportReport, import_rules, read_rules
from tests.factories import stored_rule

FIRST = "00000000-0000-4000-8000-000000000001"
SECOND = "00000000-0000-4000-8000-000000000002"


def rule_text(
    uuid: str = FIRST, name: str = "First", *, pattern: str = "ignore previous", extra: str = "status: test"
) -> str:
    return f"name: {name}\ndetails: d\nuuid: {uuid}\n{extra}\ndetection:\n  pattern: '{pattern}'\n"


def write(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, "utf-8")
    return path


def imported(session: Session, path: Path) -> ImportReport:
    report = import_rules(session, path)
    session.commit()
    session.expire_all()
    return report


def rule_with(session: Session, uuid: str) -> Rule:
    return session.scalars(sa.select(Rule).where(Rule.uuid == uuid)).one()


def test_a_file_is_imported(session: Session, tmp_path: Path) -> None:
    noise = stored_rule(session)
    extra = "response: block\nseverity: high\ntags: [LLM01:2025]\nreferences: [https://example.org]"
    path = write(tmp_path / "Injection" / "rules.yml", rule_text(extra=extra) + "---\n" + rule_text(SECOND, "Second"))

    report = imported(session, path)

    assert report == ImportReport(new=("First", "Second"), changed=(), same=(), notes=())
    rule = rule_with(session, FIRST)
    assert (rule.name, rule.action, rule.severity) == ("First", Action.BLOCK, Severity.HIGH)
    assert (rule.pattern, rule.language) == ("ignore previous", "llm-regex-pattern")
    assert (rule.tags, rule.references, rule.false_positives) == (("LLM01:2025",), ("https://example.org",), ())
    assert (rule.category, rule.enabled, rule.version, rule.archived_at) == (None, True, 1, None)
    assert (rule_with(session, SECOND).action, rule_with(session, SECOND).severity) == (Action.NOTIFY, None)
    assert (noise.version, session.query(Rule).count()) == (1, 3)


def test_a_folders_rules_have_the_category_of_the_nearest_folder(session: Session, tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    write(folder / "top.yml", rule_text("u-top", "Top"))
    write(folder / "PII" / "a.yaml", rule_text("u-pii", "Pii"))
    write(folder / "deep" / "Injection" / "b.YML", rule_text("u-deep", "Deep"))
    write(folder / "deep" / "own.yml", rule_text("u-own", "Own", extra="category: own"))
    write(folder / "deep" / "notes.txt", "name: [")
    write(folder / "folder.yml" / "ignored.json", "{")
    write(tmp_path / "beside.yml", rule_text("u-beside", "Beside"))

    report = imported(session, folder)

    # In the order of the paths.
    assert report.new == ("Pii", "Deep", "Own", "Top")
    categories = {rule.uuid: rule.category for rule in session.scalars(sa.select(Rule))}
    assert categories == {"u-top": None, "u-pii": "pii", "u-deep": "injection", "u-own": "own"}


def test_one_fault_stops_everything_and_every_fault_is_told(session: Session, tmp_path: Path) -> None:
    write(tmp_path / "good.yml", rule_text())
    write(tmp_path / "a" / "bad.yml", rule_text(SECOND, pattern="a(b") + "---\nname: x\n")
    write(tmp_path / "worse.yml", "name: [")
    stored = stored_rule(session, uuid=FIRST, name="Stored")

    with pytest.raises(FaultyFilesError) as caught:
        import_rules(session, tmp_path)

    places = [(fault.place.file, fault.place.line) for fault in caught.value.faults]
    assert places == [("a/bad.yml", 6), ("a/bad.yml", 8), ("worse.yml", 1)]
    assert str(caught.value).splitlines() == [str(fault) for fault in caught.value.faults]
    session.commit()
    session.expire_all()
    assert [rule.name for rule in session.scalars(sa.select(Rule))] == [stored.name] == ["Stored"]


def test_a_second_import_changes_nothing(session: Session, tmp_path: Path) -> None:
    extra = "severity: low\ntags: [a, b]\nauthor: Анна\ncwe_id: CWE-94"
    write(tmp_path / "injection" / "a.yml", rule_text(extra=extra))
    write(tmp_path / "injection" / "b.yml", rule_text(name="Other under the same uuid", pattern="іgnоre"))
    first = imported(session, tmp_path)
    before = {rule.uuid: (rule.version, rule.updated_at) for rule in session.scalars(sa.select(Rule))}

    second = imported(session, tmp_path)

    assert (len(first.new), len(before)) == (2, 2)
    assert (second.new, second.changed, second.same) == ((), (), first.new)
    assert second.notes == first.notes != ()
    assert {rule.uuid: (rule.version, rule.updated_at) for rule in session.scalars(sa.select(Rule))} == before


def test_changed_content_makes_a_new_version_and_leaves_the_rules_life_alone(session: Session, tmp_path: Path) -> None:
    disabled = stored_rule(session, uuid=FIRST, enabled=False, category="injection")
    archived = stored_rule(session, uuid=SECOND)
    archive_rule(session, archived)
    session.commit()
    noise = stored_rule(session, name="Third")
    archived_at, version = archived.archived_at, archived.version
    path = write(tmp_path / "a.yml", rule_text(pattern="new") + "---\n" + rule_text(SECOND, "Second", pattern="new"))

    report = imported(session, path)

    assert (report.new, report.changed, report.same) == ((), ("First", "Second"), ())
    assert (disabled.pattern, disabled.version, disabled.enabled) == ("new", 2, False)
    assert (archived.pattern, archived.version, archived.enabled) == ("new", version + 1, True)
    assert (archived.archived_at, disabled.archived_at) == (archived_at, None)
    assert (noise.name, noise.version) == ("Third", 1)


@pytest.mark.parametrize(("extra", "category"), [("status: test", "injection"), ("category: own", "own")])
def test_a_file_without_a_category_keeps_the_stored_one(
    session: Session, tmp_path: Path, extra: str, category: str
) -> None:
    stored = stored_rule(session, uuid=FIRST, category="injection")

    imported(session, write(tmp_path / "a.yml", rule_text(extra=extra)))

    assert (stored.category, stored.name) == (category, "First")


def test_the_views_of_a_file_are_taken_over_and_leave_with_its_line(session: Session, tmp_path: Path) -> None:
    raw = rule_text().replace("detection:", "detection:\n  views: raw")
    path = write(tmp_path / "a.yml", raw + "---\n" + rule_text(SECOND, "Second"))

    reports = [imported(session, path), imported(session, path)]

    assert [rule_with(session, uuid).spec.views for uuid in (FIRST, SECOND)] == [Views.RAW, Views.ALL]
    assert [report.same for report in reports] == [(), ("First", "Second")]
    write(path, rule_text())
    assert imported(session, path).changed == ("First",)
    assert (rule_with(session, FIRST).views, rule_with(session, FIRST).version) == ("all", 2)


def test_new_unchanged_and_changed_rules_are_told_apart(session: Session, tmp_path: Path) -> None:
    path = write(tmp_path / "a.yml", rule_text() + "---\n" + rule_text(SECOND, "Second"))
    imported(session, path)
    third = rule_text("third", "Third")
    write(path, f"{third}---\n{rule_text()}---\n{rule_text(SECOND, 'Renamed')}")

    report = imported(session, path)

    assert (report.new, report.changed, report.same) == (("Third",), ("Renamed",), ("First",))
    assert [rule_with(session, uuid).version for uuid in (FIRST, SECOND, "third")] == [1, 2, 1]


def test_a_row_with_a_nonsense_action_is_mended_by_its_file(session: Session, tmp_path: Path) -> None:
    stored = stored_rule(session, uuid=FIRST)
    session.execute(sa.update(Rule).values(action="explode"))
    session.commit()

    report = imported(session, write(tmp_path / "a.yml", rule_text(extra="response: block")))

    assert (report.changed, stored.action) == (("First",), "block")


@pytest.mark.parametrize("name", ["nowhere", "nowhere.yml", "empty"])
def test_a_missing_folder_or_one_without_rules_is_not_found(session: Session, tmp_path: Path, name: str) -> None:
    write(tmp_path / "empty" / "rules.json", "[]")
    write(tmp_path / "full" / "a.yml", rule_text())

    with pytest.raises(NotFound, match=name):
        import_rules(session, tmp_path / name)
    assert session.query(Rule).count() == 0


def test_a_file_named_is_read_whatever_its_suffix(tmp_path: Path) -> None:
    assert len(read_rules(write(tmp_path / "rules.txt", rule_text())).rules) == 1
