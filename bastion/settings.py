"""The environment and ``.env``, read once into one frozen ``Settings``.

Names are AIDR Bastion's where it has one. ``docs/settings.md`` lists them all.
"""

from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
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


class Synchronous(StrEnum):
    """When an SQLite transaction counts as stored."""

    FULL = "full"
    NORMAL = "normal"


class LogFormat(StrEnum):
    """What a line of the log is."""

    TEXT = "text"
    JSON = "json"


def sync_database_url(value: str) -> str:
    """The same database on the synchronous driver; a relative SQLite path counts from the working directory.

    The empty text stands for the default, a file in the instance folder.
    """
    if not value:
        return ""
    try:
        url = make_url(value)
    except (ArgumentError, ValueError):
        raise ValueError(
            "wants a URL such as sqlite:///instance/bastion.db or postgresql://user@host/name; several servers are "
            "named at its end: postgresql://user@/name?host=first,second&port=5432,5432"
        ) from None
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
    else:
        url = _of_servers(url)
    return url.render_as_string(hide_password=False)


def _of_servers(url: URL) -> URL:
    """The URL; of several servers that which takes changes is wanted, whichever comes first.

    Raises ``ValueError`` when the hosts and ports in it are not pairs.
    """
    try:
        _, parameters = url.get_dialect()().create_connect_args(url)
    except ArgumentError as error:
        raise ValueError(f"wants as many ports as hosts in ?host=first,second&port=5432,5432: {error}") from None
    if "," in str(parameters.get("host", "")) and "target_session_attrs" not in url.query:
        return url.update_query_dict({"target_session_attrs": "read-write"})
    return url


def _plain_bool(value: Any) -> Any:
    return str(value).strip().lower() if isinstance(value, str | bool) else value


def _save_prompt(value: Any) -> Any:
    spelled = {"1": "true", "yes": "true", "on": "true", "0": "false", "no": "false", "off": "false"}
    word = _plain_bool(value)
    return spelled.get(word, word)


_PLACEHOLDERS: Final = ("change", "secret", "password", "example", "default", "insecure", "your", "placeholder")


def _strong_key(value: str | None) -> str | None:
    """Refuses what somebody typed or copied from a guide: a random key has none of these words and many characters."""
    if value is None:
        return None
    if len(set(value)) < 12 or any(word in value.casefold() for word in _PLACEHOLDERS):
        raise ValueError(
            'is easily guessed: use what `python3 -c "import secrets; print(secrets.token_hex(32))"` prints'
        )
    return value


def _parts(value: Any) -> Any:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _network(value: Any) -> Any:
    try:
        return ip_network(value)
    except ValueError:
        raise ValueError("wants networks such as 10.1.0.0/16 or 2001:db8::/32, separated by commas") from None


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_parts)]
Network = Annotated[IPv4Network | IPv6Network, BeforeValidator(_network)]
Networks = Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_parts)]
HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")]


class Settings(BaseSettings):
    """Everything that an operator can set. A field's name in capitals is the variable's name."""

    model_config = SettingsConfigDict(
        env_file=".env", env_file_encoding="utf-8", extra="ignore", frozen=True, env_ignore_empty=True
    )

    bastion_instance: Annotated[Path, Field(description="an existing folder or one that can be made")] = (
        ROOT / "instance" if (ROOT / "wsgi.py").is_file() else Path("instance")
    )
    database_url: Annotated[str, BeforeValidator(sync_database_url)] = ""
    database_echo: bool = False
    database_pool_size: Annotated[int, Field(ge=1, le=1000)] = 5
    database_max_overflow: Annotated[int, Field(ge=0, le=1000)] = 10
    database_save_prompt: Annotated[SavePrompt, BeforeValidator(_save_prompt)] = SavePrompt.TRUE
    bastion_sqlite_synchronous: Annotated[Synchronous, BeforeValidator(_plain_bool)] = Synchronous.FULL
    bastion_spool_max_mb: Annotated[int, Field(ge=16, le=1_000_000)] = 1024
    bastion_retention_days: Annotated[int, Field(ge=0, le=36_500)] = 0
    bastion_log_format: Annotated[LogFormat, BeforeValidator(_plain_bool)] = LogFormat.TEXT
    host: Annotated[str, Field(pattern=r"^[A-Za-z0-9.:_-]+$")] = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 8000
    secret_key: Annotated[str | None, Field(min_length=32, repr=False), AfterValidator(_strong_key)] = None
    bastion_flows: Path | None = None
    bastion_auto_migrate: bool = True
    bastion_workers: Annotated[int, Field(ge=1, le=256)] = 2
    bastion_threads: Annotated[int, Field(ge=1, le=256)] = 16
    bastion_client_seconds: Annotated[int, Field(ge=1, le=3600)] = 30
    bastion_proxies: Annotated[int, Field(ge=0, le=10)] = 0
    bastion_api_rate: Annotated[int, Field(ge=0, le=10_000_000)] = 0
    bastion_anonymous_networks: Networks = ()
    bastion_viewer_groups: Names = ()
    bastion_analyst_groups: Names = ()
    bastion_admin_groups: Names = ()
    bastion_oidc_issuer: Annotated[str | None, Field(pattern=r"^https?://")] = None
    bastion_oidc_client_id: str | None = None
    bastion_oidc_client_secret: Annotated[str | None, Field(repr=False)] = None
    bastion_oidc_scopes: str = "openid profile email"
    bastion_oidc_name_claim: str = "preferred_username"
    bastion_oidc_groups_claim: str = "groups"
    bastion_proxy_addresses: Networks = ()
    bastion_proxy_user_header: HeaderName | None = None
    bastion_proxy_groups_header: HeaderName | None = None

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
    if lacking := _lacking(settings):
        raise SettingsError("\n".join(lacking))
    return settings


def _lacking(settings: Settings) -> list[str]:
    """What the ways to sign in need beside the variable that turns them on."""
    lacking = []
    if settings.bastion_oidc_issuer:
        needed = ("bastion_oidc_client_id", "bastion_oidc_client_secret")
        unset = [name.upper() for name in needed if not getattr(settings, name)]
        lacking += [f"{name}: must be set, since BASTION_OIDC_ISSUER is" for name in unset]
        if not settings.bastion_oidc_issuer.startswith("https://") and not _is_local(settings.bastion_oidc_issuer):
            lacking.append("BASTION_OIDC_ISSUER: must be https:// unless it is on this host")
    if settings.bastion_proxy_user_header and not settings.bastion_proxy_addresses:
        lacking.append("BASTION_PROXY_ADDRESSES: must name who may set BASTION_PROXY_USER_HEADER")
    groups = settings.bastion_viewer_groups, settings.bastion_analyst_groups, settings.bastion_admin_groups
    if (settings.bastion_oidc_issuer or settings.bastion_proxy_user_header) and not any(groups):
        lacking.append("BASTION_VIEWER_GROUPS: must be set, or the analysts' or admins', or nobody has a role")
    return lacking


def _is_local(url: str) -> bool:
    return (urlsplit(url).hostname or "") in ("localhost", "127.0.0.1", "::1")


def _fault(fault: Any) -> str:
    """One line for one wrong variable. A secret's value is not repeated: errors end up in logs."""
    name = str(fault["loc"][0]).upper() if fault["loc"] else "settings"
    message = fault["msg"].removeprefix("Value error, ")
    secret = name in ("SECRET_KEY", "DATABASE_URL", "BASTION_OIDC_CLIENT_SECRET")
    shown = "" if secret else f", got {fault['input']!r}"
    return f"{name}: {message}{shown}"


def unsupported_variables(names: list[str]) -> list[str]:
    """Those that configure parts of AIDR Bastion which Bastion does not have, and those mistyped as its own."""
    return sorted(
        name
        for name in names
        if name.upper().startswith(_UNSUPPORTED_PREFIXES)
        or (name.startswith(("BASTION_", "DATABASE_")) and name.lower() not in Settings.model_fields)
    )
