"""Bytes that are text."""

import codecs
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Final

import regex

MIN_PRINTABLE: Final = 0.85
"""The share of a text's characters that must be printable or white space for it to be taken for one."""

MIN_PART: Final = 8
"""Characters of a text that is only a part of the bytes."""

_UNPRINTABLE: Final = regex.compile(r"[\p{Cc}\p{Cn}\p{Co}\p{Cs}--[\t\n\r]]", regex.V1, cache_pattern=False)
_PRINTABLE: Final = regex.compile(rf"[^{_UNPRINTABLE.pattern}]{{{MIN_PART},}}+", regex.V1, cache_pattern=False)
_DECODERS: Final = {
    "utf-8": codecs.utf_8_decode,
    "utf-16-le": codecs.utf_16_le_decode,
    "utf-16-be": codecs.utf_16_be_decode,
}


@dataclass(frozen=True)
class Decoded:
    """A text that was bytes in ``encoding``, from the byte ``first`` on."""

    text: str
    encoding: str
    first: int = 0

    def byte_at(self, index: int) -> int:
        """Where the bytes of a character begin."""
        if self.encoding == "utf-8" and self.text.isascii():
            return self.first + index
        return self.first + self._ends[index]

    @cached_property
    def _ends(self) -> list[int]:
        """How many bytes are before each character, and before the end."""
        return [0, *accumulate(len(character.encode(self.encoding)) for character in self.text)]


def decode_bytes(encoded: bytes) -> Decoded | None:
    """The text that the bytes are, of which the last character may be cut off; ``None`` if they are none."""
    encoding = _likely_encoding(encoded)
    try:
        text, _ = _DECODERS[encoding](encoded, "strict", False)
    except UnicodeDecodeError:
        return None
    if text.isprintable() or len(_UNPRINTABLE.findall(text)) <= (1 - MIN_PRINTABLE) * len(text):
        return Decoded(text, encoding) if text else None
    return None


def decode_part(encoded: bytes) -> Decoded | None:
    """The longest part of the bytes that is printable UTF-8, if it is at least half of them."""
    # Half of them hold the middle and a quarter on one of its sides: a look there spares most of the rest.
    middle, reach = len(encoded) // 2, min(len(encoded) // 4, 64)
    sides = encoded[middle - reach : middle], encoded[middle : middle + reach]
    if all(_UNPRINTABLE.search(side.decode("utf-8", "surrogateescape")[3:-3]) for side in sides):
        return None
    text = encoded.decode("utf-8", "surrogateescape")
    longest = max(_PRINTABLE.finditer(text), key=lambda part: part.end() - part.start(), default=None)
    if longest is None or len(longest[0].encode()) * 2 < len(encoded):
        return None
    return Decoded(longest[0], "utf-8", len(text[: longest.start()].encode("utf-8", "surrogateescape")))


def _likely_encoding(encoded: bytes) -> str:
    """UTF-16 when a quarter of the bytes is zero, as in that of Latin letters."""
    if encoded.count(0) * 4 < len(encoded):
        return "utf-8"
    return "utf-16-le" if encoded[1::2].count(0) > encoded[::2].count(0) else "utf-16-be"
