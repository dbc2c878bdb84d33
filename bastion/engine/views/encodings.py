"""Base64 and hexadecimal: bytes written in letters and digits."""

import binascii
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import accumulate
from typing import Final

import regex

from bastion.engine.verdict import Span
from bastion.engine.views.decoding import Decoded, decode_bytes, decode_part
from bastion.engine.views.revealed import Reading, Revealed, read_in_place

BASE64_SIGN: Final = (
    "(?:[A-Za-f][A-HQ-Xg-nw-z0-3][ABEFIJMNQRUVYZcdghklopstwx014589][A-Za-z0-9+/_-]){4}"
    "|(?:[4-7][A-Za-z0-9+/_-]{3}){4}"
    "|(?:[w-z0-3][A-Za-z0-9+/_-]{3}[g-v][A-Za-z0-9+/_-]{3}){2}"
    "|[A-Za-z0-9+/_-]{20}"
)
"""Sixteen characters, if they are ASCII or all of two bytes (Greek to Arabic) or of three; twenty of any.

Sixteen of any are in six of a hundred ordinary prompts, these in two.
"""

_BREAK: Final = r"(?:\r?\n|(?:\\r)?\\n)[\t >]{0,8}"
_BASE64: Final = regex.compile(
    r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{16,}+"
    rf"(?:{_BREAK}[A-Za-z0-9+/_-]{{4,}}+)*+(?:{_BREAK}[A-Za-z0-9+/_-]{{2,3}}(?==))?={{0,2}}",
    cache_pattern=False,
)
_BASE64_BEGINS: Final = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{16}")
_LINE_BREAK: Final = regex.compile(_BREAK, cache_pattern=False)
_STANDARD: Final = str.maketrans("-_", "+/")

_BYTE: Final = r"(?:0[xX]|\\{1,2}x)?[0-9A-Fa-f]{2}"
_BETWEEN_BYTES: Final = r"""[ \t\r\n,:;'"|_.-]{0,4}"""

HEX_SIGN: Final = rf"{_BYTE}(?:{_BETWEEN_BYTES}{_BYTE}){{7}}"

_HEX: Final = regex.compile(
    rf"(?:(?<![0-9A-Za-z])(?:0[xX])?|\\{{1,2}}x)[0-9A-Fa-f]{{2}}(?:{_BETWEEN_BYTES}{_BYTE}){{7,}}+", cache_pattern=False
)
_HEX_BYTE: Final = regex.compile(_BYTE, cache_pattern=False)
_NO_DIGITS: Final = dict.fromkeys(map(ord, "\\x \t\r\n,:;'\"|_.-"))


def base64_decoded(text: str) -> Iterator[Revealed]:
    """The text with what is written in base64, standard or URL-safe, in one line or wrapped, in the clear."""
    return read_in_place(text, _BASE64, _read_base64, _BASE64_BEGINS)


def hex_decoded(text: str) -> Iterator[Revealed]:
    """The text with what is written in hexadecimal, with or without something between the bytes, in the clear."""
    return read_in_place(text, _HEX, _read_hex)


def _read_base64(piece: str) -> Reading | None:
    lines = _LINE_BREAK.split(piece)
    written = "".join(lines).rstrip("=").translate(_STANDARD)
    decoded, skipped = decode_bytes(_base64_bytes(written)), 0
    while decoded is None and skipped < 4:
        # Something else may stand before it, behind it or both, such as a word or a line.
        decoded = decode_part(_base64_bytes(written[skipped:]))
        skipped += decoded is None
    if decoded is None:
        return None

    @cache
    def breaks() -> tuple[list[int], list[int]]:
        """How many characters are written before each line break, and the lengths of the breaks up to it."""
        lengths = (len(line_break) for line_break in _LINE_BREAK.findall(piece))
        return list(accumulate(map(len, lines[:-1]))), [0, *accumulate(lengths)]

    def place(index: int) -> int:
        before, lengths = breaks()
        return index + lengths[bisect_right(before, index)]

    def place_of_bytes(first: int, end: int) -> Span:
        until = skipped + (end + 2) // 3 * 4
        return place(skipped + first // 3 * 4), len(piece) if until >= len(written) else place(until - 1) + 1

    return _reading(decoded, len(written) * 3 // 4, place_of_bytes)


def _base64_bytes(written: str) -> bytes:
    """The bytes of base64 without padding; a last character that is none of a byte is left out."""
    whole = written[: len(written) - (len(written) % 4 == 1)]
    return binascii.a2b_base64(whole + "=" * (-len(whole) % 4))


def _read_hex(piece: str) -> Reading | None:
    digits = piece.replace("0x", "").replace("0X", "").translate(_NO_DIGITS)
    encoded = bytes.fromhex(digits)
    decoded = decode_bytes(encoded) or decode_part(encoded)
    if decoded is None:
        return None

    @cache
    def places() -> Sequence[Span]:
        return [byte.span() for byte in _HEX_BYTE.finditer(piece)]

    def place_of_bytes(first: int, end: int) -> Span:
        return places()[first][0], places()[end - 1][1]

    return _reading(decoded, len(encoded), place_of_bytes)


def _reading(decoded: Decoded, byte_count: int, place_of_bytes: Callable[[int, int], Span]) -> Reading:
    def narrow(start: int, end: int) -> Span:
        return place_of_bytes(decoded.byte_at(start), decoded.byte_at(end))

    is_whole = decoded.first == 0 and decoded.byte_at(len(decoded.text)) == byte_count
    return Reading(decoded.text, None if is_whole else narrow(0, len(decoded.text)), narrow)
