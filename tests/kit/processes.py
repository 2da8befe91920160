"""A third-party server for a test: runs in its own folder, on a free port, and stops at the end."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

STARTS_WITHIN_S = 30.0


def needed(name: str, *more_folders: str) -> str:
    """The path of a program; skips the test, with a reason, if the program is not installed."""
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *more_folders]))
    if found is None:
        pytest.skip(f"{name} is not installed here")
    return found


def free_port() -> int:
    """A port that is free now; the caller should listen on it at once."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def unprivileged() -> str | None:
    """A user for a server if this process is root: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    return next((name for name in ("postgres", "nobody") if name in {user.pw_name for user in pwd.getpwall()}), None)


@contextmanager
def server_folder(user: str | None) -> Iterator[Path]:
    """A folder that belongs to the server, deleted at the end."""
    folder = Path(tempfile.mkdtemp(prefix="packshot-server-"))
    try:
        if user:
            shutil.chown(folder, user)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class ServerProcess:
    """A program that listens on `port`. Tests can stop and restart it, as a fault does."""

    def __init__(self, command: Sequence[str], port: int, folder: Path, user: str | None = None) -> None:
        self.port = port
        self._command = list(command)
        self._user = user
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The ID of its first process; only while the program runs."""
        assert self._process is not None, "it does not run"
        return self._process.pid

    def start(self) -> None:
        """Start the program and return once it listens; skip the test if it never does."""
        with (self._folder / "server.log").open("ab") as log:  # no pipe: nothing would read it
            self._process = subprocess.Popen(
                self._command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, user=self._user, cwd=self._folder
            )
        ends = time.monotonic() + STARTS_WITHIN_S
        while not self._listens():
            if self._process.poll() is not None or time.monotonic() > ends:
                self.stop()
                pytest.skip(f"{self._command[0]} does not start: {(self._folder / 'server.log').read_text()[-300:]}")
            time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop the program: SIGINT like an orderly shutdown, SIGKILL like a failed machine."""
        if self._process is None:
            return
        self.send(signal.SIGCONT)
        self.send(how)
        try:
            self._process.wait(STARTS_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def send(self, what: signal.Signals) -> None:
        """Send a signal to the process: SIGSTOP silences it without closing a connection."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(what)

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True
