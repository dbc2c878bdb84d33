"""Which passwords are good enough, and random ones."""

import secrets
from typing import Final

from bastion.errors import FieldFault, InvalidInput

MIN_PASSWORD: Final = 12
MAX_PASSWORD: Final = 1024

_GUESSES: Final = 3
"""zxcvbn's score from which a password takes more than 10^8 guesses."""
_RATED: Final = 72
"""What zxcvbn rates of a password: it takes the longer the more it is given."""


def check_password(password: str, name: str) -> None:
    """Raises ``InvalidInput`` for a password that is short, endless or easily guessed of somebody of that name."""
    if len(password) < MIN_PASSWORD:
        raise _refused(f"wants at least {MIN_PASSWORD} characters")
    if len(password) > MAX_PASSWORD:
        raise _refused(f"wants at most {MAX_PASSWORD} characters")
    # It reads 100,000 common words when it is imported: only who sets a password is to wait for that.
    from zxcvbn import zxcvbn

    if zxcvbn(password[:_RATED], user_inputs=[name, "bastion"])["score"] < _GUESSES:
        raise _refused("is easily guessed: use several words, or a password manager's")


def random_password() -> str:
    """Twenty characters, 120 bits."""
    return secrets.token_urlsafe(15)


def _refused(message: str) -> InvalidInput:
    return InvalidInput([FieldFault("password", message)])
