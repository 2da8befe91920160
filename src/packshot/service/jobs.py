"""The use cases: make a packshot, keep the result, account for it. From the photo's bytes to the signed URL."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import time
from collections.abc import Callable
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from typing import TYPE_CHECKING, TypeVar

from pydantic import TypeAdapter

from packshot.core.codecs import Limits, probe
from packshot.core.options import OPTIONS, Options
from packshot.core.rules import Report
from packshot.engine.presets import find_preset, judge_file, plan
from packshot.engine.remove import Result, remove
from packshot.errors import (
    DatabaseUnavailable,
    DeadlineExceeded,
    InputError,
    InvalidOption,
    ResultExpired,
    ResultUnknown,
)
from packshot.service.ledger import new_charge_id
from packshot.service.storage import EXTENSIONS, new_result_id
from packshot.service.telemetry import Telemetry, no_telemetry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from sqlalchemy import Connection

    from packshot.engine.network import Network
    from packshot.service.accounts import KeyInfo
    from packshot.service.admission import Admission
    from packshot.service.idempotency import Idempotency
    from packshot.service.ledger import Ledger
    from packshot.service.signing import UrlSigner
    from packshot.service.storage import ResultStore

log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True)
class ResultLink:
    """Where a finished job can be fetched. `path` is below the service's public address and carries the signature."""

    path: str
    expires: int


@dataclass(frozen=True)
class Kept:
    """A result in the store, with all that is known of it.

    result: its `data` is empty when an earlier request's answer is given again. size_bytes: of the file.
    """

    result_id: str
    link: ResultLink
    result: Result
    size_bytes: int


@dataclass
class _Charge:
    """A credit that is taken. also: what is written together with its being spent, or not at all."""

    id: str
    also: Callable[[Connection], None] | None = None


class Jobs:
    """Use cases over the parts that build.py puts together. One instance serves all requests."""

    def __init__(
        self,
        *,
        network: Network,
        admission: Admission,
        store: ResultStore,
        signer: UrlSigner,
        ledger: Ledger,
        idempotency: Idempotency,
        deadline_s: float,
        result_ttl_s: int,
        now: Callable[[], float] = time.time,
        telemetry: Telemetry | None = None,
    ) -> None:
        self._network = network
        self._admission = admission
        self._store = store
        self._signer = signer
        self._ledger = ledger
        self._idempotency = idempotency
        self._deadline_s = deadline_s
        self._result_ttl_s = result_ttl_s
        self._now = now
        self._telemetry = telemetry or no_telemetry()
        self._unsettled = 0
        self._all_settled = asyncio.Event()
        self._all_settled.set()

    async def make(
        self,
        key: KeyInfo,
        data: bytes,
        options: Options,
        *,
        limits: Limits,
        idempotency_key: str | None = None,
    ) -> Result:
        """Make what `options` ask for of a photo, for one credit and within the deadline; keep nothing.

        With an idempotency key the result is kept all the same, so that it can be given again.

        Raises: everything that make_and_keep raises.
        """
        if idempotency_key is None:
            return await self.make_once(key, data, options, limits=limits)
        kept = await self.make_and_keep(key, data, options, limits=limits, idempotency_key=idempotency_key)
        return kept.result if kept.result.data else await self._fetch(kept)

    async def make_once(
        self,
        key: KeyInfo,
        data: bytes,
        options: Options,
        *,
        limits: Limits,
        finish: Callable[[bytes], bytes] | None = None,
    ) -> Result:
        """The same without an idempotency key. `finish` makes of the file another one, as a part of the work."""
        _check(data, options, limits)
        with self._job():
            async with self._charged(key), self._deadline() as deadline_s:
                return await self._compute(data, options, limits, deadline_s, finish)

    async def make_and_keep(
        self,
        key: KeyInfo,
        data: bytes,
        options: Options,
        *,
        limits: Limits,
        idempotency_key: str | None = None,
    ) -> Kept:
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
        _check(data, options, limits)
        with self._job():
            if idempotency_key is None:
                return await self._make_and_keep_once(key, data, options, limits)
            request_hash = await asyncio.to_thread(_hash, data, options)
            scope = (key.id, idempotency_key)
            outcome = await self._begin(*scope, request_hash)
            if outcome is not None:
                return self._again(_outcomes().validate_json(outcome))
            try:
                return await self._make_and_keep_once(key, data, options, limits, idempotency_key)
            except BaseException:
                await _at_last(self._idempotency.abandon, *scope)
                raise

    async def check(self, data: bytes, preset: str, *, limits: Limits) -> Report:
        """Judge a finished picture by a preset's rules. Costs no credit, but a place in the queue as anything else.

        Raises
        ------
        InputError, NoForeground, QueueFull, ShuttingDown, DeadlineExceeded
        """
        rules = find_preset(preset)
        probe(data, limits)
        async with self._deadline() as deadline_s:
            return await self._admission.run(
                lambda: judge_file(data, rules, network=self._network, limits=limits), deadline_s
            )

    async def settled(self) -> None:
        """Return when nothing is left to settle or to give back, also for those that were cancelled."""
        await self._all_settled.wait()

    @contextmanager
    def _job(self) -> Iterator[None]:
        self._unsettled += 1
        self._all_settled.clear()
        try:
            yield
        finally:
            self._unsettled -= 1
            if not self._unsettled:
                self._all_settled.set()

    async def _begin(self, key_id: str, idempotency_key: str, request_hash: str) -> str | None:
        """Idempotency.begin; when this request is cancelled meanwhile, the key is free again if it was this one's."""
        call = _started(self._idempotency.begin, key_id, idempotency_key, request_hash)
        try:
            return await asyncio.shield(call)
        except asyncio.CancelledError:
            if await call is None:
                await _at_last(self._idempotency.abandon, key_id, idempotency_key)
            raise

    async def _make_and_keep_once(
        self, key: KeyInfo, data: bytes, options: Options, limits: Limits, idempotency_key: str | None = None
    ) -> Kept:
        async with self._charged(key) as charge, self._deadline() as deadline_s:
            kept = await self._keep(await self._compute(data, options, limits, deadline_s))
            if idempotency_key is not None:
                remembered = (key.id, idempotency_key, _remembered(kept))
                charge.also = partial(self._idempotency.finish, *remembered)
            return kept

    async def _compute(
        self,
        data: bytes,
        options: Options,
        limits: Limits,
        deadline_s: float,
        finish: Callable[[bytes], bytes] | None = None,
    ) -> Result:
        asked = time.perf_counter()

        def line() -> Result:
            waited_ms = 1000 * (time.perf_counter() - asked)
            result = remove(data, options, network=self._network, limits=limits)
            finished = result.data if finish is None else finish(result.data)
            result = replace(result, data=finished, timings_ms={"wait": waited_ms, **result.timings_ms})
            self._telemetry.computed(result)
            return result

        return await self._admission.run(line, deadline_s)

    async def _keep(self, result: Result) -> Kept:
        result_id = new_result_id()
        with self._telemetry.storing(len(result.data)):
            await self._store.put(result_id, result.data, result.media_type)
        name = f"{result_id}.{EXTENSIONS[result.media_type]}"
        expires = int(self._now()) + self._result_ttl_s
        path = f"/results/{name}?expires={expires}&signature={self._signer.sign(name, expires)}"
        return Kept(result_id, ResultLink(path, expires), result, len(result.data))

    def _again(self, kept: Kept) -> Kept:
        if self._now() >= kept.link.expires:  # results may live for less than the day that keys are remembered
            raise _past_its_life()
        return kept

    async def _fetch(self, kept: Kept) -> Result:
        try:
            stored = await self._store.open(kept.result_id)
            return replace(kept.result, data=await stored.read())
        except ResultUnknown as error:
            raise _past_its_life() from error

    @asynccontextmanager
    async def _charged(self, key: KeyInfo) -> AsyncIterator[_Charge]:
        """Take a credit; it is spent when the work inside succeeds, and given back when that fails or is cancelled."""
        charge = _Charge(new_charge_id())
        try:
            await _to_the_end(self._ledger.charge, key.id, charge.id)
        except asyncio.CancelledError:
            await _at_last(self._ledger.refund, charge.id)
            raise
        try:
            with self._telemetry.photo():
                yield charge
                with suppress(asyncio.CancelledError):  # too late to leave: it is done, and its key will answer it
                    await _to_the_end(self._ledger.settle, charge.id, charge.also)
        except BaseException:
            await _at_last(self._ledger.refund, charge.id)
            self._telemetry.metrics.refunded()
            raise

    @asynccontextmanager
    async def _deadline(self) -> AsyncIterator[float]:
        """One deadline over queue, computing and storing."""
        try:
            async with asyncio.timeout(self._deadline_s):
                yield self._deadline_s
        except TimeoutError as error:
            raise DeadlineExceeded(
                f"The work was not done within {self._deadline_s:g} seconds.", hint="Send the photo again later."
            ) from error


def _check(data: bytes, options: Options, limits: Limits) -> None:
    """Refuse what can be refused before it takes a credit or a place in the queue."""
    plan(options)
    probe(data, limits)
    for name, value in options.given().items():
        if OPTIONS[name].kind == "file":
            _check_beside(name, value, limits)


def _check_beside(name: str, data: bytes, limits: Limits) -> None:
    """A picture among the options is held to the limits of photos, but may be as small as it likes."""
    try:
        probe(data, replace(limits, min_side_px=1))
    except InputError as error:
        raise InvalidOption(
            f"{name} cannot be used: {error.message}", hint=error.hint, field=name, allowed=OPTIONS[name].accepts
        ) from error


def _hash(data: bytes, options: Options) -> str:
    """What makes two requests the same. Takes 0.1 s for the largest photo."""
    digest = hashlib.sha256(options.key().encode() + b"\0")
    digest.update(data)
    return digest.hexdigest()


def _remembered(kept: Kept) -> str:
    """What is known of a finished job, without the picture, as text."""
    known = asdict(kept)
    known["result"]["data"] = ""
    return json.dumps(known)


@cache
def _outcomes() -> TypeAdapter[Kept]:
    """Reads what `_remembered` wrote."""
    adapter = TypeAdapter(Kept)
    adapter.rebuild(_types_namespace={"Report": Report})  # the line imports it for the type checker alone
    return adapter


def _past_its_life() -> ResultExpired:
    return ResultExpired(
        "What this idempotency key stands for is past its life.", hint="Send the photo with a fresh key."
    )


def _started(function: Callable[..., T], *args: object) -> asyncio.Future[T]:
    """A blocking call that runs in a thread from now on, whoever waits for it."""
    return asyncio.ensure_future(asyncio.to_thread(function, *args))


async def _to_the_end(function: Callable[..., object], *args: object) -> None:
    """Run a blocking call in a thread and wait for its end even when this request is cancelled meanwhile.

    When it is cancelled and the call succeeded, CancelledError comes after it; an error of the call comes first.
    """
    call = _started(function, *args)
    try:
        await asyncio.shield(call)
    except asyncio.CancelledError:
        await call
        raise


async def _at_last(function: Callable[..., object], *args: object) -> None:
    """The same for what comes after the work: without a database it is logged, and the answer is what it would be.

    A charge that stays open is given back later (Ledger.give_back_lost), and an idempotency key is free after a while.
    """
    try:
        await _to_the_end(function, *args)
    except DatabaseUnavailable as error:
        log.warning("%s is left for later: %s", function.__name__, error)
