"""What the audit log takes of callers whom nobody knows: whoever tries to get in must not fill the disk."""

import logging
from collections.abc import Mapping
from typing import Any, Final

from bastion.errors import DatabaseUnavailable
from bastion.runtime import runtime
from bastion.security.addresses import neighbourhood
from bastion.services.limits import Limit

log = logging.getLogger(__name__)

REFUSALS_NOTED: Final = Limit(burst=20, seconds=30)
"""How many refusals of one kind and address the audit log takes."""


def note_refused(
    action: str, target: Mapping[str, Any] | None = None, *, detail: Mapping[str, Any] | None = None
) -> None:
    """Writes down that somebody was refused, but not for ever."""
    try:
        if not runtime().limits.take(f"noted {action}", neighbourhood(), REFUSALS_NOTED):
            runtime().audit.note(action, target, detail=detail)
    except DatabaseUnavailable as error:
        log.error("%s is not noted: %s", action, error)
