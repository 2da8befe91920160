"""A real S3 server for slow tests: unlike simulators, it checks signatures."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from typing import Any

import httpx
import pytest

SCRIPT = Path(__file__).with_name("s3_server.sh")
ACCESS, SECRET = "test-access", "test-secret"


@dataclass(frozen=True)
class S3:
    """A running server. environment: the client's settings for this server, under the vendor's names."""

    endpoint: str
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": ACCESS,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
        }

    @property
    def limited(self) -> dict[str, str]:
        """The same for a user whose only rights come from a bucket's policy."""
        return self.environment | {"AWS_ACCESS_KEY_ID": "limited-access", "AWS_SECRET_ACCESS_KEY": "limited-secret"}

    def make_bucket(self, name: str) -> None:
        """Create a bucket: obstore cannot."""
        self._put(name)

    def allow(self, bucket: str, policy: dict[str, Any]) -> None:
        """Give the limited user the rights in these policy statements."""
        whom = {"Principal": {"AWS": ["arn:aws:iam:::user/limited"]}}
        statements = [statement | whom for statement in policy["Statement"]]
        self._put(f"{bucket}?policy", json.dumps(policy | {"Statement": statements}))

    def _put(self, path: str, body: str = "") -> None:
        # S3's first form of signature: four lines.
        date = formatdate(usegmt=True)
        digest = hmac.new(SECRET.encode(), f"PUT\n\n\n{date}\n/{path}".encode(), hashlib.sha1).digest()
        headers = {"Date": date, "Authorization": f"AWS {ACCESS}:{base64.b64encode(digest).decode()}"}
        httpx.put(f"{self.endpoint}/{path}", content=body, headers=headers, timeout=60).raise_for_status()

    def stop(self) -> None:
        """Stop its processes, gateway first; without the gateway nothing responds."""
        run = self.folder / f"run-{self.endpoint.rpartition(':')[2]}"
        for path in sorted(run.glob("*.pid"), key=lambda path: "rgw" not in path.name):
            with contextlib.suppress(ProcessLookupError, ValueError):
                os.kill(int(path.read_text()), signal.SIGKILL)
        shutil.rmtree(run, ignore_errors=True)


@contextlib.contextmanager
def s3_server() -> Iterator[S3]:
    """Start a server; skip the test where none can start. Its packages stay in PACKSHOT_TEST_S3, or in a temporary
    folder.
    """
    folder = Path(os.environ.get("PACKSHOT_TEST_S3") or Path(tempfile.gettempdir()) / "packshot-test-s3")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    server = S3(f"http://127.0.0.1:{port}", folder)
    log = folder / f"start-{port}.log"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with log.open("wb") as file:  # no pipe: the server's processes would hold it open
            started = subprocess.run([SCRIPT, folder, str(port)], stdout=file, stderr=file, timeout=600, check=False)
        if started.returncode:
            pytest.skip(f"no S3 server here (Debian's radosgw, ceph-mon, ceph-osd): {log.read_text()[-300:]}")
        yield server
    finally:
        server.stop()
        log.unlink(missing_ok=True)


CREDENTIALS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1"}


def use_credentials_of_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give this process S3 credentials that no server knows."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
