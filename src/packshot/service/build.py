"""The composition root: builds the parts of a running service from Settings. No other module assembles parts."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from packshot import __version__
from packshot.core.codecs import Limits
from packshot.core.geometry import Size, network_size
from packshot.engine.network import Network, load_network
from packshot.errors import MissingKey, ShuttingDown
from packshot.service.accounts import Accounts, KeyInfo
from packshot.service.admission import Admission
from packshot.service.background import BackgroundJobs
from packshot.service.background_worker import BackgroundWorker
from packshot.service.codec_process import CodecProcesses
from packshot.service.database import Database
from packshot.service.environment import variable_of
from packshot.service.idempotency import Idempotency
from packshot.service.jobs import Jobs
from packshot.service.ledger import Ledger
from packshot.service.logs import bind_key
from packshot.service.photos import Photos
from packshot.service.queue import Queue
from packshot.service.rate_limit import RateLimiter, Window
from packshot.service.results import ResultStore, Sweeper, UrlSigner, look_at, open_results
from packshot.service.state import Link, State
from packshot.service.telemetry import Telemetry, make_telemetry
from packshot.service.url_input import UrlInput
from packshot.service.webhooks import Webhooks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from packshot.service.settings import Settings

# (colour type, bit depth). The contract counts bits per pixel: it accepts 24 and 32, rejects 8, 16 and 64, and does not
# mention 48 (RGB-16). Decoding RGB-16 loses nothing that the rendering keeps, so 48 is accepted.
CONTRACT_PNG_DEPTHS = frozenset({(2, 8), (2, 16), (6, 8)})
LAST_STAGE_S = 5.0
"""Time after the drain for the running pipeline stage of a cancelled job to end."""
CHECK_PIXELS = 4_000_000  # a check counts once per 4 million pixels: a core takes 0.6 s for them, 4 s for 25 million
CONTRACT_FORMATS = frozenset({"jpeg", "png", "bmp"})

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Service:
    """The parts that the HTTP layer needs, with their common start and stop."""

    settings: Settings
    network: Network
    database: Database
    accounts: Accounts
    ledger: Ledger
    rate_limiter: RateLimiter
    admission: Admission
    store: ResultStore
    signer: UrlSigner
    jobs: Jobs
    photos: Photos
    background: BackgroundJobs
    worker: BackgroundWorker
    url_input: UrlInput
    webhooks: Webhooks
    sweeper: Sweeper
    telemetry: Telemetry
    now: Callable[[], float]
    link: Link | None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Warm the network, and run the sweeps and the jobs meanwhile. At the end, drain and close all parts."""
        await asyncio.gather(asyncio.to_thread(self._warm), look_at(self.store))
        self.telemetry.start()
        sweeping = asyncio.gather(self.sweeper.run(), self.photos.run(), self.ledger.run(lost_after_s(self.settings)))
        working = asyncio.create_task(self.worker.run())
        log.info("packshot %s is ready, with %s", __version__, self.network.card.name)
        try:
            yield
        finally:
            log.info("stopping: %d requests are finished first", self.admission.running + self.admission.queued)
            sweeping.cancel()
            working.cancel()
            # Work cancelled at the end of the drain ends with its stage. A thread that runs longer is abandoned: serve
            # ends the process anyway. The server waits for requests, not for jobs: jobs get the rest of the drain.
            rest_s = max(LAST_STAGE_S, self.settings.drain_s - self.admission.draining_s)
            with suppress(TimeoutError):
                await asyncio.wait_for(self.admission.drain(), rest_s)
            await self.worker.close()
            await self.jobs.settled()  # work cut off at the drain's end still gives its credit back
            await asyncio.gather(sweeping, working, return_exceptions=True)
            self.jobs.codecs.close()
            self.url_input.close()
            self.webhooks.close()
            self.database.close()
            await asyncio.to_thread(self.telemetry.close)
            log.info("stopped")

    def _warm(self) -> None:
        # The first run allocates the arena, which would cost the first customer 100 ms.
        rule = self.network.card.input
        size = network_size(Size(4, 3), side_px=rule.side_px, multiple=rule.multiple, fit=rule.fit)
        self.network.predict(np.zeros((1, 3, size.height, size.width), np.float32))

    async def admit(self, api_key: str | None) -> tuple[KeyInfo, Window | None]:
        """Authenticate a key and count the request. Returns the key's facts and the rest of its rate limit.

        Raises
        ------
        MissingKey, UnknownKey, LockedKey, RateLimited, DatabaseUnavailable, LimiterUnavailable
        """
        return await self._counted(await asyncio.to_thread(self.accounts.authenticate, api_key))

    @property
    def keyless_id(self) -> str | None:
        """The id of the key that pays for requests without a key; None if those are refused."""
        return self.settings.keyless_key or (self.link.info.id if self.link else None)

    async def admit_keyless(self) -> tuple[KeyInfo, Window | None]:
        """Like `admit`, for a request without a key, if a key pays for those.

        Raises
        ------
        MissingKey, UnknownKey, LockedKey, RateLimited, DatabaseUnavailable, LimiterUnavailable
        """
        if self.keyless_id is None:
            raise MissingKey(
                "The request has no API key, and no key pays for requests without one.",
                hint="Send a key as `x-api-key: YOUR_KEY`. The operator can accept such requests: "
                f"{variable_of('keyless_key')} names a key that pays for them.",
            )
        return await self._counted(await asyncio.to_thread(self.accounts.authenticate_id, self.keyless_id))

    async def _counted(self, key: KeyInfo) -> tuple[KeyInfo, Window | None]:
        bind_key(key.id)
        return key, await asyncio.to_thread(self.rate_limiter.hit, key.id, key.rate)

    async def count_check(self, key_id: str, pixels: int) -> Window | None:
        """Count a check of a picture, which costs no credit. Returns the rest of the checks' rate limit.

        Raises
        ------
        RateLimited, LimiterUnavailable
        """
        rate, cost = self.settings.check_rate_limit, -(-pixels // CHECK_PIXELS)
        if rate is None:
            return None
        return await asyncio.to_thread(self.rate_limiter.hit_for, "checks", key_id, rate, cost)

    def public_url(self, path: str) -> str:
        """A public URL for a path. Never uses a request's Host header."""
        return self.settings.base_url + path

    async def check_ready(self) -> None:
        """Raise ShuttingDown, DatabaseUnavailable or StoreUnavailable unless the next request would be served."""
        if self.admission.draining:
            raise ShuttingDown("The service is shutting down.", retry_after_s=5, hint="Use another replica.")
        await asyncio.to_thread(self.database.check)
        await self.store.check()


def build(settings: Settings, *, store: ResultStore | None = None, now: Callable[[], float] = time.time) -> Service:
    """Build the parts of a service. `store` replaces the store of the settings; `now` is the clock for all expiries.

    Raises
    ------
    SetupError
        The settings, the state folder or the model cannot be used; the message says how to fix it.
    """
    state = State(settings)
    network = load_network(settings.model, threads=settings.threads, device=settings.device, folder=settings.models_dir)
    database = Database(state.database)
    accounts, ledger = Accounts(database, now=now), Ledger(database, now=now)
    admission = Admission(settings.workers, settings.queue_limit, settings.work_memory_bytes)
    telemetry = make_telemetry(settings, network.card.name, admission)
    photos = Photos(
        settings.photo_cache_bytes,
        settings.result_ttl_s,
        now=now,
        network=network.card.name,
        on_look=telemetry.metrics.matte_looked_up,
    )
    telemetry.metrics.watch_photos(lambda: photos.held_bytes, settings.photo_cache_bytes)
    store = store or open_results(settings, state.results)
    signer = UrlSigner(state.url_secrets, now=now)
    jobs = Jobs(
        network=network,
        codecs=CodecProcesses(),
        admission=admission,
        store=store,
        signer=signer,
        ledger=ledger,
        idempotency=Idempotency(database, now=now, running_s=lost_after_s(settings)),
        deadline_s=settings.deadline_s,
        result_ttl_s=settings.result_ttl_s,
        now=now,
        photos=photos,
        telemetry=telemetry,
    )
    fail_closed = settings.rate_limit_away == "closed"
    rate_limiter = RateLimiter(settings.rate_limit, settings.rate_limit_url, fail_closed=fail_closed)
    rate_limiter.on_failure = telemetry.metrics.limits_not_shared
    queue, url_input = Queue(database, now), UrlInput(settings, telemetry)
    webhooks = Webhooks(settings, state.url_secrets, now)
    background = BackgroundJobs(
        database=database,
        queue=queue,
        store=store,
        url_input=url_input,
        webhooks=webhooks,
        most_photos=settings.job_photos,
        most_bytes=settings.job_bytes,
        now=now,
    )
    worker = BackgroundWorker(
        jobs=jobs,
        background=background,
        queue=queue,
        accounts=accounts,
        ledger=ledger,
        webhooks=webhooks,
        limits=native_limits(settings),
        workers=settings.workers,
        max_file_bytes=settings.v1_max_file_bytes,
        ended=telemetry.metrics.work_ended,
    )
    return Service(
        settings=settings,
        network=network,
        database=database,
        accounts=accounts,
        ledger=ledger,
        rate_limiter=rate_limiter,
        admission=admission,
        store=store,
        signer=signer,
        jobs=jobs,
        photos=photos,
        background=background,
        worker=worker,
        url_input=url_input,
        webhooks=webhooks,
        sweeper=Sweeper(store, settings.result_ttl_s),
        telemetry=telemetry,
        now=now,
        link=state.link(accounts, settings.base_url),
    )


def lost_after_s(settings: Settings) -> float:
    """Age at which an open charge or idempotency key counts as lost.

    The deadline has then ended its work, and the clocks of replicas differ by less than the rest.
    """
    return 2 * settings.deadline_s + 60


def contract_limits(settings: Settings) -> Limits:
    """The limits of the drop-in contract."""
    return Limits(
        max_bytes=settings.max_file_bytes,
        max_side_px=settings.max_side_px,
        min_side_px=settings.min_side_px,
        formats=CONTRACT_FORMATS,
        png_depths=CONTRACT_PNG_DEPTHS,
    )


def native_limits(settings: Settings) -> Limits:
    """The limits of the native API, which accepts every format and depth that the codecs read."""
    return Limits(
        max_bytes=settings.v1_max_file_bytes, min_side_px=settings.min_side_px, max_pixels=settings.v1_max_pixels
    )


def check_limits(settings: Settings) -> Limits:
    """The limits for checks of finished pictures."""
    limits = native_limits(settings)
    return replace(limits, max_pixels=min(limits.max_pixels, settings.check_max_pixels))
