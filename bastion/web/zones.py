"""The time zone that pages are written in: UTC, the browser's, or one by name. A cookie keeps it."""

from functools import cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from bastion.web.auth import own_path

blueprint = Blueprint("zones", __name__)

COOKIE: Final = "zone"
OF_BROWSER: Final = "browser:"
"""Before the name of a zone that ``static/zone.js`` keeps at the browser's own."""

YEAR: Final = 365 * 86400


@cache
def zone_names() -> frozenset[str]:
    return frozenset(available_timezones())


def reader_zone() -> ZoneInfo:
    """The zone of whoever looks at the page; UTC unless they chose."""
    name = request.cookies.get(COOKIE, "").removeprefix(OF_BROWSER) if request else ""
    return ZoneInfo(name if name in zone_names() else "UTC")


@blueprint.route("/zone", methods=["GET", "POST"])
def choose() -> str | Response | tuple[str, int]:
    """Asks for the zone, and keeps it in a cookie."""
    back = own_path(request.values.get("next")) or url_for("dashboard.overview")
    if request.method == "GET":
        return render_template("zone.html", names=sorted(zone_names()), back=back, chosen=_chosen(), fault=None)
    chosen = request.form.get("chosen", "UTC")
    name = {"browser": request.form.get("browser", ""), "named": request.form.get("name", "")}.get(
        chosen, "UTC"
    ).strip()
    if name not in zone_names():
        fault = "wants a zone of the list, such as Europe/Berlin"
        if chosen == "browser":
            fault = "needs JavaScript, which tells the browser's zone: choose a zone by name"
        names = sorted(zone_names())
        return render_template("zone.html", names=names, back=back, chosen=(chosen, name), fault=fault), 422
    answer = redirect(back)
    kept = f"{OF_BROWSER}{name}" if chosen == "browser" else name
    # A script keeps the browser's zone up to date, so it may read the cookie.
    answer.set_cookie(COOKIE, kept, max_age=YEAR, samesite="Lax", secure=request.is_secure)
    flash(f"Times are in {name}.", "success")
    return answer


def _chosen() -> tuple[str, str]:
    kept = request.cookies.get(COOKIE, "UTC")
    if kept.startswith(OF_BROWSER):
        return "browser", kept.removeprefix(OF_BROWSER)
    return ("UTC", "") if kept == "UTC" or kept not in zone_names() else ("named", kept)
