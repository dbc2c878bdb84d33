"""How values look in every template."""

from datetime import UTC, datetime
from importlib.metadata import version
from typing import Final
from urllib.parse import urlsplit

from flask import Flask
from flask_login import current_user
from markupsafe import Markup

from bastion.access import Right
from bastion.engine.verdict import MAX_SPANS
from bastion.web.marked_text import visible
from bastion.web.zones import reader_zone

VERSION: Final = version("bastion")


def add_to(app: Flask) -> None:
    """Filters, globals and whitespace rules for templates."""
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    # The first is the name that older templates know.
    app.template_filter("utc")(written_time)
    app.template_filter("when")(written_time)
    app.template_filter("brief_time")(brief_time)
    app.template_filter("minute_time")(minute_time)
    app.template_filter("plain_time")(plain_time)
    app.template_filter("visible")(visible)
    app.template_filter("weblink")(is_weblink)
    app.context_processor(
        lambda: {
            "may": may,
            "Right": Right,
            "version": VERSION,
            "MAX_SPANS": MAX_SPANS,
            "zone_name": reader_zone().key,
        }
    )


def written_time(moment: datetime | None) -> Markup:
    """A time element in the reader's zone, which it names; UTC is beside it."""
    return _time_element(moment, "%Y-%m-%d %H:%M:%S %Z")


def brief_time(moment: datetime | None) -> Markup:
    """The same without the zone, for a table that names it in its head."""
    return _time_element(moment, "%Y-%m-%d %H:%M:%S")


def minute_time(moment: datetime | None) -> Markup:
    """The same to the minute, for the ends of a range."""
    return _time_element(moment, "%Y-%m-%d %H:%M")


def plain_time(moment: datetime, spec: str = "%Y-%m-%d %H:%M:%S %Z") -> str:
    """A time in the reader's zone where no element can be."""
    return moment.astimezone(reader_zone()).strftime(spec)


def _time_element(moment: datetime | None, spec: str) -> Markup:
    if moment is None:
        return Markup("never")
    utc = moment.astimezone(UTC)
    return Markup('<time datetime="{}" title="{} UTC">{}</time>').format(
        utc.isoformat(timespec="milliseconds"),
        utc.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3],
        moment.astimezone(reader_zone()).strftime(spec),
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
