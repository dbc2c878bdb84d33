"""How values look in every template."""

from collections.abc import Callable
from datetime import datetime
from importlib.metadata import version
from typing import Any, Final
from urllib.parse import urlsplit

from flask import Flask, request
from flask_login import current_user
from markupsafe import Markup
from sqlakeyset import BadBookmark, Page, unserialize_bookmark

from bastion.access import Right
from bastion.engine.verdict import MAX_SPANS
from bastion.errors import FieldFault, InvalidInput
from bastion.models import MAX_ID
from bastion.web.marked_text import visible

PER_PAGE: Final = 50
FIRST_YEAR: Final = 1900
LAST_YEAR: Final = 9998

VERSION: Final = version("bastion")


def add_to(app: Flask) -> None:
    """Filters, globals and whitespace rules for templates."""
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    app.template_filter("utc")(utc_time)
    app.template_filter("visible")(visible)
    app.template_filter("weblink")(is_weblink)
    app.context_processor(lambda: {"may": may, "Right": Right, "version": VERSION, "MAX_SPANS": MAX_SPANS})


def utc_time(moment: datetime | None) -> Markup:
    """A time element in UTC with its zone said."""
    if moment is None:
        return Markup("never")
    return Markup('<time datetime="{}">{} UTC</time>').format(
        moment.isoformat(timespec="milliseconds"), moment.strftime("%Y-%m-%d %H:%M:%S")
    )


def is_weblink(text: str) -> bool:
    """Whether a text from a rule may become a link: only a web address does."""
    try:
        return urlsplit(text).scheme in ("http", "https")
    except ValueError:
        return False


def may(right: Right) -> bool:
    """Whether who looks at the page has the right."""
    return bool(current_user.is_authenticated and current_user.may(right))


def paged(load: Callable[[str | None], Page[Any]]) -> Page[Any]:
    """The page of a list that begins where the address says, as ``load(bookmark)`` gives it.

    The list must be ordered by a time and an id. Raises ``InvalidInput`` for a place that is none.
    """
    bookmark = request.args.get("page") or None
    if bookmark is not None and not _is_place(bookmark):
        raise InvalidInput([FieldFault("page", "is not a place in this list")])
    return load(bookmark)


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
