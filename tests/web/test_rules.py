"""The rule pages."""

from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from bastion.engine import Action, Views
from bastion.models import Rule, RuleTrigger
from tests.factories import stored_event, stored_rule

FORM = {
    "name": "Shouting",
    "details": "Somebody shouts.",
    "language": "llm-regex-pattern",
    "pattern": "LOUD\r\nVERY LOUD",
    "action": "notify",
    "severity": "low",
    "views": "raw",
    "category": "noise",
    "cwe_id": "",
    "author": "ada",
    "tags": "LLM01:2025\r\n\r\n",
    "references": "",
    "false_positives": "",
    "enabled": "y",
}


def test_a_rule_is_written(analyst: FlaskClient, session: Session) -> None:
    answer = analyst.post("/rules/new", data=FORM)

    rule = session.query(Rule).one()
    assert answer.headers["Location"] == f"/rules/{rule.id}"
    assert (rule.name, rule.pattern, rule.action, rule.severity) == ("Shouting", "LOUD\nVERY LOUD", "notify", "low")
    assert (rule.tags, rule.references, rule.cwe_id, rule.enabled) == (("LLM01:2025",), (), None, True)
    assert rule.views == "raw"


def test_a_new_rule_is_looked_for_in_all_views_unless_somebody_chooses(analyst: FlaskClient, session: Session) -> None:
    page = analyst.get("/rules/new").get_data(as_text=True)
    assert '<option selected value="all">' in page
    assert 'aria-describedby="views-help"' in page

    analyst.post("/rules/new", data={name: value for name, value in FORM.items() if name != "views"})

    assert session.query(Rule).one().views == "all"


def test_the_views_of_a_rule_are_shown_edited_and_kept(analyst: FlaskClient, session: Session) -> None:
    rule, other = stored_rule(session), stored_rule(session, views=Views.RAW)
    assert "all: as sent, normalised, decoded" in analyst.get(f"/rules/{rule.id}").get_data(as_text=True)
    assert "raw: only as sent" in analyst.get(f"/rules/{other.id}").get_data(as_text=True)
    assert '<option selected value="raw">' in analyst.get(f"/rules/{other.id}/edit").get_data(as_text=True)

    analyst.post(f"/rules/{rule.id}/edit", data=FORM | {"version": "1"})
    analyst.post(f"/rules/{other.id}/edit", data=FORM | {"version": "1", "views": "all"})

    session.expire_all()
    assert (rule.views, other.views) == ("raw", "all")


SAMPLES = {"must_match": "It is LOUD\r\nit is\r\n---\r\nVERY LOUD\r\n---", "must_not_match": "quiet"}


def test_samples_are_saved_with_the_rule_and_shown_again(analyst: FlaskClient, session: Session) -> None:
    answer = analyst.post("/rules/new", data=FORM | SAMPLES)

    rule = session.query(Rule).one()
    assert answer.status_code == 302
    assert (rule.must_match, rule.must_not_match) == (("It is LOUD\nit is", "VERY LOUD"), ("quiet",))
    page = analyst.get(f"/rules/{rule.id}/edit").get_data(as_text=True).replace("\r\n", "\n")
    assert ">\nIt is LOUD\nit is\n---\nVERY LOUD\n---</textarea>" in page
    assert ">\nquiet</textarea>" in page
    analyst.post(f"/rules/{rule.id}/edit", data=FORM | SAMPLES | {"version": "1", "must_not_match": ""})
    session.expire_all()
    assert (rule.version, rule.must_not_match) == (2, ())


def test_a_text_that_no_box_can_show_outlives_an_edit(analyst: FlaskClient, session: Session) -> None:
    texts = ("LOUD\r\n---\r\nLOUD", " LOUD\t")
    rule = stored_rule(session, pattern="LOUD", must_match=texts, action=Action.NOTIFY)
    box = "LOUD\r\n---\r\nLOUD\r\n---\r\n LOUD\t\r\n---"

    analyst.post(f"/rules/{rule.id}/edit", data=FORM | {"version": "1", "must_match": box})

    session.expire_all()
    assert (rule.name, rule.must_match) == ("Shouting", texts)


def test_a_rule_that_fails_a_sample_can_be_saved_as_a_draft_only(analyst: FlaskClient, session: Session) -> None:
    form = FORM | SAMPLES | {"must_not_match": "quiet\r\nNOT LOUD"}

    answer = analyst.post("/rules/new", data=form)

    page = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert '<a class="alert-link" href="#must_not_match">Texts that must not match</a>: number 2 is matched' in page
    assert "NOT LOUD" in page
    assert session.query(Rule).count() == 0
    del form["enabled"]
    assert analyst.post("/rules/new", data=form).status_code == 302
    rule = session.query(Rule).one()
    assert rule.enabled is False
    assert analyst.post(f"/rules/{rule.id}/toggle").status_code == 422
    session.expire_all()
    assert rule.enabled is False


def test_a_new_rule_that_blocks_wants_a_sample_of_each_kind(analyst: FlaskClient, session: Session) -> None:
    blocking = FORM | {"action": "block"}

    refused = analyst.post("/rules/new", data=blocking | {"must_match": "LOUD"})

    assert refused.status_code == 422
    assert refused.get_data(as_text=True).count("wants at least one text before the rule may block") == 2
    assert session.query(Rule).count() == 0
    assert analyst.post("/rules/new", data=blocking | SAMPLES).status_code == 302
    assert analyst.post("/rules/new", data=FORM).status_code == 302
    new = session.query(Rule).order_by(Rule.id.desc()).first()
    old = stored_rule(session)
    assert new is not None
    assert analyst.post(f"/rules/{new.id}/edit", data=blocking | {"version": "1"}).status_code == 422
    assert analyst.post(f"/rules/{old.id}/edit", data=blocking | {"version": "1"}).status_code == 302


def test_views_that_there_are_not_are_refused(analyst: FlaskClient, session: Session) -> None:
    answer = analyst.post("/rules/new", data=FORM | {"views": "decoded"})

    assert answer.status_code == 422
    assert "Not a valid choice" in answer.get_data(as_text=True)
    assert session.query(Rule).count() == 0


def test_a_pattern_that_does_not_compile_is_refused_with_its_place(analyst: FlaskClient, session: Session) -> None:
    answer = analyst.post("/rules/new", data=FORM | {"pattern": "fine\r\nbro(ken"})

    page = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert "line 2, column 8: missing )" in page
    assert 'aria-invalid="true"' in page
    assert "bro(ken" in page
    assert session.query(Rule).count() == 0


def test_missing_fields_are_named(analyst: FlaskClient, session: Session) -> None:
    answer = analyst.post("/rules/new", data=FORM | {"name": " ", "details": ""})

    assert answer.status_code == 422
    assert "Give the rule a name." in answer.get_data(as_text=True)
    assert "Say what the rule detects." in answer.get_data(as_text=True)


def test_an_edit_begins_with_what_is_stored_and_replaces_it(analyst: FlaskClient, session: Session) -> None:
    rule = stored_rule(session, pattern="a\nb", tags=("x", "y"), false_positives=("z",))
    other = stored_rule(session)
    page = analyst.get(f"/rules/{rule.id}/edit").get_data(as_text=True)
    assert f'value="{rule.name}"' in page
    assert ">\nx\ny</textarea>" in page.replace("\r\n", "\n")

    answer = analyst.post(f"/rules/{rule.id}/edit", data=FORM | {"version": "1"})

    session.expire_all()
    assert answer.headers["Location"] == f"/rules/{rule.id}"
    assert (rule.name, rule.version, rule.false_positives) == ("Shouting", 2, ())
    assert other.version == 1


def test_clearing_the_box_disables(analyst: FlaskClient, session: Session) -> None:
    rule = stored_rule(session)
    form = {name: value for name, value in FORM.items() if name != "enabled"}

    analyst.post(f"/rules/{rule.id}/edit", data=form | {"version": "1"})

    session.expire_all()
    assert rule.enabled is False


def test_a_rule_is_switched_off_and_on(analyst: FlaskClient, session: Session) -> None:
    rule = stored_rule(session)

    assert analyst.post(f"/rules/{rule.id}/toggle", data={"from": "index"}).headers["Location"] == (
        f"/rules/#rule-{rule.id}"
    )
    session.expire_all()
    assert rule.enabled is False
    analyst.post(f"/rules/{rule.id}/toggle")
    session.expire_all()
    assert rule.enabled is True


def test_an_archived_rule_leaves_the_list_and_comes_back_disabled(analyst: FlaskClient, session: Session) -> None:
    rule = stored_rule(session, name="Old hand")
    stored_rule(session, name="Young hand")

    analyst.post(f"/rules/{rule.id}/archive")

    assert "Old hand" not in analyst.get("/rules/").get_data(as_text=True).split("<table")[1]
    archived = analyst.get("/rules/?q=is:archived").get_data(as_text=True)
    assert "Old hand" in archived
    assert "Young hand" not in archived
    analyst.post(f"/rules/{rule.id}/restore")
    session.expire_all()
    assert (rule.archived_at, rule.enabled) == (None, False)


def test_deleting_says_how_much_evidence_goes_and_holds_to_it(admin: FlaskClient, session: Session) -> None:
    rule, other = stored_rule(session), stored_rule(session)
    stored_event(session, rules=(rule, other))
    assert "1 trigger</strong>" in admin.get(f"/rules/{rule.id}/delete").get_data(as_text=True)
    stored_event(session, rules=(rule,))

    assert admin.post(f"/rules/{rule.id}/delete", data={"triggers": "1"}).status_code == 409
    assert session.query(RuleTrigger).count() == 3
    assert admin.post(f"/rules/{rule.id}/delete", data={"triggers": "2"}).status_code == 302
    session.expire_all()
    assert [trigger.rule_id for trigger in session.query(RuleTrigger)] == [other.id]
    assert session.query(Rule).count() == 1


def test_the_list_narrows_to_a_category(analyst: FlaskClient, session: Session) -> None:
    stored_rule(session, name="Card numbers", category="pii")
    stored_rule(session, name="Overrides", category="injection", action=Action.NOTIFY)

    answer = analyst.get("/rules/?category=pii")

    assert answer.headers["Location"] == "/rules/?q=category%3Apii"
    rows = analyst.get(answer.headers["Location"]).get_data(as_text=True).split("<tbody>")[1]

    assert "Card numbers" in rows
    assert "Overrides" not in rows


def test_what_a_rule_says_is_text_and_never_markup(analyst: FlaskClient, session: Session) -> None:
    hostile = "<script>alert(1)</script>"
    rule = stored_rule(
        session,
        name=hostile,
        details=hostile,
        category=hostile,
        tags=(hostile,),
        references=("javascript:alert(1)", "http://[", hostile),
        pattern="<script>",
    )

    analyst.post(f"/rules/{rule.id}/edit", data=FORM | {"version": "1", "comment": hostile, "author": hostile})
    stored_event(session, rules=(rule,), source=hostile, prompt=hostile)

    pages = ("", "/edit", "/delete", "/pattern", "/activity", "/triggers", "/history")
    for path in ("/rules/", "/rules/?q=<script>", *(f"/rules/{rule.id}{page}" for page in pages)):
        page = analyst.get(path).get_data(as_text=True)
        assert hostile not in page
        assert 'href="javascript' not in page


def test_a_rule_that_is_not_there_is_404(analyst: FlaskClient) -> None:
    assert analyst.get("/rules/7").status_code == 404
    assert analyst.get("/rules/99999999999999999999").status_code == 404
