"""Rules whose pattern is a condition over keywords, beside those of regular expressions, in one pass over a text.

A keyword is looked for as a rule of its own would be, in every view of the text; the text has it if any view shows it.
The condition is asked once, of all that was found.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from bastion.engine.detectors.regex_rules import RULE_SECONDS, SCAN_SECONDS, RegexDetector
from bastion.engine.layers import Compiler, compile_here
from bastion.engine.nova import NOVA
from bastion.engine.nova.conditions import Condition, decide, shown_by
from bastion.engine.nova.pattern import Conditional, read_pattern
from bastion.engine.patterns import PatternError
from bastion.engine.rules import DEFAULT_LANGUAGE, RuleSpec
from bastion.engine.tracing import Explained
from bastion.engine.verdict import MAX_SPANS, RAW_VIEW, Findings, Match, RuleFault, Span

Found = TypeVar("Found", Match, RuleFault)

_MARK: Final = "\0"
"""Begins the uuid of what stands for a keyword: no stored uuid has it."""


@dataclass(frozen=True, slots=True)
class _Rule:
    """A rule, its condition, and by name the rules that stand for its keywords."""

    spec: RuleSpec
    condition: Condition
    keywords: dict[str, RuleSpec]


class NovaDetector:
    """Rules of regular expressions, and rules of keywords with a condition."""

    def __init__(
        self,
        rules: Iterable[RuleSpec],
        compiler: Compiler = compile_here,
        rule_seconds: float = RULE_SECONDS,
        scan_seconds: float = SCAN_SECONDS,
    ) -> None:
        expressions: list[RuleSpec] = []
        conditional: dict[str, _Rule] = {}
        rejected: dict[str, RuleFault] = {}
        for rule in rules:
            if rule.language != NOVA:
                expressions.append(rule)
                continue
            made = _readable(rule)
            if isinstance(made, RuleFault):
                rejected[rule.uuid] = made
            else:
                conditional[rule.uuid] = _Rule(rule, made.condition, _as_rules(rule, made))
        self._keyword_of = {
            keyword.uuid: (rule.spec.uuid, name)
            for rule in conditional.values()
            for name, keyword in rule.keywords.items()
        }
        keywords = [keyword for rule in conditional.values() for keyword in rule.keywords.values()]
        self._inner = RegexDetector([*expressions, *keywords], compiler, rule_seconds, scan_seconds)
        for fault in self._inner.rejected:
            uuid, name = self._keyword_of.get(fault.rule.uuid, (fault.rule.uuid, ""))
            if name:
                reason = f"keywords.${name}: {fault.reason}"
                rejected.setdefault(uuid, RuleFault(conditional.pop(uuid).spec, reason))
            else:
                rejected[uuid] = fault
        self._conditional = conditional
        self._order = {uuid: place for place, uuid in enumerate(conditional)}
        self.rejected = tuple(rejected.values())
        self.unproven = self._inner.unproven
        self.runs_on = self._inner.runs_on

    def scan(self, text: str, without: Collection[str] = ()) -> Findings:
        """As ``RegexDetector`` has it. A condition that hangs on a keyword that ran out of time is a fault."""
        return self._judged(self._inner.scan(text, without))

    def explain(self, text: str, without: Collection[str] = ()) -> Explained:
        """The same, and how it was come to; each keyword counts as a candidate."""
        explained = self._inner.explain(text, without)
        return replace(explained, findings=self._judged(explained.findings))

    def every_span(self, rule: RuleSpec, text: str) -> tuple[Span, ...] | None:
        """All spans of a rule: of the keywords that make its condition true, if that is certain."""
        if rule.language != NOVA:
            return self._inner.every_span(rule, text)
        own = self._conditional[rule.uuid]
        # One pass says which keywords there are: asked one by one, each would look behind every disguise again.
        there = self._inner.scan(text)
        found, unknown = self._of_keywords(there.matches), self._of_keywords(there.faults)
        if decide(own.condition, found[rule.uuid], unknown[rule.uuid]) is None:
            return None
        spans: set[Span] = set()
        for name in shown_by(own.condition, found[rule.uuid], unknown[rule.uuid]):
            places = self._inner.every_span(own.keywords[name], text)
            if places is None:
                return None
            spans.update(places)
        return tuple(sorted(spans))

    def _of_keywords(self, found: Iterable[Found]) -> dict[str, dict[str, Found]]:
        """What was found of keywords, by the uuid of the rule and the name."""
        by_rule: dict[str, dict[str, Found]] = defaultdict(dict)
        for one in found:
            if keyword := self._keyword_of.get(one.rule.uuid):
                uuid, name = keyword
                by_rule[uuid][name] = one
        return by_rule

    def _judged(self, findings: Findings) -> Findings:
        """What was found of expressions as it is, and of keywords what their conditions make of it."""
        found, unknown = self._of_keywords(findings.matches), self._of_keywords(findings.faults)
        if not found and not unknown:
            return findings
        matches = [match for match in findings.matches if match.rule.uuid not in self._keyword_of]
        faults = [fault for fault in findings.faults if fault.rule.uuid not in self._keyword_of]
        for uuid in sorted((found.keys() | unknown.keys()) & self._order.keys(), key=self._order.__getitem__):
            rule = self._conditional[uuid]
            verdict = decide(rule.condition, found[uuid], unknown[uuid])
            if verdict:
                shown = shown_by(rule.condition, found[uuid], unknown[uuid])
                matches.append(_match(rule.spec, [match for name, match in found[uuid].items() if name in shown]))
            elif verdict is None:
                name, fault = next(iter(unknown[uuid].items()))
                faults.append(RuleFault(rule.spec, f"keywords.${name}: {fault.reason}"))
        return findings._replace(matches=tuple(matches), faults=tuple(faults))


def _readable(rule: RuleSpec) -> Conditional | RuleFault:
    try:
        made = read_pattern(rule.pattern)
    except PatternError as fault:
        return RuleFault(rule, str(fault))
    return RuleFault(rule, made.unrunnable) if made.unrunnable else made


def _as_rules(rule: RuleSpec, conditional: Conditional) -> dict[str, RuleSpec]:
    return {
        name: replace(
            rule,
            uuid=f"{_MARK}{rule.uuid}{_MARK}{name}",
            pattern=expression,
            language=DEFAULT_LANGUAGE,
            exceptions=(),
        )
        for name, expression in conditional.keywords.items()
        if name not in conditional.unused
    }


def _match(rule: RuleSpec, keywords: list[Match]) -> Match:
    """One match of several keywords: a place of each first, then what else there is room for."""
    first = {match.spans[0] for match in keywords if match.spans}
    others = sorted({span for match in keywords for span in match.spans} - first)
    spans = sorted([*sorted(first), *others][:MAX_SPANS])
    hidden = [match for match in keywords if match.view != RAW_VIEW]
    # What a disguise hid says more than what anybody can read.
    told = min(hidden or keywords, key=lambda match: match.spans[:1])
    return Match(rule, tuple(spans), told.matched_text, told.view, told.revealed)
