"""The sections of a NOVA rule, line by line: what each defines, and where."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from bastion.engine.nova.conditions import Section
from bastion.engine.nova.grammar import Line, Names
from bastion.engine.patterns import PatternError

META: Final = "meta"
CONDITION: Final = "condition"
MAX_NAMES: Final = 200
"""Of a section."""

_HEADERS: Final = (META, *Section, CONDITION)
_HEADER: Final = re.compile(r"\s*(?P<name>[A-Za-z_]\w*)\s*:(?!\S)(?P<rest>.*)", re.ASCII)
_ENTRY: Final = re.compile(r"\s*(?P<name>[^\s=\"'/]*)\s*=\s*(?P<value>.*?)\s*", re.DOTALL)
_TEXT: Final = re.compile(
    r"(?P<quote>[\"'])(?P<text>.*)(?P=quote)(?P<case>\s+case:true)?(?:\s*(?://|\#).*)?", re.DOTALL
)
_REGEX: Final = re.compile(r"/(?P<regex>.+)/(?P<flags>[A-Za-z]*)(?P<case>\s+case:true)?(?:\s+(?://|\#).*)?")
_ASKED: Final = re.compile(r"\"(?P<text>.*)\"\s*(?:\((?P<threshold>[^()\"]*)\)\s*)?(?:(?://|\#).*)?", re.DOTALL)
_CASE_WITHIN: Final = re.compile(r"\s*case:true\s*$")
_LEADING_FLAGS: Final = re.compile(r"\(\?([ims]+)\)")
_FLAGS: Final = "ims"


@dataclass(frozen=True, slots=True)
class Entry:
    """What a section calls by a name; ``line`` and ``column`` are where its value begins."""

    value: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Keyword:
    """A keyword as a regular expression, and where it is written.

    What stands in the expression at some place stands in the file ``shift`` columns before that, from ``column`` on.
    """

    expression: str
    line: int
    column: int
    shift: int


@dataclass(slots=True)
class Sections:
    """What was read, as far as it could be: ``faults`` says what is wrong."""

    meta: dict[str, list[Entry]] = field(default_factory=dict)
    keywords: dict[str, Keyword] = field(default_factory=dict)
    asked: dict[Section, list[str]] = field(default_factory=lambda: {Section.SEMANTICS: [], Section.LLM: []})
    condition: list[Line] = field(default_factory=list)
    end: tuple[int, int] = (1, 1)
    faults: list[PatternError] = field(default_factory=list)
    meta_lines: list[tuple[int, str | None]] = field(default_factory=list)
    """The lines of ``meta`` by number, each with the key that it gives if it gives one."""

    @property
    def names(self) -> Names:
        return {Section.KEYWORDS: list(self.keywords), **self.asked}


def read_sections(lines: Sequence[str], first: int = 1) -> Sections:
    """The sections of these lines, the first of which is that line of its file."""
    reader = _Reader(first)
    for place, line in enumerate(lines):
        reader.line(Line(first + place, 1, line))
    return reader.finished(first + len(lines))


class _Reader:
    """Reads lines one after the other, and goes on after a fault."""

    def __init__(self, first: int) -> None:
        self._read = Sections()
        self._section: str | None = None
        self._given: dict[str, int] = {}
        self._unclosed: list[Line] = []
        self._first = first

    def line(self, line: Line) -> None:
        if self._unclosed:
            self._unclosed.append(line)
            if '"' in line.text:
                self._entry_of_lines()
            return
        text = line.text.strip()
        if not text or text.startswith(("//", "#")):
            if self._section == META:
                self._read.meta_lines.append((line.line, None))
            return
        header = _HEADER.fullmatch(line.text)
        if header and (header["name"].lower() in _HEADERS or "=" not in header["rest"]):
            self._begin(header["name"].lower(), line, header.start("name"))
            line = Line(line.line, header.start("rest") + 1, header["rest"])
            if not line.text.strip():
                return
        self._content(line)

    def finished(self, behind: int) -> Sections:
        if self._unclosed:
            self._fault(self._unclosed[0], 'has a text without an end: it wants "')
        if CONDITION not in self._given:
            self._read.faults.append(PatternError(max(self._first, behind - 1), 1, "wants a section condition:"))
        self._read.end = (max(self._first, behind - 1), 1)
        if self._read.condition:
            last = self._read.condition[-1]
            self._read.end = (last.line, last.column + len(last.text.rstrip()))
        return self._read

    def _begin(self, name: str, line: Line, at: int) -> None:
        self._section = name
        if name not in _HEADERS:
            self._fault(line, f"has the section {name}: there are {', '.join(_HEADERS)}", at)
        elif name in self._given:
            self._fault(line, f"has the section {name} twice, first in line {self._given[name]}", at)
        self._given.setdefault(name, line.line)
        if name == META:
            self._read.meta_lines.append((line.line, None))

    def _content(self, line: Line) -> None:
        if self._section == CONDITION:
            self._read.condition.append(line)
        elif self._section is None:
            self._fault(line, f"wants a section first: {', '.join(_HEADERS)}, each with a colon")
        elif self._section in _HEADERS:
            self._entry(line)

    def _entry_of_lines(self) -> None:
        """A text for a model may go on over lines."""
        lines, self._unclosed = self._unclosed, []
        self._entry(Line(lines[0].line, lines[0].column, "\n".join(line.text for line in lines)))

    def _entry(self, line: Line) -> None:
        found = _ENTRY.fullmatch(line.text)
        if found is None or not found["name"]:
            wanted = 'key = "text"' if self._section == META else '$name = "text"'
            self._fault(line, f"wants {wanted}", len(line.text) - len(line.text.lstrip()))
            return
        name, value, at = found["name"], found["value"], found.start("value")
        if self._section == META:
            self._read.meta.setdefault(name, []).append(Entry(_unquoted(value), line.line, line.column + at))
            self._read.meta_lines.append((line.line, name))
            return
        if not re.fullmatch(r"\$\w+", name, re.ASCII):
            self._fault(
                line, f"wants a name of letters, digits and _ after a $, not {name[:40]!r}", found.start("name")
            )
            return
        section = Section(self._section or "")
        if name[1:] in self._read.names[section]:
            self._fault(line, f"gives {name} twice in {section}", found.start("name"))
        elif len(self._read.names[section]) >= MAX_NAMES:
            self._fault(line, f"has more than {MAX_NAMES} {section}")
        elif section is Section.KEYWORDS:
            self._keyword(name[1:], value, line, at)
        else:
            self._asked(section, name[1:], value, line, at)

    def _keyword(self, name: str, value: str, line: Line, at: int) -> None:
        made = _keyword_of(value, line.line, line.column + at)
        if isinstance(made, str):
            self._fault(line, made, at)
        else:
            self._read.keywords[name] = made

    def _asked(self, section: Section, name: str, value: str, line: Line, at: int) -> None:
        found = _ASKED.fullmatch(value)
        if found is None and value.startswith('"') and value.count('"') == 1 and "\n" not in value:
            self._unclosed = [line]
            return
        self._read.asked[section].append(name)
        if found is None:
            self._fault(line, "wants a text in double quotes, and perhaps a number from 0 to 1 in parentheses", at)
        elif (threshold := found["threshold"]) is not None and not _is_share(threshold):
            self._fault(line, f"wants a number from 0 to 1 in parentheses, not {threshold[:40]!r}", at)

    def _fault(self, line: Line, reason: str, at: int = 0) -> None:
        self._read.faults.append(PatternError(line.line, line.column + at, reason))


def _keyword_of(value: str, line: int, column: int) -> Keyword | str:
    """The keyword that is written so, or what is wrong with it. Case is ignored unless ``case:true`` says otherwise."""
    if found := _REGEX.fullmatch(value):
        source, flags = found["regex"], found["flags"].lower()
        if unknown := set(flags) - set(_FLAGS):
            return f"has the flag {min(unknown)}: an expression may have {', '.join(_FLAGS)}"
        skipped = 1
        if leading := _LEADING_FLAGS.match(source):
            flags += leading[1]
            source = source[leading.end() :]
            skipped += leading.end()
        source, case = _case_of(source, found["case"])
        if not source.strip():
            return "wants an expression between the slashes"
        chosen = "".join(flag for flag in _FLAGS if flag in flags or (flag == "i" and not case))
        before = f"(?{chosen})" if chosen else ""
        return Keyword(f"{before}{source}", line, column, len(before) - skipped)
    if found := _TEXT.fullmatch(value):
        text, case = _case_of(found["text"].replace('\\"', '"'), found["case"])
        if not text.strip():
            return "wants a text that is not blank"
        return Keyword(f"{'' if case else '(?i)'}{re.escape(text)}", line, column, 0)
    return 'wants a text in quotes, "so", or an expression between slashes, /so/'


def _case_of(text: str, behind: str | None) -> tuple[str, bool]:
    """What is looked for, and whether as it is written. NOVA has ``case:true`` within the quotes."""
    within = _CASE_WITHIN.search(text)
    return (text[: within.start()], True) if within else (text, bool(behind))


def _unquoted(value: str) -> str:
    found = _TEXT.fullmatch(value)
    return found["text"] if found else value


def _is_share(threshold: str) -> bool:
    try:
        return 0 <= float(threshold) <= 1
    except ValueError:
        return False
