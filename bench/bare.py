"""The least that a Flask route can do with a prompt: read the JSON, answer JSON. What others are measured against."""

from typing import Any

from flask import Flask, request

app = Flask(__name__)


@app.post("/api/v1/flow/run")
def run() -> dict[str, Any]:
    """Takes what Bastion takes, answers what it answers for a text without a match, and judges and stores nothing."""
    asked = request.get_json()
    assert asked["prompt"]
    return {
        "status": "allow",
        "event_id": 1,
        "event_uid": "01890a5d-ac96-774b-bcce-b302099a8057",
        "spooled": False,
        "pipelines": [],
    }
