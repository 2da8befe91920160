"""The tables of packshot 0.1, which made them in SQLite by itself."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "keys",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("state", sa.String, nullable=False, server_default="active"),
        sa.Column("credits", sa.BigInteger),
        sa.Column("used", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double),
        sa.Column("last_used_at", sa.Double),
        sa.CheckConstraint("state IN ('active', 'locked', 'revoked')", name="keys_state"),
        sa.CheckConstraint("credits >= 0", name="keys_credits"),
    )
    op.create_table(
        "idempotency",
        sa.Column("key_id", sa.String, nullable=False),
        sa.Column("idempotency_key", sa.Text, nullable=False),
        sa.Column("request_hash", sa.String, nullable=False),
        sa.Column("started_at", sa.Double, nullable=False),
        sa.Column("outcome", sa.Text),
        sa.PrimaryKeyConstraint("key_id", "idempotency_key"),
    )
    op.create_index("idempotency_by_age", "idempotency", ["started_at"])
