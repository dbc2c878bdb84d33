"""The rules in force: one engine a process, replaced within a second of any change to the stored rules."""

import logging
import os
import threading
import time
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from bastion.compiler.caching import CachingCompiler
from bastion.engine import Engine, RuleFault, RuleSpec
from bastion.engine.layers import Compiler
from bastion.errors import RulesUnavailable
from bastion.firewall.kept_rules import KeptRules, Revision, StoredRules, UnreadableRule
from bastion.models import Rule, utc_now

log = logging.getLogger(__name__)

POLL_SECONDS: Final = 0.4
"""Between two looks at the stored rules: with the build, an edit is in force within one second."""

MOMENT_SECONDS: Final = 5.0
"""That a look at the stored rules may take before they count as unread."""

QUIET_SECONDS: Final = 10
"""Without a change, until all rules are compiled together: while somebody edits, only what changes is."""

QUIET_SECONDS_EACH: Final = 0.3
"""And so many more for each rule, since compiling a thousand takes most of a minute."""


@dataclass(frozen=True, slots=True)
class RuleSet:
    """One state of the stored rules, compiled.

    ``kept_at`` is ``None`` for rules that the database gave this process; for those kept on disk it says when the
    database last confirmed them.
    """

    engine: Engine
    revision: Revision
    specs: tuple[RuleSpec, ...]
    unreadable: tuple[UnreadableRule, ...]
    built_at: datetime
    build_seconds: float
    kept_at: datetime | None = None

    @property
    def rules(self) -> int:
        """How many run."""
        return len(self.specs) - len(self.rejected)

    @property
    def rejected(self) -> tuple[RuleFault, ...]:
        return self.engine.rejected

    @property
    def skipped(self) -> int:
        return len(self.rejected) + len(self.unreadable)


class LiveRules:
    """Holds the newest rule set of this process and keeps it so from a thread of its own.

    The thread starts with the first use in a process, so that it survives a server's fork.
    """

    def __init__(self, database: sa.Engine, compiler: CachingCompiler, kept: KeptRules) -> None:
        self._database = database
        self._kept = kept
        self._compiler = compiler
        self._lock = threading.Lock()
        self._current: RuleSet | None = None
        self._watcher: threading.Thread | None = None
        self._settler: threading.Thread | None = None
        self._process = 0
        self._stopped = threading.Event()
        self.unreachable_since: datetime | None = None
        self._asking_since: float | None = None

    def current(self) -> RuleSet:
        """The rules in force. The first call in a process loads them, from disk while the database is away.

        Raises:
            RulesUnavailable: when they were never loaded, the database cannot be read and none are kept.
        """
        rule_set = self._current
        if rule_set is None or self._process != os.getpid():
            return self._start()
        return rule_set

    @property
    def loaded(self) -> RuleSet | None:
        """The rules in force, if this process has loaded any."""
        return self._current if self._process == os.getpid() else None

    @property
    def unread_seconds(self) -> float:
        """How long the stored rules have not been read: the database is away, or gives no answer. 0 for a moment."""
        if since := self.unreachable_since:
            return (utc_now() - since).total_seconds()
        asking_since = self._asking_since
        seconds = 0.0 if asking_since is None else time.monotonic() - asking_since
        return seconds if seconds > MOMENT_SECONDS else 0.0

    def refresh(self) -> RuleSet:
        """Looks at the stored rules now and compiles them if they have changed."""
        with Session(self._database) as session:
            self._asking_since = time.monotonic()
            try:
                revision = _revision(session)
                current = self._current
                if current is not None and current.kept_at is None and revision == current.revision:
                    self._kept.confirm()
                    return current
                stored = _stored(session, revision)
            finally:
                self._asking_since = None
            current = self._current = _compiled(stored, self._compiler)
            self._kept.keep(stored)
            return current

    def settle(self) -> None:
        """Compiles the rules in force together, if some were compiled apart and have not changed for a while."""
        current = self._current
        if current is None or not self._compiler.scattered:
            return
        quiet = (utc_now() - current.built_at).total_seconds()
        if quiet > QUIET_SECONDS + QUIET_SECONDS_EACH * len(current.specs):
            engine = Engine(current.specs, self._compiler.settled)
            with self._lock:
                if self._current is current:
                    self._current = replace(current, engine=engine)

    def _settle_apart(self) -> None:
        """Settles in a thread of its own: that may take a minute, and edits are not to wait for it."""
        if self._compiler.scattered and (self._settler is None or not self._settler.is_alive()):
            self._settler = threading.Thread(target=self._settle_loudly, name="settle-rules", daemon=True)
            self._settler.start()

    def _settle_loudly(self) -> None:
        try:
            self.settle()
        except Exception:  # The thread's outermost edge.
            log.exception("the rules in force could not be compiled together, they stay as they are")

    def stop(self) -> None:
        """Ends the watching thread."""
        self._stopped.set()
        if self._watcher is not None and self._process == os.getpid():
            self._watcher.join()

    def _start(self) -> RuleSet:
        with self._lock:
            try:
                rule_set = self.refresh()
            except SQLAlchemyError as error:
                rule_set = self._from_disk(error)
            if self._process != os.getpid():
                self._process = os.getpid()
                self._stopped = threading.Event()
                self._watcher = threading.Thread(target=self._watch, name="live-rules", daemon=True)
                self._watcher.start()
            return rule_set

    def _from_disk(self, error: SQLAlchemyError) -> RuleSet:
        """The rules that were in force on this host when the database was last there; raises ``RulesUnavailable``."""
        found = self._kept.read()
        if found is None:
            raise RulesUnavailable(f"the rules could not be loaded ({type(error).__name__})") from error
        stored, kept_at = found
        log.error(
            "THE STORED RULES CANNOT BE READ (%s): those of %s, kept in %s, are in force; later edits are not",
            *(type(error).__name__, kept_at.isoformat(timespec="seconds"), self._kept.path),
        )
        self.unreachable_since = kept_at
        self._current = replace(_compiled(stored, self._compiler), kept_at=kept_at)
        return self._current

    def _watch(self) -> None:
        while not self._stopped.wait(POLL_SECONDS):
            try:
                self.refresh()
                if self.unreachable_since is not None:
                    log.warning("the stored rules can be read again")
                    self.unreachable_since = None
                self._settle_apart()
            except SQLAlchemyError as error:
                if self.unreachable_since is None:
                    self.unreachable_since = utc_now()
                    log.error("the stored rules cannot be read, the rules in force stay: %s", type(error).__name__)
            except Exception:  # The thread's outermost edge: without it, edits would silently stop to matter.
                log.exception("the stored rules could not be loaded, the rules in force stay")


def _revision(session: Session) -> Revision:
    """A value that changes with every change to the rules, also by programs that know no ``version``."""
    row = session.execute(
        sa.select(
            sa.func.count(),
            sa.func.coalesce(sa.func.max(Rule.id), 0),
            sa.func.coalesce(sa.func.sum(Rule.version), 0),
            sa.func.coalesce(sa.func.sum(sa.cast(Rule.enabled, sa.Integer)), 0),
            sa.func.max(Rule.updated_at),
        ).select_from(Rule)
    ).one()
    return (row[0], row[1], row[2], row[3], row[4])


def _stored(session: Session, revision: Revision) -> StoredRules:
    specs: list[RuleSpec] = []
    unreadable = []
    for rule in session.scalars(sa.select(Rule).where(Rule.enabled, Rule.archived_at.is_(None)).order_by(Rule.id)):
        try:
            specs.append(rule.spec)
        except ValueError as error:
            unreadable.append(UnreadableRule(rule.id, rule.name, str(error)))
    return StoredRules(revision, tuple(specs), tuple(unreadable))


def _compiled(stored: StoredRules, compiler: Compiler) -> RuleSet:
    started = time.perf_counter()
    engine = Engine(stored.specs, compiler)
    for fault in engine.rejected:
        log.error("rule %s (%s) is skipped: %r", fault.rule.id, fault.rule.uuid, fault.reason)
    for row in stored.unreadable:
        log.error("rule %s is skipped: %r", row.id, row.reason)
    return RuleSet(
        engine=engine,
        revision=stored.revision,
        specs=stored.specs,
        unreadable=stored.unreadable,
        built_at=utc_now(),
        build_seconds=time.perf_counter() - started,
    )
