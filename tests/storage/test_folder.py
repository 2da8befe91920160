"""Folder only: names in a file system, half-written files, permissions."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from packshot.errors import StorageRefused
from packshot.storage.blocking import open_storage
from packshot.storage.folder import FolderStorage
from tests.batch.kit import fill
from tests.service.kit import until


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_it_lists_what_is_a_file_and_not_hidden(tmp_path: Path) -> None:
    fill(tmp_path, ["b.jpg", "a/c.jpg", ".hidden/d.jpg", "a/._c.jpg"])
    (tmp_path / "a" / "circle").symlink_to(tmp_path)
    (tmp_path / "link.jpg").symlink_to(tmp_path / "b.jpg")
    (tmp_path / "dead.jpg").symlink_to(tmp_path / "gone.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    place = open_storage(str(tmp_path))
    assert [entry.key for entry in place.list()] == ["a/c.jpg", "b.jpg", "link.jpg"]
    assert place is open_storage(str(tmp_path))
    assert place.url == open_storage(f"file://{tmp_path}").url


def test_an_empty_file_and_a_folder_under_a_files_name(tmp_path: Path) -> None:
    async def scenario() -> None:
        place = FolderStorage(tmp_path)
        await place.write("a/empty", b"", "")
        assert await (await place.open("a/empty")).read() == b""
        assert await place.find("a") is None
        with pytest.raises(StorageRefused):
            await place.find("a/empty/below")

    asyncio.run(scenario())


def test_a_write_is_whole_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = open_storage(str(tmp_path))
    place.put("deep/a.bin", b"before", "")
    monkeypatch.setattr(Path, "write_bytes", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(StorageRefused, match="no space is left"):
        place.put("deep/a.bin", b"after", "")
    monkeypatch.undo()
    assert place.get("deep/a.bin") == b"before"
    place.remove_leftovers()
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.bin", "deep"]


WRITER = """
import asyncio, os, sys
from pathlib import Path
from packshot.storage.folder import FolderStorage

async def fill():
    place = FolderStorage(Path(sys.argv[1]))
    for number in range(100_000):
        names = [f"ab/{4 * number + more}.png" for more in range(4)]
        await asyncio.gather(*(place.write(name, os.urandom(4096) * 2000, "image/png") for name in names))

asyncio.run(fill())
"""


def test_a_writer_that_is_killed_leaves_whole_files_or_none(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)]) as writer:
        asyncio.run(until(lambda: len(list(tmp_path.glob("*/*.png"))) > 4))
        writer.kill()
    assert {file.stat().st_size for file in tmp_path.glob("*/*.png")} == {4096 * 2000}


FULL = """
import asyncio, resource, sys
from pathlib import Path
from packshot.errors import StorageRefused
from packshot.storage.folder import FolderStorage

resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))  # the kernel then refuses the rest, as a full disk does
try:
    asyncio.run(FolderStorage(Path(sys.argv[1]), private=True).write("secret.png", bytes(1_000_000), "image/png"))
except StorageRefused as error:
    print(type(error.__cause__).__name__, "secret" in str(error))
"""


def test_a_write_that_stops_in_the_middle_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FULL, str(tmp_path)]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert said == "OSError False\n"
    assert files_in(tmp_path) == []


def test_leftovers_go_when_they_are_old(tmp_path: Path) -> None:
    place = FolderStorage(tmp_path)

    async def scenario() -> None:
        assert await place.remove_leftovers() == 0
        await place.check()
        (incoming,) = (tmp_path / ".packshot").iterdir()
        for name, at in (("old", 1000), ("young", 1002)):
            (incoming / name).write_bytes(b"half")
            os.utime(incoming / name, (at, at))
        assert await place.remove_leftovers(1001) == 1
        assert [file.name for file in files_in(tmp_path)] == ["young"]
        assert await place.remove_leftovers() == 1

    asyncio.run(scenario())
    assert list(tmp_path.iterdir()) == []


def test_leftovers_that_cannot_be_removed_stop_no_batch(tmp_path: Path) -> None:
    stuck = tmp_path / ".packshot" / "incoming" / "a folder, which nobody here makes"
    stuck.mkdir(parents=True)
    open_storage(str(tmp_path)).remove_leftovers()
    assert stuck.is_dir()


CLOSED = """
import asyncio, os, sys
from pathlib import Path
from packshot.storage.folder import FolderStorage

os.chdir(sys.argv[1])
os.makedirs("lost+found")
os.chmod("lost+found", 0)
if os.geteuid() == 0:
    os.chown(".", 65534, 65534)
    os.setuid(65534)

async def listed(private):
    place = FolderStorage(Path("."), private=private, in_place=True)
    await place.write("ab/x.png", b"data", "image/png")
    return [(entry.key, entry.fault) async for page in place.list() for entry in page]

print(asyncio.run(listed(private=True)))
print(asyncio.run(listed(private=False)))
"""


def test_a_folder_that_is_closed_to_us_is_said_and_holds_up_no_listing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CLOSED, str(tmp_path)]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    whole = "('ab/x.png', '')"
    assert said == f"[{whole}]\n[{whole}, ('lost+found/', 'Permission denied')]\n"


def test_folders_of_a_private_place_are_for_this_user_alone(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "results"
    asyncio.run(FolderStorage(folder, private=True).write("ab/x.png", b"data", "image/png"))
    made = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
    assert len(made) == 4
    assert {path.stat().st_mode & 0o777 for path in made} == {0o700}


def test_threads_write_and_read_beside_each_other(tmp_path: Path) -> None:
    place, read = open_storage(str(tmp_path)), []

    def work(number: int) -> None:
        place.put(f"{number}/a", bytes([number]) * 1000, "")
        read.append(place.get(f"{number}/a") == bytes([number]) * 1000)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read == [True] * 40


def test_a_folder_without_hard_links_creates_files_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)  # FAT's error
    place = FolderStorage(tmp_path)

    async def scenario() -> None:
        created = await asyncio.gather(*(place.create("a/b", data, "") for data in (b"one", b"two")))
        assert sorted(created) == [False, True]
        assert await place.read("a/b") == (b"one", b"two")[created.index(True)]

    asyncio.run(scenario())
    assert files_in(tmp_path) == [tmp_path / "a" / "b"]
