"""A batch from bucket to bucket, on a real S3 server."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from packshot.batch.journal import SEGMENTS, parsed
from packshot.retry import RetryPolicy
from packshot.storage.blocking import BlockingStorage, open_storage
from tests.batch.kit import batch, command, make
from tests.kit.images import as_jpeg, photo
from tests.kit.s3 import S3
from tests.kit.server import PATIENCE_S, wait_until

pytestmark = pytest.mark.slow

NAMES = ["a b#1.jpg", "ü/ö é.jpg", "per%20cent.jpg", "plus+.jpg", *(f"{number:03}.jpg" for number in range(40))]


@pytest.fixture(scope="module")
def s3(shared_s3: S3) -> Iterator[S3]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in shared_s3.environment.items():
            patch.setenv(name, value)
        shared_s3.make_bucket("shop")
        yield shared_s3


@pytest.fixture(scope="module")
def photos(s3: S3) -> BlockingStorage:
    place = open_storage("s3://shop/raw")
    for seed, name in enumerate(NAMES):
        place.put(name, as_jpeg(photo(200, 150, seed)), "image/jpeg")
    return place


def outputs(out: BlockingStorage) -> set[str]:
    return {entry.key for entry in out.list() if not entry.key.startswith("packshot-report/")}


def made(out: BlockingStorage) -> list[str]:
    keys = sorted(entry.key for entry in out.list(SEGMENTS))
    rows = [row for key in keys for row in parsed(out.get(key).splitlines())]
    return [row["source"] for row in rows if row.get("ok")]


def test_a_killed_run_goes_on_from_the_bucket(photos: BlockingStorage) -> None:
    out = open_storage("s3://shop/killed")
    process = subprocess.Popen(command(photos.url, out.url, "--background", "white"), stderr=subprocess.DEVNULL)
    wait_until(lambda: len(made(out)) >= 8)
    process.kill()
    process.wait(PATIENCE_S)
    before, there = set(made(out)), outputs(out)
    assert 8 <= len(before) < len(NAMES)
    assert len(there) <= len(before) + 40, "more than a second's work is missing in the journal"

    again = batch(photos.url, out.url, "--background", "white")
    assert again.returncode == 0, again.stderr
    assert f"{len(before)} of them finished before" in again.stderr
    assert sorted(made(out)) == sorted(NAMES)
    assert outputs(out) == {name.replace(".jpg", "-white.jpg") for name in NAMES}
    assert "packshot-report/report.html" in {entry.key for entry in out.list()}
    assert batch(photos.url, out.url, "--background", "white", "--report", "none").stderr.count(" 0 in this run") == 1


def test_from_a_bucket_to_a_folder_and_a_changed_object(photos: BlockingStorage, tmp_path: Path) -> None:
    few = tmp_path / "few.txt"
    few.write_text("000.jpg\n001.jpg\n")
    assert batch(photos.url, tmp_path / "out", "--manifest", few).returncode == 0
    photos.put("001.jpg", as_jpeg(photo(200, 150, 99)), "image/jpeg")
    assert "1 in this run" in batch(photos.url, tmp_path / "out", "--manifest", few).stderr


def test_a_wrong_secret_is_said_at_once(photos: BlockingStorage, tmp_path: Path) -> None:
    started = time.monotonic()
    result = batch(photos.url, tmp_path / "out", env={**os.environ, "AWS_SECRET_ACCESS_KEY": "wrong"})
    assert result.returncode == 74
    assert "credentials" in result.stderr
    assert "wrong" not in result.stderr
    assert time.monotonic() - started < PATIENCE_S


def test_a_bucket_that_is_not_there(s3: S3, tmp_path: Path) -> None:
    result = batch("s3://no-such-bucket", tmp_path / "out")
    assert result.returncode == 74
    assert "no-such-bucket" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_server_that_goes_away_ends_the_run_and_says_how_to_go_on(
    photos: BlockingStorage, s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs last: it stops the server."""
    monkeypatch.setattr("packshot.storage.blocking.RETRIES", RetryPolicy(3, 0.1, 0.1))
    monkeypatch.setattr("packshot.batch.run.GIVE_UP_AFTER_S", 3.0)
    out = tmp_path / "out"
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(make, photos.url, out)
        wait_until(lambda: len(list(out.glob("*.jpg"))) >= 3)
        s3.stop()
        summary = running.result()
    assert summary.counts.made >= 3
    assert summary.left > 0
    assert summary.trouble is not None
    assert "Run the same command to continue" in summary.trouble.hint
