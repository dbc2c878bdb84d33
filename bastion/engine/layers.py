"""Compilations in memory, and who makes them: this process, or somebody who keeps them."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Final, NamedTuple

from bastion.engine.compilation import Compilation, Compiled, Unsound, compile_expressions
from bastion.engine.prefilters import Matcher, Prefilter, Refused, best_prefilter
from bastion.engine.projection import Projected
from bastion.engine.views import DISGUISES

MAX_BLIND: Final = 0.1
"""The share of expressions that a matcher may overlook in its self-test before it is not believed at all."""


class Pass(NamedTuple):
    """A matcher of some of a layer's expressions, and the place of the first of them."""

    matcher: Matcher
    first: int
    beyond_ascii: bool


@dataclass(frozen=True, slots=True)
class Layer:
    """A compilation in memory: ``candidates`` gives the places in ``expressions`` of those that may match."""

    expressions: tuple[Compiled, ...]
    refused: Mapping[str, str]
    prefilter: str
    passes: tuple[Pass, ...]
    always: tuple[int, ...]
    """The places of those that no matcher is asked for."""
    always_in_ascii: tuple[int, ...]
    """The same without those that match no ASCII text."""
    blind: tuple[str, ...] = ()
    """Expressions that the matcher was found not to find, and that are searched for in every text."""
    finds: bool = True
    """Whether the matchers look for the expressions, and do not just take each for a candidate."""

    @property
    def sources(self) -> set[str]:
        """All that went in, refused or not."""
        return {one.source for one in self.expressions} | self.refused.keys()

    @property
    def unproven(self) -> int:
        """How many expressions no self-test covers, because no text could be made that they match."""
        return sum(one.witness is None and one.translation is not None for one in self.expressions)

    def candidates(self, text: Projected) -> Collection[int]:
        """The places of the expressions that may match that text."""
        found = list(self.always_in_ascii if text.is_ascii else self.always)
        for matcher, first, beyond_ascii in self.passes:
            if not beyond_ascii:
                found += [first + number for number in matcher.found(text.words)]
            elif not text.is_ascii:
                found += [first + number for number in matcher.found(text.scripts)]
        return found


Compiler = Callable[[Collection[str]], Sequence[Layer]]
"""Gives layers that hold all those expressions between them, and perhaps others; each is in one of them alone."""


SIGNS: Final = frozenset(disguise.sign for disguise in DISGUISES if disguise.sign)
"""The expressions that say what a text may hide. Apart from the rules they never have to be compiled again."""


def compile_here(sources: Collection[str]) -> Sequence[Layer]:
    """Layers that are quick to make: the signs of disguises are compiled once a process, the rest here and now."""
    wanted = set(sources)
    if not wanted >= SIGNS:
        return compile_together(wanted)
    return [compile_signs(), *compile_together(wanted - SIGNS)]


def compile_together(sources: Collection[str]) -> Sequence[Layer]:
    """One layer, here and now."""
    prefilter = best_prefilter()
    return [load(compile_expressions(sorted(sources), prefilter), prefilter)]


@cache
def compile_signs() -> Layer:
    """The signs of all disguises, alone."""
    (layer,) = compile_together(SIGNS)
    return layer


def load(compilation: Compilation, prefilter: Prefilter) -> Layer:
    """A compilation ready to match. An expression whose witness it does not find is a candidate for every text.

    Raises:
        Unsound: when it cannot be loaded here, or is blind to more than ``MAX_BLIND`` of the expressions.
    """
    expressions = compilation.expressions
    passes: list[Pass] = []
    untranslated: list[int] = []
    first = 0
    for part in compilation.parts:
        translations = [one.translation for one in part.expressions if one.translation is not None]
        if translations:
            try:
                passes.append(Pass(prefilter.load(part.database, translations), first, part.beyond_ascii))
            except Refused as error:
                raise Unsound(f"{prefilter.name} cannot load it: {error}") from None
        else:
            untranslated += range(first, first + len(part.expressions))
        first += len(part.expressions)
    layer = _with_always(Layer(expressions, compilation.refused, prefilter.name, tuple(passes), (), ()), untranslated)
    try:
        blind = [
            place for place, one in enumerate(expressions) if one.translation is not None and _overlooked(layer, place)
        ]
    except RuntimeError as error:
        raise Unsound(f"{prefilter.name} cannot use it: {error}") from None
    if len(blind) > MAX_BLIND * len(expressions):
        raise Unsound(f"{prefilter.name} does not find {len(blind)} of {len(expressions)} expressions")
    # What is a candidate for every text was found in none: it is never certain to match.
    unsure = {*blind, *untranslated} if prefilter.finds else set(range(len(expressions)))
    sober = tuple(replace(one, exact=False) if place in unsure else one for place, one in enumerate(expressions))
    named = tuple(expressions[place].source for place in blind)
    return replace(_with_always(layer, [*blind, *untranslated]), expressions=sober, blind=named, finds=prefilter.finds)


def _with_always(layer: Layer, places: Sequence[int]) -> Layer:
    in_ascii = tuple(place for place in places if not layer.expressions[place].beyond_ascii)
    return replace(layer, always=tuple(places), always_in_ascii=in_ascii)


def _overlooked(layer: Layer, place: int) -> bool:
    witness = layer.expressions[place].witness
    if witness is None:
        return False
    return place not in layer.candidates(Projected(witness))
