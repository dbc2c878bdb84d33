"""A pattern that matches a piece of text as it is, to begin a rule with."""

import re
from typing import Final

from bastion.errors import FieldFault, InvalidInput

MAX_TEXT: Final = 300
"""Code points: the pattern travels in an address, and servers take some 4,000 bytes of one."""

_BLANKS: Final = re.compile(r"\s+")


def pattern_for(text: str) -> str:
    """One line that finds the text in any case, with any white space where it has some.

    Raises:
        InvalidInput: for a text of nothing but white space, or too long a one.
    """
    words = _BLANKS.split(text.strip())
    if words == [""]:
        raise InvalidInput([FieldFault("text", "has nothing that a pattern could look for")])
    if len(text.strip()) > MAX_TEXT:
        found = f"{len(text.strip()):,}"
        raise InvalidInput([FieldFault("text", f"has {found} characters; a pattern is made of at most {MAX_TEXT}")])
    return "(?i)" + r"\s+".join("".join(map(_escaped, word)) for word in words)


def _escaped(character: str) -> str:
    if character.isprintable():
        return re.escape(character) if character.isascii() else character
    code = ord(character)
    return f"\\U{code:08x}" if code > 0xFFFF else f"\\u{code:04x}"
