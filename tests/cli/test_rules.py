"""``flask rules``."""

from pathlib import Path

from sqlalchemy.orm import Session

from bastion.models import Rule
from tests.cli.conftest import Run


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
