"""The API's own description, OpenAPI 3.1: ``/api/v1/openapi.json``.

Paths come from the routes, bodies and parameters from the models that check them. What is written here is what the code
does not say by itself; a test compares all of it with real answers.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, Final

from flask import Blueprint, current_app
from pydantic import BaseModel
from werkzeug.routing import Rule as Route

from bastion.access import ROUTES
from bastion.api import answers
from bastion.api.events import EventQuery, RecentQuery
from bastion.api.flow import BatchRequest, RunRequest
from bastion.api.rule_exceptions import ExceptionIn
from bastion.api.rules import RuleChange, RuleIn, RuleQuery
from bastion.api.triggers import JudgementIn, TriggerQuery

_REFERENCE: Final = "#/components/schemas/{model}"
_PARAMETER: Final = re.compile(r"<(?:[a-z]+:)?([a-z_]+)>")
_ALWAYS: Final = (400, 401, 403, 429, 503)


@dataclass(frozen=True, slots=True)
class Operation:
    """What a route takes and answers; ``errors`` are those beside the ones that any route has."""

    answer: type[BaseModel] | None
    status: int = 200
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    errors: tuple[int, ...] = ()


OPERATIONS: Final[Mapping[str, Operation]] = {
    "api.run_flow": Operation(answers.Verdict, body=RunRequest, errors=(404, 409)),
    "api.run_flow_batch": Operation(answers.BatchVerdict, body=BatchRequest),
    "api.list_flows": Operation(answers.FlowList),
    "api.list_rules": Operation(answers.RuleList, query=RuleQuery),
    "api.create_rule": Operation(answers.SavedRule, 201, body=RuleIn, errors=(409,)),
    "api.get_rule": Operation(answers.Rule, errors=(404,)),
    "api.update_rule": Operation(answers.SavedRule, body=RuleChange, errors=(404, 409, 412)),
    "api.delete_rule": Operation(None, 204, errors=(404, 409, 412)),
    "api.toggle_rule": Operation(answers.Rule, errors=(404, 409, 412, 422)),
    "api.add_exception": Operation(answers.Rule, 201, body=ExceptionIn, errors=(404, 409, 412)),
    "api.remove_exception": Operation(answers.Rule, errors=(404, 409, 412)),
    "api.rule_history": Operation(answers.RuleHistory, errors=(404,)),
    "api.list_events": Operation(answers.EventList, query=EventQuery),
    "api.recent_events": Operation(answers.EventList, query=RecentQuery),
    "api.event_stats": Operation(answers.EventStats),
    "api.get_event": Operation(answers.EventWithTriggers, errors=(404,)),
    "api.get_event_by_task": Operation(answers.EventWithTriggers, errors=(404,)),
    "api.list_triggers": Operation(answers.TriggerList, query=TriggerQuery),
    "api.judge_trigger": Operation(answers.TriggerInList, body=JudgementIn, errors=(404, 409)),
    "api.openapi": Operation(answers.Document),
}


def openapi() -> dict[str, Any]:
    """The description of the API."""
    schemas: dict[str, Any] = {}
    paths: dict[str, Any] = {}
    for route in current_app.url_map.iter_rules():
        if route.endpoint in OPERATIONS:
            for method in (route.methods or set()) - {"HEAD", "OPTIONS"}:
                path = _PARAMETER.sub(r"{\1}", route.rule)
                paths.setdefault(path, {})[method.lower()] = _operation(route, OPERATIONS[route.endpoint], schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Bastion", "version": version("bastion"), "description": "A GenAI firewall."},
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
        "security": [{"bearer": []}, {"key": []}],
    }


def _operation(route: Route, operation: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    view = current_app.view_functions[route.endpoint]
    scope = ROUTES[route.endpoint].value
    described: dict[str, Any] = {
        "operationId": route.endpoint.removeprefix("api."),
        "summary": (view.__doc__ or route.endpoint.removeprefix("api.").replace("_", " ")).strip().splitlines()[0],
        "description": f"Wants a token of the scope `{scope}`.",
        "parameters": [*_path_parameters(route), *_query_parameters(operation.query, schemas)],
        "responses": _responses(operation, schemas),
    }
    if operation.body:
        described["requestBody"] = {"required": True, "content": _json(operation.body, schemas)}
    return described


def _responses(operation: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    content = {"content": _json(operation.answer, schemas)} if operation.answer else {}
    responses: dict[str, Any] = {str(operation.status): {"description": "done", **content}}
    errors = {*_ALWAYS, *operation.errors}
    if operation.body:
        errors |= {413, 415, 422}
    if operation.query:
        errors |= {422}
    for status in sorted(errors):
        responses[str(status)] = {
            "description": HTTPStatus(status).phrase,
            "content": _json(answers.Problem, schemas),
        }
    return responses


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in _PARAMETER.findall(route.rule)
    ]


def _query_parameters(model: type[BaseModel] | None, schemas: dict[str, Any]) -> list[dict[str, Any]]:
    if model is None:
        return []
    schema = model.model_json_schema(ref_template=_REFERENCE)
    schemas.update(schema.get("$defs", {}))
    return [
        {"name": name, "in": "query", "required": False, "schema": _without_null(one)}
        for name, one in schema["properties"].items()
    ]


def _without_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A query has no null: a parameter is sent or it is not."""
    kept = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
    return kept[0] if len(kept) == 1 else {key: value for key, value in schema.items() if key != "title"}


def _json(model: type[BaseModel], schemas: dict[str, Any]) -> dict[str, Any]:
    schema = model.model_json_schema(ref_template=_REFERENCE)
    schemas.update(schema.pop("$defs", {}))
    schemas[model.__name__] = schema
    return {"application/json": {"schema": {"$ref": _REFERENCE.format(model=model.__name__)}}}


def add_routes(api: Blueprint) -> None:
    api.get("/openapi.json")(openapi)
