"""The compiler of rules that are only tried, in a backtest or on samples: nothing of them stays on disk."""

import threading
from collections.abc import Callable, Collection, Sequence
from typing import Final

from bastion.compiler.process import CompilerFailed, shared_process
from bastion.engine.compilation import Unsound, compile_expressions
from bastion.engine.layers import SIGNS, Layer, load
from bastion.engine.prefilters import best_prefilter
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


def _compiled(sources: Collection[str]) -> Layer:
    chosen = best_prefilter()
    if chosen.name == "loop":
        return load(compile_expressions(sorted(sources), chosen), chosen)
    try:
        return load(shared_process("probe").compile(sorted(sources), chosen, {}), chosen)
    except (CompilerFailed, Unsound) as error:
        raise CheckUnavailable(f"the pattern cannot be tried now: {error}") from None
