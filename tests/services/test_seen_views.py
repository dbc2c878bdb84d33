"""The views that a page lists."""

from bastion.engine import Match
from bastion.engine.tracing import Trace
from bastion.engine.views import View
from bastion.services.events.seen_views import MAX_LISTED, MAX_SHOWN, seen_views
from tests.factories import rule_spec


def trace_of(*views: View) -> Trace:
    return Trace(views, tuple(0 for _ in views), 0.0, 0.0, 0.0)


def derived(name: str, text: str, raw: View) -> View:
    return View(name, text, 1, raw, lambda _start, _end: (3, 9))


def test_a_match_is_in_the_view_that_it_came_from() -> None:
    raw = View("raw", "...abcdef")
    others = derived("hex", "so bad", raw), derived("base64", "good", raw)
    right = derived("base64", "so bad", raw)
    match = Match(rule_spec(), ((3, 9),), "abcdef", "base64", "bad")

    seen = seen_views(trace_of(raw, *others, right), [Match(rule_spec(), ((0, 1),), "."), match])

    assert [[(found.number, found.start, found.end) for found in view.found] for view in seen] == [
        [],
        [],
        [],
        [(2, 3, 6)],
    ]


def test_of_many_views_those_that_tell_something_are_listed() -> None:
    raw = View("raw", "...abcdef")
    silent = [derived("leet", f"text {number}", raw) for number in range(2 * MAX_LISTED)]
    telling = derived("hex", "bad", raw)
    match = Match(rule_spec(), ((3, 9),), "abcdef", "hex", "bad")

    seen = seen_views(trace_of(raw, *silent, telling), [match])

    assert len(seen) == MAX_LISTED
    assert (seen[0].name, seen[-1].name) == ("raw", "hex")


def test_a_long_view_is_shown_around_what_matched() -> None:
    raw = View("raw", "...abcdef")
    long = derived("hex", "x" * 9_000 + "bad" + "y" * 9_000, raw)
    match = Match(rule_spec(), ((3, 9),), "abcdef", "hex", "bad")

    view = seen_views(trace_of(raw, long), [match])[1]

    assert len(view.shown) == MAX_SHOWN
    assert view.shown[9_000 - view.first :].startswith("bad")
    assert view.cut == 18_003 - MAX_SHOWN
