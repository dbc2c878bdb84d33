"""Compilations in memory, and who makes them: this process, or somebody who keeps them."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

from bastion.engine.compilation import Compilation, Compiled, Unsound, compile_expressions
from bastion.engine.prefilters import Matcher, Prefilter, Refused, best_prefilter
from bastion.engine.projection import project
from bastion.engine.views import DISGUISES

MAX_BLIND: Final = 0.1
"""The share of expressions that a matcher may overlook in its self-test before it is not believed at all."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A compilation in memory: ``candidates`` gives the places in ``expressions`` of those that may match."""

    expressions: tuple[Compiled, ...]
    refused: Mapping[str, str]
    prefilter: str
    matcher: Matcher
    always: tuple[int, ...]
    beyond_ascii: frozenset[int]
    """The places of those that match no ASCII text."""
    blind: tuple[str, ...] = ()
    """Expressions that the matcher was found not to find, and that are searched for in every text."""

    @property
    def sources(self) -> set[str]:
        """All that went in, refused or not."""
        return {one.source for one in self.expressions} | self.refused.keys()

    def candidates(self, projected: bytes, *, is_ascii: bool) -> Collection[int]:
        """The places of the expressions that may match the text of that projection."""
        found = [*self.matcher.found(projected), *self.always] if self.always else self.matcher.found(projected)
        return [place for place in found if place not in self.beyond_ascii] if is_ascii and found else found


Compiler = Callable[[Collection[str]], Sequence[Layer]]
"""Gives layers that hold all those expressions between them, and perhaps others; each is in one of them alone."""


def compile_here(sources: Collection[str]) -> Sequence[Layer]:
    """Layers that are quick to make: the signs of disguises are compiled once a process, the rest here and now."""
    signs = compile_signs()
    wanted = set(sources)
    if not signs.sources <= wanted:
        return compile_together(wanted)
    return [signs, *compile_together(wanted - signs.sources)]


def compile_together(sources: Collection[str]) -> Sequence[Layer]:
    """One layer, here and now: slower to make, quicker to run."""
    prefilter = best_prefilter()
    return [load(compile_expressions(sorted(sources), prefilter), prefilter)]


@cache
def compile_signs() -> Layer:
    """The signs of all disguises, alone."""
    (layer,) = compile_together([disguise.sign for disguise in DISGUISES if disguise.sign])
    return layer


def load(compilation: Compilation, prefilter: Prefilter) -> Layer:
    """A compilation ready to match. An expression whose witness it does not find is a candidate for every text.

    Raises:
        Unsound: when it cannot be loaded here, or is blind to more than ``MAX_BLIND`` of the expressions.
    """
    # The prefilter numbers what has a translation from 0 on; so those come first.
    expressions = tuple(sorted(compilation.expressions, key=lambda one: one.translation is None))
    translations = [one.translation for one in expressions if one.translation is not None]
    try:
        matcher = prefilter.load(compilation.database, translations)
    except Refused as error:
        raise Unsound(f"{prefilter.name} cannot load it: {error}") from None
    always = tuple(range(len(translations), len(expressions)))
    beyond_ascii = frozenset(place for place, one in enumerate(expressions) if one.beyond_ascii)
    layer = Layer(expressions, compilation.refused, prefilter.name, matcher, always, beyond_ascii)
    blind = tuple(place for place in range(len(translations)) if _overlooked(layer, place))
    if len(blind) > MAX_BLIND * len(expressions):
        raise Unsound(f"{prefilter.name} does not find {len(blind)} of {len(expressions)} expressions")
    # What is a candidate for every text was found in none: it is never certain to match.
    unsure = {*blind, *always} if prefilter.finds else set(range(len(expressions)))
    sober = tuple(replace(one, exact=False) if place in unsure else one for place, one in enumerate(expressions))
    named = tuple(expressions[place].source for place in blind)
    return replace(layer, expressions=sober, always=(*blind, *always), blind=named)


def _overlooked(layer: Layer, place: int) -> bool:
    witness = layer.expressions[place].witness
    if witness is None:
        return False
    return place not in layer.candidates(project(witness), is_ascii=witness.isascii())
