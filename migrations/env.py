"""How Alembic reaches the database: through the application, whose ``bastion.schema`` does the work."""

from contextlib import nullcontext

from flask import has_app_context

from bastion import create_app
from bastion.schema import migrating
from bastion.schema.faults import explaining

# `flask db ...` brings an application along, `alembic ...` does not.
with explaining(), nullcontext() if has_app_context() else create_app().app_context():
    migrating.run()
