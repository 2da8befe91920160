"""Bucket only: digests, proofs, clocks, deadlines."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import obstore
import pytest

from packshot.errors import StorageRefused, StoreUnavailable
from packshot.storage import bucket
from packshot.storage.bucket import PIECE_BYTES, PROOF_S, BucketStorage
from tests.storage.conftest import bucket_storage

PNG = "image/png"


def in_memory() -> BucketStorage:
    return bucket_storage("memory://shop/results")


def objects(place: BucketStorage, under: str = "") -> list[str]:
    return [str(meta["path"]) for page in obstore.list(place._bucket, under or None) for meta in page]


@pytest.mark.parametrize("size_bytes", [1000, PIECE_BYTES + 1000])
def test_an_object_that_is_not_what_was_written_is_never_given_as_a_whole(size_bytes: int) -> None:
    async def scenario() -> None:
        place, data = in_memory(), os.urandom(size_bytes)
        await place.write("a.png", data, PNG)
        attributes = (await obstore.get_async(place._bucket, "results/a.png")).attributes
        altered = data[:-1] + bytes([data[-1] ^ 1])
        await obstore.put_async(place._bucket, "results/a.png", altered, attributes=attributes)
        given = 0
        with pytest.raises(StoreUnavailable):
            async for chunk in (await place.open("a.png")).chunks:
                given += len(chunk)
        assert given == (0 if size_bytes <= PIECE_BYTES else PIECE_BYTES)
        with pytest.raises(StoreUnavailable):
            await place.read("a.png")

    asyncio.run(scenario())


def test_a_checksum_that_somebody_else_wrote_beside_a_photo_is_not_ours_to_compare() -> None:
    async def scenario() -> None:
        place = in_memory()
        await obstore.put_async(place._bucket, "results/a.jpg", b"a photo", attributes={"sha256": "in base64"})
        assert await place.read("a.jpg") == b"a photo"
        assert await (await place.open("a.jpg")).read() == b"a photo"

    asyncio.run(scenario())


def test_a_download_from_the_bucket_itself_has_the_headers_that_were_written() -> None:
    async def scenario() -> None:
        place = in_memory()
        await place.write("a.png", b"data", PNG, {"Cache-Control": "private", "Content-Disposition": "inline"})
        attributes = (await obstore.get_async(place._bucket, "results/a.png")).attributes
        assert attributes["Content-Type"] == PNG
        assert attributes["Cache-Control"] == "private"
        assert attributes["Content-Disposition"] == "inline"

    asyncio.run(scenario())


def test_it_is_asked_for_proof_only_when_nothing_was_written_lately(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> list[str]:
        place = in_memory()
        await place.write("a.png", b"data", PNG)
        await place.check()
        assert objects(place, "results/probe") == []
        ahead = time.monotonic() + PROOF_S
        # Only this module's clock: the timers of every event loop in the process use time.monotonic.
        monkeypatch.setattr(bucket, "time", SimpleNamespace(monotonic=lambda: ahead, time=time.time))
        await place.check()
        return objects(place, "results")

    assert sorted(asyncio.run(scenario())) == ["results/a.png", "results/probe"]


def test_clocks_that_disagree_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    real = time.time()
    monkeypatch.setattr(bucket.time, "time", lambda: real + 3600)

    async def scenario() -> None:
        place = in_memory()
        for _ in range(2):
            with pytest.raises(StoreUnavailable, match="clock"):
                await place.check()

    asyncio.run(scenario())


@pytest.fixture
def silent(credentials: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[BucketStorage]:
    """A bucket behind a host that accepts connections and never responds."""
    with socket.create_server(("127.0.0.1", 0)) as host:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{host.getsockname()[1]}")
        yield bucket_storage("s3://shop/results", deadline_s=2)


@pytest.mark.slow
def test_every_call_ends_at_its_deadline_and_holds_no_thread(
    silent: BucketStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def first_page() -> None:
        async for _ in silent.list():
            return

    async def scenario() -> None:
        calls = [
            silent.write("a", b"data", PNG),
            silent.create("a", b"data", PNG),
            silent.read("a"),
            silent.open("a"),
            silent.find("a"),
            silent.link("a", 60),
            silent.remove(["a"]),
            silent.check(),
            first_page(),
        ]
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        started = time.monotonic()
        ends = asyncio.gather(*calls, return_exceptions=True)
        await asyncio.sleep(0.1)  # now all of them wait
        await asyncio.to_thread(lambda: None)
        assert not ends.done()  # the only thread was free while they waited
        assert [type(end) for end in await ends] == [StoreUnavailable] * len(calls)
        assert time.monotonic() - started < 20  # obstore's defaults: it waits 30 s, and tries ten times

    asyncio.run(scenario())


@pytest.mark.parametrize("private", [False, True])
def test_a_host_that_refuses_is_unavailable_and_a_private_place_names_no_file(
    credentials: None, monkeypatch: pytest.MonkeyPatch, private: bool
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as host:
        address = f"http://127.0.0.1:{host.getsockname()[1]}"
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    place = bucket_storage("s3://shop/results/", deadline_s=1, private=private)
    with pytest.raises(StoreUnavailable, match="s3://shop/results") as caught:
        asyncio.run(place.write("secret.png", b"data", PNG))
    assert ("secret" in str(caught.value)) is not private


def test_links_cannot_be_signed_without_credentials(credentials: None, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket_storage("s3://shop").check_signing()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:1")  # where a vendor's machine asks for some
    with pytest.raises((StorageRefused, StoreUnavailable)):
        bucket_storage("s3://shop").check_signing()
