"""Jobs and their work: photos processed in the background, and webhooks that report them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("key_id", sa.String, nullable=False),
        sa.Column("request_hash", sa.String, nullable=False),
        sa.Column("wishes", sa.Text, nullable=False),
        sa.Column("webhook_url", sa.Text),
        sa.Column("photos", sa.Integer, nullable=False),
        sa.Column("input_bytes", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("finished_at", sa.Double),
        sa.Column("cancelled_at", sa.Double),
    )
    op.create_index("jobs_by_key", "jobs", ["key_id", "created_at"])
    op.create_index("jobs_by_age", "jobs", ["created_at"])
    op.create_table(
        "work",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("job_id", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("state", sa.String, nullable=False, server_default="waiting"),
        sa.Column("due_at", sa.Double, nullable=False),
        sa.Column("claims", sa.Integer, nullable=False, server_default="0"),
        sa.Column("losses", sa.Integer, nullable=False, server_default="0"),
        sa.Column("outcome", sa.Text),
        sa.CheckConstraint("state IN ('waiting', 'working', 'done', 'failed', 'cancelled')", name="work_state"),
    )
    op.create_index("work_by_turn", "work", ["kind", "state", "number", "due_at"])
    op.create_index("work_by_job", "work", ["job_id", "kind", "number"])
