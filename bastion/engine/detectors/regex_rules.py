"""Rules whose pattern is a list of regular expressions, one a line.

One pass of a prefilter over a view of the text finds the lines that may match it; the ``regex`` module then says
whether, and where. The signs by which a disguise is known are found by the same pass.
"""

import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import islice
from typing import Final, NamedTuple

import regex

from bastion.engine.compilation import Compiled
from bastion.engine.dialect import compile_expression
from bastion.engine.layers import Compiler, Layer, compile_here
from bastion.engine.projection import Projected
from bastion.engine.rules import RuleSpec, Views, pattern_lines
from bastion.engine.tracing import Explained, Timed, Trace
from bastion.engine.validators import Validator, accepts
from bastion.engine.verdict import MAX_SPANS, RAW_VIEW, Findings, Match, RuleFault, Span
from bastion.engine.views import DISGUISES, Uncovering, View

MAX_MATCHED_TEXT: Final = 1000
"""Code points of the first match that are repeated in an answer and stored with a trigger."""

RULE_SECONDS: Final = 0.05
"""The longest that one rule may work on one view of a text of up to ``USUAL_LENGTH``; a longer one gives it more."""

SCAN_SECONDS: Final = 1.0
"""The longest that all rules together may work on all views of such a text."""

MAX_SCAN_SECONDS: Final = 5.0
"""The same, of a text of any length."""

PATIENCE: Final = (1, 4, 16)
"""How many times as long a search may take by the clock when it is tried again, having hardly had the processor."""

USUAL_LENGTH: Final = 50_000
"""Code points."""

MORE_HIDDEN: Final = "the text hides more than can be looked behind"
"""What there is to say of a text of which views were left out."""

_SIGNS: Final = {disguise.sign: disguise.name for disguise in DISGUISES if disguise.sign is not None}


class _Line(NamedTuple):
    """A line of a rule: which rule it is of, and the expression that it is."""

    rule: int
    expression: Compiled


class _Timer:
    """How long a scan of one text may still take."""

    def __init__(self, text: str, rule_seconds: float, scan_seconds: float) -> None:
        stretch = max(1.0, len(text) / USUAL_LENGTH)
        self.rule_seconds = rule_seconds * stretch
        self._scan_seconds = min(scan_seconds * stretch, max(scan_seconds, MAX_SCAN_SECONDS))
        self._scan_ends: float | None = None

    def left(self) -> float:
        """Seconds until the scan must end. Its time runs from the first such question."""
        now = time.monotonic()
        if self._scan_ends is None:
            self._scan_ends = now + self._scan_seconds
        return self._scan_ends - now

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """What is done here is not the text's doing."""
        began = time.monotonic()
        yield
        if self._scan_ends is not None:
            self._scan_ends += time.monotonic() - began


class RegexDetector:
    """Every expression of every rule, found in one pass and confirmed on the text."""

    def __init__(
        self,
        rules: Iterable[RuleSpec],
        compiler: Compiler = compile_here,
        rule_seconds: float = RULE_SECONDS,
        scan_seconds: float = SCAN_SECONDS,
    ) -> None:
        self._rule_seconds = rule_seconds
        self._scan_seconds = scan_seconds
        lines = [(rule, pattern_lines(rule.pattern)) for rule in rules]
        self._looks_behind = any(rule.views is Views.ALL for rule, _ in lines)
        sources = {line for _, of_rule in lines for _, line in of_rule}
        layers = compiler(sources | _SIGNS.keys() if self._looks_behind else sources)
        expressions = {one.source: one for layer in layers for one in layer.expressions}
        refused = {source: reason for layer in layers for source, reason in layer.refused.items()}
        self._rules: list[RuleSpec] = []
        uses: dict[str, list[_Line]] = defaultdict(list)
        rejected = []
        for rule, of_rule in lines:
            if reason := _why_refused(of_rule, refused):
                rejected.append(RuleFault(rule, reason))
                continue
            for source in dict.fromkeys(line for _, line in of_rule):
                uses[source].append(_Line(len(self._rules), expressions[source]))
            self._rules.append(rule)
        self._numbers = {rule: number for number, rule in enumerate(self._rules)}
        self.rejected = tuple(rejected)
        self.unproven = sum(layer.unproven for layer in layers)
        self.runs_on = " + ".join(dict.fromkeys(layer.prefilter for layer in layers))
        self._layers = _placed(layers, uses)
        self._searches: dict[str, regex.Pattern[str]] = {}

    def scan(self, text: str, without: Collection[str] = ()) -> Findings:
        """The rules that match, with their first ``MAX_SPANS`` spans in the first view that shows them.

        Rules of the categories ``without`` are not asked. A rule that ran out of time is a fault, unless it had matched
        before, or a translation that widens nothing was found in ASCII text: then it has matched, though perhaps nobody
        knows where (a rule with a validator has not). Rules that are not reached within the time of one scan have run
        out of it too.
        """
        uncovering = Uncovering(text)
        return self._judged(text, uncovering, self._views(uncovering, uncovering), without)

    def explain(self, text: str, without: Collection[str] = ()) -> Explained:
        """The findings of ``scan``, with the views of the text and the time that each stage took."""
        uncovering = Uncovering(text)
        views = Timed(uncovering)
        passes = Timed(self._views(uncovering, views))
        began = time.perf_counter()
        findings = self._judged(text, uncovering, passes, without)
        seconds = time.perf_counter() - began
        return Explained(
            findings,
            Trace(
                views=tuple(views.came),
                candidates=tuple(len(wanted) for _, wanted in passes.came),
                uncovering=views.seconds,
                passes=passes.seconds - views.seconds,
                confirming=seconds - passes.seconds,
            ),
        )

    def _judged(
        self,
        text: str,
        uncovering: Uncovering,
        views: Iterable[tuple[View, dict[int, list[Compiled]]]],
        without: Collection[str],
    ) -> Findings:
        matches: dict[int, Match] = {}
        faults: set[int] = set()
        timer = _Timer(text, self._rule_seconds, self._scan_seconds)
        for view, wanted in views:
            for number in sorted(wanted):
                rule = self._rules[number]
                if number in matches or number in faults or (rule.category or "").casefold() in without:
                    continue
                spans, certain = self._first_spans(wanted[number], rule.validator, view.text, timer)
                if spans or certain:
                    matches[number] = _match(rule, view, text, spans)
                elif spans is None:
                    faults.add(number)
        reason = f"ran out of time on a text of {len(text)} characters"
        return Findings(
            tuple(matches[number] for number in sorted(matches)),
            tuple(RuleFault(self._rules[number], reason) for number in sorted(faults)),
            MORE_HIDDEN if uncovering.left_out else None,
        )

    def every_span(self, rule: RuleSpec, text: str) -> tuple[Span, ...] | None:
        """All spans of one rule in all views, sorted; ``None`` when they could not all be found in time."""
        spans: set[Span] = set()
        timer = _Timer(text, self._rule_seconds, self._scan_seconds)
        number = self._numbers[rule]
        uncovering = Uncovering(text)
        for view, wanted in self._views(uncovering, uncovering):
            for expression in wanted.get(number, ()):
                found, finished = self._found(
                    expression.source, rule.validator, view.text, timer, timer.rule_seconds, most=None
                )
                if not finished:
                    return None
                for span in found:
                    if timer.left() <= 0:
                        return None
                    spans.add(view.span(*span))
        return None if uncovering.left_out else tuple(sorted(spans))

    def _views(self, uncovering: Uncovering, views: Iterable[View]) -> Iterator[tuple[View, dict[int, list[Compiled]]]]:
        """Each of the views that come of uncovering, with the lines that may match it by the numbers of their rules."""
        for view in views:
            projected = Projected(view.text)
            wanted: dict[int, list[Compiled]] = {}
            signs = []
            for layer, lines, sign_of in self._layers:
                for place in layer.candidates(projected):
                    for number, expression in lines[place]:
                        if view.name == RAW_VIEW or self._rules[number].views is Views.ALL:
                            wanted.setdefault(number, []).append(expression)
                    if place in sign_of and self._shows(layer, place, view.text):
                        signs.append(sign_of[place])
            yield view, wanted
            if self._looks_behind:
                uncovering.reveal(view, signs)

    def _shows(self, layer: Layer, place: int, text: str) -> bool:
        """Whether a text has the sign of a disguise; one that no matcher was asked for is looked for here."""
        if layer.finds and place not in layer.always:
            return True
        try:
            sign = _compiled_sign(layer.expressions[place].source)
            return sign.search(text, timeout=self._rule_seconds) is not None
        except TimeoutError:
            return True

    def _first_spans(
        self, expressions: Sequence[Compiled], validator: Validator | None, text: str, timer: _Timer
    ) -> tuple[list[Span] | None, bool]:
        """The first spans of a rule, ``None`` if it ran out of time without one; and whether it matched for certain.

        Each line may use its share of the rule's time.
        """
        spans: set[Span] = set()
        finished, certain = True, False
        for expression in expressions:
            self._search(expression.source, timer)
        began = time.thread_time()
        for done, expression in enumerate(expressions):
            left = timer.rule_seconds - (time.thread_time() - began)
            share = max(left, 0) / (len(expressions) - done)
            found, in_time = self._found(expression.source, validator, text, timer, share, most=MAX_SPANS)
            spans.update(found)
            if not in_time:
                finished = False
                certain = certain or (validator is None and expression.exact and text.isascii())
        return (sorted(spans)[:MAX_SPANS] if spans or finished else None), certain

    def _found(
        self, source: str, validator: Validator | None, text: str, timer: _Timer, seconds: float, *, most: int | None
    ) -> tuple[list[Span], bool]:
        """Up to ``most`` spans of an expression that the validator accepts, and whether there was time to find them."""
        search = self._search(source, timer)
        for patience in PATIENCE:
            spans: list[Span] = []
            allowed = min(seconds * patience, timer.left())
            if allowed <= 0:
                break
            worked = time.thread_time()
            try:
                found = search.finditer(text, timeout=allowed)
                accepted = found if validator is None else _accepted(found, validator, worked + allowed)
                for match in islice(accepted, most):
                    spans.append(match.span())  # noqa: PERF401 (what was found before the time ran out counts)
                return spans, True
            except TimeoutError:
                if spans or time.thread_time() - worked > seconds / 2:
                    return spans, False
        return [], False

    def _search(self, source: str, timer: _Timer) -> regex.Pattern[str]:
        """The expression as it is searched for, compiled when it is first needed."""
        if source not in self._searches:
            # Threads that meet here compile twice and keep either: the same.
            with timer.stopped():
                self._searches[source] = compile_expression(source)
        return self._searches[source]


@cache
def _compiled_sign(source: str) -> regex.Pattern[str]:
    return compile_expression(source)


def _accepted(found: Iterable[regex.Match[str]], validator: Validator, until: float) -> Iterator[regex.Match[str]]:
    """The matches that the validator accepts; raises ``TimeoutError`` once the thread has worked ``until`` then."""
    for match in found:
        if accepts(validator, match.group()):
            yield match
        elif time.thread_time() > until:
            raise TimeoutError


def _why_refused(lines: list[tuple[int, str]], refused: dict[str, str]) -> str | None:
    if not lines:
        return "line 1, column 1: wants at least one expression"
    return next((f"line {number}, {refused[line]}" for number, line in lines if line in refused), None)


def _placed(
    layers: Sequence[Layer], uses: dict[str, list[_Line]]
) -> tuple[tuple[Layer, tuple[Collection[_Line], ...], dict[int, str]], ...]:
    """Each layer with the lines, and the disguises, that its expressions stand for, by their places."""
    return tuple(
        (
            layer,
            tuple(tuple(uses.get(one.source, ())) for one in layer.expressions),
            {place: _SIGNS[one.source] for place, one in enumerate(layer.expressions) if one.source in _SIGNS},
        )
        for layer in layers
    )


def _match(rule: RuleSpec, view: View, text: str, spans: list[Span] | None) -> Match:
    if not spans:
        return Match(rule, (), "", view.name)
    if view.name == RAW_VIEW:
        return Match(rule, tuple(spans), _cut(text, *spans[0]))
    places = sorted((view.span(*span), span) for span in spans)
    as_sent, revealed = places[0]
    sent = tuple(dict.fromkeys(span for span, _ in places))
    return Match(rule, sent, _cut(text, *as_sent), view.name, _cut(view.text, *revealed))


def _cut(text: str, start: int, end: int) -> str:
    return text[start : min(end, start + MAX_MATCHED_TEXT)]
