"""The disguises that text is taken out of."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from bastion.engine.views.encodings import BASE64_SIGN, HEX_SIGN, base64_decoded, hex_decoded
from bastion.engine.views.escapes import (
    ESCAPES_SIGN,
    HTML_SIGN,
    PERCENT_SIGN,
    escapes_decoded,
    html_decoded,
    percent_decoded,
)
from bastion.engine.views.joined import JOINED_SIGN, joined
from bastion.engine.views.leet import LEET_SIGN, leet
from bastion.engine.views.revealed import Revealed
from bastion.engine.views.turned import BACKWARDS_SIGN, ROT13_SIGN, backwards, rot13


@dataclass(frozen=True, slots=True)
class Disguise:
    """A way to write a text so that it is not found.

    ``sign`` is an expression that is found in every text in which the disguise hides something; it is ``None`` for
    those that hide in any text that is not ASCII. ``cost`` is how much of the nesting allowed it uses up.
    """

    name: str
    sign: str | None
    reveal: Callable[[str], Iterable[Revealed]]
    cost: int = 1


def _normalised(text: str) -> Iterator[Revealed]:
    from bastion.engine.views.unicode_forms import normalised

    return normalised(text)


def _folded(text: str) -> Iterator[Revealed]:
    from bastion.engine.views.unicode_forms import folded

    return folded(text)


DISGUISES: Final = (
    Disguise("normalised", None, _normalised, cost=0),
    Disguise("folded", None, _folded, cost=0),
    Disguise("joined", JOINED_SIGN, joined),
    Disguise("leet", LEET_SIGN, leet),
    Disguise("base64", BASE64_SIGN, base64_decoded),
    Disguise("hex", HEX_SIGN, hex_decoded),
    Disguise("percent", PERCENT_SIGN, percent_decoded),
    Disguise("html", HTML_SIGN, html_decoded),
    Disguise("escapes", ESCAPES_SIGN, escapes_decoded),
    Disguise("rot13", ROT13_SIGN, rot13),
    Disguise("reversed", BACKWARDS_SIGN, backwards),
)
