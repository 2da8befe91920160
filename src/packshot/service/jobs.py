"""The use cases: make a packshot, keep the result, account for it. From the photo's bytes to the signed URL."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import time
from collections.abc import Callable
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from functools import cache, partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from pydantic import TypeAdapter, ValidationError

from packshot.core.recipe import Recipe
from packshot.core.rules import Report
from packshot.engine.job import Cancellation
from packshot.engine.judging import check
from packshot.engine.pipeline import run_all
from packshot.engine.result import Result
from packshot.errors import DeadlineExceeded, ResultExpired, ResultUnknown
from packshot.service.blocking_calls import at_last, begun, to_the_end
from packshot.service.ledger import new_charge_id
from packshot.service.photos import photo_id_of
from packshot.service.results import new_result_id, result_name

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Iterator

    from sqlalchemy import Connection

    from packshot.engine.job import Codecs, Job, Submission
    from packshot.engine.network import Network
    from packshot.service.accounts import KeyInfo
    from packshot.service.admission import Admission
    from packshot.service.codec_process import CodecProcesses
    from packshot.service.idempotency import Idempotency
    from packshot.service.ledger import Ledger
    from packshot.service.photos import Photos
    from packshot.service.results import ResultStore, UrlSigner
    from packshot.service.telemetry import Telemetry

log = logging.getLogger(__name__)

T = TypeVar("T")
R_co = TypeVar("R_co", covariant=True)


Remember = Callable[["StoredResult", "Connection"], None]
"""Writes a result down within a transaction."""


class _Work(Protocol[R_co]):
    """Work on a job, on a worker's thread."""

    def __call__(self, job: Job, /, *, codec: Codecs, cancellation: Cancellation) -> R_co: ...


@dataclass(frozen=True)
class ResultLink:
    """Where a finished job can be fetched: below a prefix of the caller's, with a query that carries the signature."""

    name: str
    query: str
    expires: int

    def path(self, prefix: str) -> str:
        """The path below the service's public address, such as "/results/NAME?expires=...&signature=..."."""
        return f"{prefix}/{self.name}?{self.query}"


@dataclass(frozen=True, kw_only=True)
class Made:
    """What was made of a photo, a picture for each recipe, and what that cost.

    credits: 0 for a photo that its key had paid for already. photo_id: names the photo for later requests of the same
    key; None where it is not kept.
    """

    results: tuple[Result, ...]
    credits: int = 1
    photo_id: str | None = None

    @property
    def result(self) -> Result:
        """The first, where one was asked for."""
        return self.results[0]


@dataclass(frozen=True)
class Stored:
    """Where a result lies in the store. size_bytes: of the file."""

    link: ResultLink
    size_bytes: int


@dataclass(frozen=True, kw_only=True)
class StoredResult(Made):
    """Results in the store, with all that is known of them.

    results: their `data` is empty when an earlier request's answer is given again. stored: of each result.
    """

    stored: tuple[Stored, ...]

    @property
    def link(self) -> ResultLink:
        """Of the first, where one was asked for."""
        return self.stored[0].link


@dataclass
class _Charge:
    """The price of a piece of work. credits: that were taken; when it is settled, that were spent.

    also: what is written together with their being spent, or not at all; it is told how many.
    """

    id: str
    credits: int = 0
    also: Callable[[Connection, int], None] | None = None


@dataclass(kw_only=True, eq=False)
class Jobs:
    """Use cases over the parts that build.py puts together. One instance serves all requests."""

    network: Network
    codecs: CodecProcesses
    admission: Admission
    store: ResultStore
    signer: UrlSigner
    ledger: Ledger
    idempotency: Idempotency
    deadline_s: float
    result_ttl_s: int
    now: Callable[[], float]
    photos: Photos
    telemetry: Telemetry
    _unsettled: int = field(default=0, init=False)
    _all_settled: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    def __post_init__(self) -> None:
        self._all_settled.set()

    async def make(self, key: KeyInfo, photo: Submission, *, idempotency_key: str | None = None) -> Made:
        """Make what a submission asks for, for one credit and within the deadline; keep no result.

        With an idempotency key the result is kept all the same, so that it can be given again.

        A submission with a photo_id costs its key one credit a day, and its photo and matte are kept in memory.

        Raises: everything that make_and_keep raises.
        """
        if idempotency_key is None:
            return await self._make(key, photo)
        stored = await self.make_and_keep(key, photo, idempotency_key=idempotency_key)
        return stored if all(result.data for result in stored.results) else await self._fetch(stored)

    async def make_once(
        self, key: KeyInfo, photo: Submission, *, finish: Callable[[bytes], bytes] | None = None
    ) -> Result:
        """The result alone. `finish` makes of the file another one, as a part of the work."""
        return (await self._make(key, photo, finish)).result

    async def make_and_keep(
        self, key: KeyInfo, photo: Submission, *, idempotency_key: str | None = None
    ) -> StoredResult:
        """The same, and the result can be fetched under its link for as long as results live.

        A repeated idempotency key answers the first call's result and costs nothing.

        Raises
        ------
        InputError, NoForeground
            The photo or the options cannot be used; the credit is given back, as it is for every other failure.
        ResultExpired
            The idempotency key is remembered, but what it stands for is not kept any more.
        OutOfCredits, ConflictError, QueueFull, ShuttingDown, DeadlineExceeded, StoreUnavailable, DatabaseUnavailable
        """
        with self._counted():
            if idempotency_key is None:
                return await self._make_and_keep_once(key, photo)
            digest = await asyncio.to_thread(request_hash, photo)
            scope = (key.id, idempotency_key)
            beginning = partial(self.idempotency.begin, *scope, digest)
            outcome = await begun(beginning, None, self.idempotency.abandon, *scope)
            if outcome is not None:
                stored = replace(recalled(outcome), photo_id=self._keep_photo(key, photo))
                if self.now() >= stored.link.expires:  # results may live for less than the day that keys are remembered
                    raise _past_its_life()
                return stored
            try:
                return await self._make_and_keep_once(key, photo, partial(self._remember, *scope))
            except BaseException:
                await at_last(self.idempotency.abandon, *scope)
                raise

    async def make_behind(self, key: KeyInfo, photo: Submission, remember: Remember, charge_id: str) -> StoredResult:
        """The same for work that no client waits for: it takes no place in the queue, and the photo is not kept.

        remember: writes the result down in the transaction in which the credit is spent. charge_id: the name of its
        charge, by which whoever does the work again after this process has died can give it back.
        """
        with self._counted():
            return await self._make_and_keep_once(key, photo, remember, charge_id)

    async def check(
        self, key: KeyInfo, picture: Submission, count: Callable[[Job], Awaitable[None]] | None = None
    ) -> Report:
        """Judge a finished picture by a preset's rules. Costs no credit, but a place in the queue as anything else.

        count: called when the picture's header is known, before the work; may refuse it.

        Raises
        ------
        InputError, NoForeground, QueueFull, ShuttingDown, DeadlineExceeded
        """
        async with self._deadline():
            return await self._admitted(key, picture, partial(check, network=self.network), count)

    async def settled(self) -> None:
        """Return when nothing is left to settle or to give back, also for those that were cancelled."""
        await self._all_settled.wait()

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self._unsettled += 1
        self._all_settled.clear()
        try:
            yield
        finally:
            self._unsettled -= 1
            if not self._unsettled:
                self._all_settled.set()

    async def _make(self, key: KeyInfo, photo: Submission, finish: Callable[[bytes], bytes] | None = None) -> Made:
        with self._counted():
            async with self._charged(key, photo.photo_id) as charge, self._deadline():
                results = await self._compute(key, photo, finish)
            return Made(results=results, credits=charge.credits, photo_id=self._keep_photo(key, photo))

    def _keep_photo(self, key: KeyInfo, photo: Submission) -> str | None:
        """The name of a photo that is kept in memory for its key from now on; None where it is not."""
        if photo.photo_id is None or not self.photos.keep(key.id, photo.photo_id, photo.data):
            return None
        return photo.photo_id

    def _remember(self, key_id: str, idempotency_key: str, stored: StoredResult, within: Connection) -> None:
        self.idempotency.finish(key_id, idempotency_key, remembered(stored), within)

    async def _make_and_keep_once(
        self,
        key: KeyInfo,
        photo: Submission,
        remember: Remember | None = None,
        charge_id: str | None = None,
    ) -> StoredResult:
        """charge_id: of work in the background."""
        async with self._charged(key, photo.photo_id, charge_id) as charge, self._deadline():
            if charge_id is not None:
                photo = replace(photo, photo_id=None)
            results = await self._compute(key, photo, background=charge_id is not None)
            stored = await self._keep(results)
            if remember is not None:
                charge.also = partial(_told_credits, remember, stored)
        return replace(stored, credits=charge.credits, photo_id=self._keep_photo(key, photo))

    async def _compute(
        self,
        key: KeyInfo,
        photo: Submission,
        finish: Callable[[bytes], bytes] | None = None,
        *,
        background: bool = False,
    ) -> tuple[Result, ...]:
        asked = time.perf_counter()
        mattes = None if photo.photo_id is None else self.photos.mattes(key.id, photo.photo_id)

        def work(job: Job, codec: Codecs, cancellation: Cancellation) -> tuple[Result, ...]:
            waited_ms = 1000 * (time.perf_counter() - asked)
            first, *others = run_all(job, self.network, codec, cancellation, mattes=mattes)
            finished = first.data if finish is None else finish(first.data)
            first = replace(first, data=finished, timings_ms={"wait": waited_ms, **first.timings_ms})
            self.telemetry.computed(first)
            return first, *others

        return await self._admitted(key, photo, work, background=background)

    async def _admitted(
        self,
        key: KeyInfo,
        photo: Submission,
        work: _Work[T],
        count: Callable[[Job], Awaitable[None]] | None = None,
        *,
        background: bool = False,
    ) -> T:
        """Check a submission by its first bytes, wait for a worker, work. When this is cancelled, so is the work."""
        cancellation = Cancellation()
        try:
            job = await self.admission.look(photo.check, background=background)
            if count is not None:
                await count(job)
            codec = self.codecs.for_work(cancellation)
            return await self.admission.run(
                partial(work, job, codec=codec, cancellation=cancellation),
                key=key.id,
                memory_bytes=job.memory_bytes(),
                background=background,
            )
        finally:
            cancellation.cancel()

    async def _keep(self, results: tuple[Result, ...]) -> StoredResult:
        return StoredResult(results=results, stored=tuple([await self._put(result) for result in results]))

    async def _put(self, result: Result) -> Stored:
        name = result_name(new_result_id(), result.media_type)
        with self.telemetry.storing(len(result.data)):
            await self.store.put(name, result.data)
        expires = int(self.now()) + self.result_ttl_s
        query = f"expires={expires}&signature={self.signer.sign(name, expires)}"
        return Stored(ResultLink(name, query, expires), len(result.data))

    async def _fetch(self, kept: StoredResult) -> StoredResult:
        try:
            files = [await self.store.open(each.link.name) for each in kept.stored]
            fetched = [
                replace(result, data=await file.read()) for result, file in zip(kept.results, files, strict=True)
            ]
        except ResultUnknown as error:
            raise _past_its_life() from error
        return replace(kept, results=tuple(fetched))

    @asynccontextmanager
    async def _charged(
        self, key: KeyInfo, photo_id: str | None, charge_id: str | None = None
    ) -> AsyncIterator[_Charge]:
        """Take a credit; it is spent when the work inside succeeds, and given back when that fails or is cancelled.

        A photo that has a name and is paid for takes none.
        """
        charge, metrics = _Charge(charge_id or new_charge_id()), self.telemetry.metrics

        def take() -> None:
            charge.credits = self.ledger.charge(key.id, charge.id, photo_id)

        def settle() -> None:
            taken, charge.credits = charge.credits, self.ledger.settle(charge.id, charge.also)
            metrics.refunded(taken - charge.credits)

        try:
            await to_the_end(take)
        except asyncio.CancelledError:
            await at_last(self.ledger.refund, charge.id)
            raise
        metrics.charged(charge.credits)
        try:
            with self.telemetry.photo():
                yield charge
                with suppress(asyncio.CancelledError):  # too late to leave: it is done, and its key will answer it
                    await to_the_end(settle)
        except BaseException:
            await at_last(self.ledger.refund, charge.id)
            metrics.refunded(charge.credits)
            raise

    @asynccontextmanager
    async def _deadline(self) -> AsyncIterator[None]:
        """One deadline over queue, computing and storing."""
        deadline = asyncio.timeout(self.deadline_s)
        try:
            async with deadline:
                yield
        except TimeoutError as error:
            if not deadline.expired():  # the work's own
                raise
            raise DeadlineExceeded(
                f"The work was not done within {self.deadline_s:g} seconds.",
                hint="Send the photo again later.",
                deadline_s=self.deadline_s,
            ) from error


def request_hash(photo: Submission) -> str:
    """What makes two requests the same. Takes 0.1 s for the largest photo."""
    recipes = (photo.recipe,) if isinstance(photo.recipe, Recipe) else photo.recipe
    assert isinstance(recipes, tuple)  # noqa: S101 - the form whose recipe follows from the photo has no such keys
    photo_id = photo.photo_id or photo_id_of(photo.data)
    wanted = ",".join(recipe.key for recipe in recipes)
    return hashlib.sha256(f"{wanted}\0{photo_id}".encode()).hexdigest()


def named(key_id: str, idempotency_key: str) -> str:
    """The id of the work in the background that an owner's idempotency key stands for."""
    return hashlib.sha256(f"{key_id}\0{idempotency_key}".encode()).hexdigest()[:32]


def _told_credits(remember: Remember, stored: StoredResult, within: Connection, spent: int) -> None:
    remember(replace(stored, credits=spent), within)


def remembered(stored: StoredResult) -> str:
    """All facts of a finished job, without the picture, as text."""
    known = asdict(stored)
    for result in known["results"]:
        result["data"] = ""
    return json.dumps(known)


@cache
def _outcomes() -> TypeAdapter[StoredResult]:
    return TypeAdapter(StoredResult)


def recalled(outcome: str) -> StoredResult:
    """The job that `remembered` wrote down. Raises ResultExpired for one of another release, in another form."""
    try:
        return _outcomes().validate_json(outcome)
    except ValidationError as error:
        raise _past_its_life() from error


def _past_its_life() -> ResultExpired:
    return ResultExpired(
        "What this idempotency key stands for is past its life.", hint="Send the photo with a fresh key."
    )
