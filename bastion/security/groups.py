"""Groups of a directory into roles."""

from collections.abc import Collection
from typing import Final

from bastion.services.people.accounts import Role
from bastion.settings import Settings

EVERYBODY: Final = "*"


def role_of(groups: Collection[str], settings: Settings) -> Role | None:
    """The highest role that one of the groups has; ``None`` when none has any. ``*`` makes everybody a viewer."""
    for role, named in (
        (Role.ADMIN, settings.bastion_admin_groups),
        (Role.ANALYST, settings.bastion_analyst_groups),
        (Role.VIEWER, settings.bastion_viewer_groups),
    ):
        if set(groups) & set(named) or (role is Role.VIEWER and EVERYBODY in named):
            return role
    return None
