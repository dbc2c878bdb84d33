"""What ``deploy/`` says of Bastion is so."""

import json
import re
from pathlib import Path

import pytest
import yaml

from bastion.metrics import Metrics
from tests.conftest import ROOT

DEPLOY = ROOT / "deploy"
SUFFIXES = ("_total", "_bucket", "_count", "_sum", "")


def known() -> set[str]:
    return {name + suffix for name in Metrics().names() for suffix in SUFFIXES}


def metrics_in(text: str) -> set[str]:
    return set(re.findall(r"\bbastion_[a-z_]+", text))


def test_alerts_ask_for_metrics_that_there_are_and_have_a_runbook() -> None:
    groups = yaml.safe_load((DEPLOY / "prometheus-alerts.yml").read_text())["groups"]
    operations = (ROOT / "docs" / "operations.md").read_text()
    anchors = {
        re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^#+ (.+)", operations, re.MULTILINE)
    }

    for rule in (rule for group in groups for rule in group["rules"]):
        assert metrics_in(rule["expr"]) <= known(), rule
        page, _, anchor = rule["annotations"]["runbook"].partition("#")
        assert page == "docs/operations.md"
        assert anchor in anchors, rule["alert"]
        assert rule["labels"]["severity"] in ("warning", "critical")


def test_the_dashboard_asks_for_metrics_that_there_are() -> None:
    dashboard = json.loads((DEPLOY / "grafana-dashboard.json").read_text())
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]

    assert len(expressions) > 15
    for expression in expressions:
        assert metrics_in(expression)
        assert metrics_in(expression) <= known(), expression
    # Every metric is on it but those that only alerts need.
    shown = metrics_in(" ".join(expressions))
    missing = {name for name in Metrics().names() if not any(name + suffix in shown for suffix in SUFFIXES)}
    assert missing == {"bastion_rules_built_timestamp_seconds", "bastion_rules_unread_seconds"}


@pytest.mark.parametrize("path", sorted(DEPLOY.iterdir()), ids=lambda path: path.name)
def test_every_file_is_in_the_docs(path: Path) -> None:
    docs = "".join((ROOT / "docs" / name).read_text() for name in ("deploy.md", "operations.md"))

    assert f"deploy/{path.name}" in docs
