"""Empty databases with the newest schema, on both kinds of server, in milliseconds each."""

import shutil
from itertools import count
from pathlib import Path

from bastion import create_app
from bastion.extensions import db
from bastion.schema import init_db
from tests.postgres import TemporaryPostgres

KINDS = ("sqlite", "postgresql")


class Databases:
    """Copies of a migrated template."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names = count(1)
        self._server: TemporaryPostgres | None = None
        self._templates: dict[str, str] = {}

    @property
    def server(self) -> TemporaryPostgres:
        if self._server is None:
            self._server = TemporaryPostgres()
        return self._server

    def blank(self, kind: str) -> str:
        """The URL of a database without any table."""
        name = f"b{next(self._names)}"
        if kind == "sqlite":
            return f"sqlite:///{self._folder / name}.db"
        self.server.psql("postgres", "-c", f"CREATE DATABASE {name}")
        return self.server.url_of(name)

    def migrated(self, kind: str) -> str:
        """The URL of a database with the newest schema and no rows."""
        if kind not in self._templates:
            self._templates[kind] = self.blank(kind)
            migrate(self._templates[kind], self._folder)
        template = self._templates[kind]
        name = f"m{next(self._names)}"
        if kind == "sqlite":
            path = self._folder / f"{name}.db"
            shutil.copyfile(template.removeprefix("sqlite:///"), path)
            return f"sqlite:///{path}"
        original = template.rpartition("/")[2]
        self.server.psql("postgres", "-c", f"CREATE DATABASE {name} TEMPLATE {original}")
        return self.server.url_of(name)

    def close(self) -> None:
        if self._server is not None:
            self._server.stop()


def migrate(url: str, instance: Path) -> None:
    app = create_app(database_url=url, bastion_instance=instance)
    with app.app_context():
        init_db(auto_migrate=True)
        db.engine.dispose()
