"""Storage for the threads of a batch: the place for each URL, and retries."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from packshot.errors import BadSettings, InvalidOption, StorageRefused, StoreUnavailable
from packshot.retry import RetryPolicy
from packshot.storage import blocking
from packshot.storage.blocking import BlockingStorage, open_storage
from packshot.storage.folder import FolderStorage


@pytest.mark.parametrize("url", ["ftp://host/folder", "s3://", "s3://bucket?x=1", "http://host/a"])
def test_places_that_are_none(url: str) -> None:
    with pytest.raises(InvalidOption, match="is not a folder or bucket"):
        open_storage(url)


def test_two_folders_of_a_bucket_are_one_bucket() -> None:
    open_storage("memory://blocking/a").put("b/x", b"data", "")
    assert open_storage("memory://blocking/a/b").get("x") == b"data"
    assert [entry.key for entry in open_storage("memory://blocking").list()] == ["a/b/x"]
    assert open_storage("memory://blocking/a") is open_storage("memory://blocking/a/")


def test_without_the_extra_folders_work_and_buckets_say_what_is_missing(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['obstore'] = None\n"
        "from packshot.storage.blocking import open_storage\n"
        f"assert list(open_storage({str(tmp_path)!r}).list()) == []\n"
        "try: open_storage('s3://bucket')\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.startswith(BadSettings.__name__)
    assert "pip install 'packshot[batch]'" in said


@pytest.mark.slow
def test_a_process_ends_well_while_a_bucket_still_hands_its_answer_over(tmp_path: Path) -> None:
    """Such a thread aborts the process if it runs into Python's shutdown."""
    (tmp_path / "late.py").write_text(
        "import time\n"
        "class Late:\n"
        "    def __init__(self): self.sleep = time.sleep\n"
        "    def __del__(self): self.sleep(0.4)\n"  # prolongs Python's shutdown
        "late = Late()\n"
    )
    code = (
        "import asyncio, threading, time, late\n"
        "write = asyncio.SelectorEventLoop._write_to_self\n"
        "def slowly(self):\n"
        "    write(self)\n"
        "    if 'Dummy' in threading.current_thread().name: time.sleep(0.2)\n"
        "asyncio.SelectorEventLoop._write_to_self = slowly\n"
        "from packshot.storage.blocking import open_storage\n"
        "open_storage('memory://end').put('x', b'data', '')"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("fails", "error", "calls"),
    [(2, StoreUnavailable, 3), (3, StoreUnavailable, 3), (1, StorageRefused, 1)],
    ids=["passes in time", "does not pass", "is a refusal"],
)
def test_passing_trouble_is_waited_for_and_lasting_trouble_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: int, error: type[Exception], calls: int
) -> None:
    class Flaky(FolderStorage):
        calls = 0

        async def read(self, key: str) -> bytes:
            self.calls += 1
            if self.calls <= fails:
                raise error("no")
            return await super().read(key)

    monkeypatch.setattr(blocking, "RETRIES", RetryPolicy(attempts=3, first_pause_s=0.001, longest_pause_s=0.001))
    (tmp_path / "a").write_bytes(b"data")
    flaky = Flaky(tmp_path, in_place=True)
    if fails < calls:
        assert BlockingStorage(flaky).get("a") == b"data"
    else:
        with pytest.raises(error):
            BlockingStorage(flaky).get("a")
    assert flaky.calls == calls
