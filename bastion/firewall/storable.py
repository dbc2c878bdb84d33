"""Prompt text as a database can hold it: neither PostgreSQL's NUL nor UTF-8's lone surrogates fit into text."""

import re
from collections import Counter

from bastion.engine.validation import UNSTORABLE


def storable(text: str) -> str:
    """The text with each NUL as U+2400 and each lone surrogate as U+FFFD: one for one, so that spans still fit."""
    return UNSTORABLE.sub(_stand_in, text)


def replaced_characters(text: str) -> dict[str, int]:
    """How often ``storable`` replaces which character, as ``{"U+0000": 3}``."""
    return dict(Counter(f"U+{ord(found):04X}" for found in UNSTORABLE.findall(text)))


def _stand_in(found: re.Match[str]) -> str:
    return "\u2400" if found[0] == "\0" else "\ufffd"
