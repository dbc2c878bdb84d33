"""Letters without spaces, cut into words."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final

from bastion.engine.views.leet import ALIKE
from bastion.engine.views.vocabulary import VOCABULARY

# An unknown letter costs 1.
_KNOWN_WORD: Final = 2.2
_FIRST_UNKNOWN_LETTER: Final = 2.5


def segmented(letters: str) -> str:
    """The words of the vocabulary and what is between them, parted by spaces.

    The letters as they are, if less than half of them are in such words. Takes time linear in their number.
    """
    if not letters.isascii():
        return letters
    lengths = _lengths_of_last_words(letters.lower().translate(ALIKE))
    words, end, known, start_of_unknown = [], len(letters), 0, len(letters)
    while end:
        length = lengths[end]
        if length:
            words.append(letters[end:start_of_unknown])
            words.append(letters[end - length : end])
            known += length
            start_of_unknown = end - length
        end -= length or 1
    words.append(letters[:start_of_unknown])
    return " ".join(word for word in reversed(words) if word) if known * 2 >= len(letters) else letters


def _lengths_of_last_words(letters: str) -> Sequence[int]:
    """For each number of letters, how long the word is that ends there in their cheapest reading; 0 for no word."""
    beginning = _by_beginning()
    costs = [0.0] + [float("inf")] * len(letters)
    lengths = [1] + [0] * len(letters)
    for start in range(len(letters)):
        cost = costs[start]
        unknown = cost + (_FIRST_UNKNOWN_LETTER if lengths[start] else 1)
        if unknown < costs[start + 1]:
            costs[start + 1], lengths[start + 1] = unknown, 0
        for word in beginning.get(letters[start : start + 2], ()):
            end = start + len(word)
            if letters.startswith(word, start) and cost + _KNOWN_WORD < costs[end]:
                costs[end], lengths[end] = cost + _KNOWN_WORD, len(word)
    return lengths


@cache
def _by_beginning() -> Mapping[str, Sequence[str]]:
    """The words of two letters and more, with signs of leet for letters, by the first two."""
    words = defaultdict(list)
    for word in {word.translate(ALIKE) for word in VOCABULARY}:
        if len(word) > 1:
            words[word[:2]].append(word)
    return words
