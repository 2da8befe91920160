"""`packshot keys`: API keys of the service in this state folder."""

from __future__ import annotations

import os
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from packshot.service.accounts import Accounts


def _accounts() -> Accounts:
    from packshot.service.accounts import Accounts
    from packshot.service.settings import Settings
    from packshot.service.state import State

    return Accounts(State(Settings.from_environment(os.environ)).database)


@click.group()
def keys() -> None:
    """Create, list and revoke the service's API keys."""


@keys.command()
@click.argument("name")
@click.option("--credits", "credit_count", type=click.IntRange(0), help="Pictures it may make.  [default: no limit]")
@click.option("--days", type=click.IntRange(1), help="Days until it expires.  [default: never]")
def create(name: str, credit_count: int | None, days: int | None) -> None:
    """Create a key for NAME and print it, this once."""
    import time

    expires_at = None if days is None else time.time() + 86_400 * days
    with closing(_accounts()) as accounts:
        click.echo(accounts.create(name, credits=credit_count, expires_at=expires_at).key)


@keys.command("list")
def list_() -> None:
    """List the keys: id, name, state, credits left, last use. The keys themselves are not stored."""
    with closing(_accounts()) as accounts:
        for key in accounts.list():
            credits_left = "unlimited" if key.credits is None else str(key.credits)
            click.echo(f"{key.id}  {key.state:8}  {credits_left:>9}  {_day(key.last_used_at):16}  {key.name}")


@keys.command()
@click.argument("key_id", metavar="ID")
def revoke(key_id: str) -> None:
    """Revoke the key with this ID, at once and for good."""
    with closing(_accounts()) as accounts:
        accounts.revoke(key_id)
    click.echo(f"{key_id} revoked")


@keys.command()
@click.argument("key_id", metavar="ID")
@click.argument("count", type=int)
def credit(key_id: str, count: int) -> None:
    """Add COUNT credits to the key with this ID."""
    with closing(_accounts()) as accounts:
        accounts.add_credits(key_id, count)


def _day(timestamp: float | None) -> str:
    return "never used" if timestamp is None else datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d %H:%M")
