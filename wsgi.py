"""The application for WSGI servers and for the ``flask`` command."""

import os
import sys

from bastion import create_app
from bastion.errors import BastionError, SchemaUnknown
from bastion.runtime import runtime
from bastion.schema import init_db, serving

try:
    app = create_app()
    if serving():
        with app.app_context():
            try:
                init_db(auto_migrate=runtime().settings.bastion_auto_migrate)
            except SchemaUnknown as error:
                # Whom a worker replaces has served with this database, and to give up would end its siblings too:
                # see bastion.gunicorn. It has no rules until the database is back.
                if "REPLACES_WORKER" not in os.environ:
                    raise
                sys.stderr.write(f"A worker starts without the database.\n{error}\n")
except BastionError as error:
    sys.stderr.write(f"Bastion cannot start.\n{error}\n")
    # Gunicorn reads 3 as "this worker will never boot" and stops, instead of trying again for ever.
    sys.exit(3)
