"""The application for WSGI servers and for the ``flask`` command."""

import sys

from bastion import create_app
from bastion.errors import BastionError
from bastion.runtime import runtime
from bastion.schema import in_flask_command, init_db, serving

try:
    app = create_app()
    if serving():
        with app.app_context():
            init_db(auto_migrate=runtime().settings.bastion_auto_migrate)
except BastionError as error:
    if not in_flask_command():
        raise
    sys.exit(f"Bastion cannot start.\n{error}")
