"""The validator of a rule, from a file, the API and the page into the database and back."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from bastion.engine import Validator
from bastion.models import Rule
from bastion.services.rules.stored_rules import update_rule
from bastion.services.rules.transfer import import_rules, read_rules
from tests.factories import stored_rule

FILE = "name: n\ndetails: d\nuuid: u-1\ndetection:\n  validator: {}\n  pattern: '\\d{{16}}'\n"


def test_the_validator_of_a_file_is_stored_and_leaves_with_its_line(session: Session, tmp_path: Path) -> None:
    file = tmp_path / "rule.yml"
    file.write_text(FILE.format("luhn"))

    import_rules(session, file)
    rule = session.scalars(sa.select(Rule)).one()
    assert (rule.validator, rule.spec.validator) == ("luhn", Validator.LUHN)

    file.write_text(FILE.format("luhn").replace("  validator: luhn\n", ""))
    assert import_rules(session, file).changed == ("n",)
    assert (rule.validator, rule.spec.validator) == (None, None)


def test_a_validator_that_there_is_not_is_a_fault_of_its_line(tmp_path: Path) -> None:
    file = tmp_path / "rule.yml"
    file.write_text(FILE.format("crystal_ball"))

    (fault,) = read_rules(file).faults
    assert str(fault).startswith("rule.yml:5: validator wants one of luhn, iban, entropy")


def test_it_changes_like_the_rest_and_is_kept_in_the_history(session: Session) -> None:
    rule = stored_rule(session, validator=Validator.LUHN)

    update_rule(session, rule, {"validator": Validator.IBAN}, version=1)

    session.commit()
    assert (rule.validator, rule.version) == ("iban", 2)
    assert rule.history is not None
    assert rule.history[0]["content"]["validator"] == "luhn"


def test_one_that_another_program_made_up_is_dropped_with_the_next_change(session: Session) -> None:
    rule = stored_rule(session, validator=Validator.LUHN)
    session.execute(sa.text("UPDATE rules SET validator = 'crystal_ball'"))
    session.expire_all()
    with pytest.raises(ValueError, match="crystal_ball"):
        _ = rule.spec

    update_rule(session, rule, {"name": "Mended"})

    assert (rule.name, rule.spec.validator) == ("Mended", None)


def test_the_api_takes_and_shows_it(api: FlaskClient) -> None:
    sent = {"name": "n", "details": "d", "pattern": r"\d{16}", "action": "notify", "validator": "luhn"}

    made = api.post("/api/v1/rules", json=sent)
    refused = api.post("/api/v1/rules", json=sent | {"validator": "crystal_ball"})

    assert made.get_json()["validator"] == "luhn"
    assert refused.status_code == 422
    assert "validator" in refused.get_data(as_text=True)
