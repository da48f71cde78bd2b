"""The tables. Times are ISO 8601 text in UTC with microseconds, the same on SQLite and Postgres, so that they sort and read alike.

Two rules are constraints: a delivery has at most one open attempt, and a part of it is posted at most once.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.types import TypeDecorator

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def iso(moment: datetime) -> str:
    """UTC, microseconds, `Z`."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


class DamagedRow(ValueError):
    """A row holds what Tocsin never wrote there."""


def moment(text: str) -> datetime | None:
    """What `iso` wrote; None for "". Raises `DamagedRow`."""
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError as error:
        raise DamagedRow("A time in the database is none.") from error


class Moment(TypeDecorator[datetime]):
    """An aware datetime as ISO 8601 text in UTC."""

    impl = String(27)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        return iso(value) if value else None

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return moment(value or "")


house = Table(
    "house",
    metadata,
    Column("environment", String(10), primary_key=True),
    Column("clock_ahead", Float, nullable=False, server_default="0"),  # seconds; a drill's alone
)

incidents = Table(
    "incidents",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("slug", String(80), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("state", String(20), nullable=False),
    Column("facts", JSON, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("first_post_at", Moment),
    Column("resolved_at", Moment),
)

announcements = Table(
    "announcements",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("incident", ForeignKey("incidents.id"), nullable=False, index=True),
    Column("kind", String(20), nullable=False),
    Column("state", String(20), nullable=False, index=True),
    Column("revision", Integer, nullable=False),
    Column("digest", String(71), nullable=False),
    # Who sends it: a worker holds it for a term, and an attempt is opened only by the holder of the present term.
    Column("worker", String(40), nullable=False, server_default="", index=True),
    Column("term", Integer, nullable=False, server_default="0"),
    # Which of the approved primaries leads ("" for the first), and since when it is being tried (real time).
    Column("leads", String(80), nullable=False, server_default=""),
    Column("led_since", Moment),
    Column("created_at", Moment, nullable=False),
    # The send window of the current revision, for the sweep to look up; what counts is the signed manifest's.
    Column("not_before", Moment, index=True),
    Column("not_after", Moment),
    Column("approved_at", Moment),
    Column("finished_at", Moment),
    Index("ix_announcements_closing", "state", "not_after"),
)

revisions = Table(
    "revisions",
    metadata,
    Column("digest", String(71), primary_key=True),
    Column("announcement", ForeignKey("announcements.id"), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("manifest", Text, nullable=False),
    Column("wording", JSON, nullable=False),
    Column("created_at", Moment, nullable=False),
    UniqueConstraint("announcement", "revision"),
)

approvals = Table(
    "approvals",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("announcement", ForeignKey("announcements.id"), nullable=False),
    Column("digest", ForeignKey("revisions.digest"), nullable=False, index=True),
    Column("person", String(80), nullable=False),
    Column("decision", String(20), nullable=False),
    Column("key_kind", String(20), nullable=False),
    Column("approval", Text, nullable=False),
    Column("at", Moment, nullable=False),
    UniqueConstraint("digest", "person", "decision"),
)

approval_links = Table(
    "approval_links",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("announcement", ForeignKey("announcements.id"), nullable=False),
    Column("digest", ForeignKey("revisions.digest"), nullable=False, index=True),
    Column("person", String(80), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("used_at", Moment),
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("person", String(80), nullable=False, index=True),
    Column("credential_id", Text, nullable=False),  # of the passkey that opened it: it ends when that leaves the roster
    Column("opened_at", Moment, nullable=False),
    Column("seen_at", Moment, nullable=False),
)

notices = Table(
    "notices",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("kind", String(20), nullable=False),
    Column("announcement", ForeignKey("announcements.id"), nullable=False),
    Column("digest", String(71), nullable=False),
    Column("recipient", String(100), nullable=False),
    Column("due_at", Moment, nullable=False),
    Column("sent_at", Moment, index=True),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("error", Text, nullable=False, server_default=""),
    UniqueConstraint("kind", "digest", "recipient"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("announcement", ForeignKey("announcements.id"), nullable=False),
    Column("digest", ForeignKey("revisions.digest"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("destination", String(80), nullable=False),
    Column("platform", String(40), nullable=False),
    Column("role", String(20), nullable=False),
    Column("state", String(20), nullable=False),
    Column("parts", Integer, nullable=False),
    Column("done", Integer, nullable=False, server_default="0"),
    Column("problem", Text, nullable=False, server_default=""),
    Column("remote_id", Text, nullable=False, server_default=""),
    Column("permalink", Text, nullable=False, server_default=""),
    Column("posted_at", Moment),
    Column("read_back", String(20), nullable=False, server_default=""),
    Column("read_back_detail", Text, nullable=False, server_default=""),
    Column("updated_at", Moment, nullable=False),
    UniqueConstraint("digest", "destination", "role"),
)

attempts = Table(
    "attempts",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("delivery", ForeignKey("deliveries.id"), nullable=False, index=True),
    Column("part", Integer, nullable=False),
    Column("state", String(20), nullable=False),  # open, posted, not_sent, refused, handed_over
    Column("runner", String(40), nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("ended_at", Moment),
    Column("remote_id", Text, nullable=False, server_default=""),
    Column("permalink", Text, nullable=False, server_default=""),
    Column("error", Text, nullable=False, server_default=""),
    Index("ix_attempts_remote_id", "remote_id"),
)
Index(
    "ix_attempts_one_open", attempts.c.delivery, unique=True, sqlite_where=text("state = 'open'"), postgresql_where=text("state = 'open'")
)
Index(
    "ix_attempts_posted_once",
    attempts.c.delivery,
    attempts.c.part,
    unique=True,
    sqlite_where=text("state = 'posted'"),
    postgresql_where=text("state = 'posted'"),
)

follow_ups = Table(
    "follow_ups",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("incident", ForeignKey("incidents.id"), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("opens", Moment, nullable=False),
    Column("closes", Moment, nullable=False),
    Column("state", String(20), nullable=False, index=True),
    Column("announcement", String(40)),
    UniqueConstraint("incident", "kind"),
    Index("ix_follow_ups_opening", "state", "opens"),
    Index("ix_follow_ups_closing", "state", "closes"),
)

timeline = Table(
    "timeline",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", Moment, nullable=False),
    Column("actor", String(100), nullable=False),
    Column("event", String(60), nullable=False),
    Column("incident", String(40), nullable=False, index=True),
    Column("announcement", String(40), nullable=False, index=True),
    Column("data", Text, nullable=False),  # canonical JSON
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("principal", String(100), primary_key=True),
    Column("key", String(200), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("status", Integer),
    Column("body", Text),
    Column("created_at", Moment, nullable=False),
)

checks = Table(
    "checks",
    metadata,
    Column("destination", String(80), primary_key=True),
    Column("ok", Boolean, nullable=False),
    Column("account", Text, nullable=False, server_default=""),
    Column("detail", Text, nullable=False, server_default=""),
    Column("at", Moment, nullable=False),
    Column("seconds", Float, nullable=False, server_default="0"),
)

workers = Table(
    "workers",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("name", String(120), nullable=False),
    Column("beats", Integer, nullable=False),
    Column("started_at", Moment, nullable=False),
)

holds = Table(
    "holds",
    metadata,
    Column("destination", String(80), primary_key=True),
    Column("kind", String(20), primary_key=True),
    Column("why", Text, nullable=False),
    Column("by", String(100), nullable=False),
    Column("at", Moment, nullable=False),
)

budgets = Table(
    "budgets",
    metadata,
    Column("bucket", String(200), primary_key=True),
    Column("booked_to", Float, nullable=False),  # Unix seconds
    Column("closed_to", Float, nullable=False),
)
