"""The environment and ``.env``: what is read, and how wrong values are told."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from bastion import create_app
from bastion.errors import SettingsError
from bastion.settings import SavePrompt, load_settings, unsupported_variables
from tests.conftest import ROOT


def fault_of(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> str:
    """What the start says when that variable has that value."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    return str(caught.value)


def test_nothing_needs_to_be_set() -> None:
    settings = load_settings()

    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.instance == ROOT / "instance"
    assert settings.database_url == f"sqlite:///{ROOT}/instance/bastion.db"
    assert (settings.database_echo, settings.database_pool_size, settings.database_max_overflow) == (False, 5, 10)
    assert settings.database_save_prompt is SavePrompt.TRUE
    assert (settings.bastion_auto_migrate, settings.bastion_workers, settings.bastion_threads) == (True, 2, 16)
    assert (settings.secret_key, settings.bastion_flows, settings.flows_file) == (None, None, None)


def test_the_environment_beats_the_file_and_the_file_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("PORT=9001\nHOST=0.0.0.0\n# DATABASE_POOL_SIZE=9\nSOMETHING_ELSE=1\n", "utf-8")
    monkeypatch.setenv("PORT", "9002")

    settings = load_settings()

    assert (settings.port, settings.host, settings.database_pool_size) == (9002, "0.0.0.0", 5)
    assert load_settings(port=9003).port == 9003


def test_an_empty_variable_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("PORT", "HOST", "DATABASE_URL", "SECRET_KEY", "DATABASE_SAVE_PROMPT", "BASTION_FLOWS"):
        monkeypatch.setenv(variable, "")

    assert load_settings() == load_settings(port=8000)
    assert load_settings().database_url.endswith("/instance/bastion.db")


@pytest.mark.parametrize(
    ("spelled", "meant"),
    [
        ("true", "true"),
        ("True", "true"),
        ("1", "true"),
        ("yes", "true"),
        ("on", "true"),
        ("redacted", "redacted"),
        (" REDACTED ", "redacted"),
        ("false", "false"),
        ("False", "false"),
        ("0", "false"),
        ("no", "false"),
        ("Off", "false"),
    ],
)
def test_aidr_bastions_spellings_of_save_prompt_are_understood(
    monkeypatch: pytest.MonkeyPatch, spelled: str, meant: str
) -> None:
    monkeypatch.setenv("DATABASE_SAVE_PROMPT", spelled)

    assert load_settings().database_save_prompt == meant


@pytest.mark.parametrize(
    ("variable", "value", "wants"),
    [
        ("PORT", "http", "integer"),
        ("PORT", "0", "greater than or equal to 1"),
        ("PORT", "65536", "less than or equal to 65535"),
        ("DATABASE_SAVE_PROMPT", "maybe", "'true', 'redacted' or 'false'"),
        ("DATABASE_ECHO", "perhaps", "boolean"),
        ("DATABASE_POOL_SIZE", "0", "greater than or equal to 1"),
        ("DATABASE_MAX_OVERFLOW", "-1", "greater than or equal to 0"),
        ("BASTION_AUTO_MIGRATE", "2", "boolean"),
        ("BASTION_WORKERS", "257", "less than or equal to 256"),
        ("BASTION_THREADS", "1.5", "integer"),
        ("BASTION_FLOWS", "nowhere.json", "there is no file"),
        ("BASTION_FLOWS", ".", "there is no file"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_wanted(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, wants: str
) -> None:
    fault = fault_of(monkeypatch, variable, value)

    assert fault.startswith(f"{variable}: ")
    assert wants in fault
    assert f"'{value}'" in fault


@pytest.mark.parametrize(
    ("url", "wants"),
    [
        ("nonsense", "wants a URL such as"),
        ("mysql://user:s3cret@host/name", "names the driver 'mysql'"),
        ("postgresql://user:s3cret@host", "wants a database's name"),
        ("postgresql://user:s3cret@host:port/name", "wants"),
        ("postgresql://user:x@y:s3cret@host/name", "wants"),
        ("postgresql://user:s3cret@first:5432,second:5432/name", "host=first,second&port=5432,5432"),
        ("postgresql://user:s3cret@/name?host=a,b,c&port=1,2", "as many ports as hosts"),
        ("postgresql://user:s3cret@/name?host=a&port=1,2", "as many ports as hosts"),
        ("postgresql://user:s3cret@/name?host=a:1&host=b:2&port=3", "as many ports as hosts"),
        ("sqlite://", "wants a file"),
        ("sqlite:///:memory:", "wants a file"),
        ("sqlite+aiosqlite:///:memory:", "wants a file"),
        ("sqlite:///file::memory:?uri=true", "wants a file"),
    ],
)
def test_a_wrong_database_is_refused_without_repeating_its_password(
    monkeypatch: pytest.MonkeyPatch, url: str, wants: str
) -> None:
    fault = fault_of(monkeypatch, "DATABASE_URL", url)

    assert fault.startswith("DATABASE_URL: ")
    assert wants in fault
    assert "s3cret" not in fault


def test_a_short_secret_key_is_refused_without_repeating_it(monkeypatch: pytest.MonkeyPatch) -> None:
    fault = fault_of(monkeypatch, "SECRET_KEY", "s3cret-but-short")

    assert fault.startswith("SECRET_KEY: ")
    assert "32 characters" in fault
    assert "s3cret" not in fault


def test_every_wrong_variable_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("DATABASE_ECHO=perhaps\n", "utf-8")
    monkeypatch.setenv("DATABASE_URL", "nonsense")

    lines = fault_of(monkeypatch, "PORT", "http").splitlines()

    assert sorted(line.split(":")[0] for line in lines) == ["DATABASE_ECHO", "DATABASE_URL", "PORT"]


def test_a_file_that_is_not_text_is_named() -> None:
    Path(".env").write_bytes(b"HOST=caf\xe9\n")

    with pytest.raises(SettingsError, match=r"^\.env cannot be read"):
        load_settings()


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("sqlite:////srv/bastion.db", "sqlite:////srv/bastion.db"),
        ("sqlite+aiosqlite:////srv/bastion.db", "sqlite:////srv/bastion.db"),
        ("sqlite+pysqlite:////srv/bastion.db", "sqlite:////srv/bastion.db"),
        ("postgresql://u:p@h/d", "postgresql+psycopg2://u:p@h/d"),
        ("postgres://u:p@h:5433/d", "postgresql+psycopg2://u:p@h:5433/d"),
        ("postgresql+asyncpg://u:p@h/d", "postgresql+psycopg2://u:p@h/d"),
        ("postgresql+psycopg2://u:p%40ss@h/d", "postgresql+psycopg2://u:p%40ss@h/d"),
        (
            "postgresql://u:p@/d?host=a,b&port=1,2",
            "postgresql+psycopg2://u:p@/d?host=a%2Cb&port=1%2C2&target_session_attrs=read-write",
        ),
        (
            "postgresql://u:p@/d?host=a,b&target_session_attrs=primary",
            "postgresql+psycopg2://u:p@/d?host=a%2Cb&target_session_attrs=primary",
        ),
    ],
)
def test_every_form_of_a_database_runs_on_the_synchronous_driver(
    monkeypatch: pytest.MonkeyPatch, given: str, meant: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", given)

    assert load_settings().database_url == meant


@pytest.mark.parametrize("given", ["./data/x.db", "data/x.db"])
def test_a_relative_database_counts_from_the_working_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, given: str
) -> None:
    Path(".env").write_text(f"DATABASE_URL=sqlite+aiosqlite:///{given}\n", "utf-8")

    settings = load_settings()
    monkeypatch.chdir("/")

    assert settings.database_url == f"sqlite:///{tmp_path}/data/x.db"


@pytest.mark.parametrize("name", ["other", "with space", "50%41", "what?", "a#b"])
def test_the_default_database_is_in_the_instance_folder(tmp_path: Path, name: str) -> None:
    app = create_app(bastion_instance=Path(name))

    with app.app_context():
        database = app.extensions["sqlalchemy"].engine.url.database
    assert database == str(tmp_path / name / "bastion.db")


def test_the_flows_file_is_the_one_named_or_the_usual_one(tmp_path: Path) -> None:
    assert load_settings().flows_file is None
    for name in ("config.json", "flows.json"):
        (tmp_path / name).write_text("[]")

    assert load_settings().flows_file == Path("config.json")
    assert load_settings(bastion_flows=Path("flows.json")).flows_file == Path("flows.json")


def test_settings_do_not_change() -> None:
    settings = load_settings()

    with pytest.raises(ValidationError, match="frozen"):
        settings.port = 9000  # type: ignore[misc]
    assert settings.port == 8000


def test_aidr_bastions_variables_without_effect_are_named() -> None:
    names = ["PORT", "LLM_API_KEY", "KAFKA__BROKERS", "es__host", "HOME", "SIMILARITY_X", "ML_MODEL_PATH", "OSTYPE"]

    assert unsupported_variables(names) == [
        "KAFKA__BROKERS",
        "LLM_API_KEY",
        "ML_MODEL_PATH",
        "SIMILARITY_X",
        "es__host",
    ]
