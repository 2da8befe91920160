"""API keys and their authentication. A key's text is shown once; everywhere else its id names it.

Only one key's text is stored: that of the link by which a machine's owner opens the page (service/state.py).

The text is pk_, 43 random characters (256 bits) and 6 characters of checksum. Scanners find leaked keys by the prefix.
The checksum tells a mistyped key from an unknown one, rejects garbage without a database query, and adds no security.
The database stores the SHA-256: 256 random bits cannot be guessed, so a slow hash would only cost time.
"""

# ruff: noqa: A002 - `credits` is the domain's word; the builtin of that name is for the interactive prompt only

from __future__ import annotations

import hashlib
import re
import secrets
import string
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import and_, func, insert, or_, select, update

from packshot.errors import InvalidOption, LockedKey, MissingKey, UnknownKey
from packshot.service.database import Database
from packshot.service.tables import CHARGES, IDEMPOTENCY, KEYS, PAID_PHOTOS, USAGE

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Row, Select, Update

# last_used_at shows whether a key is still in use: one write a minute is enough.
LAST_USED_STEP_S = 60
ROTATION_GRACE_S = 7 * 86_400

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_PREFIX = "pk_"
_RANDOM_CHARACTERS = 43  # 62**43 > 2**256
_CHECKSUM_CHARACTERS = 6  # 62**6 > 2**32
_FORM = re.compile(f"{_PREFIX}[0-9A-Za-z]{{{_RANDOM_CHARACTERS + _CHECKSUM_CHARACTERS}}}")
_IMPORTED_AT_ONCE = 500  # rows of one INSERT


@dataclass(frozen=True)
class NewKey:
    """A new key. `key` is its text, which is not stored."""

    key: str
    id: str

    def __repr__(self) -> str:
        return f"NewKey(id={self.id!r})"


@dataclass(frozen=True)
class KeyInfo:
    """The facts about a key. Times are seconds since 1970.

    credits: None means unlimited. rate: the key's own limit, such as "10/second"; None means the service's limit.
    previous_until: when the text before the last rotation stops working.
    """

    id: str
    name: str
    state: Literal["active", "locked", "revoked"]
    credits: int | None
    used: int
    created_at: float
    expires_at: float | None
    last_used_at: float | None
    rate: str | None = None
    previous_until: float | None = None


@dataclass(frozen=True)
class KeptKey:
    """A key whose text the caller stores. info: the facts at the time of the call."""

    key: str = field(repr=False)
    info: KeyInfo


_COLUMNS = tuple(KEYS.c[name] for name in KeyInfo.__dataclass_fields__)
_NOT_REVOKED = KEYS.c.state != "revoked"
_WHERE_FROM = "On your own machine, `packshot keys link` shows one; elsewhere, ask the operator of this service."


class Accounts:
    """Keys and their facts. Safe for threads, for several processes and for several machines."""

    def __init__(self, database: Database, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._now = now

    def create(
        self, name: str, credits: int | None = None, expires_at: float | None = None, rate: str | None = None
    ) -> NewKey:
        """Create a key. An owner may have several, so that one can be replaced without a gap.

        Raises: InvalidOption.
        """
        values = {"expires_at": expires_at, "credits": _checked_credits(credits), "rate": _checked_rate(rate)}
        with self._database.transaction() as connection:
            return self._insert(connection, name, **values)

    def keep(
        self, name: str, credits: int | None, *, read: Callable[[], str | None], write: Callable[[str], None]
    ) -> KeptKey:
        """The key whose text `read` returns. If it has none, or is revoked or expired, creates a key for `write`.

        A key that is locked or has no credits left is still returned: the operator chose that state and can undo it.
        Of several processes that start together, one creates the key and the others find it.
        """
        with self._database.transaction(alone="keys") as connection:
            text = read()
            found = connection.execute(self._owner(text)).first() if text is not None else None
            if text is not None and found is not None:
                info = _info(found)
                if info.state != "revoked" and not self._has_expired(info):
                    return KeptKey(text, info)
            new = self._insert(connection, name, credits=_checked_credits(credits))
            write(new.key)
            return KeptKey(new.key, _info(connection.execute(self._owner(new.key)).one()))

    def find(self, key: str) -> KeyInfo | None:
        """The owner of a key, in any state. Does not count as a use of the key."""
        rows = self._database.rows(self._owner(key))
        return _info(rows[0]) if rows else None

    def rotate(self, key_id: str, grace_s: float = ROTATION_GRACE_S) -> NewKey:
        """Give a key a new text. The old text works for `grace_s` seconds; the text before that ends now.

        Id, credits, rate and usage stay.
        """
        new = NewKey(new_api_key(), key_id)
        values = {
            "previous_digest": KEYS.c.digest,
            "previous_until": self._now() + grace_s,
            "digest": digest_of(new.key),
        }
        self._change(key_id, values, _NOT_REVOKED)
        return new

    def revoke(self, key_id: str) -> None:
        """Revoke a key for good. Raises UnknownKey for an unknown id, as the methods below do."""
        self._change(key_id, {"state": "revoked"})

    def lock(self, key_id: str) -> None:
        """Reject a key until it is unlocked."""
        self._change(key_id, {"state": "locked"}, _NOT_REVOKED)

    def unlock(self, key_id: str) -> None:
        """Accept a locked key again."""
        self._change(key_id, {"state": "active"}, _NOT_REVOKED)

    def label(self, key_id: str, name: str) -> None:
        """Rename a key."""
        self._change(key_id, {"name": name})

    def expire(self, key_id: str, expires_at: float | None) -> None:
        """Set when a key expires; None for never."""
        self._change(key_id, {"expires_at": expires_at}, _NOT_REVOKED)

    def set_rate(self, key_id: str, rate: str | None) -> None:
        """Set a key's own rate limit, such as "10/second"; None for the service's limit."""
        self._change(key_id, {"rate": _checked_rate(rate)}, _NOT_REVOKED)

    def add_credits(self, key_id: str, credits: int) -> None:
        """Add credits to a key. Unlimited credits stay unlimited."""
        if credits < 1:
            raise InvalidOption(f"{credits} credits cannot be added.", hint="Add at least 1.")
        self._change(key_id, {"credits": KEYS.c.credits + credits})

    def set_credits(self, key_id: str, credits: int | None) -> None:
        """Set a key's remaining credits; None for unlimited."""
        self._change(key_id, {"credits": _checked_credits(credits)})

    def authenticate(self, key: str | None) -> KeyInfo:
        """Find the owner of a key.

        Raises
        ------
        MissingKey
            The request has no key.
        UnknownKey
            The key is mistyped, was never made here, was replaced, or has expired.
        LockedKey
            The key is locked or revoked.
        DatabaseUnavailable
            The key cannot be looked up now. No request passes without this check.
        """
        if not key:
            raise MissingKey("The request has no API key.", hint=f"Send your key in its header. {_WHERE_FROM}")
        if not is_well_formed(key):
            raise UnknownKey("This is not an API key.", hint=f"Look for a missing or mistyped character. {_WHERE_FROM}")
        info = self.find(key)
        if info is None:
            raise UnknownKey("This service does not know this API key.", hint=_WHERE_FROM)
        return self._let_in(info)

    def authenticate_id(self, key_id: str) -> KeyInfo:
        """Like `authenticate`, for a key that is named by its id: for requests without a key, and for background work.

        Raises
        ------
        UnknownKey, LockedKey, DatabaseUnavailable
        """
        rows = self._database.rows(select(*_COLUMNS).where(KEYS.c.id == key_id))
        if not rows:
            raise UnknownKey(
                f"No API key has the id {key_id}.",
                hint="Send a key of your own, or ask the operator of this service.",
                key_id=key_id,
            )
        return self._let_in(_info(rows[0]))

    def list(self) -> Sequence[KeyInfo]:
        """All keys ever created, oldest first."""
        rows = self._database.rows(select(*_COLUMNS).order_by(KEYS.c.created_at, KEYS.c.id))
        return [_info(row) for row in rows]

    def _insert(self, connection: Connection, name: str, **given: object) -> NewKey:
        new = NewKey(new_api_key(), secrets.token_hex(6))
        row = {"id": new.id, "name": name, "digest": digest_of(new.key), "created_at": self._now(), **given}
        connection.execute(insert(KEYS).values(row))
        return new

    def _owner(self, key: str) -> Select[Any]:
        """Selects a key's row by its text, or by the text before the last rotation while that still works."""
        digest = digest_of(key)
        replaced = and_(KEYS.c.previous_digest == digest, KEYS.c.previous_until > self._now())
        return select(*_COLUMNS).where(or_(KEYS.c.digest == digest, replaced))

    def _has_expired(self, info: KeyInfo) -> bool:
        return info.expires_at is not None and self._now() >= info.expires_at

    def _let_in(self, info: KeyInfo) -> KeyInfo:
        self._check(info)
        self._note_use(info)
        return info

    def _check(self, info: KeyInfo) -> None:
        if info.state != "active":
            raise LockedKey(f"This API key is {info.state}.", hint="Ask the operator of this service.", key_id=info.id)
        if self._has_expired(info):
            raise UnknownKey("This API key has expired.", hint="Ask the operator for a new one.", key_id=info.id)

    def _note_use(self, info: KeyInfo) -> None:
        now = self._now()
        if info.last_used_at is None or abs(now - info.last_used_at) >= LAST_USED_STEP_S:  # clocks are set back too
            self._database.change(_update(info.id).values(last_used_at=now))

    def _change(self, key_id: str, values: dict[str, object], *conditions: ColumnElement[bool]) -> None:
        if self._database.change(_update(key_id).where(*conditions).values(values)):
            return
        if self._database.rows(select(KEYS.c.id).where(KEYS.c.id == key_id)):
            raise InvalidOption(f"The key {key_id} is revoked for good.", hint="Create another one.", key_id=key_id)
        raise UnknownKey(f"No key has the id {key_id}.", hint="`packshot keys list` shows all ids.")


def import_keys(source: Database, target: Database) -> int:
    """Copy keys, credits, usage, open charges, paid photos and remembered requests, all or nothing.

    Existing rows of the target stay. Nothing may use `source` meanwhile: its changes would count in both databases.

    Returns: the number of keys.

    Raises
    ------
    InvalidOption
        The target already has some of these keys, or is the source.
    DatabaseUnavailable
        One of the two databases cannot be read or written.
    """
    if source.name == target.name:
        hint = "Set PACKSHOT_DATABASE_URL, or another PACKSHOT_STATE_DIR, to name the target."
        raise InvalidOption(f"{source.name} is both the source and the target of the keys.", hint=hint)
    tables = (KEYS, USAGE, CHARGES, PAID_PHOTOS, IDEMPOTENCY)
    rows = {table: [dict(row._mapping) for row in source.rows(select(table))] for table in tables}
    ids = [key["id"] for key in rows[KEYS]]
    with target.transaction(alone="import") as connection:
        for first in range(0, len(ids), _IMPORTED_AT_ONCE):
            known = select(func.count()).where(KEYS.c.id.in_(ids[first : first + _IMPORTED_AT_ONCE]))
            if connection.execute(known).scalar_one():
                raise InvalidOption(
                    f"Keys of {source.name} are already in {target.name}.",
                    hint="Nothing was changed: import only once.",
                )
        for table, all_rows in rows.items():
            for first in range(0, len(all_rows), _IMPORTED_AT_ONCE):
                connection.execute(target.insert(table).values(all_rows[first : first + _IMPORTED_AT_ONCE]))
    return len(ids)


def new_api_key() -> str:
    """A new random key, 52 characters."""
    body = _PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_CHARACTERS))
    return body + _checksum(body)


def is_well_formed(key: str) -> bool:
    """Whether the text has the form and the checksum of a key."""
    if not _FORM.fullmatch(key):
        return False
    return _checksum(key[:-_CHECKSUM_CHARACTERS]) == key[-_CHECKSUM_CHARACTERS:]


def digest_of(key: str) -> bytes:
    """The SHA-256 of a key, as the database stores it."""
    return hashlib.sha256(key.encode()).digest()


def _info(row: Row[Any]) -> KeyInfo:
    return KeyInfo(**row._mapping)


def _update(key_id: str) -> Update:
    return update(KEYS).where(KEYS.c.id == key_id)


def _checked_credits(credits: int | None) -> int | None:
    if credits is not None and credits < 0:
        raise InvalidOption(f"A key cannot have {credits} credits.", hint="Give 0 or more, or none for unlimited.")
    return credits


def _checked_rate(rate: str | None) -> str | None:
    if rate is not None:
        from packshot.service.rate_limit import parse_rate  # noqa: PLC0415 - 0.2 s, and most keys have no rate

        try:
            parse_rate(rate)
        except ValueError as error:
            raise InvalidOption(
                f"{rate!r} is not a rate.", hint="Write one limit such as 600/minute or 10/second.", field="rate"
            ) from error
    return rate


def _checksum(body: str) -> str:
    rest, characters = zlib.crc32(body.encode()), ""
    for _ in range(_CHECKSUM_CHARACTERS):
        rest, digit = divmod(rest, len(_ALPHABET))
        characters = _ALPHABET[digit] + characters
    return characters
