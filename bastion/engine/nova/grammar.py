"""The text of a condition into its value: ``and``, ``or``, ``not``, parentheses, and so many ``of`` what is named.

``not`` binds before ``and``, and that before ``or``. A name with ``*`` stands for any of those that begin so.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, NoReturn

from bastion.engine.nova.conditions import AtLeast, Condition, Section, Term, all_of, any_of, negated
from bastion.engine.patterns import PatternError

MAX_DEPTH: Final = 50
"""Parentheses and negations within each other."""

MAX_TOKENS: Final = 2_000

Names = Mapping[Section, Sequence[str]]
"""What each section defines, in its order."""


class Line(NamedTuple):
    """A piece of a line, and where it begins; lines and columns count from 1."""

    line: int
    column: int
    text: str


class _Token(NamedTuple):
    line: int
    column: int
    text: str

    @property
    def word(self) -> str:
        return self.text.lower()


_TOKEN: Final = re.compile(
    r"(?P<blank>\s+|(?://|\#).*)"
    r"|(?P<token>(?:[A-Za-z_]\w*\.)?\$\w*\*?|[A-Za-z_]\w*\.\*|\w+|[(),])",
    re.ASCII,
)
_REFERENCE: Final = re.compile(r"(?:(?P<section>\w+)\.)?(?:\$(?P<name>\w*)(?P<star>\*?)|\*)", re.ASCII)
_SECTIONS: Final = ", ".join(Section)


def read_condition(lines: Sequence[Line], names: Names, end: tuple[int, int]) -> Condition:
    """The condition that the lines write; ``end`` is where something that lacks would have to stand.

    Raises:
        PatternError: with line and column, for what is no condition or names what there is not.
    """
    return _Reader([token for line in lines for token in _tokens(line)], names, end).whole()


def _tokens(line: Line) -> list[_Token]:
    found = []
    at = 0
    while at < len(line.text):
        match = _TOKEN.match(line.text, at)
        if match is None:
            raise PatternError(line.line, line.column + at, f"condition: has {line.text[at]!r}, which no condition has")
        if match["token"]:
            found.append(_Token(line.line, line.column + at, match["token"]))
        at = match.end()
    return found


class _Reader:
    """Reads tokens from left to right."""

    def __init__(self, tokens: Sequence[_Token], names: Names, end: tuple[int, int]) -> None:
        self._tokens = tokens
        self._names = names
        self._end = end
        self._at = 0
        self._depth = 0

    def whole(self) -> Condition:
        if len(self._tokens) > MAX_TOKENS:
            self._refuse(f"has {len(self._tokens):,} words, at most {MAX_TOKENS:,} are read")
        condition = self._either()
        if self._word():
            self._refuse(f"wants and, or, or the end, not {self._shown()}")
        return condition

    def _either(self) -> Condition:
        parts = [self._both()]
        while self._took("or"):
            parts.append(self._both())
        return any_of(*parts)

    def _both(self) -> Condition:
        parts = [self._one()]
        while self._took("and"):
            parts.append(self._one())
        return all_of(*parts)

    def _one(self) -> Condition:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._refuse(f"is nested more than {MAX_DEPTH} deep")
        condition = self._nested()
        self._depth -= 1
        return condition

    def _nested(self) -> Condition:
        if self._took("not"):
            return negated(self._one())
        if self._took("("):
            condition = self._either()
            if not self._took(")"):
                self._refuse(f"wants and, or, or ), not {self._shown()}")
            return condition
        if self._word() in ("any", "all") or self._word().isdecimal():
            return self._so_many()
        return any_of(*self._terms("wants a name such as keywords.$name, any, all or a number of them, not or ("))

    def _so_many(self) -> Condition:
        at = self._at
        wanted = self._next().word
        if not self._took("of"):
            self._refuse(f"wants of after {wanted}, not {self._shown()}")
        terms = self._group()
        if wanted in ("any", "all"):
            return any_of(*terms) if wanted == "any" else all_of(*terms)
        count = int(wanted) if len(wanted) < 6 else len(terms) + 1
        if not 1 <= count <= len(terms):
            self._at = at
            self._refuse(f"wants {wanted} of {len(terms)}: there must be at least one, and so many")
        return AtLeast(count, terms) if len(terms) > 1 else terms[0]

    def _group(self) -> tuple[Term, ...]:
        """What follows ``of``: a name, a section, ``them``, or several of these in parentheses."""
        wanted = "wants keywords.*, keywords.$name*, or names in parentheses"
        if not self._took("("):
            return tuple(dict.fromkeys(self._members(wanted)))
        terms = self._members(wanted)
        while self._took(","):
            terms += self._members(wanted)
        if not self._took(")"):
            self._refuse(f"wants , or ), not {self._shown()}")
        return tuple(dict.fromkeys(terms))

    def _members(self, wanted: str) -> list[Term]:
        word = self._word()
        if word == "them":
            self._at += 1
            return [Term(section, name) for section in Section for name in self._names[section]]
        if word in set(Section):
            found = self._of_section(Section(word), "")
            self._at += 1
            return found
        return self._terms(wanted)

    def _terms(self, wanted: str) -> list[Term]:
        """What a name stands for, several if it ends with a star."""
        reference = _REFERENCE.fullmatch(self._tokens[self._at].text) if self._word() else None
        if reference is None:
            self._refuse(f"{wanted}, not {self._shown()}")
        if not reference["name"] and reference["name"] is not None and not reference["star"]:
            self._refuse("wants a name after $")
        sections = self._sections(reference["section"])
        star = reference["star"] != "" if reference["name"] is not None else True
        prefix = reference["name"] or ""
        if star:
            found = [term for section in sections for term in self._of_section(section, prefix, len(sections) > 1)]
            if not found:
                self._refuse(f"names nothing: no name begins with ${prefix}")
        else:
            found = [Term(section, prefix) for section in sections if prefix in self._names[section]]
            if not found:
                where = f"{sections[0]} has" if len(sections) == 1 else "there is"
                self._refuse(f"{where} no ${prefix}")
            if len(found) > 1:
                self._refuse(f"is several things: write {' or '.join(map(str, found))}")
        self._at += 1
        return found

    def _of_section(self, section: Section, prefix: str, perhaps_none: bool = False) -> list[Term]:
        found = [Term(section, name) for name in self._names[section] if name.startswith(prefix)]
        if not found and not perhaps_none:
            self._refuse(f"names nothing: {section} has no ${prefix}*" if prefix else f"names nothing: no {section}")
        return found

    def _sections(self, word: str | None) -> Sequence[Section]:
        if word is None:
            return tuple(Section)
        if word.lower() not in set(Section):
            self._refuse(f"has the section {word}: there are {_SECTIONS}")
        return (Section(word.lower()),)

    def _word(self) -> str:
        return self._tokens[self._at].word if self._at < len(self._tokens) else ""

    def _shown(self) -> str:
        if not self._word():
            return "the end"
        text = self._tokens[self._at].text
        return f"{text[:40]!r}" + (f" alone: write {text}.*" if text.lower() in set(Section) else "")

    def _took(self, word: str) -> bool:
        if self._word() != word:
            return False
        self._at += 1
        return True

    def _next(self) -> _Token:
        self._at += 1
        return self._tokens[self._at - 1]

    def _refuse(self, reason: str) -> NoReturn:
        here = self._tokens[self._at][:2] if self._at < len(self._tokens) else self._end
        raise PatternError(*here, f"condition: {reason}")
