"""The three tables. ``migrations/`` is the authority for the schema; ``flask db check`` holds this file to it."""

import json
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import BigInteger, DateTime, ForeignKey, Index, Integer, String, Text, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import Mapped, mapped_column, relationship
from sqlalchemy.types import TypeDecorator, TypeEngine
from uuid_utils import uuid7

from bastion.engine.exceptions import RuleException, read_exceptions
from bastion.engine.rules import Action, RuleSpec, Severity, Views
from bastion.engine.validators import Validator
from bastion.extensions import Base


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC time: timestamptz on PostgreSQL, naive UTC text on SQLite as AIDR Bastion wrote it."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(DateTime(timezone=dialect.name == "postgresql"))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None or dialect.name == "postgresql":
            return value
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Json(TypeDecorator[Any]):
    """JSON on PostgreSQL, text that holds JSON on SQLite."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(postgresql.JSON(none_as_null=True) if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        if value is None or dialect.name == "postgresql":
            return value
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return json.loads(value) if isinstance(value, str) and dialect.name != "postgresql" else value


class Lines(TypeDecorator[tuple[str, ...]]):
    """Short texts, one a line, as a tuple; none at all is NULL."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: tuple[str, ...] | None, _dialect: Dialect) -> str | None:
        return "\n".join(value) if value else None

    def process_result_value(self, value: str | None, _dialect: Dialect) -> tuple[str, ...]:
        return tuple(value.split("\n")) if value else ()


class Exceptions(Json):
    """A rule's exceptions as a tuple; none at all is NULL."""

    cache_ok = True

    def process_bind_param(self, value: tuple[RuleException, ...] | None, dialect: Dialect) -> Any:
        return super().process_bind_param([one.as_json() for one in value] if value else None, dialect)

    def process_result_value(self, value: Any, dialect: Dialect) -> tuple[RuleException, ...]:
        try:
            return read_exceptions(super().process_result_value(value, dialect))
        except ValueError:
            # Another program wrote what is not JSON: it must not keep the rule from running.
            return ()


def utc_now() -> datetime:
    return datetime.now(UTC)


def new_uid() -> str:
    """A UUID that sorts by the time it was made (RFC 9562, version 7)."""
    return str(uuid7())


MAX_ID: Final = 2**63 - 1
"""The largest id that either database can be asked for."""

# An SQLite id must be declared INTEGER to be the row's own id.
BigId = BigInteger().with_variant(Integer, "sqlite")


class Rule(Base):
    """What to look for, and what to do."""

    __tablename__ = "rules"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    uuid: Mapped[str] = mapped_column(String(255), unique=True, index=True)
    name: Mapped[str] = mapped_column(String(255))
    details: Mapped[str] = mapped_column(Text)
    language: Mapped[str] = mapped_column(String(100))
    pattern: Mapped[str] = mapped_column(Text)
    action: Mapped[str] = mapped_column(String(50))
    severity: Mapped[str | None] = mapped_column(String(50))
    category: Mapped[str | None] = mapped_column(String(100))
    cwe_id: Mapped[str | None] = mapped_column(String(50))
    enabled: Mapped[bool] = mapped_column(default=True, server_default="1")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, server_default=text("CURRENT_TIMESTAMP"))
    updated_at: Mapped[datetime] = mapped_column(
        UtcDateTime, default=utc_now, onupdate=utc_now, server_default=text("CURRENT_TIMESTAMP")
    )
    version: Mapped[int] = mapped_column(Integer, default=1, server_default="1")
    author: Mapped[str | None] = mapped_column(String(255))
    tags: Mapped[tuple[str, ...]] = mapped_column(Lines, nullable=True)
    references: Mapped[tuple[str, ...]] = mapped_column(Lines, nullable=True)
    false_positives: Mapped[tuple[str, ...]] = mapped_column(Lines, nullable=True)
    samples: Mapped[Any | None] = mapped_column(Json)
    exceptions: Mapped[tuple[RuleException, ...]] = mapped_column(Exceptions, nullable=True)
    history: Mapped[Any | None] = mapped_column(Json, deferred=True)
    archived_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    views: Mapped[str] = mapped_column(String(10), default=Views.ALL.value, server_default=Views.ALL.value)
    validator: Mapped[str | None] = mapped_column(String(50))

    # SQLite would otherwise give a deleted rule's id to the next one, while workers still run the deleted.
    __table_args__ = (Index(None, "updated_at", "version"), {"sqlite_autoincrement": True})
    # The optimistic lock: an UPDATE of another version than the one read matches no row and raises.
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 (SQLAlchemy reads it as it is)

    @property
    def must_match(self) -> tuple[str, ...]:
        """Samples that the rule must match. The two kinds share a column."""
        return _texts(self.samples, "must_match")

    @must_match.setter
    def must_match(self, texts: tuple[str, ...]) -> None:
        self.samples = _samples(texts, self.must_not_match)

    @property
    def must_not_match(self) -> tuple[str, ...]:
        """Samples that it must not match."""
        return _texts(self.samples, "must_not_match")

    @must_not_match.setter
    def must_not_match(self, texts: tuple[str, ...]) -> None:
        self.samples = _samples(self.must_match, texts)

    @property
    def spec(self) -> RuleSpec:
        """The rule as the engine takes it, without its samples, which detection does not need.

        Raises:
            ValueError: when another program stored an action, a severity, views or a validator that there are not.
        """
        return RuleSpec(
            id=self.id,
            version=self.version,
            uuid=self.uuid,
            name=self.name,
            details=self.details,
            language=self.language,
            views=Views(self.views.strip().lower()),
            validator=Validator(self.validator.strip().lower()) if self.validator and self.validator.strip() else None,
            pattern=self.pattern,
            action=Action(self.action.strip().lower()),
            severity=Severity(self.severity.strip().lower()) if self.severity and self.severity.strip() else None,
            category=self.category,
            cwe_id=self.cwe_id,
            enabled=self.enabled,
            author=self.author,
            tags=self.tags,
            references=self.references,
            false_positives=self.false_positives,
            exceptions=self.exceptions,
        )


def _texts(samples: Any, kind: str) -> tuple[str, ...]:
    """The samples of that kind, as far as they are ours: other programs write to the same table."""
    texts = samples.get(kind) if isinstance(samples, dict) else None
    return tuple(text for text in texts if isinstance(text, str)) if isinstance(texts, list) else ()


def _samples(must_match: tuple[str, ...], must_not_match: tuple[str, ...]) -> dict[str, list[str]] | None:
    if not must_match and not must_not_match:
        return None
    return {"must_match": list(must_match), "must_not_match": list(must_not_match)}


class Event(Base):
    """One analysed text and its outcome."""

    __tablename__ = "events"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    task_id: Mapped[str | None] = mapped_column(String(255), index=True)
    prompt: Mapped[str | None] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(50), index=True)
    flow_name: Mapped[str] = mapped_column(String(100), index=True)
    pipeline_results: Mapped[Any | None] = mapped_column(Json)
    timestamp: Mapped[datetime] = mapped_column(
        UtcDateTime, default=utc_now, server_default=text("CURRENT_TIMESTAMP"), index=True
    )
    uid: Mapped[str] = mapped_column(String(36), default=new_uid, unique=True, index=True)
    source: Mapped[str | None] = mapped_column(String(100))
    direction: Mapped[str | None] = mapped_column(String(10))
    duration_us: Mapped[int | None] = mapped_column(BigInteger)
    prompt_sha256: Mapped[str | None] = mapped_column(String(64))
    context: Mapped[Any | None] = mapped_column(Json)

    triggers: Mapped[list["RuleTrigger"]] = relationship(
        back_populates="event", order_by="RuleTrigger.id", passive_deletes=True
    )

    __table_args__ = (
        Index(None, "timestamp", "id"),
        Index(None, "status", "timestamp", "id"),
        Index(None, "flow_name", "timestamp", "id"),
        Index(None, "source", "timestamp", "id"),
        Index(None, "prompt_sha256", "id"),
    )


class RuleTrigger(Base):
    """One rule that matched in one event, and what an analyst made of it."""

    __tablename__ = "rule_triggers"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    event_id: Mapped[int] = mapped_column(BigId, ForeignKey("events.id", ondelete="CASCADE"), index=True)
    rule_id: Mapped[int] = mapped_column(BigId, ForeignKey("rules.id", ondelete="RESTRICT"), index=True)
    matched_text: Mapped[str | None] = mapped_column(Text)
    pipeline_name: Mapped[str] = mapped_column(String(100))
    timestamp: Mapped[datetime] = mapped_column(
        UtcDateTime, default=utc_now, server_default=text("CURRENT_TIMESTAMP"), index=True
    )
    rule_version: Mapped[int | None] = mapped_column(Integer)
    action: Mapped[str | None] = mapped_column(String(50))
    severity: Mapped[str | None] = mapped_column(String(50))
    spans: Mapped[Any | None] = mapped_column(Json)
    view: Mapped[str | None] = mapped_column(String(50))
    disposition: Mapped[str | None] = mapped_column(String(50))
    note: Mapped[str | None] = mapped_column(Text)
    reviewed_by: Mapped[str | None] = mapped_column(String(255))
    reviewed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    event: Mapped[Event] = relationship(back_populates="triggers")
    rule: Mapped[Rule] = relationship()

    __table_args__ = (
        Index(None, "timestamp", "id"),
        Index(None, "rule_id", "timestamp", "id"),
        Index(
            None,
            "reviewed_at",
            postgresql_where=text("reviewed_at IS NOT NULL"),
            sqlite_where=text("reviewed_at IS NOT NULL"),
        ),
        Index(
            None,
            *("rule_id", "timestamp", "disposition"),
            postgresql_where=text("disposition IS NOT NULL"),
            sqlite_where=text("disposition IS NOT NULL"),
        ),
    )
