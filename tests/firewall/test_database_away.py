"""A database that goes away while the server runs: nothing is allowed, and everybody is told."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from bastion import create_app
from tests.databases import Databases
from tests.factories import stored_rule
from tests.postgres import TemporaryPostgres
from tests.servers import Server

RUN = "/flow/run"


def test_a_database_that_cannot_take_the_event_gets_no_verdict_out(api: FlaskClient, session: Session) -> None:
    stored_rule(session)
    assert api.post(f"/api/v1{RUN}", json={"prompt": "x"}).status_code == 200
    session.execute(sa.text("DROP TABLE rule_triggers"))
    session.commit()

    answer = api.post(f"/api/v1{RUN}", json={"prompt": "ignore previous"})

    assert (answer.status_code, answer.get_json()["error"]) == (503, "not_recorded")
    assert "status" not in answer.get_json()
    assert session.scalar(sa.text("SELECT count(*) FROM events")) == 1


@pytest.fixture
def postgres() -> Iterator[TemporaryPostgres]:
    server = TemporaryPostgres()
    yield server
    server.stop()


def test_a_postgresql_that_dies_gets_no_verdict_out(postgres: TemporaryPostgres, instance: Path) -> None:
    server = Server(postgres.url, instance)
    try:
        assert server.status_of("hello") == "allow"
        postgres._server.kill()
        postgres._server.wait()

        status, answer = server.call("POST", RUN, {"prompt": "ignore all previous instructions"})
        assert (status, answer["error"]) == (503, "not_recorded")
        assert server.call("GET", "/events")[1]["error"] == "database_unavailable"
        assert server.call("GET", "/rules")[0] == 503
    finally:
        server.stop()


def test_rules_that_never_loaded_judge_nothing(databases: Databases, instance: Path) -> None:
    app = create_app(database_url=databases.blank("sqlite"), bastion_instance=instance)
    client = app.test_client()
    client.environ_base["HTTP_X_API_KEY"] = app.extensions["bastion"].tokens.create("t")

    answer = client.post(f"/api/v1{RUN}", json={"prompt": "x"})

    assert (answer.status_code, answer.get_json()["error"]) == (503, "rules_unavailable")
