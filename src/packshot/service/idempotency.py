"""Runs a repeated request only once: keeps outcomes by owner and Idempotency-Key for 24 hours."""

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
    """Remembered requests, in the accounts database. Call `begin` before the work, then `finish` or `abandon`.

    running_s: age at which an entry without an outcome counts as lost, because its process must have died.
    """

    def __init__(self, database: Database, now: Callable[[], float], running_s: float) -> None:
        self._database = database
        self._now = now
        self._running_s = running_s

    def begin(self, key_id: str, idempotency_key: str, request_hash: str) -> str | None:
        """The outcome of the same request if it has finished; None if this caller must do the work.

        Raises
        ------
        ConflictError
            Another request used this idempotency key, or the same request is still running.
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
            # Of several requests at once, one inserts. In PostgreSQL the others wait and then find its row.
            if connection.execute(inserted).first():
                return None
            found = connection.execute(select(*columns).where(_at(key_id, idempotency_key))).first()
        # No row: the other request was abandoned just now, so the next retry does the work.
        known_hash, outcome = found or (request_hash, None)
        if known_hash != request_hash:
            raise ConflictError(
                "This idempotency key was used for another request.", hint="Use a new key for each photo and form."
            )
        if outcome is None:
            hint = "Send the request again in a moment."
            raise ConflictError("The request with this idempotency key is still running.", hint=hint)
        return str(outcome)

    def finish(self, key_id: str, idempotency_key: str, outcome: str, within: Connection) -> None:
        """Store the outcome of a request, within a transaction on the same database."""
        within.execute(update(IDEMPOTENCY).where(_at(key_id, idempotency_key)).values(outcome=outcome))

    def abandon(self, key_id: str, idempotency_key: str) -> None:
        """Forget a request whose work failed, so that the next one with this key starts anew."""
        unfinished = and_(_at(key_id, idempotency_key), IDEMPOTENCY.c.outcome.is_(None))
        self._database.change(delete(IDEMPOTENCY).where(unfinished))

    def _forget_old(self, connection: Connection) -> None:
        """Delete outcomes older than a day, and lost requests: no outcome, and too old or too far in the future.

        Keeps an outcome dated in the future by a clock that was set back: it was paid for.
        """
        now, started_at = self._now(), IDEMPOTENCY.c.started_at
        dead = or_(started_at <= now - self._running_s, started_at > now + self._running_s)
        old = or_(started_at <= now - KEPT_S, and_(IDEMPOTENCY.c.outcome.is_(None), dead))
        connection.execute(delete(IDEMPOTENCY).where(old))


def check_key(idempotency_key: str) -> None:
    """Raise InvalidOption unless the length of the key is valid."""
    if not 0 < len(idempotency_key) <= LONGEST_KEY:
        raise InvalidOption(f"An idempotency key must have 1 to {LONGEST_KEY} characters.", hint="Use a UUID.")


def _at(key_id: str, idempotency_key: str) -> ColumnElement[bool]:
    return and_(IDEMPOTENCY.c.key_id == key_id, IDEMPOTENCY.c.idempotency_key == idempotency_key)
