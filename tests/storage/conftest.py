"""One suite for all places: a folder, a bucket in memory, and with the mark `services` a bucket of a real S3 server."""

from __future__ import annotations

from pathlib import Path

import pytest

from packshot.storage.base import Storage
from packshot.storage.bucket import BucketStorage, open_bucket
from packshot.storage.folder import FolderStorage
from tests.kit.s3 import S3, use_credentials_of_nobody


@pytest.fixture(scope="session")
def s3(shared_s3: S3) -> S3:
    shared_s3.make_bucket("shop")
    return shared_s3


@pytest.fixture
def s3_place(s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BucketStorage:
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    return bucket_storage(f"s3://shop/{tmp_path.name}")


@pytest.fixture(params=["folder", "memory", pytest.param("s3", marks=pytest.mark.services)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    """An empty place of each kind."""
    if request.param == "folder":
        return FolderStorage(tmp_path / "place")
    if request.param == "memory":
        return bucket_storage("memory://shop/results")
    storage: BucketStorage = request.getfixturevalue("s3_place")
    return storage


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """S3 credentials that no server knows."""
    use_credentials_of_nobody(monkeypatch)


def bucket_storage(url: str, deadline_s: float = 10, **options: bool) -> BucketStorage:
    return BucketStorage(open_bucket(url, deadline_s=deadline_s, page=""), url, deadline_s=deadline_s, **options)
