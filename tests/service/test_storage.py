from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from packshot.errors import ResultUnknown, StoreUnavailable
from packshot.service.local_store import CHUNK_BYTES, LocalStore
from packshot.service.storage import new_result_id
from packshot.service.sweeper import Sweeper
from tests.service.kit import until

PNG, JPEG = "image/png", "image/jpeg"
DAY_S = 86400


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("size_bytes", [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES - 1])
@pytest.mark.parametrize(("content_type", "extension"), [(PNG, ".png"), (JPEG, ".jpg")])
def test_what_is_put_can_be_read(tmp_path: Path, content_type: str, extension: str, size_bytes: int) -> None:
    async def scenario() -> None:
        store, result_id, data = LocalStore(tmp_path, fsync=True), new_result_id(), os.urandom(size_bytes)
        await store.put(result_id, data, content_type)
        found = await LocalStore(tmp_path).open(result_id)  # also after a restart
        assert (found.content_type, found.size_bytes) == (content_type, size_bytes)
        assert await found.read() == data
        assert [file.suffix for file in files_in(tmp_path)] == [extension]

    asyncio.run(scenario())


def test_large_results_come_in_chunks(tmp_path: Path) -> None:
    async def scenario() -> list[int]:
        store, result_id = LocalStore(tmp_path), new_result_id()
        await store.put(result_id, bytes(2 * CHUNK_BYTES + 5), PNG)
        return [len(chunk) async for chunk in (await store.open(result_id)).chunks]

    assert asyncio.run(scenario()) == [CHUNK_BYTES, CHUNK_BYTES, 5]


def test_deleted_and_foreign_results_are_unknown(tmp_path: Path) -> None:
    async def scenario() -> None:
        store, result_id = LocalStore(tmp_path), new_result_id()
        await store.put(result_id, b"data", PNG)
        await store.delete(result_id)
        await store.delete(result_id)
        for unknown in (result_id, new_result_id()):
            with pytest.raises(ResultUnknown):
                await store.open(unknown)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "result_id",
    [
        *["", ".", "..", "../secret", "..%2fsecret", "incoming", "/etc/passwd", "a" * 21, "a" * 23, "a" * 5_000],
        *["../" + "a" * 19, "a" * 22 + "\n", "a" * 21 + "\0", "a" * 21 + "/", "ä" * 22, "a" * 18 + ".png"],
    ],
)
def test_no_id_leads_out_of_the_folder(tmp_path: Path, result_id: str) -> None:
    (tmp_path / "secret.png").write_bytes(b"secret")
    store = LocalStore(tmp_path / "results")

    async def scenario() -> None:
        for attempt in (store.open(result_id), store.delete(result_id), store.put(result_id, b"x", PNG)):
            with pytest.raises(ResultUnknown):
                await attempt

    asyncio.run(scenario())
    assert [file.name for file in files_in(tmp_path)] == ["secret.png"]


def test_ids_cannot_be_guessed_and_fit_a_url() -> None:
    ids = {new_result_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(len(result_id) == 22 and result_id.isascii() for result_id in ids)


WRITER = """
import asyncio, os, sys
from pathlib import Path
from packshot.service.local_store import LocalStore
from packshot.service.storage import new_result_id

async def fill():
    store = LocalStore(Path(sys.argv[1]))
    while True:
        await asyncio.gather(*(store.put(new_result_id(), os.urandom(4096) * 2000, "image/png") for _ in range(4)))

asyncio.run(fill())
"""


def test_a_writer_that_is_killed_leaves_whole_results_or_none(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)]) as writer:
        asyncio.run(until(lambda: len(list(tmp_path.glob("*/*.png"))) > 4))
        writer.kill()
    assert {file.stat().st_size for file in tmp_path.glob("*/*.png")} == {4096 * 2000}


FULL = """
import asyncio, resource, sys
from pathlib import Path
from packshot.errors import StoreUnavailable
from packshot.service.local_store import LocalStore
from packshot.service.storage import new_result_id

resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))  # the kernel then refuses the rest, as a full disk does
try:
    asyncio.run(LocalStore(Path(sys.argv[1])).put(new_result_id(), bytes(1_000_000), "image/png"))
except StoreUnavailable as error:
    print(type(error.__cause__).__name__, sys.argv[1] in str(error))
"""


def test_a_write_that_stops_in_the_middle_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FULL, str(tmp_path)]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert said == "OSError False\n"
    assert files_in(tmp_path) == []


def test_a_place_that_cannot_hold_results_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = LocalStore(tmp_path / "file" / "results")

    async def scenario() -> None:
        for attempt in (store.put(new_result_id(), b"x", PNG), store.open(new_result_id()), store.check()):
            with pytest.raises(StoreUnavailable) as caught:
                await attempt
            assert str(tmp_path) not in str(caught.value)

    asyncio.run(scenario())


def test_a_store_that_works_says_so_and_leaves_no_trace(tmp_path: Path) -> None:
    asyncio.run(LocalStore(tmp_path / "results").check())
    assert files_in(tmp_path) == []


def test_the_sweeper_removes_what_has_expired_and_leftovers_and_nothing_else(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    kept, late_s = new_result_id(), DAY_S + Sweeper.GRACE_S

    async def fill() -> None:
        for _ in range(3):
            await store.put(new_result_id(), b"old", PNG)
        await store.check()
        (tmp_path / "incoming" / "leftover").write_bytes(b"half")
        for file in files_in(tmp_path):
            os.utime(file, (1000, 1000))
        await store.put(kept, b"young", PNG)
        (young,) = (file for file in files_in(tmp_path) if file.stem == kept)
        os.utime(young, (1002, 1002))

    asyncio.run(fill())
    assert asyncio.run(Sweeper(store, DAY_S, now=lambda: 1000 + late_s).sweep()) == 0
    assert asyncio.run(Sweeper(store, DAY_S, now=lambda: 1001 + late_s).sweep()) == 4
    assert [file.stem for file in files_in(tmp_path)] == [kept]


@pytest.mark.parametrize("error", [StoreUnavailable("no"), RuntimeError("a fault of ours")])
def test_the_sweeper_goes_on_after_a_failure(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    class Flaky(LocalStore):
        calls = 0

        async def remove_older(self, before: float) -> int:
            self.calls += 1
            if self.calls == 1:
                raise error from OSError("disk")
            return await super().remove_older(before)

    async def scenario() -> None:
        store, result_id = Flaky(tmp_path), new_result_id()
        await store.put(result_id, b"old", PNG)
        sweeping = asyncio.create_task(Sweeper(store, 0, every_s=0.01, now=lambda: time.time() + 9999).run())
        await until(lambda: not files_in(tmp_path))
        sweeping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sweeping

    with caplog.at_level(logging.WARNING):
        asyncio.run(scenario())
    assert "disk" in caplog.text
