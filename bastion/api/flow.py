"""Texts in, verdicts out."""

from typing import Any

from flask import Blueprint
from pydantic import BaseModel

from bastion.api.parsing import Label100, Text, TextOrNumber, body
from bastion.engine.detectors import BY_ID
from bastion.firewall.analysis import Direction, Submission, answer
from bastion.firewall.flows import DEFAULT_FLOW
from bastion.runtime import runtime


class RunRequest(BaseModel):
    """What ``POST /flow/run`` takes. Fields that it does not know are ignored, as AIDR Bastion ignores them."""

    prompt: Text
    task_id: TextOrNumber | None = None
    pipeline_flow: Label100 = DEFAULT_FLOW
    direction: Direction = Direction.INPUT
    source: Label100 | None = None


def run_flow() -> dict[str, Any]:
    """Judges a text; its event is committed before the answer."""
    asked = body(RunRequest)
    analysis = runtime().firewall.analyze(
        Submission(
            prompt=asked.prompt,
            flow_name=asked.pipeline_flow,
            task_id=asked.task_id,
            direction=asked.direction,
            source=asked.source,
        )
    )
    return answer(analysis)


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
    api.get("/flow/list")(list_flows)
