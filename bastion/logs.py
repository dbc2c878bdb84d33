"""Lines of JSON instead of text, for whoever collects logs."""

import logging
import sys
from collections.abc import Callable
from typing import Any

import structlog
from structlog.typing import EventDict, WrappedLogger

RequestId = Callable[[], str | None]


def json_formatter(request_id: RequestId) -> logging.Formatter:
    """A record a line: ``timestamp``, ``level``, ``logger``, ``event``, ``request_id``, ``exception``.

    Of exceptions it has where they came from and what they are called, not what they say: drivers quote rows in it.
    """

    def name_request(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
        if found := request_id():
            line["request_id"] = found
        return line

    before: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        name_request,
        _exception_without_values,
    ]
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=before,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(ensure_ascii=True),
        ],
    )


def log_as_json(request_id: RequestId) -> None:
    """Has everything that this process logs written as JSON to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(json_formatter(request_id))
    for name in (None, "bastion", "gunicorn.error", "gunicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers = [handler] if name is None else []
        logger.propagate = True


def _exception_without_values(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    given = line.pop("exc_info", None)
    record = line.get("_record")
    found = given if isinstance(given, tuple) else (record.exc_info if record else None)
    if found and found[1]:
        line["exception"] = type(found[1]).__name__
        trace = found[2]
        frames = []
        while trace is not None:
            frames.append(f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno} {trace.tb_frame.f_code.co_name}")
            trace = trace.tb_next
        line["frames"] = frames
        if record:
            # The formatter would add the whole text otherwise.
            record.exc_info = record.exc_text = None
    return line
