"""Bodies of bounded size, and forms of a bounded number of fields: millions of empty ones take half a gigabyte."""

import io
from typing import IO, Final

from flask import Request
from gunicorn.http.errors import ParseException
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge
from werkzeug.formparser import FormDataParser
from werkzeug.utils import cached_property

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
    """Werkzeug bounds the parts of a multipart form, but not the fields of one in the usual encoding; and it takes as
    much of a body in chunks as may be sent for the whole of it.
    """

    form_data_parser_class = _Parser

    @cached_property
    def stream(self) -> IO[bytes]:
        limit = self.max_content_length
        if limit is None or "Transfer-Encoding" not in self.headers:
            return super().stream
        try:
            sent: bytes = self.environ["wsgi.input"].read(limit + 1)
        except (ParseException, OSError) as error:
            raise BadRequest("the body is not in chunks as HTTP has them") from error
        if len(sent) > limit:
            raise RequestEntityTooLarge
        return io.BytesIO(sent)
