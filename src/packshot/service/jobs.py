"""The use cases: remove a background, keep the result, account for it. From the photo's bytes to the signed URL."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from packshot.core.codecs import Limits, probe
from packshot.engine.remove import Form, Result, remove
from packshot.errors import DeadlineExceeded
from packshot.service.storage import EXTENSIONS, new_result_id

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from packshot.engine.network import Network
    from packshot.service.accounts import Accounts, KeyInfo
    from packshot.service.admission import Admission
    from packshot.service.idempotency import Idempotency
    from packshot.service.signing import UrlSigner
    from packshot.service.storage import ResultStore


@dataclass(frozen=True)
class ResultLink:
    """Where a finished job can be fetched. `path` is below the service's public address and carries the signature."""

    path: str
    expires: int


class Jobs:
    """Use cases over the parts that build.py puts together. One instance serves all requests."""

    def __init__(
        self,
        *,
        network: Network,
        admission: Admission,
        store: ResultStore,
        signer: UrlSigner,
        accounts: Accounts,
        idempotency: Idempotency,
        limits: Limits,
        deadline_s: float,
        result_ttl_s: int,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._network = network
        self._admission = admission
        self._store = store
        self._signer = signer
        self._accounts = accounts
        self._idempotency = idempotency
        self._limits = limits
        self._deadline_s = deadline_s
        self._result_ttl_s = result_ttl_s
        self._now = now

    async def remove(self, key: KeyInfo, data: bytes, form: Form, *, idempotency_key: str | None = None) -> ResultLink:
        """Remove the background of `data` and keep the rendering for its 24 hours.

        A repeated idempotency key answers the first call's result and costs nothing.

        Raises
        ------
        InputError, NoForeground
            The photo cannot be used; the credit is given back, as it is for every other failure.
        OutOfCredits, ConflictError, QueueFull, ShuttingDown, DeadlineExceeded, StoreUnavailable
        """
        probe(data, self._limits)  # refuse what can be refused before it takes a credit or a place in the queue
        if idempotency_key is None:
            return await self._remove_once(key, data, form)
        request_hash = hashlib.sha256(form.encode() + b"\0" + data).hexdigest()
        scope = (key.id, idempotency_key)
        outcome = await asyncio.to_thread(self._idempotency.begin, *scope, request_hash)
        if outcome is not None:
            return ResultLink(**json.loads(outcome))
        try:
            stored = await self._remove_once(key, data, form)
        except BaseException:
            await _to_the_end(self._idempotency.abandon, *scope)
            raise
        await _to_the_end(self._idempotency.finish, *scope, json.dumps(asdict(stored)))
        return stored

    async def _remove_once(self, key: KeyInfo, data: bytes, form: Form) -> ResultLink:
        async with self._charged(key), self._deadline() as deadline_s:
            result = await self._admission.run(
                lambda: remove(data, form=form, network=self._network, limits=self._limits), deadline_s
            )
            return await self._keep(result)

    async def _keep(self, result: Result) -> ResultLink:
        result_id = new_result_id()
        await self._store.put(result_id, result.data, result.media_type)
        name = f"{result_id}.{EXTENSIONS[result.media_type]}"
        expires = int(self._now()) + self._result_ttl_s
        return ResultLink(f"/results/{name}?expires={expires}&signature={self._signer.sign(name, expires)}", expires)

    @asynccontextmanager
    async def _charged(self, key: KeyInfo) -> AsyncIterator[None]:
        """Take a credit; give it back when the work inside fails or its client goes away."""
        try:
            await _to_the_end(self._accounts.charge, key.id)
        except asyncio.CancelledError:
            await _to_the_end(self._accounts.refund, key.id)
            raise
        try:
            yield
        except BaseException:
            await _to_the_end(self._accounts.refund, key.id)
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


async def _to_the_end(function: Callable[..., object], *args: object) -> None:
    """Run a blocking call in a thread and wait for its end even when this request is cancelled meanwhile.

    When it is cancelled and the call succeeded, CancelledError comes after it; an error of the call comes first.
    """
    call = asyncio.ensure_future(asyncio.to_thread(function, *args))
    try:
        await asyncio.shield(call)
    except asyncio.CancelledError:
        await call
        raise
