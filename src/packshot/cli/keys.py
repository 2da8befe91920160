"""`packshot keys`: the service's API keys, in its state folder or in the database of PACKSHOT_DATABASE_URL."""

from __future__ import annotations

import math
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from packshot.service.accounts import Accounts, KeyInfo
    from packshot.service.database import Database
    from packshot.service.state import State

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION = re.compile(r"(\d{1,6})([smhd])")

_ID = click.argument("key_id", metavar="ID")


class Duration(click.ParamType[float]):
    """Parses a whole number and a unit, such as 30d, 12h, 45m or 90s, to seconds. `word`: a word for no limit."""

    name = "duration"

    def __init__(self, word: str | None = None) -> None:
        self._word = word

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Returns seconds; infinity for the word."""
        if isinstance(value, int | float):
            return float(value)
        if value == self._word:
            return float("inf")
        found = _DURATION.fullmatch(value.strip().lower())
        if found is None:
            also = f", or {self._word}" if self._word else ""
            self.fail(f"{value!r} is not a duration. Write it as 30d, 12h, 45m or 90s{also}.", param, ctx)
        return float(int(found[1]) * _SECONDS[found[2]])


@contextmanager
def _database() -> Iterator[Database]:
    with _state() as (_, database):
        yield database


@contextmanager
def _accounts() -> Iterator[Accounts]:
    from packshot.service.accounts import Accounts

    with _database() as database:
        yield Accounts(database)


@contextmanager
def _state() -> Iterator[tuple[State, Database]]:
    from packshot.service.database import Database
    from packshot.service.settings import Settings
    from packshot.service.state import State

    state = State(Settings.from_environment(os.environ))
    database = Database(state.database)
    try:
        yield state, database
    finally:
        database.close()


@click.group()
def keys() -> None:
    """Create, list and change the service's API keys.

    Changes take effect while the service runs. If only this machine can reach the service, `packshot keys link` shows
    the link that opens its page with a key.
    """


@keys.command()
def link() -> None:
    """Show the link that opens the service's page with a key.

    Only for a service that no other machine can reach. The service need not run. Each start shows the same link. If
    its key was revoked, this command makes a new key and link.
    """
    from packshot.cli.serve import command, usable, why_not, why_others_reach
    from packshot.errors import BadSettings
    from packshot.service.accounts import Accounts

    with _state() as (state, database):
        found = state.link(Accounts(database))
    if found is None:
        raise BadSettings(
            f"There is no link, because other machines may reach the service: {why_others_reach(state.settings)}.",
            hint=f"`{command()} keys rotate ID` replaces a lost key, `{command()} keys create NAME` creates one.",
        )
    if not usable(found):
        raise BadSettings("There is no usable link now.", hint=why_not(found))
    click.echo(found.url)
    if why_not(found):
        click.echo(why_not(found), err=True)
    if not _listens(found.address):
        click.echo(f"No service runs there now. Start it with `{command()} serve`.", err=True)


@keys.command()
@click.argument("name")
@click.option(
    "--credits",
    "credit_count",
    type=click.IntRange(0),
    help="Number of pictures the key may make.  [default: no limit]",
)
@click.option("--expires", "expires_s", type=Duration(), help="Lifetime of the key, such as 30d.  [default: no expiry]")
@click.option("--rate", help="Rate limit of the key, such as 10/second.  [default: PACKSHOT_RATE_LIMIT]")
def create(name: str, credit_count: int | None, expires_s: float | None, rate: str | None) -> None:
    """Create a key for NAME and print it.

    The key is shown only once. Its id, which the other commands use, goes to stderr.
    """
    from packshot.service.accounts import Accounts

    with _database() as database:
        new = Accounts(database).create(name, credits=credit_count, expires_at=_in(expires_s), rate=rate)
        click.echo(new.key)
        click.echo(f"Id: {new.id}. Stored in {database.name}. The key itself is shown only once.", err=True)


@keys.command("list")
def list_() -> None:
    """List the keys: id, state, credits left, last use, name.

    The keys themselves are not stored.
    """
    from packshot.service.accounts import Accounts

    with _database() as database:
        listed = Accounts(database).list()
        for key in listed:
            click.echo(_line(key))
        if not listed:
            _say_where("There are no keys", database)


@keys.command()
@_ID
@click.argument("name")
def label(key_id: str, name: str) -> None:
    """Change the name of the key ID to NAME."""
    with _accounts() as accounts:
        accounts.label(key_id, name)
        _show(accounts, key_id)


@keys.command()
@_ID
@click.option(
    "--grace",
    "grace_s",
    type=Duration(),
    default="7d",
    show_default=True,
    help="Time for which the old key still works.",
)
def rotate(key_id: str, grace_s: float) -> None:
    """Replace the key ID with a new key and print it.

    The new key is shown only once. Id, credits, rate and usage stay.
    """
    from packshot.service.accounts import Accounts

    with _state() as (state, database):
        click.echo(state.rotate(Accounts(database), key_id, grace_s).key)


@keys.command()
@_ID
def lock(key_id: str) -> None:
    """Lock the key ID, until you unlock it."""
    with _accounts() as accounts:
        accounts.lock(key_id)
    click.echo(f"{key_id} locked")


@keys.command()
@_ID
def unlock(key_id: str) -> None:
    """Unlock the key ID."""
    with _accounts() as accounts:
        accounts.unlock(key_id)
    click.echo(f"{key_id} unlocked")


@keys.command()
@_ID
def revoke(key_id: str) -> None:
    """Revoke the key ID, immediately and permanently."""
    with _accounts() as accounts:
        accounts.revoke(key_id)
    click.echo(f"{key_id} revoked")


@keys.command()
@_ID
@click.argument("when_s", metavar="WHEN", type=Duration("never"))
def expire(key_id: str, when_s: float) -> None:
    """Let the key ID expire after WHEN, such as 30d, or never."""
    with _accounts() as accounts:
        accounts.expire(key_id, _in(when_s))
        _show(accounts, key_id)


@keys.command()
@_ID
@click.argument("limit", metavar="RATE")
def rate(key_id: str, limit: str) -> None:
    """Set the rate limit of the key ID.

    RATE is a limit such as 10/second, or `default` for PACKSHOT_RATE_LIMIT.
    """
    with _accounts() as accounts:
        accounts.set_rate(key_id, None if limit == "default" else limit)
        _show(accounts, key_id)


@keys.group("credits")
def credits_() -> None:
    """Add credits to a key, or set its credits."""


@credits_.command("add")
@_ID
@click.argument("count", type=int)
def add_credits(key_id: str, count: int) -> None:
    """Add COUNT credits to the key ID; unlimited credits stay unlimited."""
    with _accounts() as accounts:
        accounts.add_credits(key_id, count)
        _show(accounts, key_id)


@credits_.command("set")
@_ID
@click.argument("count")
def set_credits(key_id: str, count: str) -> None:
    """Set the credits of the key ID to COUNT, or to `unlimited`."""
    if count != "unlimited" and not count.isdecimal():
        raise click.BadParameter(f"{count!r} is neither a whole number nor unlimited.", param_hint="COUNT")
    with _accounts() as accounts:
        accounts.set_credits(key_id, None if count == "unlimited" else int(count))
        _show(accounts, key_id)


@keys.command("import")
@click.argument("file", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def import_(file: Path) -> None:
    """Import keys, credits and usage from FILE.

    FILE is the accounts.sqlite3 of another state folder. Stop the service that uses FILE first. With
    PACKSHOT_DATABASE_URL, the keys go to PostgreSQL.
    """
    from packshot.service.accounts import import_keys
    from packshot.service.database import Database

    source = Database(file)
    try:
        with _database() as target:
            click.echo(f"{import_keys(source, target)} keys imported into {target.name}")
    finally:
        source.close()


@keys.command()
@click.option(
    "--days", type=click.IntRange(1, 3660), default=30, show_default=True, help="Number of days, including today."
)
@click.option("--key", "key_id", metavar="ID", help="Show only this key.")
def usage(days: int, key_id: str | None) -> None:
    """Show usage by day (UTC) and key.

    The columns are: day, key id, photos that succeeded, photos that failed, credits spent, name.
    """
    from packshot.service.accounts import Accounts
    from packshot.service.ledger import Ledger

    with _database() as database:
        names = {key.id: key.name for key in Accounts(database).list()}
        rows = Ledger(database).usage(days, key_id)
        if not rows:
            _say_where("There is no usage for these days and keys", database)
        for row in rows:
            figures = f"{row.succeeded:>9}  {row.failed:>6}  {row.credits:>7}"
            click.echo(f"{row.day}  {row.key_id}  {figures}  {names.get(row.key_id, '')}")


def _in(seconds: float | None) -> float | None:
    """The time in `seconds` from now, as seconds since 1970; None for no end."""
    return None if seconds is None or math.isinf(seconds) else time.time() + seconds


def _listens(address: str) -> bool:
    """Whether anything answers at the address of a link."""
    import socket
    from urllib.parse import urlsplit

    parts = urlsplit(address)
    try:
        with socket.create_connection((parts.hostname, parts.port or 80), timeout=1):
            return True
    except OSError:
        return False


def _day(timestamp: float | None) -> str:
    return "never used" if timestamp is None else datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d %H:%M")


def _show(accounts: Accounts, key_id: str) -> None:
    """Print a key's line after a change, as `keys list` prints it."""
    for key in accounts.list():
        if key.id == key_id:
            click.echo(_line(key))


def _say_where(what: str, database: Database) -> None:
    """Print where the command looked. An empty list often means another state folder or database than the service's."""
    click.echo(
        f"{what} in {database.name}. To look elsewhere, set PACKSHOT_STATE_DIR or PACKSHOT_DATABASE_URL.", err=True
    )


def _line(key: KeyInfo) -> str:
    credits_left = "unlimited" if key.credits is None else str(key.credits)
    return f"{key.id}  {key.state:8}  {credits_left:>9}  {_day(key.last_used_at):16}  {key.name}{_more(key)}"


def _more(key: KeyInfo) -> str:
    """The rate and the expiry of a key, if it has them."""
    parts = [] if key.rate is None else [key.rate]
    if key.expires_at is not None:
        parts.append(f"until {_day(key.expires_at)}")
    return f"  ({', '.join(parts)})" if parts else ""
