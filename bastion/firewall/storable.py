"""Prompt text as a database can hold it: neither PostgreSQL's NUL nor UTF-8's lone surrogates fit into text."""

import re
from collections import Counter

from bastion.engine.validation import UNSTORABLE


def storable(text: str) -> str:
    """The text with each NUL as U+2400 and each lone surrogate as U+FFFD: one for one, so that spans still fit."""
    return text if _is_plain(text) else UNSTORABLE.sub(_stand_in, text)


def replaced_characters(text: str) -> dict[str, int]:
    """How often ``storable`` replaces which character, as ``{"U+0000": 3}``."""
    return {} if _is_plain(text) else dict(Counter(f"U+{ord(found):04X}" for found in UNSTORABLE.findall(text)))


def _is_plain(text: str) -> bool:
    """Whether it is known without a search that there is nothing to replace."""
    return text.isascii() and "\0" not in text


def _stand_in(found: re.Match[str]) -> str:
    return "\u2400" if found[0] == "\0" else "\ufffd"
