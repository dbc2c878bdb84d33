"""The versions of a rule over JSON, and changes held to one of them."""

from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from bastion.models import Rule
from tests.api.test_rules import NEW, RULES
from tests.factories import stored_rule


def test_the_history_names_who_and_why(api: FlaskClient, session: Session) -> None:
    rule = api.post(RULES, json=NEW | {"comment": "first"}).get_json()
    one = f"{RULES}/{rule['id']}"
    api.put(one, json={"name": "Louder", "comment": "second"})
    api.patch(f"{one}/toggle")
    stored_rule(session)

    answer = api.get(f"{RULES}/{rule['uuid']}/history").get_json()

    assert (answer["id"], answer["uuid"]) == (rule["id"], rule["uuid"])
    assert [(version["version"], version["by"], version["comment"]) for version in answer["versions"]] == [
        (3, "test", None),
        (2, "test", "second"),
        (1, "test", "first"),
    ]
    assert [version["content"]["name"] for version in answer["versions"]] == ["Louder", "Louder", "Shouting"]
    assert [version["content"]["enabled"] for version in answer["versions"]] == [False, True, True]
    assert "comment" not in rule


def test_an_archived_rule_keeps_its_history(api: FlaskClient, session: Session) -> None:
    rule = api.post(RULES, json=NEW).get_json()
    session.get_one(Rule, rule["id"]).archived_at = session.get_one(Rule, rule["id"]).created_at
    session.commit()

    assert api.get(f"{RULES}/{rule['id']}").status_code == 404
    assert api.get(f"{RULES}/{rule['id']}/history").get_json()["versions"][0]["version"] == 2
    assert api.get(f"{RULES}/999/history").status_code == 404


def test_a_comment_that_cannot_be_kept_is_named(api: FlaskClient) -> None:
    answer = api.post(RULES, json=NEW | {"comment": "x" * 501})

    assert (answer.status_code, answer.get_json()["errors"][0]["field"]) == (422, "comment")


def test_if_match_holds_a_change_to_a_version(api: FlaskClient) -> None:
    one = f"{RULES}/{api.post(RULES, json=NEW).get_json()['id']}"
    api.put(one, json={"name": "Theirs"}, headers={"If-Match": '"1"'})

    for call in (
        api.put(one, json={"name": "Mine"}, headers={"If-Match": '"1"'}),
        api.patch(f"{one}/toggle", headers={"If-Match": '"1"'}),
        api.delete(one, headers={"If-Match": '"1"'}),
    ):
        assert call.status_code == 412
        assert "version 2" in call.get_json()["detail"]
    assert api.get(one).get_json()["name"] == "Theirs"
    assert api.put(one, json={"name": "Mine"}, headers={"If-Match": "*"}).status_code == 200
    assert api.delete(one, headers={"If-Match": '"2", "3"'}).status_code == 204
