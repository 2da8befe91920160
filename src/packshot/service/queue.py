"""A durable work queue in the accounts database, the same in SQLite and in PostgreSQL.

A worker claims an item for a lease and renews it. After the process dies, the lease expires and the next worker claims
the item. Claims are numbered, and only the last claim can end an item. So an item ends once, even when the replicas'
clocks differ. The caller's transaction records the end together with its consequences. Why no library does this:
docs/decisions/0059-jobs.md.
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
"""Time until an item without renewal goes to another worker. Clocks of replicas may differ by half of it."""
BEAT_S = 10.0
"""Interval at which a worker renews its leases."""
OPEN = ("waiting", "working")


class Superseded(ConflictError):
    """The item went to another worker or was cancelled, so this worker's outcome does not count."""

    slug = "superseded"


@dataclass(frozen=True)
class Item:
    """A claimed piece of work. source: as given to `add`. claims: number of claims, this one included.

    losses: number of earlier claims that ended without an outcome.
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
        """The unique name of this claim."""
        return f"{self.id}.{self.claims}"

    @property
    def earlier_claim_id(self) -> str:
        """The name of the previous claim."""
        return f"{self.id}.{self.claims - 1}"


class Queue:
    """Items in order of their turn. Safe for threads, several processes and several machines."""

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
        """Claim the next item with a lease; None if no item is due.

        The first items of all jobs come before the second ones, so a small job never waits for all of a large one.
        """
        now = self._now()
        due = and_(WORK.c.kind == kind, WORK.c.state.in_(OPEN), WORK.c.due_at <= now)
        first = select(WORK).where(due).order_by(WORK.c.number, WORK.c.due_at, WORK.c.id).limit(1)
        if not self._database.rows(first):  # an idle replica polls each second: reading first takes no lock
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
        """Renew the lease. Returns whether the item still belongs to this worker."""
        return self._change(item, due_at=self._now() + self._lease_s) > 0

    def give_back(self, item: Item, after_s: float = 0.0, outcome: Mapping[str, Any] | None = None) -> None:
        """Let any worker claim the item again after `after_s` seconds. outcome: the state to report until then."""
        told = {} if outcome is None else {"outcome": json.dumps(outcome, default=str)}
        self._change(item, state="waiting", due_at=self._now() + after_s, **told)

    def end(self, within: Connection, item: Item, end: End, outcome: Mapping[str, Any] | str) -> None:
        """End the item for good. outcome: JSON.

        Raises
        ------
        Superseded
            The item no longer belongs to this worker.
        """
        text = outcome if isinstance(outcome, str) else json.dumps(outcome, default=str)
        if not within.execute(update(WORK).where(_held(item)).values(state=end, outcome=text)).rowcount:
            raise Superseded(f"{item.id} went to another worker.")

    def cancel(self, within: Connection, job_id: str) -> None:
        """Cancel a job's unfinished photos. A worker with one of them notices when it renews the lease."""
        mine = and_(WORK.c.job_id == job_id, WORK.c.kind == "photo", WORK.c.state.in_(OPEN))
        within.execute(update(WORK).where(mine).values(state="cancelled"))

    def is_open(self, within: Connection, job_id: str) -> bool:
        """Whether a job has an unfinished photo."""
        mine = and_(WORK.c.job_id == job_id, WORK.c.kind == "photo", WORK.c.state.in_(OPEN))
        return within.execute(select(WORK.c.id).where(mine).limit(1)).first() is not None

    def _change(self, item: Item, **values: object) -> int:
        return self._database.change(update(WORK).where(_held(item)).values(values))


def _held(item: Item) -> ColumnElement[bool]:
    """The condition that the item still belongs to this claim."""
    return and_(WORK.c.id == item.id, WORK.c.claims == item.claims, WORK.c.state == "working")
