"""How well rules tell attacks from ordinary texts: counts over labelled texts, and how sure they are."""

import json
import math
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from bastion.engine import RuleSpec, Status, Verdict

Z: Final = 1.959964
"""The normal distribution's 97.5% point, for intervals of 95%."""


class Label(StrEnum):
    """What a text is known to be."""

    ATTACK = "attack"
    BENIGN = "benign"


@dataclass(frozen=True, slots=True)
class LabelledText:
    """A text, what it is known to be, and what kind of it."""

    text: str
    label: Label
    kind: str


@dataclass(frozen=True, slots=True)
class Share:
    """How many of how many."""

    count: int
    of: int

    @property
    def value(self) -> float:
        return self.count / self.of if self.of else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """Where the true share lies, 95 times of 100 (E. B. Wilson, 1927), if texts to come are like these."""
        if not self.of:
            return 0.0, 1.0
        spread = Z * math.sqrt(self.value * (1 - self.value) / self.of + Z**2 / (4 * self.of**2))
        middle, scale = self.value + Z**2 / (2 * self.of), 1 + Z**2 / self.of
        return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)

    def as_json(self) -> dict[str, Any]:
        low, high = self.interval
        return {
            "count": self.count,
            "n": self.of,
            "share": None if not self.of else round(self.value, 5),
            "low": round(low, 5),
            "high": round(high, 5),
        }


@dataclass(slots=True)
class Outcome:
    """What became of some texts. Flagged are those that were not allowed, blocked or not."""

    texts: int = 0
    flags: int = 0
    blocks: int = 0
    unfinished: int = 0
    """Texts on which a rule ran out of time, or which hide more than is looked behind."""

    @property
    def flagged(self) -> Share:
        return Share(self.flags, self.texts)

    @property
    def blocked(self) -> Share:
        return Share(self.blocks, self.texts)

    def add(self, status: Status, verdict: Verdict) -> None:
        self.texts += 1
        self.flags += status is not Status.ALLOW
        self.blocks += status is Status.BLOCK
        self.unfinished += bool(verdict.faults or verdict.unseen)


@dataclass(slots=True)
class RuleOutcome:
    """The texts that one rule matches: all of them, and those that no other rule matches, by label; and by kind."""

    rule: RuleSpec
    texts: Counter[Label] = field(default_factory=Counter)
    alone: Counter[Label] = field(default_factory=Counter)
    kinds: Counter[tuple[Label, str]] = field(default_factory=Counter)


class Evaluation:
    """Counts judged texts; keeps none of them."""

    def __init__(self) -> None:
        self.labels: defaultdict[Label, Outcome] = defaultdict(Outcome)
        self.kinds: defaultdict[tuple[Label, str], Outcome] = defaultdict(Outcome)
        self.rules: dict[str, RuleOutcome] = {}

    def add(self, labelled: LabelledText, status: Status, verdict: Verdict) -> None:
        """Counts one text, what the flow decided of it and what its rules found."""
        self.labels[labelled.label].add(status, verdict)
        self.kinds[labelled.label, labelled.kind].add(status, verdict)
        matched = {match.rule.uuid: match.rule for match in verdict.matches}
        for uuid, rule in matched.items():
            outcome = self.rules.setdefault(uuid, RuleOutcome(rule))
            outcome.texts[labelled.label] += 1
            outcome.alone[labelled.label] += len(matched) == 1
            outcome.kinds[labelled.label, labelled.kind] += 1

    def of_rule(self, outcome: RuleOutcome, label: Label) -> Share:
        """The share of the texts of that label that the rule matches."""
        return Share(outcome.texts[label], self.labels[label].texts)

    @property
    def ranked_rules(self) -> list[RuleOutcome]:
        """Rules that matched at all, those with the most benign texts first, since they want work."""
        return sorted(
            self.rules.values(),
            key=lambda one: (-one.texts[Label.BENIGN], -one.texts[Label.ATTACK], one.rule.name),
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "labels": {label.value: _json(self.labels[label]) for label in Label},
            "kinds": [
                {"label": label.value, "kind": kind, **_json(outcome)}
                for (label, kind), outcome in sorted(self.kinds.items())
            ],
            "rules": [
                {
                    "uuid": one.rule.uuid,
                    "name": one.rule.name,
                    "action": one.rule.action.value,
                    **{label.value: self.of_rule(one, label).as_json() for label in Label},
                    "alone": {label.value: one.alone[label] for label in Label},
                    "kinds": [
                        {"label": label.value, "kind": kind, "count": count}
                        for (label, kind), count in sorted(one.kinds.items())
                    ],
                }
                for one in self.ranked_rules
            ],
        }


def _json(outcome: Outcome) -> dict[str, Any]:
    return {
        "flagged": outcome.flagged.as_json(),
        "blocked": outcome.blocked.as_json(),
        "unfinished": outcome.unfinished,
    }


def read_labelled(line: bytes) -> LabelledText:
    """One line of a JSON Lines file. Raises ``ValueError`` saying what it lacks."""
    try:
        row = json.loads(line.decode("utf-8"))
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    if not isinstance(row, dict) or not isinstance(row.get("text"), str):
        raise ValueError('wants an object with a "text"')
    label, kind = row.get("label"), row.get("kind")
    if label not in list(Label):
        raise ValueError(f'"label" wants one of {", ".join(Label)}, not {label!r}'[:200])
    if kind is not None and (not isinstance(kind, str) or not kind.isprintable() or len(kind) > 100):
        raise ValueError('"kind" wants a short text in a single line')
    return LabelledText(row["text"], Label(label), kind or "(no kind)")
