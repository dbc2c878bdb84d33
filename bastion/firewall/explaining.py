"""How a text was judged, for people who try one."""

import time
from dataclasses import dataclass

from bastion.engine.tracing import Trace
from bastion.firewall.analysis import Analysis, Firewall, Submission, check_size, excepted
from bastion.models import new_uid


@dataclass(frozen=True, slots=True)
class ExplainedAnalysis:
    """An analysis, with the trace of each pipeline that ran."""

    analysis: Analysis
    traces: dict[str, Trace]


def explain(firewall: Firewall, submission: Submission) -> ExplainedAnalysis:
    """Judges a text as ``Firewall.judge`` does and records nothing; raises as that does."""
    flow = firewall.flows.get(submission.flow_name)
    check_size(submission.prompt)
    engine = firewall.rules.current().engine
    started = time.perf_counter_ns()
    explanation = engine.explain(submission.prompt, flow.pipelines, flow.exclude_categories)
    verdict = excepted(engine, explanation.verdict, submission)
    duration_us = (time.perf_counter_ns() - started) // 1000
    return ExplainedAnalysis(
        Analysis(submission, flow, engine, flow.decide(verdict), verdict, new_uid(), duration_us), explanation.traces
    )


def record_and_explain(firewall: Firewall, submission: Submission) -> ExplainedAnalysis:
    """Judges a text, commits its event, and says how it is judged; raises as ``Firewall.analyze``."""
    analysis = firewall.analyze(submission)
    flow = analysis.flow
    explanation = analysis.engine.explain(submission.prompt, flow.pipelines, flow.exclude_categories)
    return ExplainedAnalysis(analysis, explanation.traces)
