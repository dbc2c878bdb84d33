"""The search language of the lists: ``status:block rule:"a name" !category:pii severity:>=high some words``.

A token is a field with a value, or a word that the text must have. ``!`` in front turns it round. Pure: no database.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Final

from bastion.errors import FieldFault, InvalidInput

MAX_LENGTH: Final = 1000
"""Characters of a search."""

MAX_TOKENS: Final = 20
"""Tokens of a search; each makes the query dearer."""

MAX_VALUE: Final = 255
"""Characters of a value; no stored name is longer."""

TEXT: Final = ""
"""The field of a word that stands alone."""

_COMPARISONS: Final = (">=", "<=", ">", "<", "=")
_TOKEN: Final = re.compile(
    r"""
    (?P<negated>!)?
    (?:(?P<field>[A-Za-z_]+):(?P<comparison>>=|<=|>|<|=)?)?
    (?: "(?P<quoted>(?:[^"\\]|\\.)*)" | (?P<bare>[^\s"]+) )?
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Field:
    """A field that can be searched by.

    ``values`` are all that it can have, from least to most if it is ``ordered``; none means any text.
    """

    name: str
    help: str
    values: tuple[str, ...] = ()
    ordered: bool = False


Fields = Mapping[str, Field]


@dataclass(frozen=True, slots=True)
class Token:
    """One condition. ``field`` is ``TEXT`` for free text, ``comparison`` empty for equality."""

    field: str
    value: str
    negated: bool = False
    comparison: str = ""

    def __str__(self) -> str:
        prefix = f"{self.field}:{self.comparison}" if self.field else ""
        return f"{'!' if self.negated else ''}{prefix}{_written(self)}"

    def turned(self) -> "Token":
        return replace(self, negated=not self.negated)


Search = tuple[Token, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """What the tokens of one field say together: any of the ones, none of the others.

    ``any_of`` is ``None`` where nothing was asked for, and empty where nothing can be both.
    """

    any_of: tuple[str, ...] | None = None
    none_of: tuple[str, ...] = ()


def parse(text: str, fields: Fields) -> Search:
    """The tokens of a search, each once, in order. Raises ``InvalidInput``, naming every token that is wrong."""
    if len(text) > MAX_LENGTH:
        raise InvalidInput([FieldFault("q", f"has {len(text):,} characters, at most {MAX_LENGTH:,} are taken")])
    found: dict[Token, None] = {}
    faults: list[FieldFault] = []
    for piece in _pieces(text):
        read = _read(piece, fields)
        if isinstance(read, Token):
            found[read] = None
        else:
            faults.append(FieldFault("q", read))
    if len(found) > MAX_TOKENS:
        faults.append(FieldFault("q", f"has {len(found)} tokens, at most {MAX_TOKENS} are taken"))
    if faults:
        raise InvalidInput(faults)
    return tuple(found)


def write(search: Iterable[Token]) -> str:
    """The canonical text of a search; reading it gives the same tokens."""
    return " ".join(map(str, search))


def choices(search: Search, fields: Fields) -> dict[str, Choice]:
    """What is asked of each field.

    Values of one field are alternatives, so that two statuses mean either; comparisons of one field hold together, so
    that two of them are a range.
    """
    return {
        name: _choice(tokens, field)
        for name, field in fields.items()
        if (tokens := [token for token in search if token.field == name])
    }


def free_text(search: Search) -> tuple[Token, ...]:
    return tuple(token for token in search if token.field == TEXT)


def _choice(tokens: list[Token], field: Field) -> Choice:
    wanted = [token.value for token in tokens if not token.negated and not token.comparison]
    none_of = [value for token in tokens if token.negated for value in _compared(token, field)]
    ranges = [set(_compared(token, field)) for token in tokens if not token.negated and token.comparison]
    if ranges:
        within = set.intersection(*ranges)
        wanted += [value for value in field.values if value in within]
    asked = bool(wanted or ranges)
    return Choice(tuple(dict.fromkeys(wanted)) if asked else None, tuple(dict.fromkeys(none_of)))


def _compared(token: Token, field: Field) -> tuple[str, ...]:
    place = field.values.index(token.value) if token.comparison else 0
    match token.comparison:
        case ">=":
            return field.values[place:]
        case ">":
            return field.values[place + 1 :]
        case "<=":
            return field.values[: place + 1]
        case "<":
            return field.values[:place]
    return (token.value,)


def _pieces(text: str) -> Iterable[re.Match[str] | str]:
    """Each token as its parts, or the text of one that cannot be read."""
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        found = _TOKEN.match(text, at)
        assert found is not None
        end = found.end()
        if found.end() > at and (end == len(text) or text[end].isspace()):
            yield found
        else:
            # What cannot be read reaches to the next blank, or to the end where a quote stays open.
            rest = (
                text[at:] if found["quoted"] is None and text[end : end + 1] == '"' else text[at:].split(maxsplit=1)[0]
            )
            end = at + len(rest)
            yield rest
        at = end


def _read(piece: re.Match[str] | str, fields: Fields) -> Token | str:
    """A token, or what is wrong with it."""
    if isinstance(piece, str):
        return f'{_cut(piece)}: a quote is open or stands inside a word; write field:"a value", and \\" for a quote'
    value = piece["bare"] if piece["quoted"] is None else re.sub(r"\\(.)", r"\1", piece["quoted"], flags=re.DOTALL)
    if len(value or "") > MAX_VALUE:
        return f"{_cut(piece[0])}: a value has at most {MAX_VALUE} characters"
    if piece["field"] is None:
        if not value:
            return f"{piece[0]}: a text to look for is missing"
        return Token(TEXT, value, piece["negated"] is not None)
    return _of_field(piece, value, fields)


def _of_field(piece: re.Match[str], value: str | None, fields: Fields) -> Token | str:
    written, name, comparison = _cut(piece[0]), piece["field"], piece["comparison"] or ""
    field = fields.get(name.lower())
    if field is None:
        known = ", ".join(_closest_first(name.lower(), fields))
        return f'{written}: there is no field {name!r}; there are {known}. To look for it as text, put it in "quotes"'
    if value is None:
        return f'{written}: {field.name} wants a value; {field.name}:"" stands for none'
    if comparison and not field.ordered:
        return f"{written}: {field.name} has no order to compare by; leave out the {comparison}"
    if field.values:
        value = value.lower()
        if value not in field.values:
            known = ", ".join(_closest_first(value, field.values))
            return f"{written}: {field.name} is never {_cut(value)!r}; there are {known}"
    return Token(field.name, value, piece["negated"] is not None, "" if comparison == "=" else comparison)


def _closest_first(word: str, known: Iterable[str]) -> list[str]:
    names = list(known)
    close = get_close_matches(word, names, n=3, cutoff=0.6)
    return [*close, *(name for name in names if name not in close)]


def _cut(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:60]}…"


def _written(token: Token) -> str:
    value = token.value
    plain = (
        value
        and '"' not in value
        and not any(character.isspace() for character in value)
        and not value.startswith(_COMPARISONS if token.field else ("!",))
        and (token.field or not re.match(r"[A-Za-z_]+:", value))
    )
    if plain:
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
