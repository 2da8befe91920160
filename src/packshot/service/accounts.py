"""API keys and their credits, in SQLite. An id stands for a key everywhere else; the key itself is shown once."""

# ruff: noqa: A002 - `credits` is the word for it; the builtin of that name exists for the interactive prompt alone

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from packshot.errors import InvalidOption, LockedKey, MissingKey, OutOfCredits, UnknownKey
from packshot.service.api_keys import digest_of, is_well_formed, new_api_key
from packshot.service.database import Database

# last_used_at is for people who wonder whether a key is still in use: a write a minute is enough.
LAST_USED_STEP_S = 60

_COLUMNS = "id, name, state, credits, used, created_at, expires_at, last_used_at"


@dataclass(frozen=True)
class NewKey:
    """A key that was just made. `key` is its text, which is kept nowhere."""

    key: str
    id: str

    def __repr__(self) -> str:
        return f"NewKey(id={self.id!r})"


@dataclass(frozen=True)
class KeyInfo:
    """What is known of a key. Times are seconds since 1970; `credits` None means no end of them."""

    id: str
    name: str
    state: Literal["active", "locked", "revoked"]
    credits: int | None
    used: int
    created_at: float
    expires_at: float | None
    last_used_at: float | None


class Accounts:
    """Keys, who may come in, and what is left to spend. Safe from threads and from several processes."""

    def __init__(self, path: Path, now: Callable[[], float] = time.time) -> None:
        self._database = Database(path)
        self._now = now

    def close(self) -> None:
        self._database.close()

    def create(self, name: str, credits: int | None = None, expires_at: float | None = None) -> NewKey:
        """Make a key. An owner may have several, so that one can be replaced without a gap."""
        new = NewKey(new_api_key(), secrets.token_hex(6))
        self._insert(new, name, credits, expires_at, condition="1")
        return new

    def create_first(self, name: str, credits: int | None = None) -> NewKey | None:
        """Make a key if there never was one, else None. Of two processes that start at once, one makes it."""
        new = NewKey(new_api_key(), secrets.token_hex(6))
        made = self._insert(new, name, credits, None, condition="NOT EXISTS (SELECT 1 FROM keys)")
        return new if made else None

    def revoke(self, key_id: str) -> None:
        """End a key for good. Raises UnknownKey when there is none with this id, as the methods below do."""
        self._changed(key_id, "UPDATE keys SET state = 'revoked' WHERE id = ?", key_id)

    def lock(self, key_id: str) -> None:
        """Refuse a key until it is unlocked."""
        self._changed(key_id, "UPDATE keys SET state = 'locked' WHERE id = ? AND state != 'revoked'", key_id)

    def unlock(self, key_id: str) -> None:
        """Let a locked key in again."""
        self._changed(key_id, "UPDATE keys SET state = 'active' WHERE id = ? AND state != 'revoked'", key_id)

    def add_credits(self, key_id: str, credits: int) -> None:
        """Add to what a key may spend; one that has no end of them keeps that."""
        if credits < 1:
            raise InvalidOption(f"{credits} credits cannot be added.", hint="Give a number of at least 1.")
        self._changed(key_id, "UPDATE keys SET credits = credits + ? WHERE id = ?", credits, key_id)

    def authenticate(self, key: str | None) -> KeyInfo:
        """Find out whose key this is.

        Raises
        ------
        MissingKey
            No key came.
        UnknownKey
            It was mistyped, was never made here, or has expired.
        LockedKey
            It is locked or revoked.
        """
        if not key:
            raise MissingKey("No API key came with the request.", hint="Send your key in its header.")
        if not is_well_formed(key):
            raise UnknownKey("This is not an API key.", hint="Look for a missing or mistyped character.")
        rows = self._database.rows(f"SELECT {_COLUMNS} FROM keys WHERE digest = ?", digest_of(key))  # noqa: S608
        if not rows:
            raise UnknownKey("This API key is not known here.", hint="Make one with `packshot keys create`.")
        info = KeyInfo(**dict(rows[0]))
        self._check(info)
        self._note_use(info)
        return info

    def charge(self, key_id: str) -> None:
        """Take one credit. Atomic: however many threads and processes ask, no key spends more than it has.

        Raises: OutOfCredits.
        """
        sql = "UPDATE keys SET credits = credits - 1, used = used + 1 WHERE id = ? AND (credits IS NULL OR credits > 0)"
        if not self._database.change(sql, key_id):
            raise OutOfCredits("This API key has no credits left.", hint="Add some with `packshot keys credit`.")

    def refund(self, key_id: str) -> None:
        """Give back what `charge` took."""
        self._database.change("UPDATE keys SET credits = credits + 1, used = used - 1 WHERE id = ?", key_id)

    def _insert(self, new: NewKey, name: str, credits: int | None, expires_at: float | None, *, condition: str) -> int:
        if credits is not None and credits < 0:
            raise InvalidOption(f"A key cannot have {credits} credits.", hint="Give 0 or more, or none for no end.")
        columns = "id, name, digest, credits, created_at, expires_at"
        sql = f"INSERT INTO keys ({columns}) SELECT ?, ?, ?, ?, ?, ? WHERE {condition}"
        return self._database.change(sql, new.id, name, digest_of(new.key), credits, self._now(), expires_at)

    def _check(self, info: KeyInfo) -> None:
        if info.state != "active":
            raise LockedKey(f"This API key is {info.state}.", hint="Ask who runs this service.", key_id=info.id)
        if info.expires_at is not None and self._now() >= info.expires_at:
            raise UnknownKey("This API key has expired.", hint="Ask for a new one.", key_id=info.id)

    def _note_use(self, info: KeyInfo) -> None:
        now = self._now()
        if info.last_used_at is None or now - info.last_used_at >= LAST_USED_STEP_S:
            self._database.change("UPDATE keys SET last_used_at = ? WHERE id = ?", now, info.id)

    def _changed(self, key_id: str, sql: str, *values: object) -> None:
        if self._database.change(sql, *values):
            return
        if self._database.rows("SELECT 1 FROM keys WHERE id = ?", key_id):
            raise InvalidOption(f"The key {key_id} is revoked for good.", hint="Create another one.", key_id=key_id)
        raise UnknownKey(f"There is no key with the id {key_id}.", hint="`packshot keys list` shows them.")

    def list(self) -> Sequence[KeyInfo]:
        """All keys that were ever made, oldest first."""
        rows = self._database.rows(f"SELECT {_COLUMNS} FROM keys ORDER BY created_at, rowid")  # noqa: S608
        return [KeyInfo(**dict(row)) for row in rows]
