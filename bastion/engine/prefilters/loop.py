"""No prefilter: every expression may match every text."""

from collections.abc import Sequence
from typing import Final

from bastion.engine.prefilters import Matcher, Prefilter


class _Every:
    def __init__(self, count: int) -> None:
        self._all = range(count)

    def found(self, _projected: bytes) -> range:
        return self._all


class _Loop:
    finds = False
    name = "loop"
    version = "1"

    def accepts(self, _translation: str) -> bool:
        return True

    def compile(self, _translations: Sequence[str]) -> bytes:
        return b""

    def load(self, _compiled: bytes, translations: Sequence[str]) -> Matcher:
        return _Every(len(translations))


PREFILTER: Final[Prefilter] = _Loop()
