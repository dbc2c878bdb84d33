"""Characters written as their numbers or names: percent-encoding, HTML entities and the escapes of program texts."""

import html
from collections.abc import Iterator
from typing import Final

import regex

from bastion.engine.views.revealed import Reading, Revealed, read_in_place

_HEX: Final = "[0-9A-Fa-f]"

PERCENT_SIGN: Final = f"%{_HEX}{{2}}"

_PERCENT: Final = regex.compile(
    f"%[0-7]{_HEX}|%[C-Fc-f]{_HEX}(?:%[89ABab]{_HEX}){{1,3}}|{PERCENT_SIGN}", cache_pattern=False
)

HTML_SIGN: Final = "&(?:#[0-9xX]|[A-Za-z][A-Za-z0-9]{1,31};|(?:amp|lt|gt|quot|nbsp|shy))"

_HTML: Final = regex.compile(
    # Python refuses to read a number of thousands of digits.
    "&(?:#0{0,64}[0-9]{1,10};?|#[xX]0{0,64}[0-9A-Fa-f]{1,8};?|[A-Za-z][A-Za-z0-9]{1,31};?)",
    cache_pattern=False,
)

ESCAPES_SIGN: Final = rf"\\(?:u{_HEX}{{4}}|u\{{|U{_HEX}{{8}}|x{_HEX}{{2}}|[0-3][0-7]{{2}})"

_ESCAPES: Final = regex.compile(
    rf"""\\u[dD][89ABab]{_HEX}{{2}}\\u[dD][C-Fc-f]{_HEX}{{2}}
    |\\(?:u{_HEX}{{4}}|u\{{{_HEX}{{1,6}}\}}|U{_HEX}{{8}})
    |\\x[C-Fc-f]{_HEX}(?:\\x[89ABab]{_HEX}){{1,3}}
    |\\x{_HEX}{{2}}
    |\\[0-3][0-7]{{2}}""",
    regex.X,
    cache_pattern=False,
)


def percent_decoded(text: str) -> Iterator[Revealed]:
    """The text with the bytes that are written as ``%69`` in UTF-8; a plus sign is one."""
    return read_in_place(text, _PERCENT, _read_percent)


def html_decoded(text: str) -> Iterator[Revealed]:
    """The text with the characters that HTML's entities stand for."""
    return read_in_place(text, _HTML, lambda entity: Reading(html.unescape(entity)))


def escapes_decoded(text: str) -> Iterator[Revealed]:
    r"""The text with the characters that ``\u0069``, ``\x69``, ``\u{69}``, ``\U00000069`` and ``\151`` stand for."""
    return read_in_place(text, _ESCAPES, _read_escape)


def _read_percent(encoded: str) -> Reading:
    return Reading(bytes.fromhex(encoded.replace("%", "")).decode("utf-8", "replace"))


def _read_escape(escape: str) -> Reading:
    kind, *numbers = escape[1], *escape[2:].split("\\" + escape[1])
    if kind in "uU":
        return Reading(_utf16([int(number.strip("{}"), 16) for number in numbers]))
    if kind != "x":
        return Reading(chr(int(escape[1:], 8)))
    encoded = bytes.fromhex("".join(numbers))
    try:
        return Reading(encoded.decode("utf-8"))
    except UnicodeDecodeError:
        return Reading(encoded.decode("latin-1"))


def _utf16(numbers: list[int]) -> str:
    """The character with those numbers: two surrogates, or its own; the replacement character if there is none."""
    if len(numbers) == 2:
        return chr(0x10000 + ((numbers[0] & 0x3FF) << 10) + (numbers[1] & 0x3FF))
    (point,) = numbers
    return "\ufffd" if point > 0x10FFFF or 0xD800 <= point <= 0xDFFF else chr(point)
