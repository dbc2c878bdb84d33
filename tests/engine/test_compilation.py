"""What is stored of expressions made ready: it comes back whole or not at all, and is tried before it is trusted."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from bastion.engine import compilation as module
from bastion.engine.compilation import (
    Compilation,
    Compiled,
    Part,
    Unsound,
    assemble,
    compile_expressions,
    fingerprint,
    loosened,
    translate_one,
)
from bastion.engine.layers import load
from bastion.engine.patterns import PatternError
from bastion.engine.prefilters import Prefilter, Refused, prefilter
from bastion.engine.projection import Projected
from bastion.engine.translation import LOOSER
from tests.engine.libraries import LIBRARIES

SOURCES = ("key", "(?i)привет", r"\bid\b.{2,}", "(?=secret)", "a(", r"\p{L}", "😀")
WRITTEN_OUT = "(?:ab){20000}"
EMBEDDED = r"(?:a|^b)c|d\Ae|f"
NEVER = r"\bA{1,60}(?:\b\w{1,60}){4}"
"""Vectorscan refuses, however it is translated, what it sees can never match."""


def the(name: str) -> Prefilter:
    found = prefilter(name)
    assert found is not None
    return found


@pytest.fixture(params=LIBRARIES)
def library(request: pytest.FixtureRequest) -> Prefilter:
    return the(request.param)


class Picky:
    """A prefilter that takes only some translations; it finds every one of them everywhere."""

    finds = True
    name = "picky"
    version = "1"

    def __init__(self, takes: Callable[[str], bool]) -> None:
        self._takes = takes
        self.asked: list[str] = []

    def accepts(self, translation: str) -> bool:
        self.asked.append(translation)
        return self._takes(translation)

    def compile(self, translations: list[str]) -> bytes:
        if not all(map(self._takes, translations)):
            raise Refused("one of them")
        return b"picky"

    def load(self, compiled: bytes, translations: list[str]) -> object:
        assert compiled == b"picky"
        return the("loop").load(b"", translations)


def with_database(made: Compilation, database: bytes) -> Compilation:
    return replace(made, parts=tuple(replace(part, database=database) for part in made.parts))


def is_found(source: str, text: str, library: Prefilter) -> bool:
    layer = load(compile_expressions(["other", source, "another"], library), library)
    return source in {layer.expressions[place].source for place in layer.candidates(Projected(text))}


def test_what_is_dumped_is_loaded(library: Prefilter) -> None:
    made = compile_expressions(SOURCES, library)

    again = Compilation.load(made.dump())

    assert again == made
    assert again.prefilter == library.name
    ascii_ones, beyond = again.parts
    assert [one.source for one in ascii_ones.expressions] == ["key", r"\bid\b.{2,}", "(?=secret)"]
    assert [one.source for one in beyond.expressions] == ["(?i)привет", "😀"]
    assert (ascii_ones.beyond_ascii, beyond.beyond_ascii) == (False, True)
    assert ascii_ones.expressions[2].witness is None
    assert set(again.refused) == {"a(", r"\p{L}"}
    assert again.refused["a("].startswith("column 3: ")


def test_lone_surrogates_and_every_byte_are_kept() -> None:
    compiled = Compiled("\ud800\udfff\n\0", None, False, True, "\U0010ffff\ud800")
    parts = tuple(Part((compiled,), database, True) for database in (bytes(range(256)) * 3 + b"\n\n", b"", b"\n"))
    odd = Compilation("loop", parts, {"\n": "\x7f"})

    assert Compilation.load(odd.dump()) == odd


def test_a_witness_of_lone_surrogates_is_still_one_when_it_comes_back(library: Prefilter) -> None:
    """As JSON escapes, a high and a low surrogate in a row would come back as one character."""
    made = compile_expressions([r"\ud83d\ude00", "[\ud800-\udbff][\udc00-\udfff]"], library)

    assert load(Compilation.load(made.dump()), library).refused == {}


def test_nothing_is_a_compilation_too(library: Prefilter) -> None:
    made = compile_expressions([], library)

    assert Compilation.load(made.dump()) == made
    assert list(load(made, library).candidates(Projected("anything"))) == []


def test_any_flipped_byte_is_noticed() -> None:
    stored = compile_expressions(["key", "a("], the("loop")).dump()

    for place in range(len(stored)):
        damaged = stored[:place] + bytes([stored[place] ^ 0x20]) + stored[place + 1 :]
        with pytest.raises(Unsound):
            Compilation.load(damaged)


def test_any_truncation_is_noticed() -> None:
    stored = compile_expressions(["key", "a("], the("loop")).dump()

    for length in range(len(stored)):
        with pytest.raises(Unsound):
            Compilation.load(stored[:length])
    for longer in (stored + b"\0", b"\0" + stored, stored * 2):
        with pytest.raises(Unsound):
            Compilation.load(longer)


def test_a_damaged_database_is_noticed() -> None:
    stored = compile_expressions(["key"], the("hyperscan")).dump()
    assert len(stored) > 1000

    for place in range(0, len(stored), 97):
        with pytest.raises(Unsound):
            Compilation.load(stored[:place] + bytes([stored[place] ^ 1]) + stored[place + 1 :])


def test_a_fingerprint_is_of_the_set_of_sources(library: Prefilter) -> None:
    sources = ["b", "a", "ü", "\ud800"]

    assert fingerprint(sources, library) == fingerprint([*reversed(sources), "a"], library)
    others = (["b", "a", "ü"], [*sources, "c"], ["ba", "ü", "\ud800"], ["b", "a", "ü", "\udfff"], [])
    assert len({fingerprint(one, library) for one in (sources, *others)}) == 1 + len(others)
    assert fingerprint(sources, library).isalnum()


def test_a_fingerprint_is_of_the_library_and_the_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    prints = {fingerprint(["a"], the(name)) for name in LIBRARIES}
    newer = Picky(lambda _: True)
    prints.add(fingerprint(["a"], newer))
    newer.version = "2"
    prints.add(fingerprint(["a"], newer))
    monkeypatch.setattr(module.regex, "__version__", "9999")
    prints.add(fingerprint(["a"], newer))
    monkeypatch.setattr(module, "FORMAT", 9999)
    prints.add(fingerprint(["a"], newer))

    assert len(prints) == len(LIBRARIES) + 4


def test_a_layer_that_is_blind_to_a_witness_is_unsound() -> None:
    hyperscan = the("hyperscan")
    wanted = compile_expressions(["first", "second"], hyperscan)
    other = compile_expressions(["first", "another"], hyperscan)

    with pytest.raises(Unsound, match="does not find 1 of 2 expressions"):
        load(with_database(wanted, other.parts[0].database), hyperscan)
    swapped = compile_expressions(["second", "first"], hyperscan)
    with pytest.raises(Unsound):
        load(with_database(wanted, swapped.parts[0].database), hyperscan)


def test_a_layer_that_cannot_be_loaded_is_unsound() -> None:
    hyperscan = the("hyperscan")
    made = compile_expressions(["first"], hyperscan)

    for database in (b"", b"garbage", made.parts[0].database[:-1]):
        with pytest.raises(Unsound, match="cannot load it"):
            load(with_database(made, database), hyperscan)


def test_expressions_that_no_ascii_text_matches_are_not_looked_for_in_one(library: Prefilter) -> None:
    layer = load(compile_expressions(["a", "ж", "(?i)é+", "b"], library), library)

    def asked(text: str) -> list[bool]:
        return [one.beyond_ascii for one in layer.passes if not (text.isascii() and one.beyond_ascii)]

    assert asked("plain") == [False]
    assert asked("jà") == [False, True]
    found = {layer.expressions[place].source for place in layer.candidates(Projected("ж"))}
    assert found >= {"ж"}
    assert not {"ж", "(?i)é+"} & {layer.expressions[place].source for place in layer.candidates(Projected("a b"))}


def test_many_expressions_are_compiled_in_parts(library: Prefilter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_TOGETHER", 7)
    sources = [f"w{number}z" for number in range(30)] + [f"ж{number}z" for number in range(9)]
    made = compile_expressions(sources, library)

    assert [len(part.expressions) for part in made.parts] == [6, 6, 6, 6, 6, 4, 5]
    layer = load(Compilation.load(made.dump()), library)
    for source in sources:
        text = f"- {source} -"
        found = {layer.expressions[at].source for at in layer.candidates(Projected(text))}
        assert source in found
    assert layer.blind == ()


def test_an_expression_without_a_witness_is_taken_on_trust(library: Prefilter) -> None:
    made = compile_expressions(["(?<=pass: )word"], library)
    assert made.expressions[0].witness is None

    assert [one.source for one in load(made, library).expressions] == ["(?<=pass: )word"]


def test_one_expression_is_translated_with_a_witness() -> None:
    one = translate_one("(?i)key")

    assert (one.source, one.exact) == ("(?i)key", True)
    assert one.witness is not None
    assert one.witness.lower().replace("\u212a", "k") == "key"
    with pytest.raises(PatternError):
        translate_one("a(")


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (EMBEDDED, "-- f"),
        (EMBEDDED, "bc"),
        (EMBEDDED, "ac"),
        (WRITTEN_OUT, "ab" * 20_000),
        (r"(?:\b[A-Z]\w+\b\s?){2,}", "Two Words"),
        (r"xa{0}b", "xb"),
        ("a{40000}", "a" * 40_000),
    ],
)
def test_what_a_library_refuses_still_finds_its_matches(library: Prefilter, source: str, text: str) -> None:
    assert translate_one(source)
    assert module.read_expression(source).compiled.search(text)

    assert is_found(source, text, library)


@pytest.mark.parametrize("source", [EMBEDDED, WRITTEN_OUT])
def test_hyperscan_gets_a_looser_translation_that_it_takes(source: str) -> None:
    hyperscan = the("hyperscan")
    closest = translate_one(source)
    assert closest.translation is not None
    assert not hyperscan.accepts(closest.translation)

    looser = loosened(closest, hyperscan)

    assert looser.translation is not None
    assert hyperscan.accepts(looser.translation)
    assert not looser.exact
    assert (looser.source, looser.witness) == (closest.source, closest.witness)


def test_what_is_accepted_stays_as_close_as_it_is() -> None:
    one = translate_one("^key$")

    assert loosened(one, the("hyperscan")) == one
    assert loosened(replace(one, translation=None, exact=False), Picky(lambda _: True)).translation is None


def test_translations_are_tried_from_the_closest_to_the_widest() -> None:
    picky = Picky(lambda translation: r"\A" not in translation and "{" not in translation)
    one = translate_one("^a{2,9}b")

    looser = loosened(one, picky)

    assert looser.translation is None or picky.accepts(looser.translation)
    assert picky.asked[0] == one.translation
    assert 1 < len(picky.asked) <= len(LOOSER) + 2


def test_with_no_translation_accepted_every_text_is_a_candidate() -> None:
    picky = Picky(lambda translation: "x" not in translation)
    layer = load(compile_expressions(["a", "x+", "b", "(?=secret)x"], picky), picky)

    always = {layer.expressions[place].source for place in layer.always}
    assert always == {"x+", "(?=secret)x"}
    assert {one.source for one in layer.expressions if one.exact} == {"a", "b"}
    assert set(layer.candidates(Projected(""))) >= set(layer.always)


def test_real_expressions_that_are_always_candidates_leave_the_numbers_of_others_alone() -> None:
    hyperscan = the("hyperscan")
    layer = load(compile_expressions([NEVER, "first", r"\B(?:\b\w+\b\s)+", "second"], hyperscan), hyperscan)
    assert [one.source for one in layer.expressions if one.translation is None] == [NEVER, r"\B(?:\b\w+\b\s)+"]

    def found(text: str) -> set[str]:
        return {layer.expressions[place].source for place in layer.candidates(Projected(text))}

    assert "first" in found("the first")
    assert "second" not in found("the first")
    assert "second" in found("the second")


def test_a_layer_knows_all_that_went_in(library: Prefilter) -> None:
    layer = load(compile_expressions(SOURCES, library), library)

    assert layer.sources == set(SOURCES)
    assert layer.prefilter == library.name


def test_assembling_what_is_refused_says_so() -> None:
    with pytest.raises(Refused):
        assemble([translate_one("fine"), translate_one(WRITTEN_OUT)], {}, the("hyperscan"))


def test_a_source_given_twice_is_compiled_once(library: Prefilter) -> None:
    made = compile_expressions(["a", "b", "a", "a(", "a("], library)

    assert [one.source for one in made.expressions] == ["a", "b"]
    assert list(made.refused) == ["a("]


def test_an_expression_that_the_matcher_is_blind_to_is_searched_for_in_every_text() -> None:
    hyperscan = the("hyperscan")
    sources = [f"w{number}" for number in range(20)]
    made = compile_expressions(sources, hyperscan)
    blinded = replace(made.expressions[0], witness="something else")

    (part,) = made.parts
    layer = load(replace(made, parts=(replace(part, expressions=(blinded, *part.expressions[1:])),)), hyperscan)

    assert layer.blind == ("w0",)
    assert list(layer.candidates(Projected("nothing"))) == [0]
    assert set(layer.candidates(Projected("w1"))) == {0, 1}
