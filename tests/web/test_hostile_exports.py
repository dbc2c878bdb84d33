"""Hostile texts in every export: each file is read by whoever reads such files, and no cell runs."""

import csv
import io
import json
import unicodedata
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from tests.web.every_page import exports
from tests.web.hostile_rows import HostileRows, store_hostile_rows
from tests.web.hostile_texts import texts

FIELDS = {"events": "prompt", "triggers": "matched_text", "rules": "details"}
"""What has the whole text in each list."""


@pytest.fixture(autouse=True)
def _long_cells() -> Iterator[None]:
    """A cell of Python's reader has at most 131,072 characters unless it is told."""
    usual = csv.field_size_limit(1_000_000)
    yield
    csv.field_size_limit(usual)


@pytest.fixture
def rows(session: Session, kind: str) -> HostileRows:
    return store_hostile_rows(session, texts(kind))


def test_every_export_is_whole_and_no_cell_of_it_runs(
    app: Flask, analyst: FlaskClient, rows: HostileRows, kind: str
) -> None:
    read = set()
    for path in exports(app):
        name, suffix = path.split("/")[1], path.rpartition(".")[2]
        answer = analyst.get(path)
        assert answer.status_code == 200, path
        records = READERS[suffix](answer.get_data(), name)
        field = FIELDS[name]
        found = [record[field].removeprefix("'") if suffix == "csv" else record[field] for record in records]
        expected = [text.replace("\0", "\\u0000") if suffix == "csv" else text for text in texts(kind)]
        assert sorted(found) == sorted(one.removeprefix("'") if suffix == "csv" else one for one in expected), path
        read.add((name, suffix))
    assert {name for name, _ in read} == set(FIELDS)
    assert {suffix for _, suffix in read} >= {"csv", "json", "jsonl"}


def test_the_json_of_every_hostile_event_is_json(analyst: FlaskClient, rows: HostileRows, kind: str) -> None:
    for uid, text in zip(rows.events, texts(kind), strict=True):
        assert analyst.get(f"/events/{uid}.json").get_json()["prompt"] == text


def _csv(content: bytes, _name: str) -> list[dict[str, Any]]:
    head, *lines = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
    for line in lines:
        assert len(line) == len(head)
        for cell in line:
            assert not runs(cell), repr(cell[:80])
    return [dict(zip(head, line, strict=True)) for line in lines]


def _json(content: bytes, name: str) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = json.loads(content)[name]
    return records


def _jsonl(content: bytes, _name: str) -> list[dict[str, Any]]:
    assert content.isascii()
    return [json.loads(line) for line in content.splitlines()]


READERS = {"csv": _csv, "json": _json, "jsonl": _jsonl}


def runs(cell: str) -> bool:
    """Whether a spreadsheet could take the cell for a formula, or splits it."""
    bare = "".join(one for one in cell if not one.isspace() and unicodedata.category(one) not in ("Cf", "Cc"))
    return unicodedata.normalize("NFKC", bare)[:1] in tuple("=+-@") or cell[:1] in ("\t", "\r", "\n")
