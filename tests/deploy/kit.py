"""The parts of deploy/ as processes on this machine: replicas of `packshot serve`, and nginx with deploy's own file."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPResponse
from pathlib import Path

import httpx
import pytest

from tests.kit.processes import free_port
from tests.kit.server import wait_until

DEPLOY = Path(__file__).parents[2] / "deploy"


@dataclass
class Replica:
    """One `packshot serve` on its own port, with the state shared by all replicas."""

    environ: dict[str, str]
    port: int
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "packshot", "serve", "--port", str(self.port)]
        self.process = subprocess.Popen(command, env=self.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self.is_ready)

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def drain(self) -> int:
        """Send SIGTERM; returns the exit code once the work in flight is done."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(30)


@dataclass
class Nginx:
    """nginx with deploy/nginx/packshot.conf; only the port, the folders and the given timeout are replaced."""

    folder: Path
    port: int = field(default_factory=free_port)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def command(self) -> list[str]:
        return ["nginx", "-p", str(self.folder), "-c", str(self.folder / "nginx.conf"), "-e", str(self.folder / "log")]

    @property
    def replicas(self) -> Path:
        return self.folder / "replicas.conf"

    def list_replicas(self, ports: list[int]) -> None:
        self.replicas.write_text("".join(f"server 127.0.0.1:{port} fail_timeout=2s;\n" for port in ports))

    def write(self, changes: dict[str, str]) -> None:
        text = (DEPLOY / "nginx/packshot.conf").read_text()
        for old, new in {
            "listen 8080": f"listen {self.port}",
            "/etc/nginx/packshot": str(self.folder),
            "/var/log/nginx": str(self.folder),
            **changes,
        }.items():
            assert old in text, f"{old} is no longer in packshot.conf"
            text = text.replace(old, new)
        (self.folder / "packshot.conf").write_text(text)
        temporary = "".join(
            f"{name}_temp_path {self.folder / name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        user = "user root;" if os.getuid() == 0 else ""  # a user that can read the test's folder
        (self.folder / "nginx.conf").write_text(
            f"{user} daemon off; pid {self.folder / 'pid'}; events {{}}\n"
            f"http {{ {temporary} include {self.folder / 'packshot.conf'}; }}\n"
        )


@contextmanager
def nginx_before(folder: Path, ports: list[int], changes: dict[str, str] | None = None) -> Iterator[Nginx]:
    """Run nginx in front of replicas at these ports."""
    if shutil.which("nginx") is None:
        pytest.skip("nginx is not installed")
    nginx = Nginx(folder)
    folder.mkdir(parents=True, exist_ok=True)
    nginx.list_replicas(ports)
    nginx.write(changes or {})
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(nginx.command, stdout=output, stderr=output)
    try:
        wait_until(lambda: _listens(nginx.port) or process.poll() is not None)
        assert process.poll() is None, (folder / "output").read_text() + (folder / "log").read_text()
        yield nginx
    finally:
        process.terminate()
        process.wait(30)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def received(connection: socket.socket) -> httpx.Response:
    """Read one whole response from a socket to nginx."""
    answer = HTTPResponse(connection)
    answer.begin()
    return httpx.Response(answer.status, headers=answer.getheaders(), content=answer.read())
