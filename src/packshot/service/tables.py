"""The tables that outlive a process: keys, their spending by day, charges that are not settled, photos that are paid
for, remembered requests, and jobs with their work.

They are the same in SQLite and in PostgreSQL. migrations/ makes them, step by step from release to release; this is
what its last step leaves. Times are seconds since 1970, days are UTC's, as text: 2026-11-22.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
)

METADATA = MetaData()

KEYS = Table(
    "keys",
    METADATA,
    Column("id", String, primary_key=True),
    Column("name", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("state", String, nullable=False, server_default="active"),
    Column("credits", BigInteger),  # NULL: no end of them
    Column("used", BigInteger, nullable=False, server_default="0"),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double),
    Column("last_used_at", Double),
    Column("rate", String),  # NULL: the service's own
    Column("previous_digest", LargeBinary),  # of the text before the last rotation
    Column("previous_until", Double),
    CheckConstraint("state IN ('active', 'locked', 'revoked')", name="keys_state"),
    CheckConstraint("credits >= 0", name="keys_credits"),
    Index("keys_by_previous_digest", "previous_digest"),
)

USAGE = Table(
    "usage",
    METADATA,
    Column("key_id", String, nullable=False),
    Column("day", String, nullable=False),
    Column("succeeded", BigInteger, nullable=False, server_default="0"),
    Column("failed", BigInteger, nullable=False, server_default="0"),
    Column("credits", BigInteger, nullable=False, server_default="0"),
    PrimaryKeyConstraint("key_id", "day"),
)

CHARGES = Table(
    "charges",
    METADATA,
    Column("id", String, primary_key=True),
    Column("key_id", String, nullable=False),
    Column("day", String, nullable=False),
    Column("started_at", Double, nullable=False),
    Column("credits", BigInteger, nullable=False, server_default="1"),
    Column("photo_id", String),  # NULL: the charge pays for one answer, not for a photo
    Index("charges_by_age", "started_at"),
)

PAID_PHOTOS = Table(
    "paid_photos",
    METADATA,
    Column("key_id", String, nullable=False),
    Column("photo_id", String, nullable=False),
    Column("until", Double, nullable=False),
    PrimaryKeyConstraint("key_id", "photo_id"),
    Index("paid_photos_by_end", "until"),
)

IDEMPOTENCY = Table(
    "idempotency",
    METADATA,
    Column("key_id", String, nullable=False),
    Column("idempotency_key", Text, nullable=False),
    Column("request_hash", String, nullable=False),
    Column("started_at", Double, nullable=False),
    Column("outcome", Text),  # NULL: still running
    PrimaryKeyConstraint("key_id", "idempotency_key"),
    Index("idempotency_by_age", "started_at"),
)

# Of the release before, whose replicas may still run beside ours. The next one drops it.
TASKS = Table(
    "tasks",
    METADATA,
    Column("id", String, primary_key=True),
    Column("key_id", String, nullable=False),
    Column("request_hash", String, nullable=False),
    Column("started_at", Double, nullable=False),
    Column("outcome", Text),  # NULL: at work
    Index("tasks_by_age", "started_at"),
)

JOBS = Table(
    "jobs",
    METADATA,
    Column("id", String, primary_key=True),
    Column("key_id", String, nullable=False),
    Column("request_hash", String, nullable=False),
    Column("wishes", Text, nullable=False),  # JSON: options, and where the files among them lie
    Column("webhook_url", Text),
    Column("photos", Integer, nullable=False),
    Column("input_bytes", BigInteger, nullable=False),  # of the files that it was sent with
    Column("created_at", Double, nullable=False),
    Column("finished_at", Double),  # NULL: work is left
    Column("cancelled_at", Double),
    Index("jobs_by_key", "key_id", "created_at"),
    Index("jobs_by_age", "created_at"),
)

WORK = Table(
    "work",
    METADATA,
    Column("id", String, primary_key=True),
    Column("job_id", String, nullable=False),
    Column("kind", String, nullable=False),  # photo, webhook
    Column("number", Integer, nullable=False),
    Column("source", Text, nullable=False),  # JSON: what is to be worked on
    Column("state", String, nullable=False, server_default="waiting"),
    Column("due_at", Double, nullable=False),  # waiting: when it may begin; working: when it counts as lost
    Column("claims", Integer, nullable=False, server_default="0"),  # the last one alone may end it
    Column("losses", Integer, nullable=False, server_default="0"),  # claims whose process has died
    Column("outcome", Text),
    CheckConstraint("state IN ('waiting', 'working', 'done', 'failed', 'cancelled')", name="work_state"),
    Index("work_by_turn", "kind", "state", "number", "due_at"),
    Index("work_by_job", "job_id", "kind", "number"),
)
