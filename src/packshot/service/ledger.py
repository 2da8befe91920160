"""The credits that keys spend. A charge takes a credit before the work, and is settled or given back after it.

A named photo costs one credit per day and key, for any number of renderings: the first settled charge pays for it.
Later charges are free. A charge taken meanwhile gives its credit back when it is settled.

The database holds each charge until it is settled or given back. Any replica gives back charges that stay open longer
than work can last. So no credit is lost when a process dies or the database is unavailable. The same transactions
update the figures of `usage`.
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
"""Time for which one credit pays for a photo."""


@dataclass(frozen=True)
class DayUsage:
    """A key's usage on one day (UTC). credits: spent on photos that succeeded or are still in work."""

    key_id: str
    day: date
    succeeded: int
    failed: int
    credits: int


def new_charge_id() -> str:
    """A new charge id. The caller makes it first, so that an interrupted charge can still be given back."""
    return secrets.token_hex(16)


class Ledger:
    """Takes and gives back credits atomically. Safe for threads, several processes and several machines."""

    def __init__(self, database: Database, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._now = now

    def charge(self, key_id: str, charge_id: str, photo_id: str | None = None) -> int:
        """Take one credit, or none for a photo that the key has paid for. Returns the number taken.

        No key spends more than it has, for any number of threads and replicas.

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
        """Spend the credit of a charge after its work succeeded. Returns the number of credits spent.

        Gives the credit back if another charge has paid for the photo meanwhile. Leaves a returned charge as it is.

        also: called in the same transaction, with the number of credits spent.
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
        """Give the credit back, once, after the work failed. Does nothing for a charge that was never taken."""
        with self._database.transaction() as connection:
            self._give_back(connection, _close(connection, CHARGES.c.id == charge_id))

    def give_back_lost(self, older_than_s: float) -> int:
        """Give back charges so old that their process must have died. Returns the number of credits.

        Also gives back charges dated equally far in the future: their clock has been set back since.
        """
        now, started_at = self._now(), CHARGES.c.started_at
        with self._database.transaction() as connection:
            lost = _close(connection, or_(started_at <= now - older_than_s, started_at > now + older_than_s))
            self._give_back(connection, lost)
            return sum(closed.credits for closed in lost)

    def forget_paid(self) -> None:
        """Delete paid photos after their day, and those dated in the future by a clock that was set back."""
        self._database.change(delete(PAID_PHOTOS).where(~_is_live(self._now())))

    async def run(self, lost_after_s: float, every_s: float = 60.0) -> None:
        """Repeatedly give back lost charges and delete old paid photos. Several replicas may run this at once."""
        while True:
            try:
                count = await asyncio.to_thread(self.give_back_lost, lost_after_s)
                await asyncio.to_thread(self.forget_paid)
                if count:
                    log.warning("%d credits were given back: their requests never finished", count)
            except DatabaseUnavailable as error:
                log.warning("lost credits are searched for later: %s", error)
            except Exception:
                log.exception("lost credits are searched for later")  # no caller would log it, and the loop must go on
            await asyncio.sleep(every_s)

    def usage(self, days: int = 30, key_id: str | None = None) -> Sequence[DayUsage]:
        """The usage of one key or of all keys in the last `days` days, newest first, without unused days."""
        since = datetime.fromtimestamp(self._now(), UTC).date() - timedelta(days=days - 1)
        columns = (USAGE.c.key_id, USAGE.c.day, USAGE.c.succeeded, USAGE.c.failed, USAGE.c.credits)
        asked = select(*columns).where(USAGE.c.day >= since.isoformat()).order_by(USAGE.c.day.desc(), USAGE.c.key_id)
        if key_id is not None:
            asked = asked.where(USAGE.c.key_id == key_id)
        rows = (row._mapping for row in self._database.rows(asked))
        return [DayUsage(**{**row, "day": date.fromisoformat(row["day"])}) for row in rows]

    def _give_back(self, connection: Connection, lost: Sequence[_Closed]) -> None:
        # The same order everywhere, to avoid deadlocks: paid photos, then keys, then usage, each sorted.
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
        """Whether this charge pays for the photo. Of several at once, one pays and the others wait for it."""
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
    """The error for a key without enough credits."""
    return OutOfCredits("This API key has no credits left.", hint="Ask the operator of the service for more.")


class _Closed(NamedTuple):
    """A charge that was open until now."""

    key_id: str
    day: str
    credits: int
    photo_id: str | None


def _close(connection: Connection, which: ColumnElement[bool]) -> Sequence[_Closed]:
    """Remove charges and return them, sorted. Of two callers that close the same charge, only one gets it."""
    columns = [CHARGES.c[name] for name in _Closed._fields]
    rows = connection.execute(delete(CHARGES).where(which).returning(*columns))
    return sorted((_Closed(**row._mapping) for row in rows), key=lambda closed: (closed.key_id, closed.day))


def _is_live(now: float) -> ColumnElement[bool]:
    return and_(PAID_PHOTOS.c.until > now, PAID_PHOTOS.c.until <= now + 2 * PAID_S)


def _day(timestamp: float) -> str:
    return datetime.fromtimestamp(timestamp, UTC).date().isoformat()
