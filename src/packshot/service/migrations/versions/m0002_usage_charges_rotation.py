"""Usage by key and day, charges that a dead process left, a rate of its own for a key, and rotation."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("keys", sa.Column("rate", sa.String))
    op.add_column("keys", sa.Column("previous_digest", sa.LargeBinary))
    op.add_column("keys", sa.Column("previous_until", sa.Double))
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
    if op.get_bind().dialect.name == "sqlite":
        op.execute("PRAGMA user_version = 2")  # packshot 0.1 counts here, and leaves a file alone that is ahead of it
