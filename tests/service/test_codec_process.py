"""Decoders and encoders in separate processes: same pictures and errors, and stoppable at any time."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from packshot.core import codecs
from packshot.core.codecs import LIBRARY_LIMITS
from packshot.core.picture import UInt8
from packshot.engine.job import Cancellation, Cancelled
from packshot.errors import UnreadableImage
from packshot.service import codec_process
from packshot.service.codec_process import LARGE_PX, CodecProcesses
from tests.kit.images import photo
from tests.kit.server import wait_until


def good(kind: str) -> bytes:
    return codecs.encode(photo(160, 120), format=kind)


NOISE = np.random.default_rng(5).integers(0, 256, (LARGE_PX // 2000, 2000, 3)).astype(np.uint8)


@pytest.fixture
def processes() -> Iterator[CodecProcesses]:
    made = CodecProcesses()
    yield made
    made.close()


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The ids of all started processes."""
    pids: list[int] = []
    popen = codec_process.subprocess.Popen

    class Noted(popen):  # type: ignore[misc, valid-type]
        def __init__(self, *arguments: object, **more: object) -> None:
            super().__init__(*arguments, **more)
            pids.append(self.pid)

    monkeypatch.setattr(codec_process.subprocess, "Popen", Noted)
    return pids


def _transparent(kind: str) -> bytes:
    rgb: UInt8 = NOISE[:70, :90]
    return codecs.encode(rgb, rgb[..., 0] | 1, format=kind, quality=100, exif=_EXIF)


_EXIF = b"MM\0*\0\0\0\x08\0\x01\x01\x0f\0\x02\0\0\0\x05\0\0\0\x1a\0\0\0\0Acme\0"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["tiff", "avif"])
def test_pictures_come_back_as_they_are_read_in_one_process(processes: CodecProcesses, kind: str) -> None:
    for data in (good(kind), _transparent(kind), good(kind)):
        header = codecs.probe(data, LIBRARY_LIMITS)
        ours, theirs = codecs.read(data, header), processes.for_work(Cancellation()).read(data, header)
        assert np.array_equal(ours.rgb, theirs.rgb)
        assert (ours.alpha is None) == (theirs.alpha is None)
        assert ours.alpha is None or np.array_equal(ours.alpha, np.asarray(theirs.alpha))
        assert ours.exif == theirs.exif


@pytest.mark.slow
def test_a_damaged_file_is_refused_in_the_same_words(processes: CodecProcesses) -> None:
    data = bytearray(good("avif"))
    header = codecs.probe(bytes(data), LIBRARY_LIMITS)
    data[-len(data) // 3 :] = bytes(len(data[-len(data) // 3 :]))
    with pytest.raises(UnreadableImage) as ours:
        codecs.read(bytes(data), header)
    with pytest.raises(UnreadableImage) as theirs:
        processes.for_work(Cancellation()).read(bytes(data), header)
    assert str(ours.value) == str(theirs.value)


@pytest.mark.slow
def test_large_files_are_written_with_the_same_bytes(processes: CodecProcesses) -> None:
    plain = np.zeros_like(NOISE)
    plain[300:900, 400:800] = NOISE[300:301, 400:401]
    alpha = plain[..., 1] | 1
    theirs = processes.for_work(Cancellation()).encode(plain, alpha, format="webp", quality=50, exif=_EXIF)
    assert theirs == codecs.encode(plain, alpha, format="webp", quality=50, exif=_EXIF)


def _meanwhile(work: Callable[[], object]) -> Future[object]:
    threads = ThreadPoolExecutor(1)
    try:
        return threads.submit(work)
    finally:
        threads.shutdown(wait=False)


def test_cancelled_work_ends_at_once_and_leaves_no_process(processes: CodecProcesses, started: list[int]) -> None:
    cancellation = Cancellation()
    codec = processes.for_work(cancellation)
    done = _meanwhile(lambda: codec.encode(NOISE, format="avif"))  # 8 s of work
    wait_until(lambda: bool(started))
    cancellation.cancel()
    assert isinstance(done.exception(timeout=60), Cancelled)
    wait_until(lambda: not _runs(started[0]))
    with pytest.raises(Cancelled):
        codec.read(good("avif"), codecs.probe(good("avif"), LIBRARY_LIMITS))


@pytest.mark.slow
def test_a_decoder_that_crashes_is_the_files_fault_and_the_next_file_is_read(
    processes: CodecProcesses, started: list[int]
) -> None:
    done = _meanwhile(lambda: processes.for_work(Cancellation()).encode(NOISE, format="avif"))
    wait_until(lambda: bool(started))
    os.kill(started[0], signal.SIGSEGV)
    assert isinstance(done.exception(timeout=60), UnreadableImage)
    header = codecs.probe(good("avif"), LIBRARY_LIMITS)
    assert processes.for_work(Cancellation()).read(good("avif"), header).size == header.size


@pytest.mark.slow
def test_a_process_that_died_while_it_waited_is_replaced(processes: CodecProcesses, started: list[int]) -> None:
    header = codecs.probe(good("tiff"), LIBRARY_LIMITS)
    for _ in range(2):
        processes.for_work(Cancellation()).read(good("tiff"), header)
        os.kill(started[-1], signal.SIGKILL)
        os.waitid(os.P_PID, started[-1], os.WEXITED | os.WNOWAIT)  # its first thread may end before the others
    assert len(started) == 2


@pytest.mark.slow
def test_processes_are_kept_and_as_many_as_work_at_once(processes: CodecProcesses, started: list[int]) -> None:
    header, ready = codecs.probe(good("tiff"), LIBRARY_LIMITS), threading.Barrier(3)

    def work() -> None:
        for _ in range(2):
            ready.wait(60)
            processes.for_work(Cancellation()).read(good("tiff"), header)

    for each in [_meanwhile(work) for _ in range(3)]:
        each.result(60)
    assert len(started) <= 3


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
