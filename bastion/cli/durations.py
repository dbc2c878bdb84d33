"""Lengths of time as they are typed: ``30m``, ``12h``, ``7d``, ``4w``."""

import re
from datetime import timedelta
from typing import Any, Final

import click

_UNITS: Final = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_WRITTEN: Final = re.compile(r"([1-9][0-9]{0,4})([mhdw])")


class Duration(click.ParamType[timedelta]):
    """The type of an option whose value is a length of time."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        found = _WRITTEN.fullmatch(str(value))
        if found is None:
            self.fail(
                f"{value!r} is no length of time: write minutes, hours, days or weeks as 30m, 12h, 7d, 4w", param, ctx
            )
        return int(found[1]) * _UNITS[found[2]]


DURATION: Final = Duration()
