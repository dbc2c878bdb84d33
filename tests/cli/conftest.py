"""Commands, run as a person would."""

from collections.abc import Callable

import pytest
from click.testing import Result
from flask import Flask

Run = Callable[..., Result]


@pytest.fixture
def run(app: Flask) -> Run:
    def invoke(*arguments: str, text: str | bytes = "") -> Result:
        return app.test_cli_runner().invoke(args=arguments, input=text)

    return invoke
