"""Behaviour of every place."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from packshot.errors import FileMissing, StorageRefused
from packshot.service.results import ResultStore, new_result_id
from packshot.storage.base import Entry, Storage
from packshot.storage.bucket import PIECE_BYTES
from packshot.storage.folder import CHUNK_BYTES
from tests.kit.s3 import S3

KEYS = ["a b#1.jpg", "ü/ö é.jpg", "per%20cent.jpg", "plus+.jpg", "deep/er/x.png"]
KIND = "image/jpeg"


async def listed(place: Storage, under: str = "") -> list[Entry]:
    return [entry async for page in place.list(under) for entry in page]


def test_keys_of_all_kinds_are_written_listed_found_and_read(place: Storage) -> None:
    async def scenario() -> None:
        for number, key in enumerate(KEYS):
            await place.write(key, os.urandom(10 + number), KIND)
        entries = {entry.key: entry for entry in await listed(place)}
        assert set(entries) == set(KEYS)
        for key, entry in entries.items():
            found = await place.find(key)
            assert found is not None
            # A bucket's listing has milliseconds; a single look-up has whole seconds.
            assert (found.key, found.version, found.size_bytes, int(found.modified)) == (
                (entry.key, entry.version, entry.size_bytes, int(entry.modified))
            )
            assert abs(found.modified - time.time()) < 60
            assert len(await place.read(key)) == entry.size_bytes

    asyncio.run(scenario())


def test_a_listing_comes_in_pages_below_a_folder_and_without_hidden_files(
    place: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("folder", "bucket"):
        monkeypatch.setattr(f"packshot.storage.{module}.PAGE_ENTRIES", 2)

    async def scenario() -> None:
        for key in ("a/1", "a/2", "a/b/3", "ab/4", "5", "a/.hidden", ".packshot/6", "a/.h/7"):
            await place.write(key, b"data", KIND)
        pages = [page async for page in place.list("a")]
        assert all(1 <= len(page) <= 2 for page in pages)
        assert sorted(entry.key for page in pages for entry in page) == ["a/1", "a/2", "a/b/3"]
        assert sorted(entry.key for entry in await listed(place)) == ["5", "a/1", "a/2", "a/b/3", "ab/4"]
        assert [entry.key for entry in await listed(place, ".packshot")] == [".packshot/6"]
        assert await listed(place, "nothing") == []

    asyncio.run(scenario())


SIZES = [1, CHUNK_BYTES, CHUNK_BYTES + 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES]


@pytest.mark.parametrize("size_bytes", SIZES)
def test_a_file_is_opened_in_pieces(place: Storage, size_bytes: int) -> None:
    async def scenario() -> None:
        data = os.urandom(size_bytes)
        await place.write("deep/a.bin", data, KIND)
        assert await place.read("deep/a.bin") == data
        found = await place.open("deep/a.bin")
        assert found.size_bytes == size_bytes
        pieces = [piece async for piece in found.chunks]
        assert b"".join(pieces) == data
        assert max(map(len, pieces)) <= (CHUNK_BYTES if place.folder else PIECE_BYTES)

    asyncio.run(scenario())


def test_a_file_is_written_from_another_and_replaces_an_earlier_one(place: Storage, tmp_path: Path) -> None:
    async def scenario() -> None:
        (tmp_path / "table").write_bytes(b"from a file")
        await place.write("a", b"before", KIND)
        before = await place.find("a")
        await place.write("a", tmp_path / "table", KIND)
        after = await place.find("a")
        assert before is not None
        assert after is not None
        assert before.version != after.version
        assert await (await place.open("a")).read() == b"from a file"

    asyncio.run(scenario())


def test_of_many_that_create_a_file_one_does(place: Storage) -> None:
    async def scenario() -> None:
        contents = [os.urandom(10) for _ in range(8)]
        for key in ("a.json", "deep/er/b.json"):
            created = await asyncio.gather(*(place.create(key, data, KIND) for data in contents))
            assert created.count(True) == 1
            assert await place.read(key) == contents[created.index(True)]
            assert not await place.create(key, b"late", KIND)
        assert len(await listed(place)) == 2

    asyncio.run(scenario())


def test_removed_and_unknown_files_are_missing(place: Storage) -> None:
    async def scenario() -> None:
        await place.write("a", b"data", KIND)
        await place.write("b", b"data", KIND)
        for _ in range(2):
            await place.remove(["a", "b"])
        for key in ("a", "b", "never/there"):
            assert await place.find(key) is None
            for attempt in (place.read(key), place.open(key)):
                with pytest.raises(FileMissing):
                    await attempt

    asyncio.run(scenario())


@pytest.mark.parametrize("key", ["", "/etc/passwd", "../up.jpg", "a/../../b.jpg", "a//b.jpg", "nul\0.jpg"])
def test_no_key_leads_out_of_its_place(place: Storage, key: str) -> None:
    async def scenario() -> None:
        for attempt in (
            place.find(key),
            place.read(key),
            place.open(key),
            place.write(key, b"", KIND),
            place.create(key, b"", KIND),
            place.remove([key]),
        ):
            with pytest.raises(StorageRefused):
                await attempt

    asyncio.run(scenario())


def test_a_place_that_works_says_so(place: Storage) -> None:
    asyncio.run(place.check())
    left = asyncio.run(listed(place))
    assert [entry.key for entry in left] == ([] if place.folder else ["probe"])


def test_only_s3_has_links_of_its_own(place: Storage) -> None:
    async def scenario() -> None:
        await place.write("a", b"data", KIND)
        link = await place.link("a", 60)
        assert (link is not None) == place.url.startswith("s3://")
        if link is not None:
            with pytest.raises(FileMissing):
                await place.link("b", 60)

    asyncio.run(scenario())


class TestResults:
    """The store of results on each place."""

    @pytest.mark.parametrize("media_type", ["image/png", "image/jpeg", "image/webp", "image/avif"])
    def test_a_result_is_kept_under_its_name(self, place: Storage, media_type: str) -> None:
        ending = media_type.removeprefix("image/").replace("jpeg", "jpg")

        async def scenario() -> None:
            store, name, data = ResultStore(place), f"{new_result_id()}.{ending}", os.urandom(1000)
            await store.put(name, data)
            assert [entry.key for entry in await listed(place)] == [f"{name[:2]}/{name}"]
            found = await ResultStore(place).open(name)  # also after a restart
            assert found.size_bytes == len(data)
            assert await found.read() == data

        asyncio.run(scenario())

    @pytest.mark.slow
    @pytest.mark.parametrize("every_s", [0.0, 3600.0])
    def test_one_of_many_sweeps_and_takes_only_old_results(self, place: Storage, every_s: float) -> None:
        async def scenario() -> None:
            first, second = ResultStore(place, sweep_every_s=every_s), ResultStore(place, sweep_every_s=every_s)
            old = [f"{new_result_id()}.png" for _ in range(3)]
            for name in old:
                await first.put(name, b"old")
            await place.write("notes.txt", b"not ours", "text/plain")
            await place.write(f"elsewhere/{new_result_id()}.png", b"not ours", "image/png")
            await asyncio.sleep(0.02)
            border = time.time()
            await asyncio.sleep(0.02)
            young = f"{new_result_id()}.png"
            await first.put(young, b"young")
            assert await first.remove_older(border) == 3
            kept = {entry.key for entry in await listed(place)}
            assert kept >= {f"{young[:2]}/{young}", "notes.txt"}
            assert len(kept) == 3 + bool(every_s), kept  # and the foreign file, and the mark of the last sweep
            later = await second.remove_older(time.time() + 10)
            assert later == (0 if every_s else 1)  # the hour is not over

        asyncio.run(scenario())

    def test_a_place_with_a_rule_of_its_own_is_left_alone(self, place: Storage) -> None:
        async def scenario() -> None:
            store, name = ResultStore(place, sweep_every_s=None), f"{new_result_id()}.png"
            await store.put(name, b"old")
            assert await store.remove_older(time.time() + 10) == 0
            assert await (await store.open(name)).read() == b"old"

        asyncio.run(scenario())


@pytest.mark.services
def test_a_bucket_that_is_gone_is_no_missing_file(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.storage.conftest import bucket_storage

    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    gone = bucket_storage("s3://no-such-bucket/results")

    async def scenario() -> None:
        for attempt in (gone.read("a"), gone.open("a"), gone.link("a", 60), gone.write("a", b"x", KIND), gone.check()):
            with pytest.raises(StorageRefused, match="no-such-bucket") as caught:
                await attempt
            assert not isinstance(caught.value, FileMissing)

    asyncio.run(scenario())


def test_nothing_waits_for_threads_that_others_hold(place: Storage) -> None:
    """Locked database calls, for example, hold the threads of asyncio.to_thread."""

    async def scenario() -> None:
        leave = threading.Event()
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        held = asyncio.ensure_future(asyncio.to_thread(leave.wait))
        await asyncio.sleep(0)
        try:
            async with asyncio.timeout(10):
                await place.write("a.png", b"a" * 1000, "image/png")
                assert await (await place.open("a.png")).read() == b"a" * 1000
                assert await place.read("a.png") == b"a" * 1000
        finally:
            leave.set()
            await held

    asyncio.run(scenario())
