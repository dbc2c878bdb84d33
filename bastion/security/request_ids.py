"""One id for each request: in its answer, in every line of the log, in the audit log, on every page of an error."""

import logging
import sys
import traceback
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Final

from flask import Flask, g, has_request_context
from uuid_utils import uuid4
from werkzeug.wrappers import Response

HEADER: Final = "X-Request-ID"

_CONTROL: Final = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))} | {
    code: f"\\u{code:04x}" for code in (0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
}

MAX_MESSAGE: Final = 300
"""Of one exception's message: a driver's may go on to quote the whole row that it could not store."""


BEFORE_FLASK: Final[ContextVar[str | None]] = ContextVar("request_id", default=None)
"""The id of a request that Flask has not seen, or not yet: see ``api.quick_run``."""


def request_id() -> str | None:
    """The id of the request that is being answered."""
    return g.get("request_id") if has_request_context() else BEFORE_FLASK.get()


def new_request_id() -> str:
    """An id of our own making: one that a client sends could be anybody's."""
    # Unlike `secrets`, it does not ask the system for each.
    return uuid4().hex[:16]


def add_request_ids(app: Flask) -> None:
    """Gives each request an id, unless it has one from before Flask."""

    def name_request() -> None:
        g.request_id = BEFORE_FLASK.get() or new_request_id()

    def tell(response: Response) -> Response:
        response.headers[HEADER] = g.get("request_id", "")
        return response

    app.before_request(name_request)
    app.after_request(tell)
    _log_to_standard_error()


class OneLine(logging.Formatter):
    """A line a record, with the request's id, whatever the texts in it hold. Of exceptions it has the way they came
    and the first line of what they say: database drivers go on to quote rows, and rows hold prompts.
    """

    def format(self, record: logging.LogRecord) -> str:
        moment = self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z")
        head = f"{moment} {record.levelname} [{request_id() or '-'}] {record.name}: "
        lines = [head + record.getMessage().translate(_CONTROL)]
        if record.exc_info and record.exc_info[1]:
            lines += _told(record.exc_info[1])
        return "\n".join(lines)


def _told(error: BaseException) -> Iterator[str]:
    """The chain of exceptions, the first cause first, indented so that no line of it can pass for one of the log's."""
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        yield from _told(cause)
    for frame in traceback.extract_tb(error.__traceback__):
        yield f"    {frame.filename}:{frame.lineno} {frame.name}"
    message = (str(error).splitlines() or [""])[0][:MAX_MESSAGE].translate(_CONTROL)
    yield f"    {type(error).__name__}: {message}"


def _log_to_standard_error() -> None:
    ours = logging.getLogger("bastion")
    if not any(isinstance(handler.formatter, OneLine) for handler in ours.handlers):
        handler = logging.StreamHandler(_StandardError())
        handler.setFormatter(OneLine())
        ours.addHandler(handler)


class _StandardError:
    """Standard error as it is when a line is written, and not as it was when the application was made."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()
