"""The list of rules, and the same rules as a file."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, Final

import sqlalchemy as sa
from flask import Blueprint, make_response, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from bastion.errors import FieldFault, InvalidInput, NotFound
from bastion.extensions import db
from bastion.models import utc_now
from bastion.rulefile import MAX_FILE_BYTES, Format, write_rules
from bastion.services.rules.bulk import Kind
from bastion.services.rules.exporting import Exported, exported
from bastion.services.rules.listing import (
    DEFAULT_SORT,
    PER_PAGE,
    SORTS,
    ListedRule,
    exported_rules,
    facets,
    page_of_rules,
    selected_ids,
)
from bastion.services.rules.stored_rules import any_rule
from bastion.services.search import export
from bastion.services.search.rules import ARCHIVED, FIELDS
from bastion.services.search.tokens import Token, parse, write
from bastion.web.lists import ListState, token_parts

PARAMETERS: Final = ("q", "sort", "page")
HISTORY: Final = "history"
"""Asks for the versions of each rule in an export of the rules themselves."""

DESCENDING: Final = {"triggers", "precision", "last", "updated"}
"""What is sorted from the most on at the first click."""

COLUMNS: Final = (
    *("id", "uuid", "name", "status", "severity", "category", "tags", "action", "enabled", "views", "author"),
    *("triggers_24h", "triggers_7d", "precision", "judged", "last_trigger", "version", "created_at", "updated_at"),
    *("archived_at", "cwe_id", "language", "pattern", "details", "references", "false_positives"),
)


_LISTS: Final = {suffix: export.FORMATS[suffix] for suffix in ("csv", "json")}
"""The list with its numbers, as a file."""

_RULES: Final = {Format.YAML.value: "application/yaml", Format.JSONL.value: "application/jsonl"}
"""The rules themselves."""


@dataclass(frozen=True)
class RuleListState(ListState):
    """What the list of rules shows; its pages have numbers."""

    order: str = DEFAULT_SORT

    def parameters(self) -> dict[str, str]:
        found = {"q": self.text} if self.search else {}
        if self.order != DEFAULT_SORT:
            found["sort"] = self.order
        if self.page and self.page != "1":
            found["page"] = self.page
        return found

    @property
    def number(self) -> int:
        return int(self.page or 1)

    def ordered(self, name: str) -> str:
        """The address of the same rules sorted by that, and the other way round if they are already."""
        first, second = (f"-{name}", name) if name in DESCENDING else (name, f"-{name}")
        return replace(self, order=second if self.order == first else first, page=None).address()

    def direction(self, name: str) -> str | None:
        """As ``aria-sort`` says it."""
        if self.order.removeprefix("-") != name:
            return None
        return "descending" if self.order.startswith("-") else "ascending"

    def archived(self) -> str:
        return self._with([Token("is", ARCHIVED)])


def index() -> str | Response:
    """The rules that the address asks for. What is wrong in it is said beside the search box."""
    arguments = _in_todays_words(request.args)
    session = db.session()
    try:
        state = read_state(url_for(".index"), arguments)
    except InvalidInput as error:
        empty = RuleListState(url_for(".index"), FIELDS)
        page = render_template(
            "rules/index.html", state=empty, typed=arguments.get("q", ""), faults=error.faults, chips=[], page=None
        )
        return make_response(page, HTTPStatus.UNPROCESSABLE_ENTITY)
    if state.parameters() != request.args.to_dict():
        return redirect(state.address())
    page_of = page_of_rules(session, state.search, state.order, state.number, state.now)
    return render_template(
        "rules/index.html",
        state=state,
        typed=state.text,
        faults=(),
        chips=chips(state),
        page=page_of,
        facets=facets(session, state.search, state.now),
        stored=bool(page_of.total) or any_rule(session),
        kinds=list(Kind),
    )


def export_rules(suffix: str) -> Response:
    """All rules that the address asks for, as a file."""
    form = _LISTS.get(suffix)
    asked = request.args.to_dict()
    with_history = suffix in _RULES and _said(asked.pop(HISTORY, "0"))
    state = read_state(url_for(".index"), asked)
    if suffix in _RULES:
        return rule_file(suffix, selected_ids(db.session(), state.search, state.now), with_history)
    if form is None:
        raise NotFound(f"there is no export {suffix!r}; there are {', '.join((*_LISTS, *_RULES))}")
    records = map(record_of, exported_rules(db.engine, state.search, state.order, state.now))
    lines = form.write(export.up_to(export.MAX_ROWS, records), COLUMNS, "rule", export.MAX_ROWS)
    answer = Response(lines, content_type=f"{form.mimetype}; charset=utf-8")
    answer.headers["Content-Disposition"] = f"attachment; filename=bastion-rules.{suffix}"
    return answer


def _said(word: str) -> bool:
    if word not in ("0", "1"):
        raise InvalidInput([FieldFault(HISTORY, "wants 1, or 0 for no versions")])
    return word == "1"


def rule_file(suffix: str, rule_ids: Sequence[int], with_history: bool = False) -> Response:
    """The rules whole, in a file that an import takes. Raises ``InvalidInput`` for YAML that is too large for any."""
    pieces = write_rules(_whole_rules(db.engine, rule_ids, with_history), Format(suffix))
    if suffix == Format.YAML:
        pieces = iter(_readable_again(pieces))
    answer = Response(pieces, content_type=f"{_RULES[suffix]}; charset=utf-8")
    answer.headers["Content-Disposition"] = f"attachment; filename=bastion-rules.{suffix}"
    return answer


def _readable_again(pieces: Iterable[str]) -> list[str]:
    kept, size = [], 0
    for piece in pieces:
        size += len(piece.encode())
        if size > MAX_FILE_BYTES:
            wanted = f"take more than {MAX_FILE_BYTES:,} bytes of YAML, which no import reads: take JSON Lines"
            raise InvalidInput([FieldFault("rules", wanted)])
        kept.append(piece)
    return kept


def _whole_rules(database: sa.Engine, rule_ids: Sequence[int], with_history: bool) -> Iterator[Exported]:
    """The rules, read a few at a time in short transactions, so that no download holds one for long."""
    for start in range(0, len(rule_ids), PER_PAGE):
        with Session(database) as session:
            some = list(exported(session, rule_ids[start : start + PER_PAGE], with_history=with_history))
        yield from some


def read_state(path: str, arguments: Mapping[str, str]) -> RuleListState:
    """The state that an address says. Raises ``InvalidInput`` with everything that is wrong in it."""
    faults = [
        FieldFault(name, f"is not a parameter here; there are {', '.join(PARAMETERS)}")
        for name in arguments
        if name not in PARAMETERS
    ]
    state = RuleListState(path, FIELDS, now=utc_now())
    try:
        state = replace(state, search=parse(arguments.get("q", ""), FIELDS))
    except InvalidInput as error:
        faults += error.faults
    order = arguments.get("sort") or DEFAULT_SORT
    if order.removeprefix("-") not in SORTS:
        faults.append(FieldFault("sort", f"wants one of {', '.join(SORTS)}, with a - in front to turn it round"))
    page = arguments.get("page") or "1"
    if not (page.isascii() and page.isdigit() and len(page) < 7 and int(page) > 0):
        faults.append(FieldFault("page", "wants the number of a page"))
    if faults:
        raise InvalidInput(faults)
    return replace(state, order=order, page=page)


def chips(state: RuleListState) -> list[dict[str, Any]]:
    return [
        token_parts(token, {}) | {"removed": state.removed(token), "turned": state.turned(token)}
        for token in state.search
    ]


def record_of(listed: ListedRule) -> dict[str, Any]:
    """A rule as a file has it."""
    rule, activity = listed.rule, listed.activity
    share = activity.precision.share
    computed = {
        "status": listed.status,
        "triggers_24h": activity.day,
        "triggers_7d": activity.week,
        "precision": None if share is None else round(share, 4),
        "judged": activity.precision.judged,
        "last_trigger": activity.last,
    }
    return {name: computed[name] if name in computed else getattr(rule, name) for name in COLUMNS}


def _in_todays_words(arguments: "MultiDict[str, str]") -> dict[str, str]:
    """The address as earlier versions wrote it, in the words of this one."""
    found = arguments.to_dict()
    tokens = list(_old_tokens(found))
    if tokens:
        found["q"] = " ".join(filter(None, (found.get("q"), write(tokens))))
    return {name: value for name, value in found.items() if name not in ("category", "archived")}


def _old_tokens(arguments: Mapping[str, str]) -> Iterator[Token]:
    if arguments.get("category"):
        yield Token("category", arguments["category"])
    if "archived" in arguments:
        yield Token("is", ARCHIVED)


def add_routes(blueprint: Blueprint) -> None:
    blueprint.get("/")(index)
    blueprint.get("/export.<suffix>", endpoint="export")(export_rules)
