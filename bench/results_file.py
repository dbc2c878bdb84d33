"""Where a benchmark leaves its figures: ``bench/results/NAME.json``, a list of named values."""

import json
from pathlib import Path
from typing import TypedDict

FOLDER = Path(__file__).resolve().parent / "results"


class Figure(TypedDict):
    """One measured value; ``ratio`` is it over the named baseline's, ``None`` where the budget is absolute."""

    name: str
    value: float
    unit: str
    baseline: str | None
    ratio: float | None


def write_results(name: str, figures: list[Figure]) -> None:
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.json").write_text(json.dumps(figures, indent=2) + "\n")
