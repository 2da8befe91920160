"""The same request sent twice is done once: outcomes by owner and Idempotency-Key, kept for 24 hours."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, and_, delete, or_, select, update

from packshot.errors import ConflictError, InvalidOption
from packshot.service.database import Database
from packshot.service.tables import IDEMPOTENCY

if TYPE_CHECKING:
    from sqlalchemy import Connection

KEPT_S = 24 * 3600
LONGEST_KEY = 255


class Idempotency:
    """`begin` before the work, then `finish` or `abandon`. In the same database as the accounts.

    running_s: age of an entry without an outcome whose process must have died.
    """

    def __init__(self, database: Database, now: Callable[[], float], running_s: float) -> None:
        self._database = database
        self._now = now
        self._running_s = running_s

    def begin(self, key_id: str, idempotency_key: str, request_hash: str) -> str | None:
        """The outcome of the same request, when it was finished before; None when this caller is to do the work.

        Raises
        ------
        ConflictError
            Another request had this idempotency key, or the same one is still running.
        InvalidOption
            The idempotency key is empty or longer than 255 characters.
        """
        check_key(idempotency_key)
        row = {"key_id": key_id, "idempotency_key": idempotency_key, "request_hash": request_hash}
        mine = self._database.insert(IDEMPOTENCY).values(**row, started_at=self._now()).on_conflict_do_nothing()
        inserted = mine.returning(IDEMPOTENCY.c.key_id)
        columns = (IDEMPOTENCY.c.request_hash, IDEMPOTENCY.c.outcome)
        with self._database.transaction() as connection:
            self._forget_old(connection)
            # Of several at once one inserts; in PostgreSQL the others wait for it and then find its row.
            if connection.execute(inserted).first():
                return None
            found = connection.execute(select(*columns).where(_at(key_id, idempotency_key))).first()
        # Gone again: the other was abandoned this moment, and who asks in a moment does the work.
        known_hash, outcome = found or (request_hash, None)
        if known_hash != request_hash:
            raise ConflictError(
                "This idempotency key was used for another request.", hint="Take a fresh key for each photo and form."
            )
        if outcome is None:
            hint = "Ask again in a moment."
            raise ConflictError("The request with this idempotency key is still running.", hint=hint)
        return str(outcome)

    def finish(self, key_id: str, idempotency_key: str, outcome: str, within: Connection) -> None:
        """Keep what the request led to, as a part of a transaction on the same database."""
        within.execute(update(IDEMPOTENCY).where(_at(key_id, idempotency_key)).values(outcome=outcome))

    def abandon(self, key_id: str, idempotency_key: str) -> None:
        """The work failed: the next request with this key starts afresh."""
        unfinished = and_(_at(key_id, idempotency_key), IDEMPOTENCY.c.outcome.is_(None))
        self._database.change(delete(IDEMPOTENCY).where(unfinished))

    def _forget_old(self, connection: Connection) -> None:
        """Outcomes of a day ago, and requests without one that began too long ago, or too far in the future, to live.

        An outcome of the future, by a clock that was set back since, is kept: it was paid for.
        """
        now, started_at = self._now(), IDEMPOTENCY.c.started_at
        dead = or_(started_at <= now - self._running_s, started_at > now + self._running_s)
        old = or_(started_at <= now - KEPT_S, and_(IDEMPOTENCY.c.outcome.is_(None), dead))
        connection.execute(delete(IDEMPOTENCY).where(old))


def check_key(idempotency_key: str) -> None:
    """Raises InvalidOption unless the key is one."""
    if not 0 < len(idempotency_key) <= LONGEST_KEY:
        raise InvalidOption(f"An idempotency key has 1 to {LONGEST_KEY} characters.", hint="A UUID does well.")


def _at(key_id: str, idempotency_key: str) -> ColumnElement[bool]:
    return and_(IDEMPOTENCY.c.key_id == key_id, IDEMPOTENCY.c.idempotency_key == idempotency_key)
