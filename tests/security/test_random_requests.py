"""Requests that nobody thought of, at every address and every form of the pages: no answer is a fault of ours.

`make fuzz-forms` makes ten thousand of each kind with a new seed, which it prints; with SEED=... it makes them again.
"""

import io
import json
import os
import random
import re
from collections import Counter
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session
from werkzeug.routing import RequestRedirect
from werkzeug.routing import Rule as Route
from werkzeug.test import TestResponse

from bastion.access import ROUTES
from bastion.engine.exceptions import ExceptionKind, RuleException
from bastion.models import RuleTrigger, utc_now
from bastion.runtime import Runtime
from bastion.services.people.accounts import Role
from bastion.services.rules.stored_rules import update_rule
from tests.conftest import PASSWORD, log_in_as
from tests.factories import stored_event, stored_rule
from tests.security.page_forms import Field, Form, forms_of
from tests.web.every_page import pages

REQUESTS = int(os.environ.get("RANDOM_REQUESTS", "400"))
SEED = int(os.environ.get("RANDOM_SEED", "20261123"))
A_ROUND = 200
"""Requests with the same rows: most rules and events do not live longer among them."""

NAMES = ["name", "role", "scopes", "source", "expires", "q", "before", "page", "from", "to", "triggers", "version"]
NAMES += ["prompt", "flow", "direction", "disposition", "note", "ids", "limit", "since", "rule", "next", "uuid"]
VALUES = ["", "0", "1", "-1", "9" * 30, "a", "😀", "é", "<b>", "'", '"', "\\", "%", "*", "a:b", "x" * 300, "\0", "²"]
VALUES += ["2026-11-23", "../..", "true", "null", "[]", "{}", "status:block", "(", "\u202e", "\r\n", "1e9", "NaN"]
VALUES += ["\ud800", "name: x\ndetails: y\ndetection: {pattern: a}", "{" * 200, "- " * 200, "9999-12-31T23:59:59Z"]

KNOWN = {"text": [f"name: A\ndetails: b\nuuid: by-form-{n}\ndetection: {{pattern: xyzzy}}\n" for n in range(5_000)]}
"""What is new to the database, unlike what a page holds: an import of what is there has nothing to apply."""

OWN = 0.85

OURS = ("/logout", "/accounts/admin/", "/accounts/password", "/login")
"""Forms that would log the sender out; they have tests of their own."""

URLENCODED = "application/x-www-form-urlencoded"


@pytest.fixture
def chance() -> random.Random:
    return random.Random(SEED)


def test_random_requests_at_every_route_find_no_fault(
    app: Flask, parts: Runtime, session: Session, chance: random.Random
) -> None:
    """Random fields, values, queries and types."""
    stored_event(session, rules=(stored_rule(session),))
    admin = log_in_as(app, Role.ADMIN)
    parts.accounts.add("second", Role.ADMIN, "seven quiet lighthouse keepers")
    # Hashing and trying out patterns is paid for in the other test.
    spared = {"/accounts/password", "/rules/new", "/rules/<int:rule_id>/edit", "/logout", "/accounts/", "/login"}
    routes = [route for route in app.url_map.iter_rules() if is_pages(route)]
    counts: Counter[int] = Counter()
    for number in range(REQUESTS):
        route = chance.choice(routes)
        path = re.sub(r"<[\w:]*>", lambda _: chance.choice(["1", "2", "999", "x", "%F0%9F%98%80"]), route.rule)
        method = chance.choice(sorted((route.methods or set()) - {"OPTIONS", "HEAD"}))
        fields = [(chance.choice(NAMES), chance.choice(VALUES)) for _ in range(chance.randrange(4))]
        query = [(chance.choice(NAMES), chance.choice(VALUES)) for _ in range(chance.randrange(3))]
        if method == "POST" and route.rule in spared and number % 50:
            continue
        kind = chance.choice([URLENCODED, "multipart/form-data"])
        data: dict[str, Any] = {name: [value for key, value in fields if key == name] for name, _ in fields}
        body = {"data": sendable(data), "content_type": kind} if method == "POST" and data else {}
        with admin.open(path, method=method, query_string=sendable(dict(query)), **body) as answer:
            counts[answer.status_code] += 1
            assert answer.status_code < 500, (method, path, query, fields)
        if is_logged_out(answer):
            admin = log_in_as(app, Role.ADMIN)
    assert {200, 302, 404, 422} <= set(counts), counts


def test_random_requests_at_every_form_find_no_fault(
    app: Flask, parts: Runtime, session: Session, chance: random.Random
) -> None:
    """What a form holds, with some of it changed, left out, sent twice, or joined by what is not asked for.

    Answers have forms too: previews, confirmations, faults.
    """
    admin = log_in_as(app, Role.ADMIN)
    counts: Counter[int] = Counter()
    reached: Counter[str] = Counter()
    sent = 0
    tried: set[tuple[str, ...]] = set()
    while sent < REQUESTS:
        known = rows(parts, session, sent)
        found: dict[tuple[str, ...], Form] = {}
        for page in pages(app, known):
            with admin.get(page) as answer:
                learn(app, found, answer, page)
        for turn in range(A_ROUND):
            every = list(found)
            # One that is new is sent as it is, so that what comes after it is found, whatever the seed.
            fresh = next((one for one in every if one not in tried), None)
            chosen = fresh or (every[turn % len(every)] if turn % 2 else chance.choice(every))
            tried.add(chosen)
            form = found[chosen]
            fields = offered(form.fields) if fresh else filled(form.fields, chance)
            answer = send(admin, form, fields)
            with answer:
                counts[answer.status_code] += 1
                assert answer.status_code < 500, (form.method, form.action, fields)
                learn(app, found, answer, form.action)
            reached[endpoint_of(app, form)] += 1
            sent += 1
            assert not is_logged_out(answer), (form.action, fields)
            if answer.status_code == 302:
                with admin.get(answer.headers["Location"]) as after:
                    assert after.status_code < 500, (form.action, fields, answer.headers["Location"])
                    learn(app, found, after, answer.headers["Location"])
    print(json.dumps({"answers": counts, "reached": reached}))  # noqa: T201 (what `make fuzz-forms` says)
    routes = [route for route in app.url_map.iter_rules() if "POST" in (route.methods or ()) and is_pages(route)]
    forms = {route.endpoint for route in routes}
    assert forms - set(reached) == {"auth.login", "auth.logout", "accounts.own_password"}
    assert {200, 302, 404, 409, 422} <= set(counts), counts


def is_pages(route: Route) -> bool:
    return not route.endpoint.startswith(("api.", "static", "bootstrap", "single_sign_on"))


def is_logged_out(answer: TestResponse) -> bool:
    return answer.status_code == 302 and answer.headers.get("Location", "").startswith("/login")


def sendable(fields: dict[str, Any]) -> dict[str, Any]:
    """Without what no client could write down: half a character."""
    return json.loads(json.dumps(fields).replace("\\ud800", "?"))  # type: ignore[no-any-return]


def rows(parts: Runtime, session: Session, number: int) -> dict[str, str]:
    """A rule, an event that it made, an account and a token, which forms are about."""
    excepted = RuleException(
        id="e1", kind=ExceptionKind.TEXT, value="ignore previous please", reason="it is ours", created_at=utc_now()
    )
    rule = stored_rule(session, name=f"Rule of round {number}", exceptions=(excepted,))
    update_rule(session, rule, {"details": "Another version."})
    session.commit()
    event = stored_event(session, rules=(rule, stored_rule(session)))
    parts.accounts.add(f"victim{number}", Role.ANALYST, PASSWORD)
    parts.tokens.create(f"victim{number}")
    trigger = session.query(RuleTrigger).order_by(RuleTrigger.id.desc()).first()
    assert trigger is not None
    known = {"key": str(event.uid or event.id), "rule_id": str(rule.id), "trigger_id": str(trigger.id)}
    return known | {"at": "2026-11-23T08:00:00+00:00", "name": f"victim{number}"}


def learn(app: Flask, found: dict[tuple[str, ...], Form], answer: TestResponse, address: str) -> None:
    """Forms of the same fields for the same route are one, the newest."""
    if answer.mimetype == "text/html":
        for form in forms_of(answer.get_data(as_text=True), address):
            if not form.action.startswith(OURS):
                found[endpoint_of(app, form), *sorted({field.name for field in form.fields})] = form


def offered(fields: list[Field]) -> list[tuple[str, Any]]:
    return [(field.name, KNOWN.get(field.name, [*field.values, ""])[0]) for field in fields if not field.file]


def filled(fields: list[Field], chance: random.Random) -> list[tuple[str, Any]]:
    """Mostly a value that the page offers: whoever sends nothing but nonsense gets no further than the first check."""
    filled: list[tuple[str, Any]] = []
    for field in fields:
        for _ in range(chance.choices([0, 1, 2], [8, 88, 4])[0]):
            own = KNOWN.get(field.name, field.values)
            value: Any = chance.choice(own if own and chance.random() < OWN else VALUES)
            if field.file:
                value = (
                    io.BytesIO(value.encode("utf-8", "replace")),
                    chance.choice(["a.yml", "b.jsonl", "../c.yml", ""]),
                )
            filled.append((field.name, value))
    if chance.random() < 0.1:
        filled.append((chance.choice(NAMES), chance.choice(VALUES)))
    return filled


def send(client: FlaskClient, form: Form, fields: list[tuple[str, Any]]) -> TestResponse:
    data: dict[str, list[Any]] = {}
    for name, value in fields:
        cleaned = value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
        data.setdefault(name, []).append(cleaned)
    if form.method == "GET":
        return client.get(form.action.split("?")[0], query_string=data)
    files = any(field.file for field in form.fields)
    return client.post(form.action, data=data, content_type="multipart/form-data" if files else URLENCODED)


def endpoint_of(app: Flask, form: Form) -> str:
    try:
        endpoint, _ = app.url_map.bind("localhost").match(form.action.split("?")[0].split("#")[0], method=form.method)
    except RequestRedirect:
        return "redirected"
    assert endpoint in ROUTES
    return str(endpoint)
