"""Named policies: where they come from, and what they make of a verdict."""

import json
from pathlib import Path
from typing import Any

import pytest

from bastion import create_app
from bastion.engine import Action, Match, PipelineVerdict, RuleFault, Status, Verdict
from bastion.errors import FlowUnavailable, NotFound, SettingsError
from bastion.firewall.flows import Flow, Flows, Mode, OnError, load_flows
from tests.factories import rule_spec

AIDR_BASTION = [
    {"pipeline_flow": "default", "pipelines": ["similarity", "rule", "openai"]},
    {"pipeline_flow": "base_audit", "pipelines": ["rule"]},
    {"pipeline_flow": "code_audit", "pipelines": ["rule", "code_analysis"]},
    {"pipeline_flow": "full_scan", "pipelines": ["rule", "similarity", "llm", "code_analysis", "ml"]},
    {"pipeline_flow": "vectors", "pipelines": ["similarity", "ml"]},
]

BLOCKS = PipelineVerdict("rule", (Match(rule_spec(action=Action.BLOCK), ((0, 1),), "x"),))
NOTIFIES = PipelineVerdict("rule", (Match(rule_spec(action=Action.NOTIFY), ((0, 1),), "x"),))
FAILS = PipelineVerdict("rule", faults=(RuleFault(rule_spec(), "took too long"),))
ALLOWS = PipelineVerdict("rule")


def flows_of(content: Any) -> Flows:
    """The flows with a file of that content."""
    file = Path("flows.json")
    file.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return load_flows(file)


def one_flow(**given: Any) -> Flow:
    return flows_of([{"pipeline_flow": "mine", "pipelines": ["rule"], **given}]).get("mine")


def test_there_are_flows_without_a_file() -> None:
    assert list(load_flows(None)) == [
        Flow("default", ("rule",)),
        Flow("base_audit", ("rule",)),
        Flow("injection_only", ("rule",), exclude_categories=frozenset({"pii", "secret", "secrets"})),
    ]


def test_an_empty_file_leaves_the_built_in_flows() -> None:
    assert list(flows_of([])) == list(load_flows(None))


def test_aidr_bastions_file_is_read_and_what_does_not_run_here_is_listed() -> None:
    flows = flows_of(AIDR_BASTION)

    assert [(flow.name, flow.pipelines, flow.unavailable) for flow in flows] == [
        ("default", ("rule",), ("similarity", "openai")),
        ("base_audit", ("rule",), ()),
        ("injection_only", ("rule",), ()),
        ("code_audit", ("rule",), ("code_analysis",)),
        ("full_scan", ("rule",), ("similarity", "llm", "code_analysis", "ml")),
        ("vectors", (), ("similarity", "ml")),
    ]
    assert {(flow.mode, flow.on_error) for flow in flows} == {(Mode.ENFORCE, OnError.BLOCK)}


def test_a_flow_that_could_scan_nothing_is_unavailable() -> None:
    flows = flows_of(AIDR_BASTION)

    with pytest.raises(FlowUnavailable, match=r"'vectors' names only pipelines .* \(similarity, ml\)"):
        flows.get("vectors")
    assert flows.get("code_audit").pipelines == ("rule",)


def test_a_file_replaces_the_built_in_flow_of_that_name_alone() -> None:
    flows = flows_of([{"pipeline_flow": "default", "pipelines": ["rule"], "mode": "monitor", "on_error": "allow"}])

    assert flows.get("default") == Flow("default", ("rule",), (), Mode.MONITOR, OnError.ALLOW)
    assert flows.get("base_audit") == Flow("base_audit", ("rule",))


@pytest.mark.parametrize("name", ["nope", "", "MINE", "mine "])
def test_an_unknown_flow_lists_the_known_ones(name: str) -> None:
    flows = flows_of([{"pipeline_flow": "mine", "pipelines": ["rule"]}])

    with pytest.raises(
        NotFound, match=f"there is no flow '{name}'; there are: default, base_audit, injection_only, mine"
    ):
        flows.get(name)


def test_a_pipeline_named_twice_runs_once() -> None:
    flow = one_flow(pipelines=["rule", "llm", "rule", "llm"])

    assert (flow.pipelines, flow.unavailable) == (("rule",), ("llm",))


@pytest.mark.parametrize("pipeline", ["rules", "Rule", "", "Rule Pipeline"])
def test_an_unknown_pipeline_is_refused_with_the_flow_that_names_it(pipeline: str) -> None:
    with pytest.raises(SettingsError, match=f"flows.json: the flow 'mine' names the pipeline '{pipeline}'"):
        one_flow(pipelines=["rule", pipeline])


@pytest.mark.parametrize(
    "content", ["", "{", "[,]", '[{"pipeline_flow": }]', "\ufeff[]", "[" * 100_000, "9" * 5000, "not json"]
)
def test_a_file_that_is_not_json_is_named(content: str) -> None:
    with pytest.raises(SettingsError, match=r"^flows\.json: cannot be read as JSON"):
        flows_of(content)


def test_a_file_that_is_not_text_or_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "flows.json").write_bytes(b'[{"pipeline_flow": "caf\xe9"}]')

    for name in ("flows.json", "nowhere.json", "."):
        with pytest.raises(SettingsError, match="cannot be read as JSON") as caught:
            load_flows(Path(name))
        assert str(caught.value).startswith(f"{name}: ")


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ({}, "entry list"),
        (3, "entry list"),
        (None, "entry list"),
        ([3], "entry 0: "),
        ([{}], "entry 0.pipeline_flow: Field required; entry 0.pipelines: Field required"),
        ([{"pipeline_flow": "a", "pipelines": ["rule"]}, {"pipeline_flow": "b"}], "entry 1.pipelines"),
        ([{"pipeline_flow": "", "pipelines": ["rule"]}], "entry 0.pipeline_flow"),
        ([{"pipeline_flow": "a" * 101, "pipelines": ["rule"]}], "entry 0.pipeline_flow"),
        ([{"pipeline_flow": 7, "pipelines": ["rule"]}], "entry 0.pipeline_flow"),
        ([{"pipeline_flow": "a", "pipelines": []}], "entry 0.pipelines"),
        ([{"pipeline_flow": "a", "pipelines": "rule"}], "entry 0.pipelines"),
        ([{"pipeline_flow": "a", "pipelines": ["rule", 3]}], "entry 0.pipelines.1"),
        ([{"pipeline_flow": "a", "pipelines": ["rule"], "mode": "Loud"}], "entry 0.mode"),
        ([{"pipeline_flow": "a", "pipelines": ["rule"], "on_error": "ignore"}], "entry 0.on_error"),
        ([{"pipeline_flow": "a", "pipelines": ["rule"], "on_eror": "allow"}], "entry 0.on_eror"),
    ],
)
def test_a_wrong_shape_names_the_file_and_the_entry(content: Any, place: str) -> None:
    with pytest.raises(SettingsError) as caught:
        flows_of(content)

    assert str(caught.value).startswith("flows.json: ")
    assert place in str(caught.value)


def test_a_wrong_file_stops_the_start(instance: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{")

    with pytest.raises(SettingsError, match=r"config\.json: cannot be read as JSON"):
        create_app(bastion_instance=instance)


@pytest.mark.parametrize(
    ("pipelines", "mode", "on_error", "decided"),
    [
        ([ALLOWS], Mode.ENFORCE, OnError.BLOCK, Status.ALLOW),
        ([NOTIFIES], Mode.ENFORCE, OnError.BLOCK, Status.NOTIFY),
        ([BLOCKS], Mode.ENFORCE, OnError.BLOCK, Status.BLOCK),
        ([FAILS], Mode.ENFORCE, OnError.BLOCK, Status.BLOCK),
        ([ALLOWS], Mode.ENFORCE, OnError.ALLOW, Status.ALLOW),
        ([NOTIFIES], Mode.ENFORCE, OnError.ALLOW, Status.NOTIFY),
        ([BLOCKS], Mode.ENFORCE, OnError.ALLOW, Status.BLOCK),
        ([FAILS], Mode.ENFORCE, OnError.ALLOW, Status.ERROR),
        ([ALLOWS], Mode.MONITOR, OnError.BLOCK, Status.ALLOW),
        ([NOTIFIES], Mode.MONITOR, OnError.BLOCK, Status.NOTIFY),
        ([BLOCKS], Mode.MONITOR, OnError.BLOCK, Status.NOTIFY),
        ([FAILS], Mode.MONITOR, OnError.BLOCK, Status.NOTIFY),
        ([BLOCKS], Mode.MONITOR, OnError.ALLOW, Status.NOTIFY),
        ([FAILS], Mode.MONITOR, OnError.ALLOW, Status.ERROR),
        ([ALLOWS, NOTIFIES], Mode.ENFORCE, OnError.BLOCK, Status.NOTIFY),
        ([NOTIFIES, BLOCKS, ALLOWS], Mode.ENFORCE, OnError.BLOCK, Status.BLOCK),
        ([FAILS, BLOCKS], Mode.ENFORCE, OnError.ALLOW, Status.BLOCK),
        ([FAILS, NOTIFIES], Mode.ENFORCE, OnError.ALLOW, Status.ERROR),
        ([FAILS, ALLOWS], Mode.ENFORCE, OnError.BLOCK, Status.BLOCK),
        ([FAILS, BLOCKS], Mode.MONITOR, OnError.ALLOW, Status.NOTIFY),
    ],
)
def test_a_flow_decides(pipelines: list[PipelineVerdict], mode: Mode, on_error: OnError, decided: Status) -> None:
    flow = Flow("mine", ("rule",), mode=mode, on_error=on_error)

    assert flow.decide(Verdict(tuple(pipelines))) is decided


def test_a_flow_that_is_given_twice_is_refused(tmp_path: Path) -> None:
    entry = {"pipeline_flow": "mine", "pipelines": ["rule"]}
    path = tmp_path / "flows.json"
    path.write_text(json.dumps([entry, entry | {"on_error": "allow"}]))

    with pytest.raises(SettingsError, match="'mine' is given twice"):
        load_flows(path)


@pytest.mark.parametrize("name", ["a\0b", "a\nb", "\ud800", "\u202e"])
def test_a_flow_whose_name_cannot_be_stored_or_seen_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "flows.json"
    path.write_text(json.dumps([{"pipeline_flow": name, "pipelines": ["rule"]}]))

    with pytest.raises(SettingsError, match="pipeline_flow"):
        load_flows(path)


def test_categories_that_a_flow_leaves_out_are_asked_for_in_lower_case() -> None:
    assert one_flow(exclude_categories=["PII", "Jailbreak"]).exclude_categories == {"pii", "jailbreak"}
