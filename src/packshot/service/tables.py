"""The database tables: keys, usage by day, open charges, paid photos, remembered requests, and jobs with their work.

They are the same in SQLite and in PostgreSQL. migrations/ creates them, one step per release; this module matches its
last step. Times are seconds since 1970. Days are UTC dates as text: 2026-11-22.
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
    Column("credits", BigInteger),  # NULL: unlimited
    Column("used", BigInteger, nullable=False, server_default="0"),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double),
    Column("last_used_at", Double),
    Column("rate", String),  # NULL: the service's limit
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

# For the previous release, whose replicas may still run next to this one's. The next release drops it.
TASKS = Table(
    "tasks",
    METADATA,
    Column("id", String, primary_key=True),
    Column("key_id", String, nullable=False),
    Column("request_hash", String, nullable=False),
    Column("started_at", Double, nullable=False),
    Column("outcome", Text),  # NULL: in work
    Index("tasks_by_age", "started_at"),
)

JOBS = Table(
    "jobs",
    METADATA,
    Column("id", String, primary_key=True),
    Column("key_id", String, nullable=False),
    Column("request_hash", String, nullable=False),
    Column("wishes", Text, nullable=False),  # JSON: options, and the names of inputs for those that are files
    Column("webhook_url", Text),
    Column("photos", Integer, nullable=False),
    Column("input_bytes", BigInteger, nullable=False),  # size of the job's files
    Column("created_at", Double, nullable=False),
    Column("finished_at", Double),  # NULL: unfinished
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
    Column("source", Text, nullable=False),  # JSON: the input of the work
    Column("state", String, nullable=False, server_default="waiting"),
    Column("due_at", Double, nullable=False),  # waiting: when it may begin; working: when it counts as lost
    Column("claims", Integer, nullable=False, server_default="0"),  # only the last claim may end the item
    Column("losses", Integer, nullable=False, server_default="0"),  # claims whose process died
    Column("outcome", Text),
    CheckConstraint("state IN ('waiting', 'working', 'done', 'failed', 'cancelled')", name="work_state"),
    Index("work_by_turn", "kind", "state", "number", "due_at"),
    Index("work_by_job", "job_id", "kind", "number"),
)
