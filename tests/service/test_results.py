"""Results: their names, their life, the errors that callers see, and the place that the settings choose."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from pathlib import Path

import pytest

from packshot.errors import BadSettings, ResultUnknown, StoreUnavailable
from packshot.service.results import (
    GRACE_S,
    JOB_LIFE_S,
    ResultStore,
    Sweeper,
    media_type_of,
    new_result_id,
    open_results,
    result_name,
)
from packshot.service.settings import Settings
from packshot.storage import bucket
from packshot.storage.bucket import BucketStorage, open_bucket
from packshot.storage.folder import FolderStorage
from tests.kit.s3 import CREDENTIALS, use_credentials_of_nobody
from tests.service.kit import until

DAY_S = 86400


def new_name() -> str:
    return result_name(new_result_id(), "image/png")


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def in_folder(folder: Path) -> ResultStore:
    return ResultStore(FolderStorage(folder, private=True))


def in_memory() -> ResultStore:
    place = "memory://shop/results"
    return ResultStore(BucketStorage(open_bucket(place, deadline_s=5, page=""), place, deadline_s=5, private=True))


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    use_credentials_of_nobody(monkeypatch)


def test_ids_cannot_be_guessed_and_fit_a_url() -> None:
    ids = {new_result_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(len(result_id) == 22 and result_id.isascii() for result_id in ids)


@pytest.mark.parametrize(
    ("media_type", "ending"),
    [("image/png", "png"), ("image/jpeg", "jpg"), ("image/webp", "webp"), ("image/avif", "avif")],
)
def test_the_ending_of_a_name_is_its_media_type(media_type: str, ending: str) -> None:
    name = result_name(new_result_id(), media_type)
    assert name.rpartition(".")[2] == ending
    assert media_type_of(name) == media_type


def test_results_that_are_gone_and_foreign_ones_are_unknown(tmp_path: Path) -> None:
    async def scenario() -> None:
        for store in (in_folder(tmp_path), in_memory()):
            name = new_name()
            await store.put(name, b"data")
            await store.storage.remove([f"{name[:2]}/{name}"])
            for unknown in (name, new_name()):
                with pytest.raises(ResultUnknown):
                    await store.open(unknown)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "name",
    [
        *["", ".", "..", "../secret.png", "..%2fsecret.png", "incoming", "/etc/passwd", "a" * 22, "a" * 22 + ".svg"],
        *[f"{result_id}.png" for result_id in ("a" * 21, "a" * 23, "a" * 5_000, "../" + "a" * 19, "a" * 18 + ".png")],
        *[f"{result_id}.png" for result_id in ("a" * 21 + "\0", "a" * 21 + "/", "ä" * 22, "probe", "sweep")],
        *["a" * 22 + ".png\n", "a" * 22 + "\n.png", "a" * 22 + ".png.png"],
    ],
)
def test_no_name_leads_out_of_its_place(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.png").write_bytes(b"secret")

    async def scenario() -> None:
        for store in (in_folder(tmp_path / "results"), in_memory()):
            attempts = (store.open(name), store.link(name, 60), store.put(name, b"x"))
            for attempt in attempts:
                with pytest.raises(ResultUnknown):
                    await attempt

    asyncio.run(scenario())
    assert [file.name for file in files_in(tmp_path)] == ["secret.png"]


def test_a_place_that_cannot_hold_results_is_unavailable_and_not_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = in_folder(tmp_path / "file" / "results")

    async def scenario() -> None:
        for attempt in (store.put(new_name(), b"x"), store.open(new_name()), store.check()):
            with pytest.raises(StoreUnavailable) as caught:
                await attempt
            assert str(tmp_path) not in str(caught.value)
            assert str(tmp_path) in str(caught.value.__cause__)

    asyncio.run(scenario())


def test_no_failure_tells_a_caller_where_results_are(monkeypatch: pytest.MonkeyPatch) -> None:
    real = time.time()
    monkeypatch.setattr(bucket.time, "time", lambda: real + 3600)
    monkeypatch.setattr(bucket, "PIECE_BYTES", 10)

    async def scenario() -> None:
        store, name = in_memory(), new_name()
        with pytest.raises(StoreUnavailable) as caught:
            await store.check()
        assert "clock" in str(caught.value.__cause__)
        assert "clock" not in str(caught.value)
        await store.put(name, bytes(25))
        found = await store.open(name)
        await store.storage.remove([f"{name[:2]}/{name}"])
        with pytest.raises(StoreUnavailable) as caught:
            await found.read()
        assert "memory://shop/results" in str(caught.value.__cause__)
        for shown in ("shop", "results/", name):
            assert shown not in str(caught.value)

    asyncio.run(scenario())


def test_a_store_that_works_says_so_and_leaves_no_trace(tmp_path: Path) -> None:
    asyncio.run(in_folder(tmp_path / "results").check())
    assert files_in(tmp_path) == []


def test_the_sweeper_removes_what_has_expired_and_leftovers_and_nothing_else(tmp_path: Path) -> None:
    store = in_folder(tmp_path)
    kept, late_s = new_name(), DAY_S + GRACE_S

    async def fill() -> None:
        for _ in range(3):
            await store.put(new_name(), b"old")
        await store.check()
        (tmp_path / ".packshot" / "incoming" / "leftover").write_bytes(b"half")
        for file in files_in(tmp_path):
            os.utime(file, (1000, 1000))
        await store.put(kept, b"young")
        (young,) = (file for file in files_in(tmp_path) if file.name == kept)
        os.utime(young, (1002, 1002))

    asyncio.run(fill())
    assert asyncio.run(Sweeper(store, DAY_S, now=lambda: 1000 + late_s).sweep()) == 0
    assert asyncio.run(Sweeper(store, DAY_S, now=lambda: 1001 + late_s).sweep()) == 4
    assert [file.name for file in files_in(tmp_path)] == [kept]


@pytest.mark.parametrize(("age_s", "left"), [(JOB_LIFE_S, 1), (JOB_LIFE_S + GRACE_S + 10, 0)])
def test_a_photo_that_waits_for_its_job_lives_as_long_as_jobs_do(tmp_path: Path, age_s: float, left: int) -> None:
    async def scenario() -> None:
        store = ResultStore(FolderStorage(tmp_path))
        await store.put_input("waits", b"photo")
        await Sweeper(store, 0, now=lambda: time.time() + age_s).sweep()

    asyncio.run(scenario())
    assert len(files_in(tmp_path)) == left


@pytest.mark.parametrize("error", [StoreUnavailable("no"), RuntimeError("a fault of ours")])
def test_the_sweeper_goes_on_after_a_failure(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    class Flaky(ResultStore):
        calls = 0

        async def remove_older(self, before: float, inputs_before: float = 0.0) -> int:
            self.calls += 1
            if self.calls == 1:
                raise error from OSError("disk")
            return await super().remove_older(before, inputs_before)

    async def scenario() -> None:
        store = Flaky(FolderStorage(tmp_path))
        await store.put(new_name(), b"old")
        sweeping = asyncio.create_task(Sweeper(store, 0, every_s=0.01, now=lambda: time.time() + 9999).run())
        await until(lambda: not files_in(tmp_path))
        sweeping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sweeping

    with caplog.at_level(logging.WARNING):
        asyncio.run(scenario())
    assert "disk" in caplog.text


def settings(tmp_path: Path, **environ: str) -> Settings:
    return Settings.from_environment({"PACKSHOT_STATE_DIR": str(tmp_path), "HOME": str(tmp_path), **environ})


def test_the_settings_choose_the_place(tmp_path: Path, credentials: None) -> None:
    assert open_results(settings(tmp_path), tmp_path).storage.folder == tmp_path
    for url in ("s3://shop", "s3://shop/results/", "s3://shop.example/a/b"):
        store = open_results(settings(tmp_path, PACKSHOT_RESULTS_URL=url), tmp_path)
        assert store.storage.url == url.rstrip("/")
        assert store.storage.folder is None


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
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:1")  # where a vendor's machine asks for some
    chosen = settings(tmp_path, PACKSHOT_RESULTS_URL="s3://shop", PACKSHOT_RESULTS_DELIVERY="Redirect")
    with pytest.raises(BadSettings, match="no link can be signed") as caught:
        open_results(chosen, tmp_path)
    assert "PACKSHOT_RESULTS_DELIVERY=stream" in caught.value.hint
