"""What keys spend: a credit is taken before the work, and settled or given back after it, whatever happens between.

A charge that was taken is written down until it is settled or given back. So nothing is lost when a process dies in the
middle or the database is away at the end: what stays open longer than any work can last is given back by whichever
replica looks next. The figures of `usage` are counted in the same transactions.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, or_, select, update

from packshot.errors import DatabaseUnavailable, OutOfCredits
from packshot.service.database import Database
from packshot.service.tables import CHARGES, KEYS, USAGE

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DayUsage:
    """What a key did on a day (UTC). credits: spent on what succeeded or is still being made."""

    key_id: str
    day: date
    succeeded: int
    failed: int
    credits: int


def new_charge_id() -> str:
    """A name for a charge, made by the caller: whoever is interrupted while taking it can still give it back."""
    return secrets.token_hex(16)


class Ledger:
    """Credits, taken and given back atomically. Safe from threads, from several processes and from several machines."""

    def __init__(self, database: Database, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._now = now

    def charge(self, key_id: str, charge_id: str) -> None:
        """Take one credit. However many threads and replicas ask, no key spends more than it has.

        Raises: OutOfCredits, DatabaseUnavailable.
        """
        enough = or_(KEYS.c.credits.is_(None), KEYS.c.credits > 0)
        taking = update(KEYS).where(KEYS.c.id == key_id, enough)
        taking = taking.values(credits=KEYS.c.credits - 1, used=KEYS.c.used + 1)
        now = self._now()
        with self._database.transaction() as connection:
            if not connection.execute(taking).rowcount:
                raise out_of_credits()
            self._count(connection, key_id, _day(now), credits=1)
            row = {"id": charge_id, "key_id": key_id, "day": _day(now), "started_at": now}
            connection.execute(insert(CHARGES).values(row))

    def settle(self, charge_id: str, also: Callable[[Connection], None] | None = None) -> None:
        """The work succeeded: the credit is spent. A charge that was given back meanwhile stays so.

        also: what must be true together with it is written in the same transaction.
        """
        with self._database.transaction() as connection:
            for key_id, day in _close(connection, CHARGES.c.id == charge_id):
                self._count(connection, key_id, day, succeeded=1)
            if also is not None:
                also(connection)

    def refund(self, charge_id: str) -> None:
        """The work failed: give the credit back, once; for a charge that was never taken do nothing."""
        with self._database.transaction() as connection:
            self._give_back(connection, _close(connection, CHARGES.c.id == charge_id))

    def give_back_lost(self, older_than_s: float) -> int:
        """Give back what was taken so long ago that its process must have died; returns how many credits.

        The same goes for what was taken so far in the future: by a clock that was set back since.
        """
        now, started_at = self._now(), CHARGES.c.started_at
        with self._database.transaction() as connection:
            lost = _close(connection, or_(started_at <= now - older_than_s, started_at > now + older_than_s))
            self._give_back(connection, lost)
            return len(lost)

    async def run(self, lost_after_s: float, every_s: float = 60.0) -> None:
        """Give back what is lost, again and again; several replicas may do so at once."""
        while True:
            try:
                count = await asyncio.to_thread(self.give_back_lost, lost_after_s)
                if count:
                    log.warning("%d credits were given back: their requests ended without an end", count)
            except DatabaseUnavailable as error:
                log.warning("lost credits are looked for later: %s", error)
            except Exception:
                log.exception("lost credits are looked for later")  # nobody else would say so, or go on
            await asyncio.sleep(every_s)

    def usage(self, days: int = 30, key_id: str | None = None) -> Sequence[DayUsage]:
        """What one key, or every key, did on the last days up to today: newest day first, no row without any."""
        since = datetime.fromtimestamp(self._now(), UTC).date() - timedelta(days=days - 1)
        columns = (USAGE.c.key_id, USAGE.c.day, USAGE.c.succeeded, USAGE.c.failed, USAGE.c.credits)
        asked = select(*columns).where(USAGE.c.day >= since.isoformat()).order_by(USAGE.c.day.desc(), USAGE.c.key_id)
        if key_id is not None:
            asked = asked.where(USAGE.c.key_id == key_id)
        rows = (row._mapping for row in self._database.rows(asked))
        return [DayUsage(**{**row, "day": date.fromisoformat(row["day"])}) for row in rows]

    def _give_back(self, connection: Connection, closed: Sequence[tuple[str, str]]) -> None:
        # In one order everywhere, keys before usage and both sorted: no two transactions can wait for each other.
        for key_id, day in closed:
            values = {"credits": KEYS.c.credits + 1, "used": KEYS.c.used - 1}
            connection.execute(update(KEYS).where(KEYS.c.id == key_id).values(values))
            self._count(connection, key_id, day, failed=1, credits=-1)

    def _count(self, connection: Connection, key_id: str, day: str, **counts: int) -> None:
        row = self._database.insert(USAGE).values(key_id=key_id, day=day, **counts)
        more = {name: USAGE.c[name] + count for name, count in counts.items()}
        connection.execute(row.on_conflict_do_update(index_elements=["key_id", "day"], set_=more))


def out_of_credits() -> OutOfCredits:
    """The error for a key that has no credit for what it asks."""
    return OutOfCredits("This API key has no credits left.", hint="Ask whoever runs the service for more.")


def _close(connection: Connection, which: ColumnElement[bool]) -> Sequence[tuple[str, str]]:
    """Remove charges, and tell their keys and days, sorted: of two that close one charge, one gets it."""
    rows = connection.execute(delete(CHARGES).where(which).returning(CHARGES.c.key_id, CHARGES.c.day))
    return sorted((str(row.key_id), str(row.day)) for row in rows)


def _day(timestamp: float) -> str:
    return datetime.fromtimestamp(timestamp, UTC).date().isoformat()
