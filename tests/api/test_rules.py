"""Rules over JSON."""

import threading

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from bastion.models import Rule, RuleTrigger
from tests.factories import stored_event, stored_rule

RULES = "/api/v1/rules"
NEW = {
    "uuid": "7b0c9c3e-6c55-4d0e-9f5b-0d7d0b6d8c11",
    "name": "Shouting",
    "details": "Somebody shouts.",
    "language": "llm-regex-pattern",
    "pattern": "LOUD",
    "action": "notify",
}
AIDR_FIELDS = {
    *("id", "uuid", "name", "details", "language", "pattern", "action", "severity", "category", "cwe_id"),
    *("enabled", "created_at", "updated_at"),
}


def test_a_rule_is_made_read_changed_and_taken_away(api: FlaskClient, session: Session) -> None:
    made = api.post(RULES, json=NEW)
    assert made.status_code == 201
    rule = made.get_json()
    assert set(rule) > AIDR_FIELDS
    assert {name: rule[name] for name in NEW} == NEW
    assert (rule["enabled"], rule["version"], rule["severity"]) == (True, 1, None)
    one = f"{RULES}/{rule['id']}"
    assert api.get(one).get_json() == rule

    changed = api.put(one, json={"severity": "high", "enabled": False, "tags": ["a", "b"]}).get_json()
    assert (changed["severity"], changed["enabled"], changed["tags"]) == ("high", False, ["a", "b"])
    assert (changed["name"], changed["version"]) == ("Shouting", 2)

    toggled = api.patch(f"{one}/toggle").get_json()
    assert (toggled["enabled"], toggled["version"]) == (True, 3)

    gone = api.delete(one)
    assert (gone.status_code, gone.data) == (204, b"")
    assert api.get(one).status_code == 404
    assert session.query(Rule).count() == 0


def test_a_whole_rule_may_be_sent_back(api: FlaskClient) -> None:
    rule = api.post(RULES, json=NEW).get_json()

    assert api.put(f"{RULES}/{rule['id']}", json=rule | {"name": "Louder"}).get_json()["name"] == "Louder"


def test_samples_are_sent_kind_by_kind_and_tried(api: FlaskClient, session: Session) -> None:
    samples = {"must_match": ["LOUD"], "must_not_match": ["quiet"]}
    made = api.post(RULES, json=NEW | {"samples": samples})
    assert (made.status_code, made.get_json()["samples"]) == (201, samples)
    one = f"{RULES}/{made.get_json()['id']}"

    changed = api.put(one, json={"samples": {"must_not_match": []}}).get_json()
    refused = api.put(one, json={"pattern": "other"})

    assert changed["samples"] == {"must_match": ["LOUD"], "must_not_match": []}
    assert (refused.status_code, refused.get_json()["errors"][0]["field"]) == (422, "samples.must_match")
    assert api.put(one, json={"pattern": "other", "enabled": False}).status_code == 200
    assert api.patch(f"{one}/toggle").status_code == 422
    assert api.put(one, json={"samples": None}).get_json()["samples"] == {"must_match": [], "must_not_match": []}
    assert api.patch(f"{one}/toggle").status_code == 200
    wrong = api.put(one, json={"samples": {"must_match": ["", 1]}}).get_json()["errors"]
    assert [fault["field"] for fault in wrong] == ["samples.must_match.1"]


def test_a_rule_that_blocks_without_samples_is_taken_with_a_warning(api: FlaskClient) -> None:
    made = api.post(RULES, json=NEW | {"action": "block", "samples": {"must_match": ["LOUD"]}})

    assert made.status_code == 201
    (warning,) = made.get_json()["warnings"]
    assert warning.startswith("samples.must_not_match: wants at least one text before the rule may block")
    assert "warnings" not in api.get(f"{RULES}/{made.get_json()['id']}").get_json()


def test_the_views_of_a_rule_are_all_unless_it_says_raw(api: FlaskClient, session: Session) -> None:
    rule = api.post(RULES, json=NEW).get_json()
    raw = api.post(RULES, json=NEW | {"uuid": "other", "views": "raw"}).get_json()
    assert (rule["views"], raw["views"]) == ("all", "raw")
    one = f"{RULES}/{rule['id']}"

    changed = api.put(one, json={"views": "raw"}).get_json()

    assert (changed["views"], changed["version"]) == ("raw", 2)
    assert api.put(one, json={"name": "Louder"}).get_json()["views"] == "raw"
    assert api.put(one, json=rule | {"version": 3}).get_json()["views"] == "all"
    assert [listed["views"] for listed in api.get(RULES).get_json()["rules"]] == ["all", "raw"]
    assert session.query(Rule).count() == 2


@pytest.mark.parametrize("views", ["decoded", "", "RAW", ["raw"], None])
def test_views_that_there_are_not_are_answered_with_those_there_are(api: FlaskClient, views: object) -> None:
    answer = api.post(RULES, json=NEW | {"views": views})

    assert answer.status_code == 422
    assert answer.get_json()["errors"] == [{"field": "views", "message": "Input should be 'all' or 'raw'"}]


def test_a_rule_that_triggered_is_archived_so_that_its_evidence_stays(api: FlaskClient, session: Session) -> None:
    rule = stored_rule(session)
    stored_event(session, rules=(rule,))

    assert api.delete(f"{RULES}/{rule.id}").status_code == 204
    assert api.get(f"{RULES}/{rule.id}").status_code == 404
    assert api.get(RULES).get_json() == {"total": 0, "rules": []}
    session.expire_all()
    assert rule.archived_at is not None
    assert session.query(RuleTrigger).count() == 1


def test_filters_compose_and_the_total_obeys_them(api: FlaskClient, session: Session) -> None:
    for number in range(3):
        stored_rule(session, name=f"pii {number}", category="pii")
    stored_rule(session, name="pii off", category="pii", enabled=False)
    stored_rule(session, name="other", category="injection")

    def names(query: str) -> tuple[int, list[str]]:
        body = api.get(f"{RULES}?{query}").get_json()
        return body["total"], [rule["name"] for rule in body["rules"]]

    assert names("category=pii&enabled=true&skip=1&limit=1") == (3, ["pii 1"])
    assert names("category=pii&enabled=false") == (1, ["pii off"])
    assert names("enabled=true")[0] == 4
    assert names("category=nope") == (0, [])
    assert names("skip=9") == (5, [])


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("skip=-1", "skip"),
        ("skip=x", "skip"),
        ("skip=99999999999999999999", "skip"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("enabled=maybe", "enabled"),
        ("limit=1&limit=2", "limit"),
    ],
)
def test_a_wrong_filter_is_named(api: FlaskClient, query: str, field: str) -> None:
    answer = api.get(f"{RULES}?{query}")

    assert answer.status_code == 422
    assert answer.get_json()["errors"][0]["field"] == field


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"pattern": "bro(ken"}, "pattern"),
        ({"pattern": "a*"}, "pattern"),
        ({"pattern": ""}, "pattern"),
        ({"pattern": "x" * 20_001}, "pattern"),
        ({"name": None}, "name"),
        ({"name": "a\ud800"}, "name"),
        ({"name": "n" * 256}, "name"),
        ({"details": "a\0"}, "details"),
        ({"action": "explode"}, "action"),
        ({"severity": "Enormous"}, "severity"),
        ({"views": "some"}, "views"),
        ({"language": "python"}, "language"),
        ({"enabled": "yes"}, "enabled"),
        ({"tags": "a"}, "tags"),
        ({"tags": ["a\nb"]}, "tags"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_changes(
    api: FlaskClient, session: Session, change: dict[str, object], field: str
) -> None:
    stored = api.post(RULES, json=NEW).get_json()

    for answer in (
        api.post(RULES, json=NEW | {"uuid": "other"} | change),
        api.put(f"{RULES}/{stored['id']}", json=change),
    ):
        assert answer.status_code == 422
        assert answer.get_json()["errors"][0]["field"].split(".")[0] == field
    assert api.get(f"{RULES}/{stored['id']}").get_json() == stored
    assert session.query(Rule).count() == 1


def test_a_broken_pattern_is_told_its_place(api: FlaskClient) -> None:
    answer = api.post(RULES, json=NEW | {"pattern": "fine\nbro(ken"})

    assert answer.get_json()["errors"] == [{"field": "pattern", "message": "line 2, column 8: missing )"}]


def test_a_uuid_is_taken_once(api: FlaskClient) -> None:
    api.post(RULES, json=NEW)

    assert api.post(RULES, json=NEW).status_code == 409


def test_a_change_on_an_old_version_is_refused(api: FlaskClient) -> None:
    rule = api.post(RULES, json=NEW).get_json()
    one = f"{RULES}/{rule['id']}"
    api.put(one, json={"name": "Theirs", "version": 1})

    assert api.put(one, json={"name": "Mine", "version": 1}).status_code == 409
    assert api.get(one).get_json()["name"] == "Theirs"
    assert api.put(one, json={"name": "Mine", "version": 2}).status_code == 200


@pytest.mark.parametrize("rule_id", ["999", "0", "-1", "x", "9223372036854775807", "9223372036854775808"])
def test_a_rule_that_is_not_there_is_404(api: FlaskClient, rule_id: str) -> None:
    for method, path in (("GET", ""), ("PUT", ""), ("DELETE", ""), ("PATCH", "/toggle")):
        assert api.open(f"{RULES}/{rule_id}{path}", method=method, json={}).status_code == 404


def test_a_rule_is_found_by_the_uuid_that_a_verdict_gives(api: FlaskClient, session: Session) -> None:
    rule = stored_rule(session)
    stored_rule(session)
    (found,) = api.post("/api/v1/flow/run", json={"prompt": "ignore previous"}).get_json()["pipelines"]

    uuid = found["triggered_rules"][0]["id"]

    assert api.get(f"{RULES}/{uuid}").get_json()["id"] == rule.id
    assert api.put(f"{RULES}/{uuid}", json={"name": "Named"}).get_json()["name"] == "Named"
    assert api.get(f"{RULES}/no-such-uuid").status_code == 404


def test_a_uuid_cannot_be_changed(api: FlaskClient) -> None:
    rule = api.post(RULES, json=NEW).get_json()

    answer = api.put(f"{RULES}/{rule['id']}", json={"uuid": "another"})

    assert (answer.status_code, answer.get_json()["errors"][0]["field"]) == (422, "uuid")


def test_two_that_delete_one_rule_both_get_an_answer(api: FlaskClient, session: Session) -> None:
    rule = stored_rule(session)
    one = f"{RULES}/{rule.id}"
    statuses: list[int] = []

    callers = [threading.Thread(target=lambda: statuses.append(api.delete(one).status_code)) for _ in range(6)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()

    assert sorted(statuses) == [204, *[404] * 5]


@pytest.mark.parametrize("uuid", ["5", "a/b"])
def test_a_uuid_that_no_address_could_name_is_refused(api: FlaskClient, uuid: str) -> None:
    answer = api.post(RULES, json=NEW | {"uuid": uuid})

    assert (answer.status_code, answer.get_json()["errors"][0]["field"]) == (422, "uuid")


def test_a_deleted_rules_id_is_not_given_again(api: FlaskClient) -> None:
    first = api.post(RULES, json=NEW).get_json()["id"]
    api.delete(f"{RULES}/{first}")

    assert api.post(RULES, json=NEW).get_json()["id"] > first
