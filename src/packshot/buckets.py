"""Buckets of object storage, through obstore: opening one, and what its failures mean. Batch and service share it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from obstore import exceptions
from obstore.store import AzureStore, GCSStore, MemoryStore, S3Store

from packshot.errors import BadSettings, StorageRefused, StoreUnavailable

Bucket = S3Store | GCSStore | AzureStore | MemoryStore

_REFUSED = (
    exceptions.PermissionDeniedError,
    exceptions.UnauthenticatedError,
    exceptions.InvalidPathError,
    exceptions.NotSupportedError,
    FileNotFoundError,
    ValueError,
)
# What the library says of an answer that it has no class for, such as any to a listing.
_STATUS = re.compile(r"status code: (\d{3}) ?([A-Z][A-Za-z ]*)")
_CODE = re.compile(r"<Code>(\w+)</Code>")
_PASSING = {408, 429}  # of the statuses 4xx


def open_bucket(
    scheme: str, name: str, *, timeout_s: float, retry_s: float, page: str, endpoint: str | None = None
) -> Bucket:
    """A bucket of S3 (s3) and what speaks like it, Google (gs) or Azure (az), or one in memory, for tests.

    Its options come from the environment, under the names that each vendor uses. obstore itself waits 30 s on a host
    that swallows packets and then tries ten times: here a try has `timeout_s`, and none of three begins later than
    `retry_s` after the first. Whoever calls sets a deadline over all.

    Parameters
    ----------
    page
        Which page of the documentation names the variables.
    endpoint
        S3 alone: an address in place of the environment's.

    Raises
    ------
    BadSettings
        The environment's options cannot be used.
    """
    options: Any = {
        "retry_config": {"max_retries": 2, "retry_timeout": timedelta(seconds=retry_s)},
        "client_options": {"timeout": timedelta(seconds=timeout_s), **_plain(endpoint)},
    }
    at: Any = {"endpoint": endpoint} if endpoint else {}
    try:
        if scheme == "s3":
            return S3Store(name, **options, **at)
        if scheme == "gs":
            return GCSStore(name, **options)
        return AzureStore(name, **options) if scheme == "az" else MemoryStore()
    except (exceptions.BaseError, ValueError) as error:
        raise BadSettings(
            f"{scheme}://{name} cannot be opened: {words(error)}",
            hint=f"Set the vendor's environment variables; {page} names them.",
        ) from error


@contextmanager
def translated(name: str) -> Iterator[None]:
    """Failures inside, in our words: StoreUnavailable for what may go away by itself, StorageRefused for the rest."""
    try:
        yield
    except (TimeoutError, FutureTimeout) as error:
        raise StoreUnavailable(f"{name}: no answer in time.", hint="Is the storage there? Try again later.") from error
    except (*_REFUSED, exceptions.BaseError) as error:
        status = _STATUS.search(str(error))
        refuses = status is not None and 400 <= int(status[1]) < 500 and int(status[1]) not in _PASSING
        if refuses or isinstance(error, _REFUSED):
            hint = "Check the name, the credentials and what they allow."
            raise StorageRefused(f"{name}: {words(error)}.", hint=hint) from error
        raise StoreUnavailable(f"{name}: {words(error)}.", hint="Try again later.") from error


def words(error: Exception) -> str:
    """The answer in short, such as 403 Forbidden, SignatureDoesNotMatch; else the library's words without its dump."""
    text = str(error)
    if status := _STATUS.search(text):
        code = _CODE.search(text)
        return f"{status[1]} {status[2].strip()}{f', {code[1]}' if code else ''}"
    return text.strip().partition("\n")[0].rpartition(" - ")[2][:300] or type(error).__name__


def _plain(endpoint: str | None) -> dict[str, bool]:
    # An address with http:// was written down on purpose; obstore wants to be told twice.
    names = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT")
    endpoints = [endpoint] if endpoint else [os.environ.get(name, "") for name in names]
    return {"allow_http": True} if any(address.startswith("http://") for address in endpoints) else {}
