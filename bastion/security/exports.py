"""Whatever leaves as a file is written to the audit log, whichever route sent it."""

from typing import Final

from flask import Flask, request
from werkzeug.wrappers import Response

from bastion.runtime import runtime
from bastion.security.headers import is_static

_FILES: Final = frozenset({"text/csv", "application/x-ndjson", "application/yaml", "application/zip"})


def note_exports(app: Flask) -> None:
    """Names the filters that were used, not what they asked for: a search may be for what somebody wrote."""
    app.after_request(_noted)


def _noted(response: Response) -> Response:
    attached = response.headers.get("Content-Disposition", "").startswith("attachment")
    if response.status_code == 200 and not is_static() and (attached or response.mimetype in _FILES):
        target = {"path": request.path, "filters": sorted(request.args), "as": response.mimetype}
        runtime().audit.note("export", target)
    return response
