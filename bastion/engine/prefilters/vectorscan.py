"""Vectorscan, the portable Hyperscan, as the wheel ``hyperscan`` brings it.

The one in 0.9.1 overlooks matches, and is refused for it; a later one is used as soon as it does not.
"""

import platform
import threading
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, Final

import hyperscan

from bastion.engine.prefilters import Matcher, Nothing, Prefilter, Refused, overlooks

_FLAGS: Final = hyperscan.HS_FLAG_SINGLEMATCH | hyperscan.HS_FLAG_ALLOWEMPTY


def _note(number: int, _start: int, _end: int, _flags: int, found: Any) -> None:
    # What a callback returns, were it true, would end the scan.
    found.append(number)


class _DatabaseMatcher:
    """A scratch is the working memory of one scan, so that each thread needs its own."""

    def __init__(self, database: hyperscan.Database) -> None:
        self._database = database
        self._of_thread = threading.local()

    def found(self, projected: bytes) -> list[int]:
        found: list[int] = []
        try:
            scratch = self._of_thread.scratch
        except AttributeError:
            scratch = self._of_thread.scratch = hyperscan.Scratch(self._database)
        self._database.scan(projected, match_event_handler=_note, context=found, scratch=scratch)
        return found


class _Vectorscan:
    finds = True
    name = "vectorscan"
    version = f"{version('hyperscan')} {platform.machine()}"

    def accepts(self, translation: str) -> bool:
        try:
            self.compile([translation])
        except Refused:
            return False
        return True

    def compile(self, translations: Sequence[str]) -> bytes:
        if not translations:
            return b""
        # A failed compile destroys the object: each gets its own.
        database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        count = len(translations)
        try:
            database.compile(
                expressions=[translation.encode("ascii") for translation in translations],
                ids=list(range(count)),
                elements=count,
                flags=[_FLAGS] * count,
            )
        except hyperscan.error as error:
            raise Refused(str(error)) from None
        return bytes(hyperscan.dumpb(database))

    def load(self, compiled: bytes, translations: Sequence[str]) -> Matcher:
        if not translations:
            return Nothing()
        try:
            return _DatabaseMatcher(hyperscan.loadb(compiled, hyperscan.HS_MODE_BLOCK))
        except hyperscan.error as error:
            raise Refused(str(error)) from None


PREFILTER: Final[Prefilter] = _Vectorscan()

if overlooks(PREFILTER):
    raise ImportError("this Vectorscan overlooks matches")
