"""The prefilters that every test machine must have: ``make test`` sees to it."""

from bastion.engine.prefilters import PREFILTERS, Prefilter, prefilter

LIBRARIES = tuple(name for name in PREFILTERS if name != "vectorscan")
"""All but the one that is refused until its wheel brings a version that overlooks nothing."""


def library(name: str) -> Prefilter:
    found = prefilter(name)
    assert found is not None, f"{name} is missing"
    return found
