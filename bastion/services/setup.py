"""What a new copy needs before it can be used."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy.orm import Session

from bastion.services.people.accounts import Accounts, Role
from bastion.services.people.passwords import random_password
from bastion.services.people.tokens import Scope, Tokens
from bastion.services.rules.stored_rules import any_rule
from bastion.services.rules.transfer import RULEPACK, read_rules, store_rules

ADMIN: Final = "admin"
FIRST_CALLER: Final = "first"
FIRST_SCOPES: Final = (Scope.ANALYZE, Scope.READ)


@dataclass(frozen=True, slots=True)
class FirstCredentials:
    """What was made. The password and the token exist in clear only here."""

    account: str = ADMIN
    password: str | None = None
    token: str | None = None


def load_shipped_rules(session: Session) -> int:
    """Loads the rules that ship if there are none, and returns how many that were."""
    return 0 if any_rule(session) else len(store_rules(session, read_rules(RULEPACK)).new)


def first_credentials(accounts: Accounts, tokens: Tokens) -> FirstCredentials:
    """Makes an admin and a token if there are none.

    What is printed at a first start may stand in a journal: the password opens only the page that asks for another one,
    and the token changes nothing.
    """
    password = token = None
    if not accounts.any():
        password = random_password()
        accounts.add(ADMIN, Role.ADMIN, password, must_change=True)
    if not tokens.any():
        token = tokens.create(FIRST_CALLER, FIRST_SCOPES)
    return FirstCredentials(password=password, token=token)
