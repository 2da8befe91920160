"""The use cases: make a packshot, store the result, charge for it. From the photo's bytes to the signed URL."""

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
"""Records a result within a transaction."""


class _Work(Protocol[R_co]):
    """Work on a job, in a worker thread."""

    def __call__(self, job: Job, /, *, codec: Codecs, cancellation: Cancellation) -> R_co: ...


@dataclass(frozen=True)
class ResultLink:
    """The link to a result: a path below a prefix that the endpoint chooses, and a query with the signature."""

    name: str
    query: str
    expires: int

    def path(self, prefix: str) -> str:
        """The path below the public base URL, such as "/results/NAME?expires=...&signature=..."."""
        return f"{prefix}/{self.name}?{self.query}"


@dataclass(frozen=True, kw_only=True)
class Made:
    """The results for a photo, one for each recipe, and their price.

    credits: 0 if the key had already paid for the photo. photo_id: names the photo in later requests of the same key;
    None if the cache does not hold the photo.
    """

    results: tuple[Result, ...]
    credits: int = 1
    photo_id: str | None = None

    @property
    def result(self) -> Result:
        """The first result, for requests with one recipe."""
        return self.results[0]


@dataclass(frozen=True)
class Stored:
    """The link and the file size of a stored result."""

    link: ResultLink
    size_bytes: int


@dataclass(frozen=True, kw_only=True)
class StoredResult(Made):
    """Results in the store, with all their facts.

    results: `data` is empty when they repeat the outcome of an earlier request. stored: one entry for each result.
    """

    stored: tuple[Stored, ...]

    @property
    def link(self) -> ResultLink:
        """The link of the first result, for requests with one recipe."""
        return self.stored[0].link


@dataclass
class _Charge:
    """The price of a piece of work. credits: taken; after settling, spent.

    also: runs in the transaction that spends the credits, with their number as its argument.
    """

    id: str
    credits: int = 0
    also: Callable[[Connection, int], None] | None = None


@dataclass(kw_only=True, eq=False)
class Jobs:
    """The use cases, over the parts that build.py assembles. One instance serves all requests."""

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
        """Process a submission for one credit and within the deadline, without storing the result.

        With an idempotency key the result is stored, so that a repeated request returns it again.

        A submission with a photo_id costs its key one credit a day, and the cache holds its photo and matte.

        Raises: the errors of make_and_keep.
        """
        if idempotency_key is None:
            return await self._make(key, photo)
        stored = await self.make_and_keep(key, photo, idempotency_key=idempotency_key)
        return stored if all(result.data for result in stored.results) else await self._fetch(stored)

    async def make_once(
        self, key: KeyInfo, photo: Submission, *, finish: Callable[[bytes], bytes] | None = None
    ) -> Result:
        """Like `make`, but returns the result alone. `finish` converts the result's file as part of the work."""
        return (await self._make(key, photo, finish)).result

    async def make_and_keep(
        self, key: KeyInfo, photo: Submission, *, idempotency_key: str | None = None
    ) -> StoredResult:
        """Like `make`, and stores the result under a link for the lifetime of results.

        A repeated idempotency key returns the result of the first call and costs nothing.

        Raises
        ------
        InputError, NoForeground
            The photo or the options are unusable. The credit is given back, as after every other failure.
        ResultExpired
            The result of this idempotency key has been deleted.
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
                if self.now() >= stored.link.expires:  # results may expire before the key's day is over
                    raise _past_its_life()
                return stored
            try:
                return await self._make_and_keep_once(key, photo, partial(self._remember, *scope))
            except BaseException:
                await at_last(self.idempotency.abandon, *scope)
                raise

    async def make_behind(self, key: KeyInfo, photo: Submission, remember: Remember, charge_id: str) -> StoredResult:
        """Like `make_and_keep`, for background work: takes no place in the queue, and does not cache the photo.

        remember: records the result in the transaction that spends the credit. charge_id: names the charge. If this
        process dies, the worker that repeats the work gives the charge back by this name.
        """
        with self._counted():
            return await self._make_and_keep_once(key, photo, remember, charge_id)

    async def check(
        self, key: KeyInfo, picture: Submission, count: Callable[[Job], Awaitable[None]] | None = None
    ) -> Report:
        """Check a finished picture against a preset's rules. Costs no credit, but takes a place in the queue.

        count: called after the header is read and before the work; may raise an error to reject the picture.

        Raises
        ------
        InputError, NoForeground, QueueFull, ShuttingDown, DeadlineExceeded
        """
        async with self._deadline():
            return await self._admitted(key, picture, partial(check, network=self.network), count)

    async def settled(self) -> None:
        """Return when every charge is settled or given back, also those of cancelled requests."""
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
        """Put a photo into the cache for its key. Returns the photo's name, or None if the cache does not take it."""
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
        """charge_id: only for background work."""
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
        """Check the submission's header, wait for a worker, run the work. Cancelling this call cancels the work."""
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
        """Take a credit for the work inside. Success spends the credit; failure or cancellation gives it back.

        A photo with a name that its key has paid for takes no credit.
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
                with suppress(asyncio.CancelledError):  # too late: the work is done, and a retry will return its result
                    await to_the_end(settle)
        except BaseException:
            await at_last(self.ledger.refund, charge.id)
            metrics.refunded(charge.credits)
            raise

    @asynccontextmanager
    async def _deadline(self) -> AsyncIterator[None]:
        """One deadline for queueing, computing and storing."""
        deadline = asyncio.timeout(self.deadline_s)
        try:
            async with deadline:
                yield
        except TimeoutError as error:
            if not deadline.expired():  # the work's own timeout
                raise
            raise DeadlineExceeded(
                f"The work took longer than {self.deadline_s:g} seconds.",
                hint="Send the photo again later.",
                deadline_s=self.deadline_s,
            ) from error


def request_hash(photo: Submission) -> str:
    """A hash that is equal for identical requests. Takes 0.1 s for the largest photo."""
    recipes = (photo.recipe,) if isinstance(photo.recipe, Recipe) else photo.recipe
    assert isinstance(recipes, tuple)  # noqa: S101 - where the recipe depends on the photo, there are no such keys
    photo_id = photo.photo_id or photo_id_of(photo.data)
    wanted = ",".join(recipe.key for recipe in recipes)
    return hashlib.sha256(f"{wanted}\0{photo_id}".encode()).hexdigest()


def named(key_id: str, idempotency_key: str) -> str:
    """The id of the background job for an owner's idempotency key."""
    return hashlib.sha256(f"{key_id}\0{idempotency_key}".encode()).hexdigest()[:32]


def _told_credits(remember: Remember, stored: StoredResult, within: Connection, spent: int) -> None:
    remember(replace(stored, credits=spent), within)


def remembered(stored: StoredResult) -> str:
    """All facts of a stored result, without the picture, as JSON text."""
    known = asdict(stored)
    for result in known["results"]:
        result["data"] = ""
    return json.dumps(known)


@cache
def _outcomes() -> TypeAdapter[StoredResult]:
    return TypeAdapter(StoredResult)


def recalled(outcome: str) -> StoredResult:
    """The stored result from the text of `remembered`. Raises ResultExpired for another release's form."""
    try:
        return _outcomes().validate_json(outcome)
    except ValidationError as error:
        raise _past_its_life() from error


def _past_its_life() -> ResultExpired:
    return ResultExpired("The result of this idempotency key has expired.", hint="Send the photo with a new key.")
