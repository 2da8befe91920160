"""`packshot serve` as processes, behind nginx if there are several."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from bench.processes import held_bytes

PATIENCE_S = 60.0
_PREFIX = "PACKSHOT_"

# A request that has reached one replica is never sent to another: a POST may already have cost a credit.
NGINX = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log; {user} worker_processes 1;
events {{ worker_connections 4096; }}
http {{
  access_log off; client_max_body_size 64m; client_body_buffer_size 4m; proxy_max_temp_file_size 0;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/unused;
  uwsgi_temp_path {folder}/unused; scgi_temp_path {folder}/unused;
  upstream replicas {{ least_conn; {servers} keepalive 32; keepalive_timeout 2s; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{ proxy_pass http://replicas; proxy_http_version 1.1; proxy_set_header Connection "";
                  proxy_read_timeout 90s; }}
  }}
}}
"""


@dataclass(frozen=True)
class Replica:
    """One running process of the service, with figures from the system."""

    process: subprocess.Popen[bytes]
    address: str
    log: Path

    @property
    def resident_bytes(self) -> int:
        return held_bytes("VmRSS", self.process.pid)

    @property
    def descriptors(self) -> int:
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def kill(self) -> None:
        """Kill it as the kernel does when memory runs out: it finishes nothing and logs nothing."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Ask it to drain, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_S)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def replica(
    state_dir: Path, *, port: int = 0, descriptors: int | None = None, settings: Mapping[str, object] | None = None
) -> Iterator[Replica]:
    """Start a replica and wait until it is ready; it is always stopped at the end.

    descriptors: limit of open files. settings: of packshot, under their names in Settings.
    """
    state_dir.mkdir(parents=True, exist_ok=True)
    chosen = {"port": port or free_port(), "state_dir": state_dir, **(settings or {})}
    command = [sys.executable, "-m", "packshot", "serve"]
    if descriptors:
        command = ["/bin/sh", "-c", f'ulimit -n {descriptors} && exec "$@"', "sh", *command]
    log = state_dir / f"serve-{chosen['port']}.log"
    with log.open("ab") as out:
        process = subprocess.Popen(command, env=environment(chosen), stdout=out, stderr=out)
    started = Replica(process, f"http://127.0.0.1:{chosen['port']}", log)
    try:
        wait_ready(started)
        yield started
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                started.kill()


def environment(settings: Mapping[str, object]) -> dict[str, str]:
    """The environment of a packshot process with these settings and no others."""
    ours = {_PREFIX + name.upper(): str(value) for name, value in settings.items()}
    return {**{name: value for name, value in os.environ.items() if not name.startswith(_PREFIX)}, **ours}


def inherited() -> dict[str, str]:
    """The settings of the current process, under their names in Settings."""
    return {name.removeprefix(_PREFIX).lower(): text for name, text in os.environ.items() if name.startswith(_PREFIX)}


def wait_ready(started: Replica) -> float:
    """Wait until the replica reports that it is ready, and return the seconds that this took."""
    began = time.monotonic()
    while time.monotonic() - began < PATIENCE_S:
        if started.process.poll() is not None:
            break
        try:
            if httpx.get(f"{started.address}/readyz").status_code == 200:
                return time.monotonic() - began
        except httpx.TransportError:
            pass
        time.sleep(0.02)
    raise RuntimeError(f"the replica does not start:\n{started.log.read_text(errors='replace')[-2000:]}")


def new_key(state_dir: Path, credit_count: int | None = None, settings: Mapping[str, object] | None = None) -> str:
    """A key from the command line, as an operator creates it. settings: needed for another database."""
    command = [sys.executable, "-m", "packshot", "keys", "create", "load"]
    command += [] if credit_count is None else ["--credits", str(credit_count)]
    made = subprocess.run(
        command,
        env=environment({**(settings or {}), "state_dir": state_dir}),
        stdout=subprocess.PIPE,
        check=True,
        timeout=PATIENCE_S,
    )
    return made.stdout.decode().split()[-1]


@contextmanager
def nginx(replicas: Sequence[Replica], folder: Path) -> Iterator[str]:
    """A proxy before the replicas; returns its address."""
    port = free_port()
    (folder / "nginx.conf").write_text(
        NGINX.format(
            folder=folder,
            port=port,
            user="user root;" if os.geteuid() == 0 else "",
            servers=" ".join(f"server {each.address.removeprefix('http://')};" for each in replicas),
        )
    )
    process = subprocess.Popen(["nginx", "-p", folder, "-c", folder / "nginx.conf"], stderr=subprocess.DEVNULL)
    try:
        wait_for_port(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


@contextmanager
def fleet(count: int, folder: Path, settings: Mapping[str, object]) -> Iterator[tuple[str, list[Replica]]]:
    """`count` replicas with one state folder, and the address for requests: the replica's, or nginx's for several."""
    state = folder / "state"
    ports = [free_port() for _ in range(count)]
    with ExitStack() as stack:
        # One after the other: links must lead through nginx, so the settings differ only in the port.
        front = f"http://127.0.0.1:{ports[0]}"
        replicas = [stack.enter_context(replica(state, port=port, settings=settings)) for port in ports]
        if count > 1:
            front = stack.enter_context(nginx(replicas, folder))
        yield front, replicas


def wait_for_port(port: int) -> None:
    """Return once a program listens on the port. Raises: RuntimeError after PATIENCE_S."""
    ends = time.monotonic() + PATIENCE_S
    while time.monotonic() < ends:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError(f"nothing listens on port {port}")
