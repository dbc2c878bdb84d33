"""Patterns tried out before they are accepted: an expression can match in microseconds and compile for minutes."""

from collections.abc import Callable, Collection

from bastion.compiler.process import CompilerFailed, shared_process
from bastion.engine.patterns import PatternError
from bastion.engine.prefilters import best_prefilter
from bastion.errors import CheckUnavailable


def probe(
    sources: Collection[str], progress: Callable[[], None] = lambda: None, *, stop_at_slow: bool = False
) -> dict[str, PatternError]:
    """Why those of the expressions that must not be used must not, each compiled alone within limits.

    With ``stop_at_slow`` those that follow one that could not be compiled are not tried: who waits for the answer
    waits for one.

    Raises:
        CheckUnavailable: when they cannot be tried out now.
    """
    try:
        return shared_process("probe").faults(sources, best_prefilter(), progress, stop_at_slow=stop_at_slow)
    except CompilerFailed as error:
        raise CheckUnavailable(f"the pattern cannot be checked now: {error}") from None
