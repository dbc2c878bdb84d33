"""``flask init``."""

from pathlib import Path

from sqlalchemy.orm import Session

from bastion.models import Rule
from bastion.runtime import Runtime
from bastion.services.people.accounts import Role
from bastion.services.people.tokens import Scope
from tests.cli.conftest import Run
from tests.compiled import share_compiled_rules
from tests.factories import stored_rule


def test_the_first_init_makes_what_is_missing_and_the_second_nothing(
    run: Run, session: Session, parts: Runtime, instance: Path
) -> None:
    share_compiled_rules(instance)
    first = run("init").output

    password = first.split("Password:")[1].split()[0]
    token = first.split("API token:")[1].split()[0]
    account = parts.accounts.log_in("admin", password)
    assert account
    assert account.role is Role.ADMIN
    assert account.must_change
    first_caller = parts.tokens.find(token)
    assert first_caller
    assert first_caller.scopes == {Scope.ANALYZE, Scope.READ}
    assert session.query(Rule).count() >= 30
    assert run("init").output == ""


def test_init_leaves_rules_that_are_there_alone(run: Run, session: Session) -> None:
    stored_rule(session)

    run("init")

    assert session.query(Rule).count() == 1
