"""Results in a bucket: what holds without a server. tests/service/test_bucket_s3.py has what needs one."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import obstore
import pytest

from packshot.errors import BadSettings, ResultUnknown, StoreUnavailable
from packshot.service import bucket_store
from packshot.service.bucket_store import PIECE_BYTES, PROOF_S, Addresses, BucketStore
from packshot.service.local_store import LocalStore
from packshot.service.settings import Settings
from packshot.service.storage import EXTENSIONS, new_result_id
from packshot.service.stores import open_store

PNG = "image/png"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1"}


def in_memory(**options: float | None) -> BucketStore:
    return BucketStore(Addresses("memory", "shop", "results"), deadline_s=5, **options)


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("size_bytes", [1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES])
@pytest.mark.parametrize("content_type", list(EXTENSIONS))
def test_what_is_put_can_be_read_piece_by_piece(content_type: str, size_bytes: int) -> None:
    async def scenario() -> None:
        store, result_id, data = in_memory(), new_result_id(), os.urandom(size_bytes)
        await store.put(result_id, data, content_type)
        found = await store.open(result_id)
        assert (found.content_type, found.size_bytes) == (content_type, size_bytes)
        pieces = [piece async for piece in found.chunks]
        assert b"".join(pieces) == data
        assert max(map(len, pieces)) <= PIECE_BYTES

    asyncio.run(scenario())


def test_deleted_and_foreign_results_are_unknown_and_no_id_leads_out_of_the_prefix() -> None:
    async def scenario() -> None:
        store, result_id = in_memory(), new_result_id()
        await store.put(result_id, b"data", PNG)
        await store.delete(result_id)
        await store.delete(result_id)
        for wrong in (result_id, new_result_id(), "", "..", "probe", "../" + "a" * 19, "a" * 21 + "/", "a" * 23):
            for attempt in (store.open(wrong), store.link(wrong, 60)):
                with pytest.raises(ResultUnknown):
                    await attempt
        with pytest.raises(ResultUnknown):
            await store.put("../" + "a" * 19, b"data", PNG)

    asyncio.run(scenario())


@pytest.mark.parametrize("size_bytes", [1000, PIECE_BYTES + 1000])
def test_an_object_that_is_not_what_was_put_is_never_given_as_a_whole(size_bytes: int) -> None:
    async def scenario() -> None:
        store, result_id, data = in_memory(), new_result_id(), os.urandom(size_bytes)
        await store.put(result_id, data, PNG)
        path = f"results/{result_id}"
        attributes = (await obstore.get_async(store._bucket, path)).attributes
        await obstore.put_async(store._bucket, path, data[:-1] + bytes([data[-1] ^ 1]), attributes=attributes)
        given = 0
        with pytest.raises(StoreUnavailable):
            async for chunk in (await store.open(result_id)).chunks:
                given += len(chunk)
        assert given == (0 if size_bytes <= PIECE_BYTES else PIECE_BYTES)

    asyncio.run(scenario())


def test_one_of_many_replicas_sweeps_and_takes_only_old_results() -> None:
    async def scenario() -> None:
        first = in_memory()
        second = in_memory()
        second._bucket = first._bucket  # memory is shared by nobody else
        old = [new_result_id() for _ in range(3)]
        for result_id in old:
            await first.put(result_id, b"old", PNG)
        await obstore.put_async(first._bucket, "results/notes.txt", b"not ours")
        await obstore.put_async(first._bucket, "elsewhere/" + new_result_id(), b"not ours")
        await asyncio.sleep(0.02)
        border = time.time()
        await asyncio.sleep(0.02)
        young = new_result_id()
        await first.put(young, b"young", PNG)
        assert await first.remove_older(border) == 3
        assert await second.remove_older(time.time() + 10) == 0  # the hour is not over
        for result_id in old:
            with pytest.raises(ResultUnknown):
                await second.open(result_id)
        assert await (await second.open(young)).read() == b"young"
        left = [meta["path"] for page in obstore.list(first._bucket) for meta in page]
        assert len(left) == 4, left  # young, the note, the stranger, the mark of the last sweep

    asyncio.run(scenario())


def test_a_bucket_with_a_rule_of_its_own_is_left_alone() -> None:
    async def scenario() -> None:
        store, result_id = in_memory(sweep_every_s=None), new_result_id()
        await store.put(result_id, b"old", PNG)
        assert await store.remove_older(time.time() + 10) == 0
        assert await (await store.open(result_id)).read() == b"old"

    asyncio.run(scenario())


def test_it_is_asked_for_proof_only_when_nothing_was_put_lately(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> list[str]:
        store = in_memory()
        await store.put(new_result_id(), b"data", PNG)
        await store.check()
        probes = [meta["path"] for page in obstore.list(store._bucket, "results/probe") for meta in page]
        assert probes == []
        ahead = time.monotonic() + PROOF_S
        monkeypatch.setattr(bucket_store.time, "monotonic", lambda: ahead)
        await store.check()
        return [str(meta["path"]) for page in obstore.list(store._bucket, "results/probe") for meta in page]

    asyncio.run(scenario())


def test_clocks_that_disagree_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    real = time.time()
    monkeypatch.setattr(bucket_store.time, "time", lambda: real + 3600)

    async def scenario() -> None:
        store = in_memory()
        for _ in range(2):
            with pytest.raises(StoreUnavailable) as caught:
                await store.check()
            assert "clock" in str(caught.value.__cause__)
            assert "clock" not in str(caught.value)

    asyncio.run(scenario())


@pytest.fixture
def silent(credentials: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[BucketStore]:
    """A bucket behind a host that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as host:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{host.getsockname()[1]}")
        yield BucketStore(Addresses("s3", "shop", "results"), deadline_s=0.5)


def test_every_call_ends_at_its_deadline(silent: BucketStore) -> None:
    async def scenario() -> None:
        result_id = new_result_id()
        calls = [
            silent.put(result_id, b"data", PNG),
            silent.open(result_id),
            silent.link(result_id, 60),
            silent.delete(result_id),
            silent.check(),
            silent.remove_older(time.time()),
        ]
        started = time.monotonic()
        ends = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(end) for end in ends] == [StoreUnavailable] * len(calls)
        assert time.monotonic() - started < 3

    asyncio.run(scenario())


def test_a_host_that_refuses_is_unavailable_and_the_words_show_nothing(
    credentials: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as host:
        address = f"http://127.0.0.1:{host.getsockname()[1]}"
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    store = BucketStore(Addresses("s3", "shop", "results"), deadline_s=1)
    with pytest.raises(StoreUnavailable) as caught:
        asyncio.run(store.put(new_result_id(), b"data", PNG))
    assert "s3://shop/results" in str(caught.value.__cause__)
    for shown in ("shop", "127.0.0.1", "results/"):
        assert shown not in str(caught.value)


def settings(tmp_path: Path, **environ: str) -> Settings:
    return Settings.from_environment({"PACKSHOT_STATE_DIR": str(tmp_path), "HOME": str(tmp_path), **environ})


def test_the_settings_choose_the_store(tmp_path: Path, credentials: None) -> None:
    assert isinstance(open_store(settings(tmp_path), tmp_path), LocalStore)
    for url in ("s3://shop", "s3://shop/results/", "s3://shop.example/a/b"):
        assert isinstance(open_store(settings(tmp_path, PACKSHOT_RESULTS_URL=url), tmp_path), BucketStore)


@pytest.mark.parametrize(
    "url", ["shop", "s3://", "ftp://shop", "memory://shop", "s3://key:secret@shop", "s3://a/../b?x"]
)
def test_a_place_that_is_none_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(BadSettings, match=r"PACKSHOT_RESULTS_URL: .*expected s3://BUCKET/PREFIX"):
        settings(tmp_path, PACKSHOT_RESULTS_URL=url)


@pytest.mark.parametrize("url", ["", "gs://shop/results", "az://shop"])
def test_a_redirect_needs_what_can_sign_links(tmp_path: Path, url: str) -> None:
    with pytest.raises(BadSettings, match="redirect needs an s3:// bucket in PACKSHOT_RESULTS_URL"):
        settings(tmp_path, PACKSHOT_RESULTS_URL=url, PACKSHOT_RESULTS_DELIVERY="redirect")


def test_a_redirect_without_credentials_ends_the_start(
    tmp_path: Path, credentials: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in CREDENTIALS:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:1")  # where a machine of the vendor's asks for some
    chosen = settings(tmp_path, PACKSHOT_RESULTS_URL="s3://shop", PACKSHOT_RESULTS_DELIVERY="Redirect")
    with pytest.raises(BadSettings, match="no link can be signed") as caught:
        open_store(chosen, tmp_path)
    assert "PACKSHOT_RESULTS_DELIVERY=stream" in caught.value.hint
