"""The application for WSGI servers and for the ``flask`` command."""

import sys

from bastion import create_app
from bastion.errors import BastionError
from bastion.runtime import runtime
from bastion.schema import init_db, serving

try:
    app = create_app()
    if serving():
        with app.app_context():
            init_db(auto_migrate=runtime().settings.bastion_auto_migrate)
except BastionError as error:
    sys.stderr.write(f"Bastion cannot start.\n{error}\n")
    # Gunicorn reads 3 as "this worker will never boot" and stops, instead of trying again for ever.
    sys.exit(3)
