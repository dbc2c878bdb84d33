"""Who may log in, kept in a file that several processes share."""

import json
import multiprocessing
import stat
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher

from bastion.errors import Conflict, InvalidInput, NotFound, SettingsError
from bastion.services.people import accounts as accounts_module
from bastion.services.people.accounts import Accounts, Origin, Role

PASSWORD = "correct horse battery staple"


@pytest.fixture
def accounts(instance: Path) -> Accounts:
    """One account, ``anna``, and another that must not be mixed up with her."""
    made = Accounts(instance)
    made.add("anna", Role.ANALYST, PASSWORD)
    made.add("noise", Role.ADMIN, "another good password")
    return made


def edit(instance: Path, name: str, **changes: Any) -> None:
    """What a person with an editor does to one entry."""
    file = instance / "accounts.json"
    content = json.loads(file.read_text())
    content[name].update(changes)
    file.write_text(json.dumps(content))


def test_an_account_logs_in_with_its_password(accounts: Accounts) -> None:
    account = accounts.log_in("anna", PASSWORD)

    assert account is not None
    assert (account.name, account.role) == ("anna", Role.ANALYST)
    assert account == accounts.get("anna")


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("anna", PASSWORD.upper()),
        ("anna", PASSWORD + " "),
        ("anna", "another good password"),
        ("anna", ""),
        ("anna", "a\0b"),
        ("anna", "\ud800"),
        ("Anna", PASSWORD),
        ("nobody", PASSWORD),
        ("", ""),
        ("nobody", "\ud800"),
    ],
)
def test_a_wrong_name_or_password_logs_nobody_in(accounts: Accounts, name: str, password: str) -> None:
    assert accounts.log_in(name, password) is None


def test_an_unknown_name_is_nobody(accounts: Accounts) -> None:
    assert accounts.get("nobody") is None


def test_there_is_no_account_at_first(instance: Path) -> None:
    accounts = Accounts(instance)

    assert not accounts.any()
    assert accounts.log_in("anna", PASSWORD) is None
    accounts.add("anna", Role.VIEWER, PASSWORD)
    assert accounts.any()


@pytest.mark.parametrize("password", ["", "a" * 11, "é" * 11])
def test_a_short_password_is_refused(accounts: Accounts, password: str) -> None:
    for change in (
        lambda: accounts.add("short", Role.VIEWER, password),
        lambda: accounts.set_password("anna", password),
    ):
        with pytest.raises(InvalidInput, match="password: wants at least 12 characters"):
            change()

    assert accounts.get("short") is None
    assert accounts.log_in("anna", PASSWORD)


@pytest.mark.parametrize(
    "password", ["пароль из слов", "jx7Q-b2mZ!pw", " two words  and blanks ", "long, longer, " * 73]
)
def test_a_long_password_is_taken_whole(accounts: Accounts, password: str) -> None:
    accounts.add("new", Role.VIEWER, password)

    assert accounts.log_in("new", password)
    assert accounts.log_in("new", password[:-1]) is None


@pytest.mark.parametrize("name", ["", " ", "a b", "-a", ".a", "a\n", "a\0", "é", "a/b", "a" * 101])
def test_a_bad_name_is_refused(accounts: Accounts, name: str) -> None:
    with pytest.raises(InvalidInput, match=r"^name: "):
        accounts.add(name, Role.VIEWER, PASSWORD)


@pytest.mark.parametrize("name", ["a", "Berta", "a.b_c-d@example.org", "9", "a" * 100])
def test_a_good_name_is_taken(accounts: Accounts, name: str) -> None:
    accounts.add(name, Role.VIEWER, PASSWORD)

    assert accounts.get(name)


def test_a_taken_name_is_a_conflict_and_stays_as_it_is(accounts: Accounts) -> None:
    before = accounts.get("anna")

    with pytest.raises(Conflict, match="'anna'"):
        accounts.add("anna", Role.ADMIN, "a password of somebody else")

    assert accounts.log_in("anna", PASSWORD) == before


def test_a_new_password_ends_older_sessions_of_that_account_alone(accounts: Accounts) -> None:
    before, noise = accounts.get("anna"), accounts.get("noise")
    assert before is not None

    accounts.set_password("anna", "an even better password")

    after = accounts.log_in("anna", "an even better password")
    assert after is not None
    assert after.stamp != before.stamp
    assert after.role == before.role
    assert accounts.log_in("anna", PASSWORD) is None
    assert accounts.get("noise") == noise


def test_the_same_password_again_ends_older_sessions_too(accounts: Accounts) -> None:
    before = accounts.get("anna")

    accounts.set_password("anna", PASSWORD)

    assert accounts.get("anna") != before


def test_an_unknown_account_gets_no_password(accounts: Accounts) -> None:
    with pytest.raises(NotFound, match="'nobody'"):
        accounts.set_password("nobody", PASSWORD)

    assert accounts.get("nobody") is None


def test_only_hashes_are_stored_and_only_for_the_owner(accounts: Accounts, instance: Path) -> None:
    accounts.add("twin", Role.VIEWER, PASSWORD)
    file = instance / "accounts.json"
    content = json.loads(file.read_text())

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert PASSWORD not in file.read_text()
    assert content["anna"]["password"].startswith("$argon2id$")
    assert content["anna"]["password"] != content["twin"]["password"]
    assert sorted(path.name for path in instance.iterdir()) == ["accounts.json", "accounts.lock"]


def test_the_file_stays_private_when_it_was_opened_to_others(accounts: Accounts, instance: Path) -> None:
    (instance / "accounts.json").chmod(0o644)

    accounts.set_password("anna", "an even better password")

    assert stat.S_IMODE((instance / "accounts.json").stat().st_mode) == 0o600


def test_a_change_by_another_process_is_noticed(accounts: Accounts, instance: Path) -> None:
    assert accounts.log_in("anna", PASSWORD)

    other = multiprocessing.get_context("spawn").Process(target=_set_password, args=(instance,))
    other.start()
    other.join()

    assert other.exitcode == 0
    assert accounts.log_in("anna", PASSWORD) is None
    assert accounts.log_in("anna", "from elsewhere, as good")


def _set_password(instance: Path) -> None:
    Accounts(instance).set_password("anna", "from elsewhere, as good")


def test_a_change_by_another_instance_is_noticed_and_kept(accounts: Accounts, instance: Path) -> None:
    other = Accounts(instance)
    assert other.get("anna")
    accounts.add("carl", Role.VIEWER, PASSWORD)

    other.add("dora", Role.VIEWER, PASSWORD)

    assert all(accounts.get(name) and other.get(name) for name in ("anna", "noise", "carl", "dora"))


def test_a_disabled_account_is_nobody(accounts: Accounts, instance: Path) -> None:
    edit(instance, "anna", disabled=True)

    assert accounts.get("anna") is None
    assert accounts.log_in("anna", PASSWORD) is None
    assert accounts.get("noise")


def test_roles_change_and_accounts_rest_and_return(accounts: Accounts, instance: Path) -> None:
    elsewhere = Accounts(instance)
    before = elsewhere.get("anna")
    accounts.set_role("anna", Role.VIEWER)
    now = elsewhere.get("anna")
    assert now is not None
    assert now.role is Role.VIEWER

    accounts.disable("anna")
    assert elsewhere.get("anna") is None
    assert elsewhere.log_in("anna", PASSWORD) is None
    accounts.enable("anna")
    after = elsewhere.log_in("anna", PASSWORD)
    assert after is not None
    assert before is not None
    assert after.stamp != before.stamp, "sessions from before would come back"
    for change in (accounts.disable, accounts.enable, lambda name: accounts.set_role(name, Role.VIEWER)):
        with pytest.raises(NotFound, match="'nobody'"):
            change("nobody")


def test_the_last_admin_stays_one(accounts: Accounts) -> None:
    for change in (accounts.disable, lambda name: accounts.set_role(name, Role.ANALYST)):
        with pytest.raises(Conflict, match="last admin"):
            change("noise")
    accounts.set_password("noise", PASSWORD)
    accounts.set_role("anna", Role.ADMIN)
    accounts.disable("noise")
    with pytest.raises(Conflict, match="last admin"):
        accounts.disable("anna")


@pytest.mark.parametrize("password", ["password1234", "aaaaaaaaaaaa", "bastionbastion", "annaannaanna", "qwertyuiop12"])
def test_a_password_that_is_easily_guessed_is_refused(accounts: Accounts, password: str) -> None:
    with pytest.raises(InvalidInput, match="easily guessed"):
        accounts.set_password("anna", password)


def test_a_password_has_an_end(accounts: Accounts) -> None:
    with pytest.raises(InvalidInput, match="at most 1024 characters"):
        accounts.set_password("anna", "word and " * 200)


def test_the_decoy_costs_what_a_password_costs_and_older_hashes_are_renewed(accounts: Accounts, instance: Path) -> None:
    def stored() -> str:
        return str(json.loads((instance / "accounts.json").read_text())["anna"]["password"])

    parameters = "$argon2id$v=19$m=19456,t=2,p=1$"
    assert stored().startswith(parameters)
    assert accounts_module._DECOY.startswith(parameters)
    before = accounts.get("anna")
    edit(instance, "anna", password=PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD))

    assert accounts.log_in("anna", "wrong") is None
    assert not stored().startswith(parameters)
    assert accounts.log_in("anna", PASSWORD) == before
    assert stored().startswith(parameters)
    assert accounts.log_in("anna", PASSWORD) == before


def test_a_file_that_is_gone_holds_nobody(accounts: Accounts, instance: Path) -> None:
    assert accounts.get("anna")
    (instance / "accounts.json").unlink()

    assert accounts.get("anna") is None
    assert not accounts.any()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'"anna"', b"null", b"\xff", b"[" * 100_000])
def test_a_damaged_file_is_named_and_left_as_it_is(accounts: Accounts, instance: Path, content: bytes) -> None:
    (instance / "accounts.json").write_bytes(content)

    for use in (
        accounts.any,
        lambda: accounts.get("anna"),
        lambda: accounts.log_in("anna", PASSWORD),
        lambda: accounts.set_password("anna", PASSWORD),
    ):
        with pytest.raises(SettingsError, match=r"accounts\.json"):
            use()
    assert (instance / "accounts.json").read_bytes() == content


@pytest.mark.parametrize("entry", ['{"role": "viewer"}', '{"role": "king", "password": "x", "stamp": "x"}', "3"])
def test_an_entry_that_makes_no_sense_is_a_damaged_file(accounts: Accounts, instance: Path, entry: str) -> None:
    (instance / "accounts.json").write_text(f'{{"anna": {entry}}}')

    with pytest.raises(SettingsError, match=r"accounts\.json"):
        accounts.get("anna")


def test_nobody_passes_for_another_by_the_case_of_a_name(instance: Path) -> None:
    accounts = Accounts(instance)
    accounts.add("ada", Role.VIEWER, PASSWORD)

    with pytest.raises(Conflict, match="there is an account 'ada' already"):
        accounts.add("ADA", Role.ADMIN, PASSWORD)
    with pytest.raises(Conflict, match="'ada'"):
        accounts.sign_in_elsewhere(Origin.PROXY, "Ada", "Ada", Role.ADMIN)
    assert list(accounts.all()) == ["ada"]
