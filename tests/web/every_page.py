"""Every page that there is, as addresses: taken from the routes, so that a new page cannot be forgotten."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from flask import Flask

from bastion.access import ROUTES
from bastion.services.search.export import FORMATS

NOT_PAGES: Final = {
    "static": "files",
    "bootstrap.static": "files",
    "probes.healthz": "JSON for probes",
    "probes.readyz": "JSON for probes",
    "single_sign_on.start": "leads to another server",
    "single_sign_on.callback": "answers another server",
    "events.raw": "JSON",
    "events.start_rule": "leads to the form of a new rule",
}
"""Routes that answer GET and have no page, and what they have instead. The API has none either."""

PARTS_OF_PAGES: Final = ("events.newer",)
"""Routes whose HTML is for scripts, to be put into a page."""

QUERIES: Final = {
    "events.newer": ("?after=2020-01-01T00%3A00%3A00Z",),
    "playground.analyse": ("", "?event={key}"),
    "rules.rollout": ("?to=monitor",),
}
"""What stands behind the paths of routes; nothing unless it is said here."""

_VARIABLE: Final = re.compile(r"<(?:\w+:)?(\w+)>")


def pages(app: Flask, known: Mapping[str, str], *, parts: bool = False) -> list[str]:
    """The address of each page.

    ``known`` says what the variable parts of paths are: an event's ``key``, a ``rule_id``. With ``parts`` also what
    is only ever a part of a page. Raises ``LookupError`` for a new variable.
    """
    left_out = () if parts else PARTS_OF_PAGES
    return [
        _filled(path + query, known)
        for endpoint, path in _readable(app)
        if "<suffix>" not in path and endpoint not in left_out
        for query in QUERIES.get(endpoint, ("",))
    ]


def exports(app: Flask) -> list[str]:
    """The address of each export in each format."""
    return [_filled(path, {"suffix": suffix}) for _, path in _readable(app) if "<suffix>" in path for suffix in FORMATS]


def forms(app: Flask, known: Mapping[str, str]) -> list[str]:
    """The address of every form, that is of whatever a page posts to."""
    return [
        _filled(route.rule, known)
        for route in app.url_map.iter_rules()
        if "POST" in (route.methods or ()) and not route.endpoint.startswith("api.")
    ]


def _readable(app: Flask) -> Iterator[tuple[str, str]]:
    unknown = set(NOT_PAGES) - set(ROUTES)
    if unknown:
        raise LookupError(f"these are no routes any more: {', '.join(unknown)}")
    for route in app.url_map.iter_rules():
        if "GET" in (route.methods or ()) and route.endpoint not in NOT_PAGES and not route.endpoint.startswith("api."):
            yield route.endpoint, route.rule


def _filled(path: str, known: Mapping[str, str]) -> str:
    missing = set(_VARIABLE.findall(path)) - set(known)
    if missing:
        raise LookupError(f"say what {', '.join(missing)} is in {path}, as this test does for {', '.join(known)}")
    return _VARIABLE.sub(lambda found: known[found[1]], path).format(**known)
