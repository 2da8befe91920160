"""What keys spend: a credit is taken before the work, and settled or given back after it, whatever happens between.

A photo that is named costs one credit a day and key, however often it is rendered: the first charge that is settled
pays for it. Further ones are free; one that was taken meanwhile gives its credit back when it is settled.

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
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import and_, delete, insert, or_, select, update

from packshot.errors import DatabaseUnavailable, OutOfCredits
from packshot.service.database import Database
from packshot.service.tables import CHARGES, KEYS, PAID_PHOTOS, USAGE

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection

log = logging.getLogger(__name__)

PAID_S = 24 * 3600
"""So long a photo is paid for."""


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

    def charge(self, key_id: str, charge_id: str, photo_id: str | None = None) -> int:
        """Take one credit, or none for a photo that the key has paid for; returns how many.

        However many threads and replicas ask, no key spends more than it has.

        Raises: OutOfCredits, DatabaseUnavailable.
        """
        enough = or_(KEYS.c.credits.is_(None), KEYS.c.credits > 0)
        taking = update(KEYS).where(KEYS.c.id == key_id, enough)
        taking = taking.values(credits=KEYS.c.credits - 1, used=KEYS.c.used + 1)
        now = self._now()
        row = {"id": charge_id, "key_id": key_id, "day": _day(now), "started_at": now, "photo_id": photo_id}
        with self._database.transaction() as connection:
            cost = 0 if photo_id is not None and self._is_paid(connection, key_id, photo_id, now) else 1
            if cost and not connection.execute(taking).rowcount:
                raise out_of_credits()
            self._count(connection, key_id, _day(now), credits=cost)
            connection.execute(insert(CHARGES).values(**row, credits=cost))
        return cost

    def settle(self, charge_id: str, also: Callable[[Connection, int], None] | None = None) -> int:
        """The work succeeded: the credit is spent; returns how many were. A charge that was given back stays so.

        A credit for a photo that another charge has paid for meanwhile is given back.

        also: what must be true together with it is written in the same transaction. It is told the credits.
        """
        spent = 0
        with self._database.transaction() as connection:
            for closed in _close(connection, CHARGES.c.id == charge_id):
                spent = closed.credits
                if spent and closed.photo_id is not None and not self._pay(connection, closed.key_id, closed.photo_id):
                    spent = 0
                self._return(connection, closed, closed.credits - spent)
                self._count(connection, closed.key_id, closed.day, succeeded=1, credits=spent - closed.credits)
            if also is not None:
                also(connection, spent)
        return spent

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
            return sum(closed.credits for closed in lost)

    def forget_paid(self) -> None:
        """Forget the photos whose day is over, and those paid so far in the future: by a clock that was set back."""
        self._database.change(delete(PAID_PHOTOS).where(~_is_live(self._now())))

    async def run(self, lost_after_s: float, every_s: float = 60.0) -> None:
        """Give back what is lost and forget what is over, again and again; several replicas may do so at once."""
        while True:
            try:
                count = await asyncio.to_thread(self.give_back_lost, lost_after_s)
                await asyncio.to_thread(self.forget_paid)
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

    def _give_back(self, connection: Connection, lost: Sequence[_Closed]) -> None:
        # In one order everywhere, paid photos before keys before usage, all sorted: no two transactions can wait for
        # each other.
        for closed in lost:
            self._return(connection, closed, closed.credits)
            self._count(connection, closed.key_id, closed.day, failed=1, credits=-closed.credits)

    def _return(self, connection: Connection, closed: _Closed, count: int) -> None:
        if count:
            values = {"credits": KEYS.c.credits + count, "used": KEYS.c.used - count}
            connection.execute(update(KEYS).where(KEYS.c.id == closed.key_id).values(values))

    def _is_paid(self, connection: Connection, key_id: str, photo_id: str, now: float) -> bool:
        mine = and_(PAID_PHOTOS.c.key_id == key_id, PAID_PHOTOS.c.photo_id == photo_id)
        return connection.execute(select(PAID_PHOTOS.c.until).where(mine, _is_live(now))).first() is not None

    def _pay(self, connection: Connection, key_id: str, photo_id: str) -> bool:
        """Whether this is what pays for the photo; of several at once, one does, and the others wait for it."""
        now = self._now()
        row = self._database.insert(PAID_PHOTOS).values(key_id=key_id, photo_id=photo_id, until=now + PAID_S)
        anew = row.on_conflict_do_update(
            index_elements=["key_id", "photo_id"], set_={"until": now + PAID_S}, where=~_is_live(now)
        )
        return connection.execute(anew.returning(PAID_PHOTOS.c.key_id)).first() is not None

    def _count(self, connection: Connection, key_id: str, day: str, **counts: int) -> None:
        row = self._database.insert(USAGE).values(key_id=key_id, day=day, **counts)
        more = {name: USAGE.c[name] + count for name, count in counts.items()}
        connection.execute(row.on_conflict_do_update(index_elements=["key_id", "day"], set_=more))


def out_of_credits() -> OutOfCredits:
    """The error for a key that has no credit for what it asks."""
    return OutOfCredits("This API key has no credits left.", hint="Ask whoever runs the service for more.")


class _Closed(NamedTuple):
    """A charge that was open."""

    key_id: str
    day: str
    credits: int
    photo_id: str | None


def _close(connection: Connection, which: ColumnElement[bool]) -> Sequence[_Closed]:
    """Remove charges, and tell what they were, sorted: of two that close one charge, one gets it."""
    columns = [CHARGES.c[name] for name in _Closed._fields]
    rows = connection.execute(delete(CHARGES).where(which).returning(*columns))
    return sorted((_Closed(**row._mapping) for row in rows), key=lambda closed: (closed.key_id, closed.day))


def _is_live(now: float) -> ColumnElement[bool]:
    return and_(PAID_PHOTOS.c.until > now, PAID_PHOTOS.c.until <= now + 2 * PAID_S)


def _day(timestamp: float) -> str:
    return datetime.fromtimestamp(timestamp, UTC).date().isoformat()
