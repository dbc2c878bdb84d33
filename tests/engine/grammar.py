"""Random expressions of the dialect, and texts that they are likely to match.

Everything is drawn from a ``random.Random``: a seeded one for volume, one of hypothesis' to have it shrunk. What is
simplest stands first in every list, for that is what hypothesis shrinks to.
"""

import unicodedata
from collections.abc import Callable, Sequence
from random import Random
from typing import Final, NamedTuple

from hypothesis import strategies as st

from bastion.engine.verdict import MAX_SPANS

Groups = dict[int, str]
"""What each group holds in the text that is being made up."""

# What case folding equates, the traps of \u0130 and \u212a among it.
_FOLDED: Final = (
    *("kK\u212a", "sS\u017f", "iI\u0130\u0131", "åÅ\u212b", "ß\u1e9e", "\u00b5\u03bc\u039c", "σςΣ", "ωΩ\u2126"),
    *("\u01c6\u01c5\u01c4", "\ufb05\ufb06", "Ꭰꭰ", "ᏸᏰ", "აᲐ", "Ⴀⴀ", "Ⅷⅷ", "ⓐⒶ", "𐐨𐐀", "𞤢𞤀"),
    *("θ\u03d1Θ\u03f4", "в\u1c80В", "ṡ\u1e9bṠ", "\u03b9\u1fbe\u0345\u0399", "\u0390\u1fd3", "ÿŸ", "éÉ", "яЯ"),
    *("ꙋ\u1c88Ꙋ", "\ufb00ff", "\u0149n"),
)
_SIMILAR: Final = (
    *("kкｋᴋ", "sѕ", "iі", "aаａ", "eE℮е", "t𝐭", "0٠０𝟘०⁰", "1١１𝟏①¹Ⅰ", "2２²٢", "9９۹𝟡", "e\u0301é", "\ufb01\ufb00"),
    " \u00a0\u3000\u2003\u2028\u2029\x85\x1c\x1f\x0b\x0c\r\n\t\u180e\u200b\ufeff\u1680",
    *("-‐–−－", "'’＇´", '"“”＂', ".．。", "_‿＿"),
)


def _others(families: Sequence[str]) -> dict[str, str]:
    letters = sorted({*"".join(families)})
    return {one: "".join(family.replace(one, "") for family in families if one in family) for one in letters}


_CASES: Final = _others(_FOLDED)
_LOOK_ALIKES: Final = _others((*_FOLDED, *_SIMILAR))

_FOLDING: Final = "".join(_FOLDED)
_SPACES: Final = " \t\n\r\x0b\x0c\x1c\x1d\x1e\x1f\x85\u00a0\u1680\u2003\u2028\u2029\u202f\u205f\u3000"
_NO_SPACES: Final = "\u180e\u200b\u2060\ufeff\u00ad"
# Also digits of Unicode 15 and 16, which the regex module may know and Python not.
_DIGITS: Final = "0123789٠٣۹०９０𝟘𝟏𞥐\U00011f50\U0001e4f0\U00010d40"
_NO_DIGITS: Final = "²³¹½①⑨ⅧⅠ₀〇一"
_MARKS: Final = "\u0301\u0308\u0345\u093e\u094d\u20dd\u200d\u200c\ufe0f\U000e0100"
_SURROGATES: Final = "\ud800\udbff\udc00\udfff"
_ODD: Final = "\x00\x01\x07\x08\x1b\x7f\x80\x9f\ue000\ufffd\uffff\U000e0041\U0010ffff"
_ASTRAL: Final = "😀𝐤𝒮𐐀𐐨𞤀𞤢🇩👍🏽𠀀"
_PUNCTUATION: Final = " .,-_@:/!#%&'\"~=<>;`()[]{}|*+?^$\\«»“”’—…‿€。"
_LETTERS: Final = "aeikstEKISTbxzZ"
_SCRIPTS: Final = "яЖΩδöÑñçšžðþ日本ひカ한न्ममسلאבกಕ"

CHARACTERS: Final = (
    *[_LETTERS] * 10,
    *[_PUNCTUATION] * 4,
    *["012789"] * 2,
    *[_FOLDING] * 4,
    *[_SPACES] * 2,
    *(_SCRIPTS, _DIGITS, _NO_DIGITS, _NO_SPACES, _MARKS, _ODD, _SURROGATES, _ASTRAL),
)
WORDS: Final = (
    *("is", "key", "ask", "ignore", "system", "kiss", "KIT", "API_KEY", "x9", "1234", "2024-12-31", "a b", "://"),
    *("straße", "STRASSE", "ſkill", "KİT", "ısı", "ΣΊΣΥΦΟΣ", "ὀδός", "привет", "ВСЕ", "ångström", "µm", "ﬁle", "naïve"),
    *("cafe\u0301", "日本語", "नमस्ते", "مرحبا", "١٢٣", "１２３", "Ⅷ", "ᎠᎡ", "აბ", "😀😀", "\ud83d\ude00", "k\u200bey"),
)
_OF_CLASS: Final = {
    r"\w": _LETTERS + _FOLDING + _DIGITS + _NO_DIGITS + _MARKS + _SCRIPTS + "_‿",
    r"\s": _SPACES,
    r"\d": _DIGITS,
    r"\W": _PUNCTUATION + _SPACES + _NO_SPACES + _ODD + _SURROGATES,
    r"\S": _LETTERS + _FOLDING + _PUNCTUATION + _NO_SPACES + _ODD,
    r"\D": _LETTERS + _SPACES + _NO_DIGITS + _SCRIPTS,
}
_CLASSES: Final = (*[r"\w", r"\s", r"\d"] * 3, *_OF_CLASS)
_RANGES: Final = (
    *("az", "AZ", "09", "az", "AZ", "AK", "km", "!~", "\x00\x7f", "\x00ÿ", "Zé", "~¡", "zſ", "IK", "À\u024f", "\x80ÿ"),
    *("Ā\u017f", "İı", "αω", "ΑΡ", "ас", "ЀӾ", "٠٩", "０９", "ａｚ", "㐀鿿", "ᎠᏴ", "აჰ", "\u2000\u200f"),
    *("𝐀𝟿", "𐐀𐐧", "a\U0010ffff", "9\U0010ffff", "\u0300\u036f", "\x1c ", "ⅠⅯ", "K\u212b", "😀🙏", "\ud800\udfff"),
)
_POSIX: Final = {"[:alpha:]": r"\w", "[:digit:]": r"\d", "[:space:]": r"\s", "[:^alpha:]": r"\W", "[:punct:]": r"\W"}
_LEADING: Final = (
    *["", "(?i)"] * 15,
    *("(?s)", "(?s)", "(?is)", "(?m)", "(?is)", "(?im)", "(?x)", "(?ix)", "(?i)(?s)", "(?ixms)"),
    *("(?a)", "(?ai)", "(?ia)", "(?ax)", "(?u)", "(?ui)"),
)
_SCOPED: Final = (
    *["(?i:", "(?-i:", "(?a:", "(?ai:"] * 2,
    *("(?s:", "(?m:", "(?x:", "(?ix:", "(?u:", "(?s-i:", "(?is-m:", "(?-s:", "(?-m:", "(?-x:"),
)
_REPEATS: Final = (
    *[("?", 0, 1), ("{2}", 2, 2), ("{0,3}", 0, 3), ("{,3}", 0, 3), ("{1,2}", 1, 2), ("{3,5}", 3, 5)] * 3,
    *[("{0}", 0, 0), ("{1}", 1, 1), ("{9}", 9, 9), ("{2,40}", 2, 40), ("{5,100}", 5, 100)],
)
_ENDLESS: Final = (*[("+", 1, 3), ("*", 0, 3)] * 3, ("{2,}", 2, 5), ("{,}", 0, 2), ("{5,}", 5, 9))
# What re and the regex module read differently, or nearly do, and texts for either reading.
_TRAPS: Final = (
    *(
        ("(?#k)", ""),
        ("(?# | [ )", ""),
        ("(?#\\)k(?:)", "", "k"),
        ("{", "{"),
        ("a{", "a{"),
        ("{1", "{1"),
        ("a{,", "a{,"),
    ),
    *(("]", "]"), ("}", "}"), ("a{1 }", "a{1 }", "a"), ("a{ 2}", "a{ 2}", "aa"), ("[[a]", "a", "["), (r"\08", "\x008")),
    *(("[a[:digit:]]", "a", "7", "a]", ":]"), ("[^[:alpha:]]", "7", "b]"), (r"(?:(k)\1012)", "kkA2", "kk012", "kA2")),
)
_VERBOSE_TRAPS: Final = (
    *(("a{ 2 }", "aa", "a{2}"), ("a{\te<=1}", "", "a{e<=1}"), ("k\u00a0{2}", "kk", "k\u00a0\u00a0"), ("(? #k)", "")),
    *((r"\0 7", "\x07", "\x007"), (r"(?:(k)\1 012)", "kA2", "kk012"), (r"\ ", " "), ("[ #]", " ", "#"), ("a #", "a")),
    *((r"\N{LATIN SMALL LETTER K}", "k"), (r"\x4 1", "A"), ("a + ?", "aa"), ("(?:a)(?# b c)", "a"), ("a {2}", "aa")),
)
_MOST_ENDLESS: Final = 2
"""Endless repeats in one expression: with more, a long text takes the reference itself too long."""

_LONG: Final = 2000
"""Code points of a long text, at least."""

_SHORT: Final = {"\n": r"\n", "\t": r"\t", "\r": r"\r", "\f": r"\f", "\v": r"\v", "\a": r"\a"}
_SPECIAL: Final = "\\.^$*+?{}[]|()"
_SET: Final = "\\]^-[&~|"
_UNWRITABLE: Final = "\n\r\0"
"""What ends a line of a pattern, or must not stand in one."""


def chance(random: Random, percent: int) -> bool:
    return random.randrange(100) >= 100 - percent


def draw_character(random: Random) -> str:
    return random.choice(random.choice(CHARACTERS))


class Piece(NamedTuple):
    """A part of an expression: how it is written, and how to make up what it may match."""

    source: str
    sample: Callable[[Random, Groups], str]


class Line(NamedTuple):
    """One expression, which the dialect may yet refuse."""

    source: str
    made_up: Callable[[Random, Groups], str]

    def sample(self, random: Random) -> str:
        """A text that the expression is likely to match."""
        return self.made_up(random, {})


def _always(text: str) -> Callable[[Random, Groups], str]:
    return lambda random, groups: text


def _one_of(letters: Sequence[str]) -> Callable[[Random, Groups], str]:
    return lambda random, groups: random.choice(letters)


def _character_code(random: Random, character: str) -> str:
    point = ord(character)
    codes = [_SHORT[character]] if character in _SHORT else []
    if point < 0x100:
        codes += [f"\\x{point:02x}", f"\\{point:03o}"]
    if not point:
        codes += ["\\0"]
    if point < 0x10000:
        codes += [f"\\u{point:04X}"]
    if name := unicodedata.name(character, ""):
        codes += [f"\\N{{{name}}}"]
    return random.choice([*codes, f"\\U{point:08x}"])


class _Drawing:
    """One expression while it is drawn: the groups that it has, and how it is to be written."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.groups = 0
        self.closed: list[tuple[int, str]] = []
        self.endless = _MOST_ENDLESS
        self.verbose = False
        self.fixed_width = False

    def written(self, character: str, special: str) -> str:
        """A character as an expression says it, where those in ``special`` have a meaning of their own."""
        unwritable = character in _UNWRITABLE or (self.verbose and character.isspace())
        if unwritable or chance(self.random, 12):
            return _character_code(self.random, character)
        escaped = character in special or (self.verbose and character == "#")
        return f"\\{character}" if escaped else character

    def literal(self, text: str) -> Piece:
        written = "".join(self.written(character, _SPECIAL) for character in text)
        return Piece(written, _always(text))

    def character(self, depth: int) -> Piece:
        return self.literal(draw_character(self.random))

    def word(self, depth: int) -> Piece:
        return self.literal(self.random.choice(WORDS))

    def dot(self, depth: int) -> Piece:
        return Piece(".", lambda random, groups: draw_character(random))

    def category(self, depth: int) -> Piece:
        name = self.random.choice(_CLASSES)
        return Piece(name, _one_of(_OF_CLASS[name]))

    def one_of_set(self, depth: int) -> Piece:
        members = [self.member() for _ in range(self.random.randint(1, 4))]
        first = "]-"[self.random.randrange(2)] if chance(self.random, 8) else ""
        last = "-" if chance(self.random, 4) else ""
        source = first + "".join(member.source for member in members) + last
        if chance(self.random, 25):
            return Piece(f"[^{source}]", lambda random, groups: draw_character(random))
        return Piece(f"[{source}]", lambda random, groups: random.choice(members).sample(random, groups))

    def member(self) -> Piece:
        random = self.random
        kind = random.randrange(100)
        if kind < 45:
            letter = draw_character(random)
            return Piece(self.written(letter, _SET), _always(letter))
        if kind < 78:
            first, last = random.choice(_RANGES) if kind < 70 else sorted(draw_character(random) for _ in range(2))
            return Piece(
                f"{self.written(first, _SET)}-{self.written(last, _SET)}",
                lambda random, groups: random.choice([first, last, chr(random.randint(ord(first), ord(last)))]),
            )
        if kind < 98:
            return self.category(0)
        # Re reads a bracket in a set as itself, the regex module as the start of a class.
        name = random.choice(list(_POSIX))
        return Piece(name, _one_of(_OF_CLASS[_POSIX[name]]))

    def place(self, depth: int) -> Piece:
        places = [(r"\b", ""), (r"\B", ""), ("^", "\n"), ("$", "\n"), (r"\A", ""), (r"\Z", "")]
        source, sample = self.random.choice(places)
        return Piece(source, lambda random, groups: sample if chance(random, 50) else "")

    def repeat(self, depth: int) -> Piece:
        random = self.random
        # The count first: what is repeated must not take the last endless repeat for itself.
        if self.fixed_width:
            source, least, most = "{2}", 2, 2
        elif self.endless and chance(random, 50):
            self.endless -= 1
            source, least, most = random.choice(_ENDLESS)
        else:
            source, least, most = random.choice(_REPEATS)
        if self.verbose and chance(random, 5):
            # Re reads braces with a blank in them as themselves, the regex module as a count.
            source = source.replace("}", " }").replace(",", " ,")
        body = random.choice(_REPEATABLE if depth > 0 else _CHARACTER)(self, depth)
        kind = "" if self.fixed_width else random.choice(["", "", "", "?", "?", "+"])

        def sample(random: Random, groups: Groups) -> str:
            return "".join(body.sample(random, groups) for _ in range(random.randint(least, min(most, least + 3))))

        return Piece(f"{body.source}{source}{kind}", sample)

    def gap(self, depth: int) -> Piece:
        """What stands between the words of most rules that people write."""
        random = self.random
        endless = self.endless > 0 and chance(random, 60)
        self.endless -= endless
        name = random.choice([r"\s", ".", r"\W", r"[^\n]", r"\w"])
        times = random.choice(["*", "+", "*?"] if endless else ["{1,3}", "{0,20}", "{0,60}?", "?"])
        letters = _OF_CLASS.get(name, "a -.éＫ😀")
        return Piece(
            f"{name}{times}",
            lambda random, groups: "".join(random.choice(letters) for _ in range(random.randint(0, 3))),
        )

    def group(self, depth: int) -> Piece:
        """A group of any kind that matches what its body does."""
        random = self.random
        kind = random.choice(["(", "(?:", "(", "(?:", "(?P<", "(?>", "flags", "flags"])
        if kind in {"(", "(?P<"}:
            return self.capturing(depth, named=kind != "(")
        if kind == "flags":
            kind = random.choice(_SCOPED)
        outer = self.verbose
        self.verbose = (outer or "x" in kind.partition("-")[0]) and "x" not in kind.partition("-")[2]
        body = self.alternation(depth - 1)
        self.verbose = outer
        return Piece(f"{kind}{body.source})", body.sample)

    def capturing(self, depth: int, *, named: bool) -> Piece:
        self.groups += 1
        number = self.groups
        name = f"{self.random.choice(['n', 'größe', '_K'])}{number}" if named else ""
        body = self.alternation(depth - 1)
        self.closed.append((number, name))

        def sample(random: Random, groups: Groups) -> str:
            groups[number] = body.sample(random, groups)
            return groups[number]

        return Piece(f"(?P<{name}>{body.source})" if named else f"({body.source})", sample)

    def look_around(self, depth: int) -> Piece:
        kind = self.random.choice(["(?=", "(?!", "(?<=", "(?<!"])
        outer = self.fixed_width
        self.fixed_width = outer or "<" in kind
        body = self.sequence(0) if self.fixed_width else self.alternation(depth - 1)
        self.fixed_width = outer

        def sample(random: Random, groups: Groups) -> str:
            found = body.sample(random, groups)
            return found if kind == "(?<=" or (kind == "(?=" and chance(random, 50)) else ""

        return Piece(f"{kind}{body.source})", sample)

    def reference(self, depth: int) -> Piece:
        if not self.closed:
            return self.capturing(depth, named=False)
        number, name = self.random.choice(self.closed)
        written = f"(?P={name})" if name else self.random.choice([f"(?:\\{number})", f"\\{number}"])
        if chance(self.random, 25):
            written = f"(?i:{written})"
        return Piece(written, lambda random, groups: groups.get(number, ""))

    def condition(self, depth: int) -> Piece:
        if not self.closed:
            return self.capturing(depth, named=False)
        number, name = self.random.choice(self.closed)
        yes, no = self.sequence(depth - 1), self.sequence(depth - 1)
        otherwise = f"|{no.source}" if chance(self.random, 80) else ""

        def sample(random: Random, groups: Groups) -> str:
            if number in groups:
                return yes.sample(random, groups)
            return no.sample(random, groups) if otherwise else ""

        return Piece(f"(?({name or number}){yes.source}{otherwise})", sample)

    def trap(self, depth: int) -> Piece:
        source, *samples = self.random.choice(_TRAPS + _VERBOSE_TRAPS * 2 if self.verbose else _TRAPS)
        return Piece(source, _one_of(samples))

    def sequence(self, depth: int) -> Piece:
        kinds = _FIXED if self.fixed_width else _PIECES if depth > 0 else _SIMPLE
        pieces = [self.random.choice(kinds)(self, depth) for _ in range(self.random.randint(1, 4 if depth else 3))]
        source = "".join(piece.source + self.blank() for piece in pieces)
        return Piece(source, lambda random, groups: "".join(piece.sample(random, groups) for piece in pieces))

    def blank(self) -> str:
        """What means nothing in a verbose expression: to the regex module, that is all white space."""
        if not self.verbose:
            return ""
        return self.random.choice(["", " ", "  ", "", " ", "\t", "\x0c", "\u00a0", "\u2028", "\x1c"])

    def alternation(self, depth: int) -> Piece:
        branches = [self.sequence(depth) for _ in range(self.random.choice([1, 1, 1, 1, 2, 2, 3]))]
        if chance(self.random, 6):
            branches.append(Piece("", _always("")))
        if len(branches) == 1:
            return branches[0]
        source = "|".join(branch.source for branch in branches)
        return Piece(source, lambda random, groups: random.choice(branches).sample(random, groups))

    def after(self, head: Piece, body: Piece) -> Piece:
        rest = f"(?:{body.source})" if "|" in body.source else body.source
        return Piece(head.source + rest, lambda *state: head.sample(*state) + body.sample(*state))

    def line(self) -> Line:
        flags = self.random.choice(_LEADING)
        self.verbose = "x" in flags
        body = self.alternation(self.random.choice([0, 1, 1, 2]))
        if chance(self.random, 70):
            # Most that is drawn could match the empty text, which the dialect refuses.
            head = self.random.choice(_CERTAIN)(self, 0)
            body = self.after(head, body)
        ending = " # the end" if self.verbose and chance(self.random, 20) else ""
        return Line(f"{flags}{body.source}{ending}", body.sample)


_Drawn = Callable[[_Drawing, int], Piece]
_CHARACTER: Final[tuple[_Drawn, ...]] = (
    *[_Drawing.character, _Drawing.character, _Drawing.category, _Drawing.one_of_set] * 2,
    _Drawing.dot,
)
_REPEATABLE: Final[tuple[_Drawn, ...]] = (*_CHARACTER, *[_Drawing.group] * 7)
_CERTAIN: Final[tuple[_Drawn, ...]] = (*[_Drawing.word] * 10, *_CHARACTER)
_FIXED: Final[tuple[_Drawn, ...]] = (*_CHARACTER, _Drawing.word, _Drawing.place, _Drawing.repeat, _Drawing.group)
_SIMPLE: Final[tuple[_Drawn, ...]] = (
    *_CHARACTER,
    *[_Drawing.word, _Drawing.repeat, _Drawing.word, _Drawing.place, _Drawing.word, _Drawing.repeat, _Drawing.word] * 2,
    *[_Drawing.gap] * 4,
)
_PIECES: Final[tuple[_Drawn, ...]] = (
    *_SIMPLE,
    *[_Drawing.group, _Drawing.group, _Drawing.look_around] * 3,
    *(_Drawing.reference, _Drawing.reference, _Drawing.condition, _Drawing.trap, _Drawing.trap),
)


def draw_line(random: Random) -> Line:
    """An expression that is most likely, but not surely, of the dialect."""
    return _Drawing(random).line()


def recase(random: Random, text: str) -> str:
    """The text with every other character replaced by one that case folding equates with it."""
    return "".join(random.choice([one, random.choice(_CASES.get(one, one.swapcase()))]) for one in text)


def disguise(random: Random, text: str, percent: int = 25) -> str:
    """The text with some characters in another case, replaced by look-alikes, doubled, left out or marked."""
    return "".join(_disguised(random, letter) if chance(random, percent) else letter for letter in text)


def _disguised(random: Random, letter: str) -> str:
    if chance(random, 10):
        return random.choice([letter + random.choice(_MARKS), letter * 2, "", letter + random.choice(_NO_SPACES)])
    return random.choice([letter.swapcase(), letter.upper(), letter.lower(), *_LOOK_ALIKES.get(letter, letter)])


def draw_text(random: Random, lines: Sequence[Line]) -> str:
    """A text out of what the lines may match, as it is and disguised, and of noise; now and then a long one."""
    chunks = [_chunk(random, lines) for _ in range(random.randint(0, 5))]
    text = random.choice(["", " ", "\n", "-"]).join(chunks)
    if chance(random, 15):
        # Byte matchers work on blocks: what they find may hang upon what lies around it.
        around = draw_character(random)
        return around * random.randint(0, 80) + text + around * random.randint(0, 80)
    if chance(random, 4):
        return f"{text} " * MAX_SPANS + text
    if chance(random, 3):
        while 0 < len(text) < _LONG:
            text += f"{text}{draw_character(random)}{_chunk(random, lines)}"
    return text


def _chunk(random: Random, lines: Sequence[Line]) -> str:
    kind = random.randrange(100)
    if kind < 12:
        return "".join(draw_character(random) for _ in range(random.randint(0, 6)))
    if kind < 20:
        return random.choice(WORDS)
    text = random.choice(lines).sample(random)
    if kind < 45:
        return recase(random, text)
    return disguise(random, text) if kind < 65 else text


@st.composite
def searches(draw: st.DrawFn) -> tuple[str, str]:
    """An expression and a text."""
    random: Random = draw(st.randoms(use_true_random=False))
    line = draw_line(random)
    return line.source, draw_text(random, [line])
