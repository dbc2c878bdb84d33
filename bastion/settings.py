"""The environment and ``.env``, read once into one frozen ``Settings``.

Names are AIDR Bastion's where it has one. ``docs/settings.md`` lists them all.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from bastion.errors import SettingsError

HERE: Final = Path(__file__).resolve().parent
ROOT: Final = HERE if (HERE / "templates").is_dir() else HERE.parent
"""Where templates, static files and migrations are: a checkout's top, or the installed package."""

_DRIVERS: Final = {
    "sqlite": "sqlite",
    "sqlite+pysqlite": "sqlite",
    "sqlite+aiosqlite": "sqlite",
    "postgres": "postgresql+psycopg2",
    "postgresql": "postgresql+psycopg2",
    "postgresql+psycopg2": "postgresql+psycopg2",
    "postgresql+asyncpg": "postgresql+psycopg2",
}

_UNSUPPORTED_PREFIXES: Final = (
    *("KAFKA__", "OS__", "ES__", "QDRANT__", "SIMILARITY_", "LLM_", "ML_MODEL_PATH", "EMBEDDINGS_MODEL"),
    *("OPENAI_", "ANTHROPIC_", "AZURE_OPENAI_", "OLLAMA_", "CORS_ORIGINS"),
)


class SavePrompt(StrEnum):
    """How much of an analysed text is kept in its event."""

    TRUE = "true"
    REDACTED = "redacted"
    FALSE = "false"


def _sync_database_url(value: str) -> str:
    """The same database on the synchronous driver; a relative SQLite path counts from the working directory.

    The empty text stands for the default, a file in the instance folder.
    """
    if not value:
        return ""
    try:
        url = make_url(value)
    except (ArgumentError, ValueError):
        raise ValueError("wants a URL such as sqlite:///instance/bastion.db or postgresql://user@host/name") from None
    driver = _DRIVERS.get(url.drivername)
    if driver is None:
        raise ValueError(f"names the driver {url.drivername!r}; wants one of {', '.join(_DRIVERS)}")
    url = url.set(drivername=driver)
    if driver == "sqlite":
        if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
            raise ValueError("wants a file, such as sqlite:///instance/bastion.db: workers cannot share memory")
        url = url.set(database=str(Path(url.database).absolute()))
    elif not url.database:
        raise ValueError("wants a database's name at the end: postgresql://user@host/name")
    return url.render_as_string(hide_password=False)


def _plain_bool(value: Any) -> Any:
    return str(value).strip().lower() if isinstance(value, str | bool) else value


def _save_prompt(value: Any) -> Any:
    spelled = {"1": "true", "yes": "true", "on": "true", "0": "false", "no": "false", "off": "false"}
    word = _plain_bool(value)
    return spelled.get(word, word)


class Settings(BaseSettings):
    """Everything that an operator can set. A field's name in capitals is the variable's name."""

    model_config = SettingsConfigDict(
        env_file=".env", env_file_encoding="utf-8", extra="ignore", frozen=True, env_ignore_empty=True
    )

    bastion_instance: Annotated[Path, Field(description="an existing folder or one that can be made")] = (
        ROOT / "instance" if (ROOT / "wsgi.py").is_file() else Path("instance")
    )
    database_url: Annotated[str, BeforeValidator(_sync_database_url)] = ""
    database_echo: bool = False
    database_pool_size: Annotated[int, Field(ge=1, le=1000)] = 5
    database_max_overflow: Annotated[int, Field(ge=0, le=1000)] = 10
    database_save_prompt: Annotated[SavePrompt, BeforeValidator(_save_prompt)] = SavePrompt.TRUE
    host: Annotated[str, Field(pattern=r"^[A-Za-z0-9.:_-]+$")] = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 8000
    secret_key: Annotated[str | None, Field(min_length=32)] = None
    bastion_flows: Path | None = None
    bastion_auto_migrate: bool = True
    bastion_workers: Annotated[int, Field(ge=1, le=256)] = 2
    bastion_threads: Annotated[int, Field(ge=1, le=256)] = 4

    @property
    def instance(self) -> Path:
        return self.bastion_instance.absolute()

    @property
    def sqlite_file(self) -> Path | None:
        """The database's file, or ``None`` for PostgreSQL."""
        url = make_url(self.database_url)
        return Path(url.database or "") if url.get_backend_name() == "sqlite" else None

    @property
    def flows_file(self) -> Path | None:
        """The flows file named, or AIDR Bastion's ``config.json`` in the working directory if it is there."""
        if self.bastion_flows is not None:
            return self.bastion_flows
        usual = Path("config.json")
        return usual if usual.is_file() else None


def load_settings(**overrides: Any) -> Settings:
    """Reads the environment and ``.env``.

    Raises:
        SettingsError: naming each variable that is wrong and what it wants.
    """
    try:
        settings = Settings(**overrides)
        if not settings.database_url:
            url = URL.create("sqlite", database=str(settings.instance / "bastion.db"))
            settings = settings.model_copy(update={"database_url": url.render_as_string()})
    except ValidationError as error:
        raise SettingsError("\n".join(_fault(fault) for fault in error.errors(include_url=False))) from None
    except (UnicodeDecodeError, OSError) as error:
        raise SettingsError(f".env cannot be read: {error}") from None
    if settings.bastion_flows is not None and not settings.bastion_flows.is_file():
        raise SettingsError(f"BASTION_FLOWS: there is no file {str(settings.bastion_flows)!r}")
    return settings


def _fault(fault: Any) -> str:
    """One line for one wrong variable. A secret's value is not repeated: errors end up in logs."""
    name = str(fault["loc"][0]).upper() if fault["loc"] else "settings"
    message = fault["msg"].removeprefix("Value error, ")
    shown = "" if name in ("SECRET_KEY", "DATABASE_URL") else f", got {fault['input']!r}"
    return f"{name}: {message}{shown}"


def unsupported_variables(names: list[str]) -> list[str]:
    """Those that configure parts of AIDR Bastion which Bastion does not have, and those mistyped as its own."""
    return sorted(
        name
        for name in names
        if name.upper().startswith(_UNSUPPORTED_PREFIXES)
        or (name.startswith(("BASTION_", "DATABASE_")) and name.lower() not in Settings.model_fields)
    )
