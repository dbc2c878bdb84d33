"""Which bytes stand for a set of characters."""

import re
from collections.abc import Iterable
from itertools import pairwise
from random import Random

import pytest
import regex

from bastion.engine.dialect import pattern_faults, read_expression
from bastion.engine.images import cased
from bastion.engine.projection import Alphabet, table
from bastion.engine.translation import translate

EVERYTHING = "".join(map(chr, range(0x110000)))


def image(expression: str) -> set[int]:
    """The bytes that the translation of an expression for one character matches."""
    translation = translate(read_expression(expression)).expression
    # Of what a translation may be, sets and escapes mean the same to re.
    return {byte for byte in range(256) if re.fullmatch(translation.encode("ascii"), bytes([byte]), re.DOTALL)}


def bytes_of(characters: Iterable[str], alphabet: Alphabet) -> set[int]:
    return {table(alphabet)[ord(character)] for character in characters}


def alphabet_of(expression: str) -> Alphabet:
    return translate(read_expression(expression)).alphabet


@pytest.mark.parametrize(
    ("pattern", "bytes_found"),
    [
        ("a", "a"),
        ("(?i)a", "aA"),
        ("(?i)k", "kK"),
        ("(?i)i", "iI"),
        ("(?i)[h-j]", "hijHIJ"),
        (r"[\t-\r ]", "\t\n\v\f\r "),
        (r"\d", "0123456789"),
        (r"(?a)\d", "0123456789"),
        ("[x٠-٩]", "x0123456789"),
        ("[^\\x00-\U0010ffff]", ""),
    ],
)
def test_the_image_of_a_set_is_the_bytes_of_its_characters(pattern: str, bytes_found: str) -> None:
    assert image(pattern) == set(bytes_found.encode("ascii"))


def set_of(characters: Iterable[str]) -> str:
    """The characters as a set of an expression."""
    points = sorted(map(ord, characters))
    breaks = [0, *(at for at in range(1, len(points)) if points[at] != points[at - 1] + 1), len(points)]
    ranges = [(points[first], points[end - 1]) for first, end in pairwise(breaks)]
    return "[" + "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in ranges) + "]"


def test_no_other_character_is_equated_with_a_cased_one() -> None:
    """One search of all code points but the cased ones, for the set of all cased ones."""
    others = regex.sub(set_of(cased()), "", EVERYTHING)
    assert len(others) + len(cased()) == len(EVERYTHING)

    assert regex.findall(f"(?i){set_of(cased())}", others) == []


def test_other_characters_are_equated_with_themselves_alone() -> None:
    """One search of all code points for a sample of 500."""
    others = sorted(set(EVERYTHING) - set(cased()))
    sample = Random(1).sample(others, 500)

    assert sorted(regex.findall(f"(?i){set_of(sample)}", EVERYTHING)) == sorted(sample)
    for character in sample:
        literal = f"(?i)\\U{ord(character):08x}"
        assert image(literal) == bytes_of([character], alphabet_of(literal))


def test_the_image_of_a_cased_character_is_all_that_is_equated_with_it() -> None:
    """Searched for among the cased ones: that there are no others is tested above, for all together."""
    for character in cased():
        escaped = f"\\U{ord(character):08x}"
        equated = regex.findall(f"(?i){escaped}", cased())
        assert character in equated
        assert image(f"(?i){escaped}") == bytes_of(equated, alphabet_of(f"(?i){escaped}")), escaped


@pytest.mark.parametrize("written", ["(?ia){}", "(?i)(?a:{})", "(?ai:{})", "(?a)(?i:{})", "(?ia)[{}]", "(?a)(?iu:{})"])
def test_ascii_flags_take_nothing_from_an_image_that_the_module_finds(written: str) -> None:
    for character in ["k", "K", "s", "I", "\u212a", *Random(1).sample(cased(), 150)]:
        pattern = written.format(f"\\U{ord(character):08x}")
        if not pattern_faults(pattern):
            assert image(pattern) >= bytes_of(regex.findall(pattern, cased()), alphabet_of(pattern)), pattern


def test_the_image_of_a_range_holds_all_that_case_insensitive_matching_takes_for_it() -> None:
    random = Random(1)
    for _ in range(30):
        first = random.choice([random.randrange(0x600), random.choice([ord(one) for one in cased()])])
        last = min(first + random.choice([0, 1, 5, 60, 3000]), 0x10FFFF)
        written = f"(?i)[\\U{first:08x}-\\U{last:08x}]"
        assert image(written) == bytes_of(regex.findall(written, EVERYTHING), alphabet_of(written)), written
