"""Rules compiled into something that judges texts."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime

from bastion.engine.detectors import BY_LANGUAGE, PIPELINES, Detector
from bastion.engine.excepting import Excepting, Origin
from bastion.engine.layers import Compiler, compile_here
from bastion.engine.rules import RuleSpec
from bastion.engine.tracing import Explanation
from bastion.engine.verdict import PipelineVerdict, RuleFault, Span, Verdict


class Engine:
    """The rules given, compiled. It never changes and may be shared by threads; new rules make a new one.

    A rule that cannot be compiled, or whose language no pipeline runs, is left out and listed in ``rejected``.
    """

    def __init__(self, rules: Iterable[RuleSpec], compiler: Compiler = compile_here) -> None:
        by_language: dict[str, list[RuleSpec]] = defaultdict(list)
        self.has_exceptions = False
        for rule in rules:
            by_language[rule.language].append(rule)
            self.has_exceptions = self.has_exceptions or bool(rule.exceptions)
        self._excepting = Excepting(self.every_span)
        self._detectors: dict[str, Detector] = {
            pipeline.id: pipeline.build(
                [rule for language in pipeline.languages for rule in by_language.pop(language.name, ())], compiler
            )
            for pipeline in PIPELINES
        }
        rejected = [fault for detector in self._detectors.values() for fault in detector.rejected]
        for language, orphans in by_language.items():
            reason = f"no pipeline runs the language {language!r}; there are {', '.join(BY_LANGUAGE)}"
            rejected.extend(RuleFault(rule, reason) for rule in orphans)
        self.rejected = tuple(rejected)
        self.runs_on = {name: detector.runs_on for name, detector in self._detectors.items()}
        self.unproven = sum(detector.unproven for detector in self._detectors.values())

    def scan(self, text: str, pipelines: Collection[str] | None = None, without: Collection[str] = ()) -> Verdict:
        """Judges a text by the pipelines named, or by all there are, in the order of ``PIPELINES``.

        Rules of the categories ``without`` are not asked.
        """
        return Verdict(
            tuple(
                PipelineVerdict(pipeline.id, *self._detectors[pipeline.id].scan(text, without))
                for pipeline in PIPELINES
                if pipelines is None or pipeline.id in pipelines
            )
        )

    def apply_exceptions(self, verdict: Verdict, text: str, origin: Origin, at: datetime) -> Verdict:
        """A verdict of ``scan`` without the matches that the rules' exceptions let pass at that time.

        ``has_exceptions`` says whether there are any, so that whoever judges by the thousand need not ask.
        """
        return self._excepting.apply(verdict, text, origin, at)

    def explain(
        self, text: str, pipelines: Collection[str] | None = None, without: Collection[str] = ()
    ) -> Explanation:
        """The verdict of ``scan``, and how it was come to."""
        explained = {
            pipeline.id: self._detectors[pipeline.id].explain(text, without)
            for pipeline in PIPELINES
            if pipelines is None or pipeline.id in pipelines
        }
        return Explanation(
            Verdict(tuple(PipelineVerdict(name, *one.findings) for name, one in explained.items())),
            {name: one.trace for name, one in explained.items()},
        )

    def every_span(self, rule: RuleSpec, text: str) -> tuple[Span, ...] | None:
        """All spans of a rule that this engine runs; ``None`` when they could not all be found in time."""
        return self._detectors[BY_LANGUAGE[rule.language].id].every_span(rule, text)
