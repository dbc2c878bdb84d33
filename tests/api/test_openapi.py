"""The API is what its own description says."""

import os
from itertools import cycle
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, seed, settings
from schemathesis import GenerationMode, openapi
from schemathesis.checks import not_a_server_error
from schemathesis.config import GenerationConfig, ProjectConfig, ProjectsConfig, SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from bastion.access import ROUTES
from bastion.api.openapi import OPERATIONS
from bastion.runtime import Runtime
from tests.factories import stored_event, stored_rule

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EXAMPLES = int(os.environ.get("API_EXAMPLES", "12"))
"""Of each operation, right ones and as many wrong ones."""

SEED = int(os.environ.get("API_SEED", "20261123"))
"""`make fuzz-api` takes a new one, and many more examples."""


@pytest.fixture
def kind() -> str:
    return "sqlite"


def test_every_route_of_the_api_is_described(api: FlaskClient) -> None:
    # The metrics are Prometheus' own format, beside the API.
    assert {*OPERATIONS, "api.metrics"} == {endpoint for endpoint in ROUTES if endpoint.startswith("api.")}
    described = api.get("/api/v1/openapi.json").get_json()
    assert len(described["paths"]) > 8
    rule = described["paths"]["/api/v1/rules/{key}"]
    assert set(rule) == {"get", "put", "delete"}
    assert rule["put"]["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith("/RuleChange")


def test_no_request_gets_an_answer_that_is_not_described(app: Flask, parts: Runtime, session: Any) -> None:
    """Schemathesis makes requests by the description, right ones and wrong ones, and holds the answers to it."""
    stored_event(session, rules=(stored_rule(session),), task_id="1")
    headers = {"Authorization": f"Bearer {parts.tokens.create('fuzz')}"}
    config = SchemathesisConfig(
        projects=ProjectsConfig(default=ProjectConfig(generation=GenerationConfig(modes=list(GenerationMode))))
    )
    schema = openapi.from_wsgi("/api/v1/openapi.json", app, headers=headers, config=config)
    seen: set[int] = set()
    turns = cycle((False, True))
    for result in schema.get_all_operations():
        operation = result.ok()
        run = settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )

        def answer(case: Any) -> None:
            if next(turns) and case.path_parameters:
                # One that is there: no guess would find it.
                case.path_parameters = dict.fromkeys(case.path_parameters, "1")
            response = case.call(headers=headers)
            seen.add(response.status_code)
            case.validate_response(response, checks=CHECKS, headers=headers)

        for mode in GenerationMode:
            seed(SEED)(run(given(case=operation.as_strategy(generation_mode=mode))(answer)))()
    assert {200, 204, 404, 422} <= seen
