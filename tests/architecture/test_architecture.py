"""Rules of the house that a machine can hold us to. Directions of imports are held by import-linter."""

import re
from pathlib import Path

import pytest

from tests.conftest import ROOT

PYTHON = sorted((ROOT / "bastion").rglob("*.py"))
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
VAGUE = {"utils.py", "helpers.py", "manager.py", "base.py", "common.py", "misc.py"}


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_no_template_lets_a_text_become_markup(template: Path) -> None:
    source = template.read_text("utf-8")

    assert "|safe" not in source.replace(" ", "")
    assert "autoescape" not in source
    assert not re.search(r"<[^>]*\sstyle\s*=", source), "inline style"
    assert not re.search(r"<[^>{]*\son\w+\s*=", source), "inline handler"
    assert not re.search(r"<script(?![^>]*\bsrc=)", source), "inline script"
    assert "<style" not in source


def test_no_file_is_larger_than_a_head() -> None:
    sizes = {path.name: len(path.read_text("utf-8").splitlines()) for path in PYTHON}

    assert max(sizes.values()) < 400, sizes
    assert sorted(sizes.values())[len(sizes) // 2] < 120


def test_files_are_named_by_what_they_hold() -> None:
    assert not VAGUE & {path.name for path in PYTHON}


def test_markup_is_made_in_one_place() -> None:
    makers = {path.name for path in PYTHON if "Markup(" in path.read_text("utf-8")}

    assert makers == {"presentation.py"}


def test_services_and_firewall_know_no_request() -> None:
    for path in PYTHON:
        if path.parent.name in ("services", "firewall"):
            source = path.read_text("utf-8")
            assert "from flask" not in source, path
            assert "import flask" not in source, path


def test_nothing_of_this_repository_needs_a_file_beside_it() -> None:
    for path in (*PYTHON, *TEMPLATES, ROOT / "Makefile", ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        assert "../shared" not in path.read_text("utf-8"), path
