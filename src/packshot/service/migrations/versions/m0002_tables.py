"""The first step: creates all tables.

Its number is 0002, and 0001 does not exist: databases of an earlier state of this code have 0002 and stay valid.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
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
        sa.Column("rate", sa.String),
        sa.Column("previous_digest", sa.LargeBinary),
        sa.Column("previous_until", sa.Double),
        sa.CheckConstraint("state IN ('active', 'locked', 'revoked')", name="keys_state"),
        sa.CheckConstraint("credits >= 0", name="keys_credits"),
    )
    op.create_index("keys_by_previous_digest", "keys", ["previous_digest"])
    op.create_table(
        "usage",
        sa.Column("key_id", sa.String, nullable=False),
        sa.Column("day", sa.String, nullable=False),
        sa.Column("succeeded", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("failed", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("credits", sa.BigInteger, nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("key_id", "day"),
    )
    op.create_table(
        "charges",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("key_id", sa.String, nullable=False),
        sa.Column("day", sa.String, nullable=False),
        sa.Column("started_at", sa.Double, nullable=False),
    )
    op.create_index("charges_by_age", "charges", ["started_at"])
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
