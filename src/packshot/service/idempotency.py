"""The same request sent twice is done once: outcomes by owner and Idempotency-Key, kept for 24 hours."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from packshot.errors import ConflictError, InvalidOption
from packshot.service.database import Database

KEPT_S = 24 * 3600
# A process that died left its entries running. Ten times the default deadline: no live request is that old.
RUNNING_S = 600
LONGEST_KEY = 255


class Idempotency:
    """`begin` before the work, then `finish` or `abandon`. In the same file as the accounts."""

    def __init__(self, path: Path, now: Callable[[], float] = time.time, running_s: float = RUNNING_S) -> None:
        self._database = Database(path)
        self._now = now
        self._running_s = running_s

    def close(self) -> None:
        self._database.close()

    def begin(self, key_id: str, idempotency_key: str, request_hash: str) -> str | None:
        """The outcome of the same request, when it was finished before; None when this caller is to do the work.

        Raises
        ------
        ConflictError
            Another request had this idempotency key, or the same one is still running.
        InvalidOption
            The idempotency key is empty or longer than 255 characters.
        """
        if not 0 < len(idempotency_key) <= LONGEST_KEY:
            raise InvalidOption(f"An idempotency key has 1 to {LONGEST_KEY} characters.", hint="A UUID does well.")
        with self._database.transaction():
            self._forget_old()
            sql = "SELECT request_hash, outcome FROM idempotency WHERE key_id = ? AND idempotency_key = ?"
            for known_hash, outcome in self._database.rows(sql, key_id, idempotency_key):
                return _settled(known_hash == request_hash, outcome)
            sql = "INSERT INTO idempotency VALUES (?, ?, ?, ?, NULL)"
            self._database.change(sql, key_id, idempotency_key, request_hash, self._now())
            return None

    def finish(self, key_id: str, idempotency_key: str, outcome: str) -> None:
        """Keep what the request led to."""
        sql = "UPDATE idempotency SET outcome = ? WHERE key_id = ? AND idempotency_key = ?"
        self._database.change(sql, outcome, key_id, idempotency_key)

    def abandon(self, key_id: str, idempotency_key: str) -> None:
        """The work failed: the next request with this key starts afresh."""
        sql = "DELETE FROM idempotency WHERE key_id = ? AND idempotency_key = ? AND outcome IS NULL"
        self._database.change(sql, key_id, idempotency_key)

    def _forget_old(self) -> None:
        now = self._now()
        self._database.change("DELETE FROM idempotency WHERE started_at <= ?", now - KEPT_S)
        self._database.change(
            "DELETE FROM idempotency WHERE outcome IS NULL AND started_at <= ?", now - self._running_s
        )


def _settled(same_request: bool, outcome: str | None) -> str:
    if not same_request:
        raise ConflictError(
            "This idempotency key was used for another request.", hint="Take a fresh key for each photo and form."
        )
    if outcome is None:
        raise ConflictError("The request with this idempotency key is still running.", hint="Ask again in a moment.")
    return outcome
