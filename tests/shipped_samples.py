"""Texts that each shipped rule must and must not match, by its uuid, from ``tests/rulepack/``."""

from pathlib import Path

import yaml

Samples = dict[str, dict[str, list[str]]]


def shipped_samples() -> Samples:
    samples: Samples = {}
    for file in sorted((Path(__file__).parent / "rulepack").glob("*.yml")):
        found = yaml.safe_load(file.read_text("utf-8"))
        assert not samples.keys() & found.keys(), file
        samples |= found
    return samples
