"""What is measured, for Prometheus. Labels are names of ours or of an operator's files, never a text that was sent.

Gunicorn's workers share their counts through files in PROMETHEUS_MULTIPROC_DIR, which ``bastion.gunicorn`` sets.
"""

import os
from collections.abc import Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

SCAN_BUCKETS: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5)
COMMIT_BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)


class Metrics:
    """The metrics of one process; in gunicorn the files behind them are those of all workers."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        registry = self._registry
        self._requests = Counter(
            "bastion_requests", "Requests that were answered.", ("endpoint", "method", "status"), registry=registry
        )
        self._verdicts = Counter(
            "bastion_verdicts", "Texts that were judged, by flow and answer.", ("flow", "status"), registry=registry
        )
        self._scan = Histogram(
            "bastion_scan_seconds", "Judging one text, without storing it.", buckets=SCAN_BUCKETS, registry=registry
        )
        self._commit = Histogram(
            "bastion_commit_seconds",
            "One transaction that stores the events of concurrent requests.",
            buckets=COMMIT_BUCKETS,
            registry=registry,
        )
        self._stored = Counter("bastion_events_stored", "Events committed before their answer.", registry=registry)
        self._spooled = Counter("bastion_events_spooled", "Events spooled before their answer.", registry=registry)
        self._faults = Counter(
            "bastion_rule_faults", "Rules that could not finish on a text.", ("pipeline",), registry=registry
        )
        self._unseen = Counter(
            "bastion_unseen_texts", "Texts that hide more than was looked behind.", ("pipeline",), registry=registry
        )
        self.rules = Gauge("bastion_rules", "Rules in force.", multiprocess_mode="livemin", registry=registry)
        self.rules_skipped = Gauge(
            "bastion_rules_skipped", "Enabled rules that do not run.", multiprocess_mode="livemax", registry=registry
        )
        self.rules_built = Gauge(
            "bastion_rules_built_timestamp_seconds",
            "When the oldest rule set in force was compiled.",
            multiprocess_mode="livemin",
            registry=registry,
        )
        self.rules_changed = Gauge(
            "bastion_rules_changed_timestamp_seconds",
            "The newest change to the rules that every worker has in force.",
            multiprocess_mode="livemin",
            registry=registry,
        )
        self.rules_unread = Gauge(
            "bastion_rules_unread_seconds",
            "How long the stored rules have not been readable.",
            multiprocess_mode="livemax",
            registry=registry,
        )
        self.database_away = Gauge(
            "bastion_database_away",
            "Workers that the database takes no events of.",
            multiprocess_mode="livesum",
            registry=registry,
        )
        self.spool_events = Gauge(
            "bastion_spool_events", "Events that wait to be stored.", multiprocess_mode="livemax", registry=registry
        )
        self.spool_bytes = Gauge("bastion_spool_bytes", "Their size.", multiprocess_mode="livemax", registry=registry)
        self.spool_room = Gauge(
            "bastion_spool_room_bytes",
            "What more fits into the spool, or on its disk.",
            multiprocess_mode="livemin",
            registry=registry,
        )
        self.pool_in_use = Gauge(
            "bastion_pool_connections_in_use",
            "Database connections that pages and watchers hold.",
            multiprocess_mode="livesum",
            registry=registry,
        )
        self._children: dict[tuple[str, ...], Counter] = {}

    def answered(self, endpoint: str, method: str, status: int) -> None:
        """Counts a request. Endpoints and methods are those of our routes."""
        self._child(self._requests, endpoint, method, str(status)).inc()

    def judged(self, flow: str, status: str, seconds: float) -> None:
        self._child(self._verdicts, flow, status).inc()
        self._scan.observe(seconds)

    def rule_faults(self, pipeline: str, count: int) -> None:
        self._child(self._faults, pipeline).inc(count)

    def text_unseen(self, pipeline: str) -> None:
        self._child(self._unseen, pipeline).inc()

    def committed(self, seconds: float, events: int) -> None:
        self._commit.observe(seconds)
        self._stored.inc(events)

    def spooled(self, events: int) -> None:
        self._spooled.inc(events)

    def names(self) -> Iterator[str]:
        """The names of all metrics."""
        for metric in self._registry.collect():
            yield metric.name

    def text(self) -> bytes:
        """All metrics in Prometheus' text format, of all workers together."""
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(self._registry)
        shared = CollectorRegistry()
        MultiProcessCollector(shared)  # type: ignore[no-untyped-call]
        return generate_latest(shared)

    def _child(self, metric: Counter, *labels: str) -> Counter:
        """``labels()`` takes a lock and checks its arguments each time; there are few children."""
        key = (str(id(metric)), *labels)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = metric.labels(*labels)
        return child
