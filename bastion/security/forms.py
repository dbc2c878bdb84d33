"""Forms of a bounded number of fields: reading millions of empty ones takes seconds and half a gigabyte."""

import io
from typing import IO, Final

from flask import Request
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser

MAX_FIELDS: Final = 2000
"""More than the largest of our forms sends: one with a box for each rule of a page."""


class _Parser(FormDataParser):
    def _parse_urlencoded(
        self, stream: IO[bytes], mimetype: str, content_length: int | None, options: dict[str, str]
    ) -> tuple[IO[bytes], MultiDict[str, str], MultiDict[str, FileStorage]]:
        sent = stream.read()
        if sent.count(b"&") >= MAX_FIELDS:
            raise RequestEntityTooLarge(f"a form may have {MAX_FIELDS:,} fields")
        return super()._parse_urlencoded(io.BytesIO(sent), mimetype, content_length, options)


class BoundedRequest(Request):
    """Werkzeug bounds the parts of a multipart form, but not the fields of one in the usual encoding."""

    form_data_parser_class = _Parser
