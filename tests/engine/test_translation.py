"""A translation over projected bytes never matches less than the expression does, and says when it matches no more."""

from random import Random

import pytest

from bastion.engine.dialect import read_expression
from bastion.engine.prefilters import Matcher, Prefilter, prefilter
from bastion.engine.projection import project, table
from bastion.engine.translation import LOOSER, Looseness, translate

MATCHING = [
    ("plain", "as plain as that"),
    ("a.c", "abc"),
    ("a.c", "a\u2028c"),
    ("a.c", "a😀c"),
    ("a.c", "a\ud800c"),
    ("(?s)a.c", "a\nc"),
    (r"x\x00", "x\0"),
    ("[0-9a-f]{8}", "deadbeef"),
    ("[]a]b", "]b"),
    ("[^a]b", "cb"),
    ("[^a]b", "яb"),
    ("[^a]b", "😀b"),
    ("[^a]b", "\u0301b"),
    ("[^a]b", "\nb"),
    ("[^k]b", "\u212ab"),
    ("(?i)[^k]b", "ſb"),
    ("[^я]b", "Wb"),
    ("[^A-Z]b", "Яb"),
    ("[^0-9]b", "٣b"),
    (r"[^\d]b", "②b"),
    (r"[^\s]b", "\u200bb"),
    ("(?i)k", "K"),
    ("(?i)k", "\u212a"),
    ("(?i)K", "\u212a"),
    ("(?i)\u212a", "k"),
    ("\u212a", "\u212a"),
    ("(?i)ſ", "s"),
    ("(?i)ſ", "S"),
    ("(?i)s", "ſ"),
    ("ſ", "ſ"),
    ("(?i)[a-z]x", "ſx"),
    ("(?i)[A-Z]x", "ıx"),
    ("(?i)i", "İ"),
    ("(?i)I", "ı"),
    ("(?i)ı", "I"),
    ("(?i)İ", "i"),
    ("(?i)STRASSE", "strasse"),
    ("(?i)straße", "STRAẞE"),
    ("(?i)σ", "ς"),
    ("(?i)[α-ω]x", "Ωx"),
    ("(?i)[Α-Ω]x", "ςx"),
    ("(?i)\u03bc", "\u00b5"),
    ("(?i)\u01c6", "\u01c5"),
    ("(?i)\ufb05", "\ufb06"),
    ("(?i)Ꭰ", "ꭰ"),
    ("(?i)[\U00010400-\U00010427]", "\U00010428"),
    ("(?-i:k)x", "kx"),
    ("(?i)a(?-i:B)c", "ABC"),
    ("(?i:a)b", "Ab"),
    ("(?i)(?a:ὀ)", "Ὀ"),
    ("(?ai:µ)x", "μx"),
    ("(?i)x(?a:k)", "x\u212a"),
    ("(?a)(?i:k)", "K"),
    ("(?ai)k", "K"),
    ("(?ai)[^k]b", "\u212ab"),
    (r"(?a)\wb", "_b"),
    (r"(?a)\Wb", "яb"),
    (r"(?a)\Db", "٣b"),
    (r"(?a)\Sb", "\u00a0b"),
    (r"(?a)\bb", "яb"),
    (r"(?a)я\b", "яb"),
    (r"(?a)\Bк", "key к"),
    (r"(?a:\wя)", "aя"),
    (r"\d{4}", "١٢٣٤"),
    (r"\d{4}", "1２𝟛٤"),
    (r"\w+x", "привет_日本x"),
    (r"\W\s", "😀\u3000"),
    (r"a\sb", "a\u00a0b"),
    (r"a\Sb", "a\x1fb"),
    (r"a\sb", "a\x85b"),
    (r"\S+b", "\u200bb"),
    (r"\D\d", "②3"),
    ("[а-я]+", "x привет"),
    ("[а-яё]+!", "ёж!"),
    ("(?i)[а-я]+!", "ЁЖ!"),
    ("日本語", "（日本語）"),
    ("😀", "a😀"),
    ("\ud800", "a\ud800b"),
    (r"[\ud800-\udfff]", "\udc00"),
    (r"\bключ\b", "это ключ."),
    (r"\bкл", "клей"),
    (r"\Bлей", "клей"),
    (r"\b日", "a 日本"),
    (r"e\b\W", "e\u2019s"),
    (r"\b\w+\b-\b", "ab-cd"),
    (r"\Bb", "ab"),
    ("^a", "ab"),
    (r"\Aa", "ab"),
    ("x|^a", "ab"),
    ("(?:a|^b)c", "bc"),
    ("(?m)^b", "a\nb"),
    ("(?m)a$", "a\nb"),
    ("(?m)a\n^", "a\n"),
    ("(?m)^\n?a", "x\n\na"),
    ("(?m)a$\n^b", "a\nb"),
    ("(?m:^b)", "a\nb"),
    ("a$", "ba"),
    ("a$", "ba\n"),
    (r"a\Z", "ba"),
    ("a$\n", "a\n"),
    ("a$(?s:.)", "a\n"),
    ("a$$", "a\n"),
    (r"a$\n\Z", "a\n"),
    (r"a$\b", "a"),
    (r"\n$\B", "a\n\n"),
    (r"a$\Z", "a"),
    ("(?:a$)", "a\n"),
    ("(?:a$|b)c?", "a\n"),
    ("(?:b$)+", "b"),
    ("(?:b$\n?)+", "b\n"),
    ("(?:b$)?\n", "b\n"),
    ("(a$)\n", "a\n"),
    ("a(?=$)", "a\n"),
    ("a$(?=\n)", "a\n"),
    (r"a(?!\n)$", "a"),
    (r"(?:\n|a)$", "a\n"),
    (r"(\ba)\1", "aa"),
    (r"(^a)-\1", "a-a"),
    (r"(a$\n?)", "a\n"),
    (r"(a|b)x\1", "bxb"),
    (r"(?i)(k)\1", "k\u212a"),
    (r"(k)(?i:\1)", "kK"),
    (r"(?:(a)|b)+\1", "aba"),
    (r"(a)-(\1-)\2x", "a-a-a-x"),
    (r"(я)-(\1-)\2x", "я-я-я-x"),
    (r"(😀)-(\1-)\2x", "😀-😀-😀-x"),
    (r"(\s)-(\1-)\2x", "\u00a0-\u00a0-\u00a0-x"),
    (r"(?P<n>я)(?P=n)", "яя"),
    (r"((a)\2)\1", "aaaa"),
    (r"(a)?(?(1)b|c)", "ab"),
    (r"(a)?(?(1)b|c)", "c"),
    (r"(a)(?(1)b)", "ab"),
    (r"(?P<n>a)?x(?(n)y|z)", "xz"),
    ("(?=key)", "the key"),
    ("(?=.*b)a", "a...b"),
    (r"a(?=b)\w", "ab"),
    (r"(?=(a))\1b", "ab"),
    ("(?!x)a", "a"),
    ("(?<=a)b", "ab"),
    ("(?<!a)b", "cb"),
    (r"(?<=(k))\1", "kk"),
    (r"(?<![\wя])b", "-b"),
    ("a++b", "aab"),
    ("(?>a+)b", "aab"),
    ("(?>ab|a)c", "abc"),
    ("a*?b", "aab"),
    ("a{2,3}b", "aaab"),
    ("a{0}b", "b"),
    ("(?:)a", "a"),
    ("(?:a|)b", "b"),
    ("(?:|a){3}b", "b"),
    (r"(?:\b){3}a", "a"),
    ("(?:a{3}){2,}b", "a" * 9 + "b"),
    ("a{40000}", "a" * 40_000),
    ("(?:ab){32000}c", "ab" * 32_000 + "c"),
    ("x[ab]{3,40000}y", "xabay"),
    ("(?x) a b # c", "ab"),
    ("(?x: a )b", "ab"),
    (r"(?ix) k \  s", "\u212a ſ"),
    # What a group held is equated with more than what the group is: i with I, and I with dotless i.
    (r"(?i)я(i) \1", "яI ı"),
]


@pytest.fixture(params=["hyperscan", "re2"])
def library(request: pytest.FixtureRequest) -> Prefilter:
    found = prefilter(request.param)
    assert found is not None
    return found


def matcher(library: Prefilter, expression: str, looseness: Looseness = LOOSER[0]) -> Matcher | None:
    """What looks for the translation of an expression, or ``None`` if the library does not take it."""
    translation = translate(read_expression(expression), looseness).expression
    if not library.accepts(translation):
        return None
    return library.load(library.compile([translation]), [translation])


@pytest.mark.parametrize(("pattern", "text"), MATCHING)
def test_what_the_expression_matches_its_translations_match(library: Prefilter, pattern: str, text: str) -> None:
    assert read_expression(pattern).compiled.search(text)

    matchers = [found for looseness in LOOSER if (found := matcher(library, pattern, looseness))]

    alphabet = translate(read_expression(pattern)).alphabet
    assert matchers
    for found in matchers:
        assert list(found.found(project(text, alphabet))) == [0]
        for around in ("", "-- ", "ünd "):
            if read_expression(pattern).compiled.search(around + text):
                assert list(found.found(project(around + text, alphabet))) == [0]


@pytest.mark.parametrize(
    "pattern",
    [
        "key",
        "(?i)key",
        "(?i)ſ",
        "a.b",
        "(?s)a.b",
        r"\bkey\b",
        r"a\Bb",
        r"\w+\s\d{2,4}\S\W\D",
        "[a-z]+?x",
        "[^a]b",
        '[^"]"',
        "(?i)[^a]y",
        "^a|b$",
        r"\Aab\Z",
        "(?:a|ab)(?:c|bcd)",
        "(?:(k)e|y){2,}",
        "(?P<n>a)b{3,}",
        "x(?-i:Y)",
        r"(?a)\w\d\s-",
        r"[\w.]+@",
        r"a\tb",
    ],
)
def test_a_translation_that_widens_nothing_matches_ascii_as_the_expression_does(
    library: Prefilter, pattern: str
) -> None:
    expression = read_expression(pattern)
    assert translate(expression).exact
    found = matcher(library, pattern)
    assert found is not None
    random = Random(pattern)
    alphabet = "".join(filter(str.isprintable, pattern)) + 'abkey xY.\n\t1-"sS\0'

    matching = 0
    for _ in range(300):
        text = "".join(random.choices(alphabet, k=random.randrange(9)))
        wanted = expression.compiled.search(text) is not None
        assert (list(found.found(project(text))) == [0]) is wanted, text
        matching += wanted
    assert matching < 300


@pytest.mark.parametrize(
    ("pattern", "also_found"),
    [
        ("[яa]", chr(table()[ord("я")])),
        ("(?:é|xx)!", chr(table()[ord("é")]) + "!"),
        ("[а-яa]-", chr(table()[ord("б")]) + "-"),
        ("\u212a", "k"),
        ("ſ", "s"),
        ("[^k]x", "kx"),
        ("[^A-Z]!", "G!"),
        ("[^0-9]!", "5!"),
        (r"(?a)\D!", "5!"),
        (r"(?a)\W!", "G!"),
        ("[٣x]", "3"),
    ],
)
def test_a_byte_that_stands_for_ascii_and_more_is_not_exact(pattern: str, also_found: str) -> None:
    expression = read_expression(pattern)
    assert not expression.compiled.search(also_found)

    assert not translate(expression).exact


@pytest.mark.parametrize(
    "pattern",
    [
        r"(a|b)\1",
        "(a)?(?(1)b|c)",
        "(?=b)a",
        "a(?!b)",
        "(?<=a)b",
        "(?<!a)b",
        "(?>a|ab)c",
        "a++b",
        "(?m)^a",
        "(?m)a$",
        r"(?a)\ba",
        "a$\n",
        "(?:b$)+",
        "(?:a$)?b",
        "a{30001}",
        "a{2,40000}b",
    ],
)
def test_what_bytes_cannot_say_is_not_exact(pattern: str) -> None:
    assert not translate(read_expression(pattern)).exact


@pytest.mark.parametrize(
    ("pattern", "beyond"),
    [
        ("я", True),
        ("(?i)я", True),
        ("[а-я]+", True),
        ("key😀", True),
        ("\u212a", True),
        ("(?:я|ю|key\u00a0)x", True),
        ("(?i)x(?-i:ſ)", True),
        ("(?:abя){2,}", True),
        ("(?=key)я", True),
        (r"(я)(?:\1|b)", True),
        ("key", False),
        ("(?i)\u212a", False),
        ("(?i)ſ", False),
        ("(?i)ı", False),
        ("[а-яa]", False),
        ("я?a", False),
        ("я*a", False),
        ("(?:я{2})?a", False),
        ("я|a", False),
        ("(?:яa|b)", False),
        ("(?!я)a", False),
        ("(?<!я)a", False),
        ("(я)?(?(1)я|a)", False),
        ("[^a]", False),
        (r"\w", False),
        (r"\W", False),
        ("(?i)[\u0100-\u017f]", False),
    ],
)
def test_an_expression_beyond_ascii_matches_no_ascii_text(pattern: str, beyond: bool) -> None:
    expression = read_expression(pattern)

    assert translate(expression).beyond_ascii is beyond
    found = any(
        expression.compiled.search(text)
        for text in ("k", "s", "S", "I", "a", "b", "key", "key x", "".join(map(chr, range(128))))
    )
    assert not (beyond and found)


@pytest.mark.parametrize("looseness", LOOSER)
def test_looser_translations_say_that_they_are(looseness: Looseness) -> None:
    exact = [translate(read_expression(pattern), looseness).exact for pattern in ("ab", "^a", "a{100}", "a{9}")]

    assert exact == [
        True,
        looseness.anchors,
        looseness.most_repeats >= 100,
        looseness.most_repeats >= 9,
    ]


def test_references_to_references_do_not_double_and_double() -> None:
    pattern = "(a)" + "".join(rf"(\{group}b\{group})" for group in range(1, 60))

    assert len(translate(read_expression(pattern)).expression) < 10_000
