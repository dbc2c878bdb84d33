"""What to do about the faults that Alembic finds: it says what is wrong, and seldom what helps."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from bastion.errors import BastionError

_TWO_HEADS: Final = (
    "Two migrations follow the same one: `flask db heads` names them, and\n"
    '`flask db merge -m "..." heads` writes one that follows both. Then `flask db upgrade`.'
)

_ADVICE: Final = {
    "Can't locate revision": (
        "No migration of this version has that id; `flask db history` lists those that there are.\n"
        "If a newer Bastion migrated this database, run that version, or restore the copy that was made before.\n"
        "If only the mark is wrong and the schema is right: `flask db stamp --purge REVISION`."
    ),
    "Target database is not up to date": "Bring it there first: `flask db upgrade`.",
    "Multiple head": _TWO_HEADS,
    "The script directory has multiple heads": _TWO_HEADS,
    "Version table 'alembic_version' has more than one head": _TWO_HEADS,
    "Ambiguous walk": "A merge follows two migrations: name the revision, `flask db history` lists them.",
}


def explained(message: str) -> str:
    """The message with what to do about it, where that is known."""
    for start, advice in _ADVICE.items():
        if message.startswith(start):
            return f"{message}\n{advice}"
    return message


def unusable(error: DBAPIError) -> str:
    """What the database says of why it cannot be used, and what to do where that is known."""
    said = str(error.orig).strip()
    if not isinstance(error, OperationalError | InterfaceError):
        return f"the database refuses: {said}"
    advice = ""
    if "is locked" in said:
        advice = ": another process writes to it; stop the server and try again"
    elif "readonly" in said or "unable to open" in said:
        advice = ": this user must be able to write the file and its folder"
    return f"the database cannot be used: {said}{advice}"


@contextmanager
def explaining() -> Iterator[None]:
    """Turns what a person can do something about into Alembic's error, which its commands print without a traceback."""
    try:
        yield
    except CommandError as error:
        raise CommandError(explained(str(error))) from None
    except BastionError as error:
        raise CommandError(str(error)) from error
    except DBAPIError as error:
        raise CommandError(unusable(error)) from error
