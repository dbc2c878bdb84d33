"""One text in, its verdict and its stored event out."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from bastion.engine import Engine, Match, Origin, PipelineVerdict, Status, Verdict
from bastion.engine.detectors import BY_ID
from bastion.engine.verdict import Excepted
from bastion.errors import TooLarge
from bastion.firewall.flows import DEFAULT_FLOW, Flow, Flows
from bastion.firewall.live import LiveRules
from bastion.firewall.recording import (
    EventRecord,
    kept_match,
    kept_revealed,
    kept_text,
    prompt_hash,
    text_context,
    trigger_rows,
)
from bastion.firewall.writer import Recorder
from bastion.metrics import Metrics
from bastion.models import new_uid, utc_now
from bastion.settings import SavePrompt

MAX_PROMPT_BYTES: Final = 1024 * 1024
"""The longest text, in bytes of UTF-8."""


class Direction(StrEnum):
    """Whether a text goes to the model or comes from it."""

    INPUT = "input"
    OUTPUT = "output"


@dataclass(frozen=True, slots=True)
class Submission:
    """A text to be judged and where it comes from."""

    prompt: str
    flow_name: str = DEFAULT_FLOW
    task_id: str | None = None
    direction: Direction = Direction.INPUT
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Analysis:
    """What was decided of a text, and by which engine; rules' exceptions are applied to the ``verdict``.

    ``event_id`` is ``None`` while no event is stored; ``spooled`` says that one will be, under its ``uid``.
    """

    submission: Submission
    flow: Flow
    engine: Engine
    status: Status
    verdict: Verdict
    uid: str
    duration_us: int
    event_id: int | None = None
    spooled: bool = False


class Firewall:
    """Everything that judging a text needs, held by one process."""

    def __init__(
        self, flows: Flows, rules: LiveRules, recorder: Recorder, save_prompt: SavePrompt, metrics: Metrics
    ) -> None:
        self.flows = flows
        self.rules = rules
        self.recorder = recorder
        self.save_prompt = save_prompt
        self.metrics = metrics

    def analyze(self, submission: Submission) -> Analysis:
        """Judges a text; its event is committed, or spooled while the database is away, before this returns.

        Raises:
            NotFound, FlowUnavailable: for a flow that cannot run.
            TooLarge: for a text over ``MAX_PROMPT_BYTES``.
            NotRecorded: when the event could be neither stored nor spooled: then there is no verdict to act on.
        """
        return self.analyze_all([submission])[0]

    def analyze_all(self, submissions: Sequence[Submission]) -> list[Analysis]:
        """Judges several texts and commits their events in one transaction; raises as ``analyze``."""
        return self.record([self.judge(submission) for submission in submissions])

    def record(self, judged: Sequence[Analysis]) -> list[Analysis]:
        """Records what ``judge`` has judged, in one transaction; raises ``NotRecorded`` as ``analyze`` does."""
        ids = self.recorder.record([self._event_record(analysis) for analysis in judged])
        return [
            replace(analysis, event_id=event_id, spooled=event_id is None)
            for analysis, event_id in zip(judged, ids, strict=True)
        ]

    def judge(self, submission: Submission) -> Analysis:
        """Judges a text and records nothing; raises as ``analyze`` does before it records."""
        flow = self.flows.get(submission.flow_name)
        check_size(submission.prompt)
        engine = self.rules.current().engine
        started = time.perf_counter_ns()
        verdict = engine.scan(submission.prompt, flow.pipelines, flow.exclude_categories)
        verdict = excepted(engine, verdict, submission)
        duration_ns = time.perf_counter_ns() - started
        status = flow.decide(verdict)
        self._count(flow, status, verdict, duration_ns / 1e9)
        return Analysis(submission, flow, engine, status, verdict, new_uid(), duration_ns // 1000)

    def _count(self, flow: Flow, status: Status, verdict: Verdict, seconds: float) -> None:
        self.metrics.judged(flow.name, status.value, seconds)
        for pipeline in verdict.pipelines:
            if pipeline.faults:
                self.metrics.rule_faults(pipeline.pipeline, len(pipeline.faults))
            if pipeline.unseen:
                self.metrics.text_unseen(pipeline.pipeline)

    def _event_record(self, analysis: Analysis) -> EventRecord:
        submission, prompt, now = analysis.submission, analysis.submission.prompt, utc_now()
        kept = kept_text(analysis.engine, prompt, self._whole_verdict(analysis), self.save_prompt)
        event = {
            "uid": analysis.uid,
            "task_id": submission.task_id,
            "prompt": kept,
            "status": analysis.status.value,
            "flow_name": analysis.flow.name,
            "pipeline_results": {
                "status": analysis.status.value,
                "pipelines": [_result(one, prompt, kept) for one in reported(analysis.verdict)],
                **_left_undone(analysis, kept),
            },
            "timestamp": now,
            "source": submission.source,
            "direction": submission.direction.value,
            "duration_us": analysis.duration_us,
            "prompt_sha256": prompt_hash(prompt),
            "context": text_context(prompt, self.save_prompt),
        }
        return EventRecord(event, trigger_rows(analysis.verdict, kept, now))

    def _whole_verdict(self, analysis: Analysis) -> Verdict:
        """The verdict with what the flow or an exception leaves out, where that has to be masked all the same."""
        if self.save_prompt is SavePrompt.REDACTED and analysis.flow.exclude_categories:
            return analysis.engine.scan(analysis.submission.prompt)
        return analysis.verdict.unexcepted if analysis.engine.has_exceptions else analysis.verdict


def check_size(prompt: str) -> None:
    """Raises ``TooLarge`` for a text over ``MAX_PROMPT_BYTES``."""
    # A code point is at most four bytes, so most texts need not be encoded to be known to fit.
    if len(prompt) * 4 > MAX_PROMPT_BYTES and len(prompt.encode("utf-8", "surrogatepass")) > MAX_PROMPT_BYTES:
        raise TooLarge(f"prompt: has more than {MAX_PROMPT_BYTES} bytes of UTF-8")


def excepted(engine: Engine, verdict: Verdict, submission: Submission) -> Verdict:
    """The verdict without what the rules' exceptions let pass now."""
    if not engine.has_exceptions:
        return verdict
    origin = Origin(submission.source, submission.flow_name)
    return engine.apply_exceptions(verdict, submission.prompt, origin, utc_now())


def reported(verdict: Verdict) -> list[PipelineVerdict]:
    """The pipelines that an answer lists: those that did not allow."""
    return [pipeline for pipeline in verdict.pipelines if pipeline.status is not Status.ALLOW]


def answer(analysis: Analysis) -> dict[str, Any]:
    """The API's answer, in AIDR Bastion's shape with what it lacks."""
    prompt = analysis.submission.prompt
    answered: dict[str, Any] = {
        "status": analysis.status.value,
        "event_id": analysis.event_id,
        "event_uid": analysis.uid,
    }
    if analysis.spooled:
        answered["spooled"] = True
    answered["pipelines"] = [_result(pipeline, prompt, prompt) for pipeline in reported(analysis.verdict)]
    return answered


def _result(pipeline: PipelineVerdict, prompt: str, kept: str | None) -> dict[str, Any]:
    """One pipeline's verdict with the matches as they stand in ``kept``, or without them if it is ``None``."""
    result: dict[str, Any] = {
        "status": pipeline.status.value,
        "name": BY_ID[pipeline.pipeline].name,
        "triggered_rules": [_triggered(match, prompt, kept) for match in pipeline.matches],
    }
    errors: list[dict[str, Any]] = [
        {"id": fault.rule.uuid, "name": fault.rule.name, "reason": fault.reason} for fault in pipeline.faults
    ]
    if pipeline.unseen:
        errors.append({"id": None, "name": None, "reason": pipeline.unseen})
    if errors:
        result["errors"] = errors
    return result


def _left_undone(analysis: Analysis, kept: str | None) -> dict[str, Any]:
    """What would have been, but for the flow's mode and the rules' exceptions. The caller is not told."""
    found: dict[str, Any] = {}
    would_be = analysis.flow.would_decide(analysis.verdict)
    if would_be is not analysis.status:
        found["would_be"] = would_be.value
    if passed := analysis.verdict.excepted:
        found["excepted"] = [_passed(one, kept) for one in passed]
    return found


def _passed(one: Excepted, kept: str | None) -> dict[str, Any]:
    rule = one.match.rule
    return {
        "id": rule.uuid,
        "name": rule.name,
        "version": rule.version,
        "action": rule.action.value,
        "matched_text": kept_match(one.match, kept),
        "exception": {"id": one.exception.id, "kind": one.exception.kind.value, "reason": one.exception.reason},
    }


def _triggered(match: Match, prompt: str, kept: str | None) -> dict[str, Any]:
    rule = match.rule
    return {
        "id": rule.uuid,
        "name": rule.name,
        "details": rule.details,
        "body": rule.pattern,
        "action": rule.action.value,
        "severity": rule.severity.value if rule.severity else None,
        "cwe_id": rule.cwe_id,
        "matched_text": kept_match(match, kept),
        "spans": [list(span) for span in match.spans],
        "view": match.view,
        "revealed_text": kept_revealed(match, prompt, kept),
    }
