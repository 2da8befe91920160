"""A local Ray cluster for tests: real nodes, with their own folder and port."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path


class Cluster:
    """A head and one more node on this machine, one processor each, in their own folder."""

    def __init__(self) -> None:
        # Holds Ray's sockets, whose paths may have 107 characters: pytest's own folders are too long.
        self.folder = tempfile.mkdtemp(prefix="ray", dir="/tmp")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        self.environ = {
            **os.environ,
            "RAY_ADDRESS": self.address,
            "RAY_AUTH_MODE": "disabled",
            "RAY_USAGE_STATS_ENABLED": "0",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }

    def start(self) -> None:
        port = self.address.rpartition(":")[2]
        self._ray("start", "--head", f"--port={port}", f"--temp-dir={self.folder}", "--include-dashboard=false")
        self._ray("start", f"--address={self.address}")

    def stop(self) -> None:
        for pid in self.processes(lambda line: self.folder in line):  # workers end with their node
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def workers(self) -> list[int]:
        """The processes that are now working on a photo."""
        return self.processes(lambda line: line.startswith("ray::_make"))

    def nodes(self) -> list[int]:
        return self.processes(lambda line: "/raylet" in line.split("\0")[0] and self.folder in line)

    @staticmethod
    def processes(wanted: Callable[[str], bool]) -> list[int]:
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                if wanted(path.read_text(errors="replace")):
                    found.append(int(path.parent.name))
            except OSError:  # the process has ended meanwhile
                continue
        return sorted(found)

    def _ray(self, *arguments: str) -> None:
        environ = {name: value for name, value in self.environ.items() if name != "RAY_ADDRESS"}
        done = subprocess.run(
            ["ray", *arguments, "--num-cpus=1", "--object-store-memory=100000000", "--disable-usage-stats"],
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
