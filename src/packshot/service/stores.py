"""Which store of results the settings ask for."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from packshot.errors import BadSettings, StoreUnavailable
from packshot.service.local_store import LocalStore

if TYPE_CHECKING:
    from packshot.service.settings import Settings
    from packshot.service.storage import ResultStore

_log = logging.getLogger(__name__)


def open_store(settings: Settings, folder: Path) -> ResultStore:
    """The bucket of PACKSHOT_RESULTS_URL, or else the folder. Asks nothing of a network but, at most, how to sign.

    Raises
    ------
    BadSettings
        The extra `storage` is missing, the vendor's variables cannot be used, or links cannot be signed with them.
    """
    if settings.results_url is None:
        return LocalStore(folder)
    try:
        from packshot.service.bucket_store import (  # noqa: PLC0415 - an extra, and 20 ms
            SWEEP_EVERY_S,
            Addresses,
            BucketStore,
        )
    except ImportError as error:
        raise BadSettings(
            f"PACKSHOT_RESULTS_URL is {settings.results_url}, which needs obstore, and that is not installed.",
            hint="pip install 'packshot[storage]'",
        ) from error
    parts = urlsplit(settings.results_url)
    addresses = Addresses(parts.scheme, parts.netloc, parts.path.strip("/"), settings.results_public_endpoint)
    sweep_every_s = SWEEP_EVERY_S if settings.results_sweep else None
    store = BucketStore(addresses, deadline_s=settings.results_deadline_s, sweep_every_s=sweep_every_s)
    if settings.results_delivery == "redirect":
        store.check_signing()
    return store


async def look_at(store: ResultStore) -> None:
    """Say in the log why results cannot be kept, if so. The start goes on: a store may be away when replicas change."""
    try:
        await store.check()
    except StoreUnavailable as error:
        _log.error("results cannot be kept, so the service is not ready: %s", error.__cause__)
