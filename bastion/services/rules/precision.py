"""How right rules are, and how sure that is."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bastion.models import Rule
from bastion.services.rules.stats import judgements

_Z: Final = 1.959964
"""95% of a normal distribution lie so many standard deviations around its middle."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Of a rule's newest judged triggers, how many were right, benign ones included. Undetermined ones do not count."""

    right: int
    judged: int

    @property
    def share(self) -> float:
        return self.right / self.judged if self.judged else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        return wilson_interval(self.right, self.judged)


def precision_of(session: Session, rule_ids: Sequence[int]) -> dict[int, Estimate]:
    """How the triggers of each rule were judged."""
    chosen = sa.select(Rule.id, *judgements())
    return {row[0]: Estimate(row[1], row[2]) for row in session.execute(chosen.where(Rule.id.in_(set(rule_ids))))}


def wilson_interval(right: int, judged: int) -> tuple[float, float]:
    """Where a share lies with 95% confidence (Wilson 1927), which holds for few judgements too."""
    if judged == 0:
        return 0.0, 1.0
    z = _Z
    share = right / judged
    middle = share + z * z / (2 * judged)
    spread = z * math.sqrt(share * (1 - share) / judged + z * z / (4 * judged * judged))
    whole = 1 + z * z / judged
    return max(0.0, (middle - spread) / whole), min(1.0, (middle + spread) / whole)
