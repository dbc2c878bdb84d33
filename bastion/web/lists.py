"""A list's state, which lives in its address: search, range, order and page, and nothing else."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from functools import cached_property
from typing import Any, Final
from urllib.parse import urlencode

from sqlakeyset import BadBookmark, unserialize_bookmark
from werkzeug.datastructures import MultiDict

from bastion.errors import BastionError, FieldFault, InvalidInput
from bastion.models import MAX_ID
from bastion.services.search.timerange import (
    DEFAULT,
    IN_WORDS,
    PRESETS,
    USUAL,
    WIDER,
    Period,
    TimeRange,
    read_range,
    write_time,
)
from bastion.services.search.tokens import TEXT, Fields, Search, Token, parse, write

PARAMETERS: Final = ("q", "range", "from", "to", "sort", "page")
OLDEST_FIRST: Final = "oldest"
FIRST_YEAR: Final = 1900
LAST_YEAR: Final = 9998


@dataclass(frozen=True)
class ListState:
    """What a list shows. Every link of its page is this state with one thing changed."""

    path: str
    fields: Fields
    search: Search = ()
    range: TimeRange = USUAL
    oldest_first: bool = False
    page: str | None = None
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    @cached_property
    def period(self) -> Period:
        return self.range.period(self.now)

    @cached_property
    def text(self) -> str:
        return write(self.search)

    @property
    def narrowed(self) -> bool:
        return bool(self.search)

    # A page of fifty rows has the same few values over and over.
    @cached_property
    def _only(self) -> dict[tuple[str, str], str]:
        return {}

    @cached_property
    def _without(self) -> dict[tuple[str, str], str]:
        return {}

    @property
    def is_live(self) -> bool:
        """Whether new rows belong on top."""
        return self.page is None and not self.oldest_first and self.period.until is None

    def parameters(self) -> dict[str, str]:
        """The state as an address has it, in its one spelling; what is usual is left out."""
        found = {"q": self.text} if self.search else {}
        if self.range.preset is None:
            if self.range.given.since:
                found["from"] = write_time(self.range.given.since)
            if self.range.given.until:
                found["to"] = write_time(self.range.given.until)
        elif self.range.preset != DEFAULT:
            found["range"] = self.range.preset
        if self.oldest_first:
            found["sort"] = OLDEST_FIRST
        if self.page:
            found["page"] = self.page
        return found

    def address(self, path: str | None = None, **more: str) -> str:
        """The state, on its own page or on one that shows something else of the same rows."""
        parameters = self.parameters() | more
        return f"{path or self.path}?{urlencode(parameters)}" if parameters else path or self.path

    def _with(self, search: Iterable[Token]) -> str:
        return replace(self, search=tuple(search), page=None).address()

    def only(self, name: str, value: str) -> str:
        """The address of the rows with that value alone."""
        if (name, value) not in self._only:
            others = (token for token in self.search if token.field != name or (token.negated and token.value != value))
            self._only[name, value] = self._with((*others, Token(name, value)))
        return self._only[name, value]

    def without(self, name: str, value: str) -> str:
        """The address of the rows without that value."""
        if (name, value) not in self._without:
            others = (token for token in self.search if (token.field, token.value) != (name, value))
            self._without[name, value] = self._with((*others, Token(name, value, negated=True)))
        return self._without[name, value]

    def removed(self, token: Token) -> str:
        return self._with(other for other in self.search if other != token)

    def turned(self, token: Token) -> str:
        return self._with(other.turned() if other == token else other for other in self.search)

    def cleared(self) -> str:
        return self._with(())

    def ranged(self, preset: str) -> str:
        return replace(self, range=TimeRange(preset), page=None).address()

    def between(self, start: datetime, end: datetime) -> str:
        return replace(self, range=TimeRange(None, Period(start, end)), page=None).address()

    def sorted(self, *, oldest_first: bool) -> str:
        return replace(self, oldest_first=oldest_first, page=None).address()

    def paged(self, bookmark: str | None) -> str:
        return replace(self, page=bookmark).address()

    def has(self, name: str, value: str) -> bool:
        return Token(name, value) in self.search

    @property
    def wider(self) -> tuple[str, str] | None:
        """A longer range, in words and as an address; none beyond all time."""
        preset = "all" if self.range.preset is None else WIDER.get(self.range.preset)
        return (IN_WORDS[preset], self.ranged(preset)) if preset else None

    @property
    def presets(self) -> list[tuple[str, str, str, bool]]:
        """Name, words and address of each preset, and whether it is in force."""
        return [(name, IN_WORDS[name], self.ranged(name), name == self.range.preset) for name in PRESETS]

    @property
    def range_in_words(self) -> str | None:
        return IN_WORDS[self.range.preset] if self.range.preset else None


def read_state(
    path: str, fields: Fields, arguments: "MultiDict[str, str]", zone: tzinfo, *, also: tuple[str, ...] = ()
) -> ListState:
    """The state that an address says. Raises ``InvalidInput`` with everything that is wrong in it."""
    faults = [
        FieldFault(name, f"is not a parameter here; there are {', '.join((*PARAMETERS, *also))}")
        for name in arguments
        if name not in (*PARAMETERS, *also)
    ]
    faults += [FieldFault(name, "is given twice") for name, values in arguments.lists() if len(values) > 1]
    search: Search = ()
    chosen = USUAL
    try:
        search = parse(arguments.get("q", ""), fields)
    except InvalidInput as error:
        faults += error.faults
    try:
        chosen = read_range(arguments.get("range"), arguments.get("from"), arguments.get("to"), zone)
    except InvalidInput as error:
        faults += error.faults
    order = arguments.get("sort") or None
    if order not in (None, "newest", OLDEST_FIRST):
        faults.append(FieldFault("sort", f"wants newest or {OLDEST_FIRST}"))
    page = arguments.get("page") or None
    if page is not None and not _is_place(page):
        faults.append(FieldFault("page", "is not a place in this list"))
    if faults:
        raise InvalidInput(faults)
    return ListState(path, fields, search, chosen, order == OLDEST_FIRST, page)


def of_old(arguments: Mapping[str, str], old: Mapping[str, tuple[str, str]]) -> dict[str, str] | None:
    """The parameters of an address in the words of earlier versions, in today's; ``None`` if it has none of those.

    ``old`` gives for each earlier parameter its field and what stands before the value.
    """
    if not any(name in arguments for name in old):
        return None
    tokens = [Token(to, before + arguments[name]) for name, (to, before) in old.items() if arguments.get(name)]
    kept = {name: value for name, value in arguments.items() if name not in old}
    text = " ".join(filter(None, (kept.get("q"), write(tokens))))
    return kept | {"q": text} if text else kept


def faults_of(error: BastionError) -> tuple[FieldFault, ...]:
    return error.faults if isinstance(error, InvalidInput) else (FieldFault("q", str(error)),)


def token_parts(token: Token, labels: Mapping[str, str]) -> dict[str, Any]:
    """How a chip shows a token: what field, how compared, and its value as people call it."""
    return {
        "field": token.field if token.field != TEXT else "text",
        "sign": ("is not " if token.negated else "") + token.comparison,
        "value": labels.get(str(replace(token, negated=False)), token.value),
        "negated": token.negated,
    }


def _is_place(bookmark: str) -> bool:
    try:
        place = unserialize_bookmark(bookmark).place
    except (BadBookmark, ValueError, OverflowError, ArithmeticError):
        return False
    if place is None:
        return True
    if [type(value) for value in place] != [datetime, int]:
        return False
    moment, row = place
    # Times with a zone, and far enough from the ends of the calendar to be turned into UTC.
    return moment.tzinfo is not None and FIRST_YEAR <= moment.year <= LAST_YEAR and abs(row) <= MAX_ID
