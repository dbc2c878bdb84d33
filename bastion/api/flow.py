"""Texts in, verdicts out."""

from typing import Annotated, Any, Final

from flask import Blueprint, g, request
from pydantic import BaseModel, Field

from bastion.api.parsing import Label100, Text, TextOrNumber, body, validate
from bastion.engine.detectors import BY_ID
from bastion.errors import FieldFault, FlowUnavailable, ForeignSource, InvalidInput, NotFound, TooLarge
from bastion.firewall.analysis import Analysis, Direction, Submission, answer
from bastion.firewall.flows import DEFAULT_FLOW
from bastion.runtime import runtime
from bastion.services.people.tokens import Token

MAX_BATCH: Final = 1000
"""Texts in one request."""


class RunRequest(BaseModel):
    """What ``POST /flow/run`` takes. Fields that it does not know are ignored, as AIDR Bastion ignores them."""

    prompt: Text
    task_id: TextOrNumber | None = None
    pipeline_flow: Label100 = DEFAULT_FLOW
    direction: Direction = Direction.INPUT
    source: Label100 | None = None


class BatchRequest(BaseModel):
    """What ``POST /flow/run/batch`` takes: bodies as for one text, each looked at by itself."""

    items: Annotated[list[Any], Field(min_length=1, max_length=MAX_BATCH)]


NOT_RECORDED: Final = "bastion.not_recorded"
"""In a request's environment: the ``NotRecorded`` that the text met before Flask, and is not to be judged for again."""


def run_flow() -> dict[str, Any]:
    """Judges a text; its event is committed, or spooled, before the answer."""
    if error := request.environ.get(NOT_RECORDED):
        raise error
    return answer(runtime().firewall.analyze(submission(body(RunRequest), g.token)))


def run_flow_batch() -> dict[str, Any]:
    """Judges texts; the events of all are committed in one transaction, or spooled, before the answer.

    ``results`` has an entry for each item, in order: what ``POST /flow/run`` answers, or the ``error`` of an item that
    was not judged.
    """
    firewall = runtime().firewall
    results: list[dict[str, Any]] = []
    judged: list[Analysis] = []
    places: list[int] = []
    for number, item in enumerate(body(BatchRequest).items):
        try:
            judged.append(firewall.judge(submission(validate(RunRequest, item, f"items.{number}"), g.token)))
            places.append(number)
            results.append({})
        except (InvalidInput, NotFound, FlowUnavailable, TooLarge) as error:
            results.append({"error": error.word, "detail": str(error)})
    for number, analysis in zip(places, firewall.record(judged), strict=True):
        results[number] = answer(analysis)
    return {"judged": len(judged), "failed": len(results) - len(judged), "results": results}


def submission(asked: RunRequest, token: Token) -> Submission:
    """What a caller with that token asks for; raises ``ForeignSource`` when the body names a source not its own."""
    return Submission(
        prompt=asked.prompt,
        flow_name=asked.pipeline_flow,
        task_id=asked.task_id,
        direction=asked.direction,
        source=_source(asked.source, token),
    )


def _source(named: str | None, token: Token) -> str | None:
    """The token's source if it has one; raises ``ForeignSource`` when the body names another."""
    fixed = token.source
    if fixed is not None and named not in (None, fixed):
        raise ForeignSource([FieldFault("source", f"must be {fixed!r}, which is this token's, or be left out")])
    return fixed or named


def list_flows() -> dict[str, Any]:
    """The flows there are. A pipeline that a flow names and that does not run here is listed as not enabled."""
    return {
        "flows": [
            {
                "flow_name": flow.name,
                "mode": flow.mode.value,
                "on_error": flow.on_error.value,
                "pipelines": [_pipeline(name) for name in (*flow.pipelines, *flow.unavailable)],
            }
            for flow in runtime().firewall.flows
        ]
    }


def _pipeline(name: str) -> dict[str, Any]:
    pipeline = BY_ID.get(name)
    if pipeline is None:
        return {"id": name, "name": name, "enabled": False, "description": "Does not run here."}
    return {"id": name, "name": pipeline.name, "enabled": True, "description": pipeline.description}


def add_routes(api: Blueprint) -> None:
    api.post("/flow/run")(run_flow)
    api.post("/flow/run/batch")(run_flow_batch)
    api.get("/flow/list")(list_flows)
