"""The matchers that find, in one pass over a projected text, the expressions that may match it.

They differ in speed alone: what a matcher does not find does not match, whichever it is. A new one is a module beside
this file with a class that fits ``Prefilter``, and a row in ``PREFILTERS``.
"""

from collections.abc import Collection, Sequence
from functools import cache
from importlib import import_module
from typing import Final, Protocol


class Matcher(Protocol):
    """Translated expressions, compiled. May be shared by threads."""

    def found(self, projected: bytes) -> Collection[int]:
        """The numbers of the expressions that may match."""


class Nothing:
    """The matcher of no expressions, which libraries do not compile."""

    def found(self, _projected: bytes) -> tuple[int, ...]:
        return ()


class Prefilter(Protocol):
    """One way to compile translated expressions."""

    name: str
    version: str
    """Of the library and of what else decides whether something compiled here can be loaded there."""

    finds: bool
    """Whether what it finds is found: or is everything a candidate?"""

    def accepts(self, translation: str) -> bool:
        """Whether that expression can be compiled, alone."""

    def compile(self, translations: Sequence[str]) -> bytes:
        """All of them compiled, in a form that can be stored; it may take minutes.

        Raises:
            Refused: when one of them, or their number, is more than the library takes.
        """

    def load(self, compiled: bytes, translations: Sequence[str]) -> Matcher:
        """What ``compile`` made of the translations, ready to match.

        Raises:
            Refused: when it cannot be loaded here.
        """


class Refused(ValueError):
    """The library does not take these expressions; it does not say which of them."""


CANARIES: Final = (
    (("a[0-9].*ab",), b"-" * 40 + b"a1ab--"),
    (("a[0-9].{1,20}ab", "zz"), b"-" * 17 + b"a1ab-ab" + b"-" * 20),
    (("kn[a-z]", "ab"), b" " * 20 + b"ab"),
)
"""Expressions, and a text that one of them matches: Vectorscan 5.4.12 finds none of the three."""


def overlooks(library: Prefilter) -> bool:
    """Whether the library is one of those that do not find all there is: VectorCamp/vectorscan issues 358 and 402."""
    return any(not library.load(library.compile(given), given).found(text) for given, text in CANARIES)


PREFILTERS: Final = {
    "vectorscan": "bastion.engine.prefilters.vectorscan",
    "hyperscan": "bastion.engine.prefilters.hyperscan",
    "re2": "bastion.engine.prefilters.re2_filter",
    "loop": "bastion.engine.prefilters.loop",
}
"""From the fastest to the one that is always there."""


@cache
def prefilter(name: str) -> Prefilter | None:
    """That prefilter, or ``None`` where its library is missing or overlooks matches."""
    try:
        found: Prefilter = import_module(PREFILTERS[name]).PREFILTER
    except (ImportError, AttributeError, OSError, Refused, RuntimeError):
        return None
    return found


def best_prefilter() -> Prefilter:
    """The fastest of those whose library is installed."""
    return next(found for name in PREFILTERS if (found := prefilter(name)))
