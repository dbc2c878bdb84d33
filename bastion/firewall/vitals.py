"""What only the running process knows of itself, told once a second; and that a silent database is let go of."""

import logging
import os
import threading
from typing import Final

import sqlalchemy as sa

from bastion.database.pulse import Connections, Pulse
from bastion.firewall.analysis import Firewall

log = logging.getLogger(__name__)

TICK_SECONDS: Final = 1.0


class Vitals:
    """Two threads of a process that serves; without ``start`` there are none."""

    def __init__(self, firewall: Firewall, database: sa.Engine) -> None:
        self._firewall = firewall
        self._database = database
        self._connections = Connections(database)
        self._pulse = Pulse(database, self._let_go) if database.dialect.name == "postgresql" else None
        self._stopped = threading.Event()
        self._process = 0

    def start(self) -> None:
        if self._process == os.getpid():
            return
        self._process = os.getpid()
        self._stopped = threading.Event()
        self._firewall.recorder.start()
        threading.Thread(target=self._tell, name="vitals", daemon=True).start()
        if self._pulse is not None:
            self._pulse.start()

    def stop(self) -> None:
        """Ends the threads and hands the spool over; for the end of a process that has answered its last request."""
        self._stopped.set()
        if self._pulse is not None:
            self._pulse.stop()
        self._firewall.recorder.stop()

    def measure(self) -> None:
        """Sets the gauges of this process."""
        metrics = self._firewall.metrics
        spool = self._firewall.recorder.spool
        waiting = spool.waiting()
        metrics.spool_events.set(waiting.events)
        metrics.spool_bytes.set(waiting.size)
        metrics.spool_room.set(spool.room())
        metrics.database_away.set(self._firewall.recorder.away is not None)
        metrics.pool_in_use.set(self._connections.held)
        rules = self._firewall.rules
        metrics.rules_unread.set(rules.unread_seconds)
        if rule_set := rules.loaded:
            metrics.rules.set(rule_set.rules)
            metrics.rules_skipped.set(rule_set.skipped)
            metrics.rules_built.set(rule_set.built_at.timestamp())
            changed = rule_set.revision[-1]
            metrics.rules_changed.set(changed.timestamp() if changed else 0)

    def _tell(self) -> None:
        while not self._stopped.wait(TICK_SECONDS):
            try:
                self._firewall.recorder.let_go_of_slow()
                self.measure()
            except Exception:  # The thread's outermost edge.
                log.exception("the metrics are not kept up to date")

    def _let_go(self, reason: str) -> None:
        self._firewall.recorder.interrupt(reason)
        self._connections.cut()
        # Those in the pool lead to the same server, which may not be the one to ask any more.
        self._database.dispose()
