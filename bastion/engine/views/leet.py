"""Digits and signs that stand for the letters they look like."""

import io
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from typing import Final

import regex

from bastion.engine.views.revealed import Revealed, same_place
from bastion.engine.views.vocabulary import VOCABULARY, any_of, telling_forms

_LETTERS: Final = str.maketrans("01345789@$!|+", "oieastbgasiit")
"""The letter that each stands for."""

ALIKE: Final = _LETTERS | {ord("l"): ord("i")}
"""The same, and an i for an l: what may be read as one another is the same then."""

_AMBIGUOUS: Final = "1!|"
_WITH_L: Final = _LETTERS | dict.fromkeys(map(ord, _AMBIGUOUS), ord("l"))
_SIGNS_OF: Final = {"a": "4@", "b": "8", "e": "3", "g": "9", "i": "1!|", "l": "1|", "o": "0", "s": "5$", "t": "7+"}

_PUNCTUATION: Final = "!|+"
_NO_WORD: Final = regex.compile(r".{25}|(?=.{12}).*?[a-z0-9][A-Z].*?[a-z0-9][A-Z]", cache_pattern=False)
"""Base64 and the like begin so, which are not to be spoilt."""


def _token(letter: str, digit: str) -> str:
    """A run of letters, digits and signs with one that stands for a letter before the first that does not."""
    part = rf"[{letter}{digit}@$!|+]"
    return rf"(?<!{part})[{letter}26]*+[01345789@$!|+]{part}*+"


_TOKEN: Final = regex.compile(_token(r"\p{L}", r"\p{N}"), cache_pattern=False)
_ASCII_TOKEN: Final = re.compile(_token("A-Za-z", "0-9"))
"""Five times as fast as the same of ``regex``."""

_REMEMBERED: Final = 16_384
_REMEMBERED_LENGTH: Final = 24
"""How many tokens are remembered, of how many code points."""

_INSIDE: Final = (
    "[A-Za-z][01345789]{1,3}[A-Za-z]"
    "|[A-Za-z]![A-Za-z]"
    "|[A-Za-z][$]{1,2}[A-Za-z]"
    r"|\b[A-Za-z]{1,3}@[A-Za-z]{2}"
    r"|\b[013457][A-Za-z]{3}"
    r"|\b[013457][A-Za-z][013457]\b"
)


def leet(text: str) -> Iterator[Revealed]:
    """The text with letters for digits and signs, in words that have letters too or that are in the vocabulary.

    Whether ``1``, ``!`` and ``|`` are an i or an l the vocabulary says. Where it does not, it is an i in the first
    text and an l in the second.
    """
    with_i, with_l = io.StringIO(), io.StringIO()
    done = 0
    for token in (_ASCII_TOKEN if text.isascii() else _TOKEN).finditer(text):
        between = text[done : token.start()]
        readings = _readings_again(token[0]) if len(token[0]) <= _REMEMBERED_LENGTH else _readings(token[0])
        for written, reading in zip((with_i, with_l), readings, strict=True):
            written.write(between + reading)
        done = token.end()
    for revealed in dict.fromkeys(written.getvalue() + text[done:] for written in (with_i, with_l)):
        if revealed != text:
            yield Revealed(revealed, same_place)


def _readings(token: str) -> tuple[str, str]:
    """The token in letters, as long as it is, with an i and with an l for what may be either."""
    if not any(map(str.isalnum, token)):
        return token, token
    for word in (token,) if token.isalnum() else (token, token.rstrip(_PUNCTUATION), token.strip(_PUNCTUATION)):
        if known := _known(word.lower()):
            read = token.replace(word, _like(word, known), 1)
            return read, read
    if not any(map(str.isalpha, token)) or _NO_WORD.match(token):
        return token, token
    word = token.lstrip("|+").rstrip(_PUNCTUATION)
    with_i, with_l = word.translate(_LETTERS), word.translate(_WITH_L)
    if word.isupper():
        with_i, with_l = with_i.upper(), with_l.upper()
    return token.replace(word, with_i, 1), token.replace(word, with_l, 1)


_readings_again: Final = lru_cache(_REMEMBERED)(_readings)
"""Numbers and names come again and again."""


def _known(written: str) -> str | None:
    """The word of the vocabulary that a lower-case token spells."""
    for word in _alike().get(written.translate(ALIKE), ()):
        if all(sign == letter or not sign.isalpha() for sign, letter in zip(written, word, strict=True)):
            return word
    return None


@cache
def _alike() -> Mapping[str, Sequence[str]]:
    """The words of the vocabulary by what they are when letters and signs that look alike are the same."""
    words = defaultdict(list)
    for word in sorted(VOCABULARY):
        words[word.translate(ALIKE)].append(word)
    return dict(words)


def _like(written: str, word: str) -> str:
    """The word in capitals where the letters that are written are, and throughout if all of these are."""
    if written.isupper():
        return word.upper()
    return "".join(sign if sign.isalpha() else letter for sign, letter in zip(written, word, strict=True))


def _sign() -> str:
    """Digits and signs inside of words, and telling words in which they stand at an end."""
    inside = regex.compile(_INSIDE)
    forms = {form for form in telling_forms(_forms, but_for="") if not inside.search(form)}
    kinds = [
        (r"\b", {form for form in forms if form[0].isalnum() and form[-1].isalnum()}, r"\b"),
        (r"\b", {form for form in forms if form[0].isalnum() and not form[-1].isalnum()}, ""),
        ("", {form for form in forms if not form[0].isalnum() and form[-1].isalnum()}, r"\b"),
        ("", {form for form in forms if not form[0].isalnum() and not form[-1].isalnum()}, ""),
    ]
    return "|".join(["(?i)" + _INSIDE, *(before + any_of(some) + behind for before, some, behind in kinds if some)])


def _forms(word: str) -> Collection[str]:
    """The word with one of its letters, once or everywhere, as one of its signs."""
    forms = set()
    for letter, signs in _SIGNS_OF.items():
        for sign in signs if len(word) > 4 else signs.rstrip("+|"):
            forms.add(word.replace(letter, sign))
            forms.update(word[:at] + sign + word[at + 1 :] for at, other in enumerate(word) if other == letter)
    return forms - {word}


LEET_SIGN: Final = _sign()
