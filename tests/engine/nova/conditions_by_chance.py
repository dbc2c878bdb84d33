"""Conditions drawn by chance, each with what a truth table says of it, worked out without the code that is tested."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from itertools import combinations

from hypothesis import strategies as st

WORDS = ("apple", "berry", "cherry", "date", "elder")
NAMES = ("fruit_a", "fruit_b", "fruit_c", "nut_d", "nut_e")
"""What the keywords are called, each for its word."""

Truth = Callable[[Collection[str]], bool]


@dataclass(frozen=True)
class Drawn:
    """The text of a condition, its truth by the names that are there, and what it would ask a model for."""

    text: str
    truth: Truth
    asked: tuple[str, ...] = ()


def _one(name: str) -> Drawn:
    return Drawn(f"keywords.${name}", lambda there: name in there)


def _so_many(count: int, names: tuple[str, ...], group: str) -> Drawn:
    # As many subsets of that size as there are: one of them must be there as a whole.
    subsets = [set(subset) for subset in combinations(names, count)]
    word = {1: "any", len(names): "all"}.get(count, str(count))
    return Drawn(f"{word} of {group}", lambda there: any(subset <= set(there) for subset in subsets))


def _groups() -> st.SearchStrategy[Drawn]:
    def drawn(choice: tuple[str, tuple[str, ...]]) -> st.SearchStrategy[Drawn]:
        group, names = choice
        return st.integers(1, len(names)).map(lambda count: _so_many(count, names, group))

    listed = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True).map(
        lambda names: ("(" + ", ".join(f"${name}" for name in names) + ")", tuple(names))
    )
    fixed = st.sampled_from(
        [("keywords.*", NAMES), ("keywords", NAMES), ("keywords.$fruit*", NAMES[:3]), ("$nut_*", NAMES[3:])]
    )
    return (listed | fixed).flatmap(drawn)


def _both(word: str, left: Drawn, right: Drawn) -> Drawn:
    truths = left.truth, right.truth
    joined = all if word == "and" else any
    return Drawn(
        f"({left.text}) {word} ({right.text})",
        lambda there: joined(truth(there) for truth in truths),
        left.asked + right.asked,
    )


def _chain(parts: list[Drawn], words: list[str]) -> Drawn:
    """Parts without parentheses: ``and`` binds before ``or``."""
    text = parts[0].text
    alternatives: list[list[Drawn]] = [[parts[0]]]
    for word, part in zip(words, parts[1:], strict=False):
        text += f"\n  {word.upper()} {part.text}"
        if word == "and":
            alternatives[-1].append(part)
        else:
            alternatives.append([part])
    return Drawn(
        text,
        lambda there: any(all(part.truth(there) for part in alternative) for alternative in alternatives),
        tuple(name for part in parts for name in part.asked),
    )


def _not(of: Drawn) -> Drawn:
    return Drawn(f"not ({of.text})", lambda there: not of.truth(there), of.asked)


def _leaves() -> st.SearchStrategy[Drawn]:
    single = st.sampled_from(NAMES).map(_one)
    return single | _groups() | single.map(lambda one: Drawn(f"not {one.text}", lambda there: not one.truth(there)))


def conditions() -> st.SearchStrategy[Drawn]:
    """Conditions over the keywords alone."""
    chained = st.tuples(
        st.lists(_leaves(), min_size=2, max_size=4), st.lists(st.sampled_from(["and", "or"]), min_size=3, max_size=3)
    ).map(lambda drawn: _chain(*drawn))
    return st.recursive(
        _leaves() | chained,
        lambda inner: (
            st.tuples(st.sampled_from(["and", "or"]), inner, inner).map(lambda drawn: _both(*drawn)) | inner.map(_not)
        ),
        max_leaves=6,
    )


def with_models(drawn: Drawn, places: list[bool]) -> Drawn:
    """The condition with a model asked for beside it, once each: ``and`` where it says so, else ``or``."""
    for number, wanted in enumerate(places):
        name = f"m{number}"
        model = Drawn(f"llm.${name}", lambda there, name=name: name in there, (name,))
        drawn = _both("and" if wanted else "or", drawn, model if number % 2 else _not(model))
    return drawn


def pattern_of(drawn: Drawn) -> str:
    """A rule's pattern with that condition."""
    keywords = "".join(f'    ${name} = "{word}"\n' for name, word in zip(NAMES, WORDS, strict=True))
    asked = "".join(f'    ${name} = "Is it so?" (0.5)\n' for name in drawn.asked)
    return f"keywords:\n{keywords}" + (f"llm:\n{asked}" if asked else "") + f"condition:\n    {drawn.text}"
