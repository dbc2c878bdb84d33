"""``flask user`` and ``flask token``."""

import re

from bastion.runtime import Runtime
from bastion.services.people.tokens import Scope
from tests.cli.conftest import Run
from tests.conftest import PASSWORD


def test_a_token_is_printed_alone_on_its_line(run: Run, parts: Runtime) -> None:
    made = run("token", "create", "chat")

    assert made.output.count("\n") == 1
    assert parts.tokens.find(made.output.strip())
    again = run("token", "create", "chat")
    assert (again.exit_code, "already" in again.output) == (1, True)


def test_accounts_are_made_and_given_new_passwords(run: Run, parts: Runtime) -> None:
    assert run("user", "add", "ada", "--role", "analyst", "--password", PASSWORD).exit_code == 0
    assert parts.accounts.log_in("ada", PASSWORD)
    assert run("user", "passwd", "ada", "--password", "another long password").exit_code == 0
    assert parts.accounts.log_in("ada", "another long password")
    short = run("user", "passwd", "ada", "--password", "short")
    assert (short.exit_code, "at least 12 characters" in short.output) == (1, True)
    assert run("user", "passwd", "nobody", "--password", PASSWORD).exit_code == 1


def test_a_token_has_the_scopes_source_and_end_that_were_given(run: Run, parts: Runtime) -> None:
    least = parts.tokens.find(run("token", "create", "least").output.strip())
    made = run(
        "token", "create", "chat", "--scope", "read", "--scope", "write", "--source", "gateway", "--expires", "90d"
    )
    chat = parts.tokens.find(made.output.strip())

    assert least is not None
    assert least.scopes == {Scope.ANALYZE}
    assert chat is not None
    assert (chat.scopes, chat.source) == ({Scope.READ, Scope.WRITE}, "gateway")
    listed = run("token", "list").output
    assert re.search(r"^chat +read,write +gateway +20\d\d-\d\d-\d\d \d\d:\d\d UTC +used 20", listed, re.MULTILINE)
    assert re.search(r"^least +analyze +as sent +never ends +used", listed, re.MULTILINE)
    assert run("token", "revoke", "chat").exit_code == 0
    assert parts.tokens.find(made.output.strip()) is None
    assert "'chat'" in run("token", "revoke", "chat").output
    assert "expires: wants" in run("token", "create", "x", "--expires", "soon").output


def test_accounts_are_listed_changed_disabled_and_enabled(run: Run, parts: Runtime) -> None:
    run("user", "add", "root", "--role", "admin", "--password", PASSWORD)
    run("user", "add", "ada", "--password", PASSWORD)

    assert run("user", "role", "ada", "analyst").exit_code == 0
    assert run("user", "disable", "ada").exit_code == 0
    assert run("user", "list").output == "ada   analyst  password  disabled\nroot  admin    password  enabled\n"
    assert parts.accounts.get("ada") is None
    assert run("user", "enable", "ada").exit_code == 0
    assert parts.accounts.get("ada")
    last = run("user", "disable", "root")
    assert (last.exit_code, "last admin" in last.output) == (1, True)
