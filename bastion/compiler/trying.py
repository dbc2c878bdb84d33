"""The compiler of rules that are only tried, in a backtest or on samples: nothing of them stays on disk."""

import threading
from collections.abc import Callable, Collection, Sequence
from typing import Final

from bastion.compiler.process import CompilerFailed, shared_process
from bastion.engine.compilation import Compilation, Compiled, Part, Unsound, compile_expressions
from bastion.engine.layers import SIGNS, Layer, load
from bastion.engine.prefilters import best_prefilter, prefilter
from bastion.errors import CheckUnavailable

MAX_HELD: Final = 8
"""Layers in memory: a backtest comes back for each of its steps."""


class TryingCompiler:
    """Layers of just what is asked for, compiled within the limits of a probe; threads take turns."""

    def __init__(self, signs: Callable[[], Layer]) -> None:
        self._signs = signs
        self._lock = threading.Lock()
        self._held: dict[frozenset[str], Layer] = {}

    def __call__(self, sources: Collection[str]) -> Sequence[Layer]:
        """The layers of those expressions.

        Raises:
            CheckUnavailable: when they cannot be compiled now.
        """
        looks_behind = set(sources) >= SIGNS
        wanted = frozenset(sources) - SIGNS if looks_behind else frozenset(sources)
        with self._lock:
            layer = self._held.pop(wanted, None) or _compiled(wanted)
            self._held[wanted] = layer
            if len(self._held) > MAX_HELD:
                del self._held[next(iter(self._held))]
        return [self._signs(), layer] if looks_behind else [layer]

    def unfiltered(self, sources: Collection[str]) -> Sequence[Layer]:
        """Layers that look for each of the expressions in every text: nothing is compiled, so nothing is waited for.

        The expressions must be of the dialect.
        """
        wanted = set(sources)
        looks_behind = wanted >= SIGNS
        untranslated = tuple(Compiled(source, None, False, False, None) for source in sorted(wanted - SIGNS))
        loop = prefilter("loop")
        assert loop is not None
        layer = load(Compilation(loop.name, (Part(untranslated, b"", False),)), loop)
        return [self._signs(), layer] if looks_behind else [layer]


def _compiled(sources: Collection[str]) -> Layer:
    chosen = best_prefilter()
    if chosen.name == "loop":
        return load(compile_expressions(sorted(sources), chosen), chosen)
    try:
        return load(shared_process("probe").compile(sorted(sources), chosen, {}), chosen)
    except (CompilerFailed, Unsound) as error:
        raise CheckUnavailable(f"the pattern cannot be tried now: {error}") from None
