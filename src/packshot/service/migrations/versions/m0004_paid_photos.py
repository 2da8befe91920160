"""Photos that a key has paid for, and their charges: a photo costs one credit a day."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "paid_photos",
        sa.Column("key_id", sa.String, nullable=False),
        sa.Column("photo_id", sa.String, nullable=False),
        sa.Column("until", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("key_id", "photo_id"),
    )
    op.create_index("paid_photos_by_end", "paid_photos", ["until"])
    # Charges of the previous release name no photo and hold one credit each.
    op.add_column("charges", sa.Column("credits", sa.BigInteger, nullable=False, server_default="1"))
    op.add_column("charges", sa.Column("photo_id", sa.String))
