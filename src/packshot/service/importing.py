"""Bring keys from one database into another: from the SQLite file of one machine to the PostgreSQL of several."""

from __future__ import annotations

from sqlalchemy import func, select

from packshot.errors import InvalidOption
from packshot.service.database import Database
from packshot.service.tables import CHARGES, IDEMPOTENCY, KEYS, USAGE

_ROWS = 500  # of one INSERT


def import_keys(source: Database, target: Database) -> int:
    """Copy keys, credits, usage, open charges and remembered requests, all or nothing; returns how many keys.

    What the target holds stays. `source` must be at rest: what it does meanwhile would count in both.

    Raises
    ------
    InvalidOption
        The target has some of these keys already, or is the source.
    DatabaseUnavailable
        One of the two cannot be read or written.
    """
    if source.name == target.name:
        hint = "Set PACKSHOT_DATABASE_URL, or another PACKSHOT_STATE_DIR, for where they shall go."
        raise InvalidOption(f"{source.name} is itself the database that would take the keys.", hint=hint)
    tables = (KEYS, USAGE, CHARGES, IDEMPOTENCY)
    rows = {table: [dict(row._mapping) for row in source.rows(select(table))] for table in tables}
    ids = [key["id"] for key in rows[KEYS]]
    with target.transaction(alone="import") as connection:
        for first in range(0, len(ids), _ROWS):
            known = select(func.count()).where(KEYS.c.id.in_(ids[first : first + _ROWS]))
            if connection.execute(known).scalar_one():
                raise InvalidOption(
                    f"Keys of {source.name} are in {target.name} already.", hint="Nothing was changed: import once."
                )
        for table, all_rows in rows.items():
            for first in range(0, len(all_rows), _ROWS):
                connection.execute(target.insert(table).values(all_rows[first : first + _ROWS]))
    return len(ids)
