"""Work that outlives its process: a queue in the database of the accounts, the same in SQLite and in PostgreSQL.

An item is claimed for a lease, which its worker renews. The lease of a process that has died runs out, and the next
worker claims the item. Each claim has a number, and the last claim alone can end the item, so it ends once, whatever
the clocks of the replicas say. The end is written in a transaction of the caller's, together with what else it means.
Why no library does this: docs/decisions/0059-jobs.md.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import ColumnElement, and_, insert, select, update

from packshot.errors import ConflictError
from packshot.service.database import Database
from packshot.service.tables import WORK

if TYPE_CHECKING:
    from sqlalchemy import Connection

Kind = Literal["photo", "webhook"]
End = Literal["done", "failed"]

LEASE_S = 30.0
"""So long an item stays with a worker that says nothing more. Clocks of replicas may differ by half of it."""
BEAT_S = 10.0
"""How often a worker renews its leases."""
OPEN = ("waiting", "working")


class Superseded(ConflictError):
    """The item has gone to another worker meanwhile, or was cancelled: what this one made does not count."""

    slug = "superseded"


@dataclass(frozen=True)
class Item:
    """A claimed piece of work. source: what it is, as `add` was told. claims: how often it was claimed, this time too.

    losses: how many claims before have ended without a word.
    """

    id: str
    job_id: str
    kind: Kind
    number: int
    source: Mapping[str, Any]
    claims: int
    losses: int

    @property
    def claim_id(self) -> str:
        """A name for this claim, which no other has."""
        return f"{self.id}.{self.claims}"

    @property
    def earlier_claim_id(self) -> str:
        """The name of the claim before."""
        return f"{self.id}.{self.claims - 1}"


class Queue:
    """Items by their turn. Safe from threads, from several processes and from several machines."""

    def __init__(self, database: Database, now: Callable[[], float] = time.time, lease_s: float = LEASE_S) -> None:
        self._database = database
        self._now = now
        self._lease_s = lease_s

    def add(self, within: Connection, job_id: str, kind: Kind, sources: Iterable[Mapping[str, Any]]) -> None:
        """Put items into the queue, numbered from 0."""
        now = self._now()
        rows = [
            {"id": f"{job_id}.{kind}.{number}", "job_id": job_id, "kind": kind, "number": number}
            | {"source": json.dumps(source), "due_at": now}
            for number, source in enumerate(sources)
        ]
        within.execute(insert(WORK), rows)

    def claim(self, kind: Kind) -> Item | None:
        """The item whose turn it is, now with a lease; None where nothing is to be done.

        The first items of all jobs come before their second ones: a small job never waits for the whole of a large one.
        """
        now = self._now()
        due = and_(WORK.c.kind == kind, WORK.c.state.in_(OPEN), WORK.c.due_at <= now)
        first = select(WORK).where(due).order_by(WORK.c.number, WORK.c.due_at, WORK.c.id).limit(1)
        if not self._database.rows(first):  # a replica without work looks each second: that takes no lock
            return None
        with self._database.transaction() as connection:
            row = connection.execute(first.with_for_update(skip_locked=True)).first()
            if row is None:
                return None
            claims, losses = row.claims + 1, row.losses + (row.state == "working")
            lease = {"state": "working", "due_at": now + self._lease_s, "claims": claims, "losses": losses}
            connection.execute(update(WORK).where(WORK.c.id == row.id).values(lease))
        return Item(row.id, row.job_id, kind, row.number, json.loads(row.source), claims, losses)

    def renew(self, item: Item) -> bool:
        """Whether the item is still this worker's; its lease begins anew."""
        return self._change(item, due_at=self._now() + self._lease_s) > 0

    def give_back(self, item: Item, after_s: float = 0.0, outcome: Mapping[str, Any] | None = None) -> None:
        """The item is for any worker again, after a while. outcome: what there is to tell until then."""
        told = {} if outcome is None else {"outcome": json.dumps(outcome, default=str)}
        self._change(item, state="waiting", due_at=self._now() + after_s, **told)

    def end(self, within: Connection, item: Item, end: End, outcome: Mapping[str, Any] | str) -> None:
        """The item has ended, for good. outcome: JSON.

        Raises
        ------
        Superseded
            It is not this worker's any more.
        """
        text = outcome if isinstance(outcome, str) else json.dumps(outcome, default=str)
        if not within.execute(update(WORK).where(_held(item)).values(state=end, outcome=text)).rowcount:
            raise Superseded(f"{item.id} has gone to another worker.")

    def cancel(self, within: Connection, job_id: str) -> None:
        """End all photos of a job that have not ended. Workers that hold one learn of it when they renew its lease."""
        mine = and_(WORK.c.job_id == job_id, WORK.c.kind == "photo", WORK.c.state.in_(OPEN))
        within.execute(update(WORK).where(mine).values(state="cancelled"))

    def is_open(self, within: Connection, job_id: str) -> bool:
        """Whether a photo of a job has not ended."""
        mine = and_(WORK.c.job_id == job_id, WORK.c.kind == "photo", WORK.c.state.in_(OPEN))
        return within.execute(select(WORK.c.id).where(mine).limit(1)).first() is not None

    def _change(self, item: Item, **values: object) -> int:
        return self._database.change(update(WORK).where(_held(item)).values(values))


def _held(item: Item) -> ColumnElement[bool]:
    """Whether the item is still what this claim made it."""
    return and_(WORK.c.id == item.id, WORK.c.claims == item.claims, WORK.c.state == "working")
