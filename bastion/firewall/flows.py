"""Flows: named policies that say which pipelines run and what their verdicts mean."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from bastion.engine.detectors import BY_ID, PIPELINES
from bastion.engine.verdict import Status, Verdict
from bastion.errors import FlowUnavailable, NotFound, SettingsError

DEFAULT_FLOW: Final = "default"

ELSEWHERE: Final = frozenset({"similarity", "openai", "llm", "ml", "code_analysis"})
"""AIDR Bastion's pipelines that Bastion does not have; its flows files may name them."""


SENSITIVE: Final = frozenset({"pii", "secret", "secrets"})
"""Categories of rules about personal data and secrets."""


class Mode(StrEnum):
    """Whether a flow's block verdicts are enforced or only reported."""

    ENFORCE = "enforce"
    MONITOR = "monitor"


class OnError(StrEnum):
    """What a flow answers when a pipeline could not finish."""

    BLOCK = "block"
    ALLOW = "allow"


@dataclass(frozen=True, slots=True)
class Flow:
    """A named policy.

    ``unavailable`` are pipelines that its file names and that do not run here. Rules of ``exclude_categories`` are not
    asked; the names are in lower case.
    """

    name: str
    pipelines: tuple[str, ...]
    unavailable: tuple[str, ...] = ()
    mode: Mode = Mode.ENFORCE
    on_error: OnError = OnError.BLOCK
    exclude_categories: frozenset[str] = frozenset()

    def decide(self, verdict: Verdict) -> Status:
        """The answer for one text: that of ``would_decide``, but ``notify`` in place of ``block`` in monitor mode."""
        decided = self.would_decide(verdict)
        return Status.NOTIFY if self.mode is Mode.MONITOR and decided is Status.BLOCK else decided

    def would_decide(self, verdict: Verdict) -> Status:
        """The answer for one text if the flow enforces.

        A pipeline that could not finish makes it ``block``, or ``error`` where the flow would rather let a
        half-scanned text pass than stop it.
        """
        statuses = {pipeline.status for pipeline in verdict.pipelines}
        if Status.BLOCK in statuses:
            return Status.BLOCK
        if Status.ERROR in statuses:
            return Status.BLOCK if self.on_error is OnError.BLOCK else Status.ERROR
        return Status.NOTIFY if Status.NOTIFY in statuses else Status.ALLOW


class Flows:
    """The flows of one process, by name."""

    def __init__(self, flows: dict[str, Flow]) -> None:
        self._flows = flows

    def __iter__(self) -> Iterator[Flow]:
        return iter(self._flows.values())

    def get(self, name: str) -> Flow:
        """The flow of that name.

        Raises:
            NotFound: listing the flows there are.
            FlowUnavailable: when none of its pipelines runs here, so that it could scan nothing.
        """
        flow = self._flows.get(name)
        if flow is None:
            raise NotFound(f"there is no flow {name!r}; there are: {', '.join(self._flows)}")
        if not flow.pipelines:
            raise FlowUnavailable(
                f"the flow {name!r} names only pipelines that do not run here ({', '.join(flow.unavailable)})"
            )
        return flow


def _printable(name: str) -> str:
    if not name.isprintable():
        raise ValueError("wants printable characters in a single line")
    return name


class _FlowEntry(BaseModel):
    """One entry of the file, in the shape of AIDR Bastion's ``config.json``, with fields of our own."""

    model_config = ConfigDict(extra="forbid")

    pipeline_flow: Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_printable)]
    pipelines: Annotated[list[str], Field(min_length=1)]
    mode: Mode = Mode.ENFORCE
    on_error: OnError = OnError.BLOCK
    exclude_categories: list[Annotated[str, Field(min_length=1, max_length=100)]] = []


_ENTRIES: Final = TypeAdapter(list[_FlowEntry])


def built_in_flows() -> dict[str, Flow]:
    """``default`` runs every pipeline there is, ``base_audit`` the rules alone, ``injection_only`` every pipeline but
    no rules about personal data and secrets.
    """
    every = tuple(pipeline.id for pipeline in PIPELINES)
    flows = (
        Flow(DEFAULT_FLOW, every),
        Flow("base_audit", ("rule",)),
        Flow("injection_only", every, exclude_categories=SENSITIVE),
    )
    return {flow.name: flow for flow in flows}


def load_flows(path: Path | None) -> Flows:
    """The built-in flows, replaced and extended by those of the file.

    Raises:
        SettingsError: naming the file and every entry that is wrong.
    """
    flows = built_in_flows()
    seen: set[str] = set()
    for entry in _read(path) if path else ():
        if entry.pipeline_flow in seen:
            raise SettingsError(f"{path}: the flow {entry.pipeline_flow!r} is given twice")
        seen.add(entry.pipeline_flow)
        if unknown := [name for name in entry.pipelines if name not in BY_ID and name not in ELSEWHERE]:
            raise SettingsError(
                f"{path}: the flow {entry.pipeline_flow!r} names the pipeline {unknown[0]!r}; there are: "
                f"{', '.join(BY_ID)}"
            )
        flows[entry.pipeline_flow] = Flow(
            entry.pipeline_flow,
            tuple(dict.fromkeys(name for name in entry.pipelines if name in BY_ID)),
            tuple(dict.fromkeys(name for name in entry.pipelines if name in ELSEWHERE)),
            entry.mode,
            entry.on_error,
            frozenset(category.casefold() for category in entry.exclude_categories),
        )
    return Flows(flows)


def _read(path: Path) -> list[_FlowEntry]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise SettingsError(f"{path}: cannot be read as JSON: {error}") from None
    try:
        return _ENTRIES.validate_python(content)
    except ValidationError as error:
        faults = (
            f"entry {'.'.join(map(str, fault['loc'])) or 'list'}: {fault['msg']}"
            for fault in error.errors(include_url=False, include_input=False)
        )
        raise SettingsError(f"{path}: {'; '.join(faults)}") from None
