"""Matchers differ in speed alone: what an expression matches is a candidate, whichever of them looks."""

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import regex

from bastion.engine import prefilters
from bastion.engine.compilation import compile_expressions
from bastion.engine.dialect import read_expression
from bastion.engine.layers import load
from bastion.engine.prefilters import PREFILTERS, Prefilter, Refused, best_prefilter, overlooks, prefilter
from bastion.engine.projection import Projected, project
from bastion.engine.translation import translate
from tests.engine.libraries import LIBRARIES
from tests.engine.libraries import library as library_of

PATTERNS = (
    *(
        "key",
        "(?i)key",
        "привет",
        "(?i)ПРИВЕТ",
        "日本",
        "😀+",
        r"\d{4}",
        r"\bid\b",
        r"\w+@\w+",
        "^start",
        "end$",
        r"end\Z",
    ),
    *("a.b", "(?s)a.b", "(?m)^line$", r"(\w)\1", "(?=key)", "(?<!x)y", "[^a-z ]", r"\s{2}", "x{3,}", "(?:ab|cd)+e"),
    *("ab.|cd", "(?:foo.|zx)", r"[ab]\d|ef", r"\B-\B", r"go\b[^\n]{1,20}\bhome"),
)
TEXTS = (
    *(
        "",
        "a",
        "key",
        "a KEY",
        "\u212aEY",
        "ПРИВЕТ и привет",
        "日本語",
        "😀😀",
        "2024",
        "٢٠٢٤",
        "the id.",
        "me@home",
        "start",
    ),
    *(
        "the end",
        "the end\n",
        "the end\n\n",
        "a\nb",
        "axb",
        "a\u2028b",
        "one\nline\nmore",
        "aa",
        "яя",
        "y",
        "xy",
        "xxx",
    ),
    *("ababcde", "a\u00a0\u3000b", "\ud800", "\0", "a1", "ef", "----", "go home", "go back\u00a0home", "Wörter " * 500),
    # Vectorscan 5.4.12 overlooks what ends with the last byte of a text that is longer than its vectors.
    *("-" * length + tail for length in (14, 15, 16, 20, 31, 32, 63, 64, 100) for tail in ("cd", "zx", "ef", "ab.")),
)


@pytest.fixture(params=LIBRARIES)
def library(request: pytest.FixtureRequest) -> Prefilter:
    found = prefilter(request.param)
    assert found is not None
    return found


def candidates(library: Prefilter, *patterns: str) -> Callable[[str], set[str]]:
    """Which of the patterns, by their source, a text may match."""
    layer = load(compile_expressions(patterns, library), library)
    assert layer.refused == {}

    def find(text: str) -> set[str]:
        places = layer.candidates(Projected(text))
        assert len(places) == len(set(places))
        return {layer.expressions[place].source for place in places}

    return find


def matching(text: str, *patterns: str) -> set[str]:
    return {pattern for pattern in patterns if regex.search(pattern, text)}


def test_whatever_matches_is_a_candidate(library: Prefilter) -> None:
    find = candidates(library, *PATTERNS)

    matches = 0
    for text in TEXTS:
        wanted = matching(text, *PATTERNS)
        assert wanted <= find(text), text
        matches += len(wanted)
    assert matches > len(TEXTS)


@pytest.mark.parametrize("pattern", [r"a\d.+ab", r"a\d[^n]+ab", r"a\d.*ab"])
@pytest.mark.parametrize(
    "text",
    [
        "aaaaaaaaaaaaaaaaa1aba-abaaaaaaaaa",
        "------------------1aaaaaaaaaaaaaaaaaacda1ab",
        "a" * 40 + "1-" + "a" * 40 + "b",
    ],
)
def test_a_match_is_found_wherever_the_vectors_of_the_matcher_end(library: Prefilter, pattern: str, text: str) -> None:
    """Double shufti of Vectorscan 5.4.12 overlooks these: VectorCamp/vectorscan, issues 358 and 382."""
    assert matching(text, pattern) <= candidates(library, pattern)(text)


def test_an_expression_alone_is_found_as_it_is_among_others(library: Prefilter) -> None:
    for pattern in PATTERNS:
        find = candidates(library, pattern)
        for text in TEXTS:
            assert matching(text, pattern) <= find(text), (pattern, text)


@pytest.mark.parametrize("name", ["hyperscan", "re2"])
def test_what_does_not_match_is_no_candidate_where_bytes_say_all(name: str) -> None:
    library = prefilter(name)
    assert library is not None
    exact = [pattern for pattern in PATTERNS if translate(read_expression(pattern)).exact]
    assert len(exact) > 10
    find = candidates(library, *exact)

    for text in filter(str.isascii, TEXTS):
        assert find(text) == matching(text, *exact), text


def test_no_expressions_find_nothing(library: Prefilter) -> None:
    find = candidates(library)

    assert find("") == find("anything") == set()
    assert library.load(library.compile([]), []).found(b"key") is not None


def test_hundreds_of_expressions(library: Prefilter) -> None:
    words = [f"word{number}x" for number in range(400)]
    find = candidates(library, *words, r"(\w)\1{3}", "я+")

    assert find("nothing") >= set()
    assert {"word7x", "word399x"} <= find("a word7x and word399x.")
    assert set(words) <= find(" ".join(words))
    assert {r"(\w)\1{3}", "я+"} <= find("яяяя")


def test_an_expression_twice_is_found_by_both_numbers(library: Prefilter) -> None:
    found = library.load(library.compile(["ab", "cd", "ab"]), ["ab", "cd", "ab"]).found(project("xab"))

    assert {0, 2} <= set(found)


def test_threads_share_a_matcher(library: Prefilter) -> None:
    find = candidates(library, *(f"t{number}e" for number in range(40)))

    def of_thread(number: int) -> bool:
        text = f"-- t{number % 40}e --" * (number % 7 + 1)
        return all(f"t{number % 40}e" in find(text) for _ in range(20))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(of_thread, range(200)))


def test_a_matcher_outlives_the_scans_of_threads_that_have_ended(library: Prefilter) -> None:
    find = candidates(library, "key")
    for _ in range(20):
        with ThreadPoolExecutor(2) as pool:
            assert list(pool.map(find, ["a key", "a key"])) == [{"key"}, {"key"}]
    assert find("key") == {"key"}


@pytest.mark.parametrize("name", ["hyperscan", "re2"])
@pytest.mark.parametrize("translation", ["a(", r"(a)\1", "(?=a)b", "a{9000000}", "(?P<", "[z-a]", "*"])
def test_what_the_library_does_not_take_is_not_accepted_and_not_compiled(name: str, translation: str) -> None:
    library = prefilter(name)
    assert library is not None

    assert not library.accepts(translation)
    with pytest.raises(Refused):
        library.compile(["fine", translation])
    # The refusal leaves nothing behind.
    assert library.accepts("fine")
    assert list(library.load(library.compile(["fine"]), ["fine"]).found(b"fine\xff\xff")) == [0]


@pytest.mark.parametrize(
    "pattern",
    [*PATTERNS, "(?i)key$", r"key\Z", r"a|b\Z", r"(?:a|b$)\Z", r"\A(?:x|y)\Z", "a{0}b", r"\bA{1,60}(?:\b\w{1,60}){4}"],
)
def test_what_is_accepted_alone_can_be_compiled_and_loaded(library: Prefilter, pattern: str) -> None:
    translation = translate(read_expression(pattern)).expression

    if library.accepts(translation):
        both = [translation, "key"]
        assert 1 in library.load(library.compile(both), both).found(project("a key"))
    else:
        with pytest.raises(Refused):
            library.compile([translation])


def test_the_loop_takes_everything() -> None:
    loop = prefilter("loop")
    assert loop is not None

    assert loop.accepts("a(")
    assert list(loop.load(loop.compile(["a(", "b"]), ["a(", "b"]).found(b"")) == [0, 1]


@pytest.mark.parametrize("garbage", [b"", b"x", b"x" * 10_000, b"\0" * 10_000])
def test_hyperscan_does_not_load_what_is_no_database(garbage: bytes) -> None:
    hyperscan = prefilter("hyperscan")
    assert hyperscan is not None

    with pytest.raises(Refused):
        hyperscan.load(garbage, ["key"])


def test_hyperscan_does_not_load_a_damaged_database() -> None:
    hyperscan = prefilter("hyperscan")
    assert hyperscan is not None
    whole = hyperscan.compile(["key", "[a-z]+[0-9]{3}"])

    middle = len(whole) // 2
    flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]

    for damaged in (whole[:-1], whole[:40], whole[:middle], b"\0" + whole[1:], flipped):
        with pytest.raises(Refused):
            hyperscan.load(damaged, ["key", "[a-z]+[0-9]{3}"])
    assert list(hyperscan.load(whole, ["key", "[a-z]+[0-9]{3}"]).found(b"a key")) == [0]


def test_each_has_a_name_and_a_version(library: Prefilter) -> None:
    assert PREFILTERS[library.name].startswith("bastion.engine.prefilters.")
    assert library.version


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Makes libraries look as if they were not installed."""

    def forget(*names: str) -> None:
        for name in names:
            monkeypatch.setitem(sys.modules, PREFILTERS[name], None)
        prefilters.prefilter.cache_clear()

    yield forget
    monkeypatch.undo()
    prefilters.prefilter.cache_clear()


@pytest.mark.parametrize(
    ("missing", "best"),
    [((), "hyperscan"), (("hyperscan",), "re2"), (("re2",), "hyperscan"), (("hyperscan", "re2"), "loop")],
)
def test_the_best_is_the_first_whose_library_is_installed(
    without: Callable[..., None], missing: tuple[str, ...], best: str
) -> None:
    without(*missing)

    assert best_prefilter().name == best
    for name in LIBRARIES:
        assert (prefilter(name) is None) is (name in missing)


def test_they_are_ordered_from_the_fastest_to_the_one_that_is_always_there() -> None:
    assert list(PREFILTERS) == ["vectorscan", "hyperscan", "re2", "loop"]


def test_a_library_that_overlooks_a_match_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    re2, loop = library_of("re2"), library_of("loop")
    assert not overlooks(re2)
    assert not overlooks(loop)

    class Blind:
        def found(self, projected: bytes) -> tuple[int, ...]:
            return () if projected.endswith(b"ab") else (0,)

    monkeypatch.setattr(type(re2), "load", lambda *_: Blind())

    assert overlooks(re2)


def test_the_wheel_of_today_overlooks_matches_and_is_not_used() -> None:
    """Once a wheel does not, this fails, and the wheel is used: say so in docs/decisions.md then."""
    assert prefilter("vectorscan") is None
