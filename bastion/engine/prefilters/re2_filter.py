"""Google's RE2: it looks for the literals that expressions need, then for the expressions that have theirs."""

from collections.abc import Sequence
from importlib.metadata import version
from typing import Final

import re2

from bastion.engine.prefilters import Matcher, Prefilter, Refused

MAX_MEMORY: Final = 256 * 1024 * 1024
"""Bytes an automaton may grow to: RE2 reports no match, silently, when it runs out."""


def _options() -> re2.Options:
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    options.max_mem = MAX_MEMORY
    return options


class _FilterMatcher:
    def __init__(self, translations: Sequence[str]) -> None:
        self._filter = re2.Filter()
        options = _options()
        try:
            for translation in translations:
                self._filter.Add(translation, options)
            if translations:
                self._filter.Compile()
        except re2.error as error:
            raise Refused(str(error)) from None
        self._empty = not translations

    def found(self, projected: bytes) -> Sequence[int]:
        # The filter reads literals beyond ASCII as UTF-8, whatever it is told.
        return () if self._empty else self._filter.Match(projected.decode("latin-1")) or ()


class _Re2:
    finds = True
    name = "re2"
    version = version("google-re2")

    def accepts(self, translation: str) -> bool:
        try:
            re2.compile(translation, _options())
        except re2.error:
            return False
        return True

    def compile(self, translations: Sequence[str]) -> bytes:
        """Nothing: RE2 has no stored form, and is quick to build."""
        _FilterMatcher(translations)
        return b""

    def load(self, _compiled: bytes, translations: Sequence[str]) -> Matcher:
        return _FilterMatcher(translations)


PREFILTER: Final[Prefilter] = _Re2()
