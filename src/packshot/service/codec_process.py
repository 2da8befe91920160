"""Runs slow or fragile decoders and encoders in child processes, which can be killed.

A thread cannot be stopped, and a crash in a decoder ends its process. So a child decodes the formats of libheif,
libavif and libtiff, and encodes large pictures in slow formats. The service kills a child whose job is cancelled, and
replaces a dead one. The service itself reads JPEG, PNG, BMP, GIF and WebP. The pixels limit their decoding time, and
sending a photo to a child would take longer than reading it.

`python -m packshot.service.codec_process FD` is the child. Both sides exchange messages over a socket: a line of JSON,
then buffers of bytes.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import numpy.typing as npt

from packshot import errors
from packshot.core import codecs
from packshot.core.codecs import Header
from packshot.core.picture import Picture, UInt8
from packshot.engine.job import Cancellation, Cancelled
from packshot.errors import PackshotError, UnreadableImage

log = logging.getLogger(__name__)

READ = frozenset({"heic", "avif", "tiff"})
"""Formats that are decoded in a child."""
WRITTEN = frozenset({"avif", "webp"})
"""Formats encoded in a child from LARGE_PX pixels on: 12 megapixels of noise take 25 s as AVIF, 4 s as WebP."""
LARGE_PX = 4_000_000
ADDRESS_SPACE_BYTES = 8 << 30
"""Address space limit of a child. 50 megapixels of any format take less than 2 GB."""
_EVERYTHING = codecs.Limits(min_side_px=1, max_pixels=1 << 40)  # the service has checked the file already
_GONE = (EOFError, OSError)


class CodecProcesses:
    """The children of a service: one for each simultaneous task, started on demand."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[_Child] = []

    def for_work(self, cancellation: Cancellation) -> _Codecs:
        """The codecs for one job. Cancelling the job kills its work in a child."""
        return _Codecs(self, cancellation)

    def close(self) -> None:
        """End the idle children."""
        with self._lock:
            children, self._idle = self._idle, []
        for child in children:
            child.end()

    def call(self, request: dict[str, Any], buffers: list[Any], cancellation: Cancellation) -> _Answer:
        """Send a request to a child. Raises Cancelled, PackshotError, or UnreadableImage if the file kills it."""
        child = self._idle_child() or _Child()
        try:
            with cancellation.stopped_by(child.kill):
                answer = child.call(request, buffers)
        except BaseException:
            child.end()
            raise
        with self._lock:
            self._idle.append(child)
        return answer.unless_error()

    def _idle_child(self) -> _Child | None:
        with self._lock:
            while self._idle:
                child = self._idle.pop()
                if child.is_alive:
                    return child
                child.end()
        return None


class _Codecs:
    """Implements packshot.engine.job.Codecs with the children."""

    def __init__(self, processes: CodecProcesses, cancellation: Cancellation) -> None:
        self._processes = processes
        self._cancellation = cancellation

    def read(self, data: bytes, header: Header) -> Picture:
        if header.format not in READ:
            return codecs.read(data, header)
        answer = self._processes.call({"do": "read"}, [data], self._cancellation)
        rgb, alpha, exif = answer.arrays
        assert rgb is not None  # noqa: S101 - for the type checker
        return Picture(rgb, alpha, None if exif is None else exif.tobytes())

    def encode(
        self,
        rgb: UInt8,
        alpha: UInt8 | None = None,
        *,
        format: str,  # noqa: A002 - the option's name
        quality: int | None = None,
        exif: bytes | None = None,
    ) -> bytes:
        if format not in WRITTEN or rgb.shape[0] * rgb.shape[1] < LARGE_PX:
            return codecs.encode(rgb, alpha, format=format, quality=quality, exif=exif)
        request = {"do": "encode", "format": format, "quality": quality, "shapes": _shapes(rgb, alpha)}
        answer = self._processes.call(request, [rgb, alpha, exif or b""], self._cancellation)
        (data,) = answer.arrays
        assert data is not None  # noqa: S101 - for the type checker
        return data.tobytes()


class _Answer:
    """A child's response. said: its JSON. arrays: uint8, with the shapes in the JSON."""

    def __init__(self, said: dict[str, Any], arrays: list[UInt8 | None]) -> None:
        self._said = said
        self.arrays = arrays

    def unless_error(self) -> _Answer:
        """Return the response, or raise the PackshotError that the child raised."""
        error = self._said.get("error")
        if error is not None:
            raise errors.from_dict(error)
        return self


class _Child:
    """One process, and the socket to it."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - this program
                [sys.executable, "-P", "-m", "packshot.service.codec_process", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,  # a Ctrl-C reaches only the service, which then ends its children
            )
        self._connection = Connection(ours.detach())
        self._killed = False

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def call(self, request: dict[str, Any], buffers: list[Any]) -> _Answer:
        """Raises Cancelled after `kill`, UnreadableImage if a signal ended the child, RuntimeError for a bug."""
        try:
            _send(self._connection, request, buffers)
            said = json.loads(self._connection.recv_bytes())
            return _Answer(said, [_receive(self._connection, shape) for shape in said["shapes"]])
        except _GONE as error:
            status = self._process.wait()
            if self._killed:
                raise Cancelled from error
            if status >= 0:
                raise RuntimeError(f"the codec's process ended with status {status}; its error is above") from error
            log.error("signal %d ended a decoder", -status)
            raise _hopeless() from error

    def kill(self) -> None:
        """Kill the child in the middle of its work."""
        self._killed = True
        self._process.kill()

    def end(self) -> None:
        """Kill the child and release its resources."""
        self._connection.close()
        self._process.kill()
        self._process.wait()


def _hopeless() -> UnreadableImage:
    return UnreadableImage(
        "The decoder of this format fails on this file.", hint="Save the picture as JPEG or PNG and send that file."
    )


def _send(connection: Connection, said: dict[str, Any], buffers: list[Any]) -> None:
    connection.send_bytes(json.dumps(said, default=str).encode())
    for buffer in buffers:
        if buffer is not None:
            connection.send_bytes(
                np.ascontiguousarray(buffer).reshape(-1).data if isinstance(buffer, np.ndarray) else buffer
            )


def _receive(connection: Connection, shape: list[int] | None) -> UInt8 | None:
    if shape is None:
        return None
    array = np.empty(shape, np.uint8)
    connection.recv_bytes_into(array.reshape(-1).data)
    return array


def _shapes(*arrays: npt.NDArray[Any] | None) -> list[list[int] | None]:
    return [None if array is None else list(array.shape) for array in arrays]


def _as_array(data: bytes) -> UInt8:
    return np.frombuffer(data, np.uint8)


def serve(connection: Connection) -> None:
    """Run the child: respond to requests until the other side closes the socket."""
    while True:
        try:
            request = json.loads(connection.recv_bytes())
            arrays = _do(connection, request)
        except EOFError:
            return
        except (PackshotError, MemoryError) as caught:
            error = caught if isinstance(caught, PackshotError) else _hopeless()
            _send(connection, {"error": error.to_dict(), "shapes": []}, [])
            continue
        _send(connection, {"shapes": _shapes(*arrays)}, list(arrays))


def _do(connection: Connection, request: dict[str, Any]) -> tuple[UInt8 | None, ...]:
    if request["do"] == "read":
        data = connection.recv_bytes()
        picture = codecs.read(data, codecs.probe(data, _EVERYTHING))
        return picture.rgb, picture.alpha, None if picture.exif is None else _as_array(picture.exif)
    rgb, alpha = (_receive(connection, shape) for shape in request["shapes"])
    exif = connection.recv_bytes() or None
    assert rgb is not None  # noqa: S101 - for the type checker
    how = {"format": request["format"], "quality": request["quality"], "exif": exif}
    return (_as_array(codecs.encode(rgb, alpha, **how)),)


def main() -> None:
    """Serve the socket whose file descriptor is the command-line argument."""
    from packshot.engine.process import tune_process  # noqa: PLC0415 - loads the modules that the service loads

    tune_process()
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))
    with Connection(int(sys.argv[1])) as connection, suppress(BrokenPipeError, ConnectionResetError):
        serve(connection)
    os._exit(0)  # no cleanup is necessary


if __name__ == "__main__":
    main()
