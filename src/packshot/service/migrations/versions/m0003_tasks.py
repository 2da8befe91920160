"""Tasks: work whose request gets its response before the work is done."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tasks",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("key_id", sa.String, nullable=False),
        sa.Column("request_hash", sa.String, nullable=False),
        sa.Column("started_at", sa.Double, nullable=False),
        sa.Column("outcome", sa.Text),
    )
    op.create_index("tasks_by_age", "tasks", ["started_at"])
