"""`packshot batch --engine ray` on a real cluster of two nodes; the test kills a worker in mid-run, then a node."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.batch.kit import batch, command, fill, journal, made_of, outputs
from tests.kit.ray_cluster import Cluster
from tests.kit.server import wait_until

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: uv sync --group cluster"),
]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    cluster = Cluster()
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


def test_a_killed_worker_costs_nothing_and_a_resume_makes_only_what_is_missing(
    cluster: Cluster, tmp_path: Path
) -> None:
    names = [f"{number:02}.jpg" for number in range(40)]
    photos, out = fill(tmp_path / "in", names), tmp_path / "out"
    arguments = command(photos, out, "--background", "white", "--engine", "ray", "--report", "none")
    with subprocess.Popen(arguments, env=cluster.environ, stderr=subprocess.PIPE, text=True) as running:
        wait_until(lambda: len(outputs(out)) >= 4 and cluster.workers())
        os.kill(cluster.workers()[0], signal.SIGKILL)
        said = running.communicate(timeout=100)[1]
    assert running.returncode == 0, said
    assert outputs(out) == {f"{Path(name).stem}-white.jpg" for name in names}
    assert set(made_of(out).values()) == {1}

    (out / "03-white.jpg").unlink()
    fill(tmp_path / "in", ["new.jpg"])
    again = batch(photos, out, "--background", "white", "--engine", "ray", "--report", "none", env=cluster.environ)
    assert again.returncode == 0, again.stderr
    assert "2 in this run" in again.stderr
    assert len(outputs(out)) == 41
    assert {name for name, times in made_of(out).items() if times > 1} == {"03.jpg"}


def test_a_bad_photo_fails_alone(cluster: Cluster, tmp_path: Path) -> None:
    photos, out = fill(tmp_path / "in", ["a.jpg", "b.jpg"]), tmp_path / "out"
    (photos / "bad.jpg").write_bytes(b"not a picture")
    done = batch(photos, out, "--engine", "ray", "--report", "none", env=cluster.environ)
    assert outputs(out) == {"a.png", "b.png"}
    assert [row["error"]["slug"] for row in journal(out) if not row["ok"]] == ["unsupported-format"]
    assert "bad.jpg" in done.stderr


def test_a_lost_node_costs_nothing(cluster: Cluster, tmp_path: Path) -> None:
    names = [f"{number:02}.jpg" for number in range(30)]
    photos, out = fill(tmp_path / "in", names), tmp_path / "out"
    arguments = command(photos, out, "--engine", "ray", "--report", "none")
    with subprocess.Popen(arguments, env=cluster.environ, stderr=subprocess.PIPE, text=True) as running:
        wait_until(lambda: len(outputs(out)) >= 4)
        assert len(cluster.nodes()) == 2
        os.kill(cluster.nodes()[1], signal.SIGKILL)
        said = running.communicate(timeout=100)[1]
    assert running.returncode == 0, said
    assert len(outputs(out)) == 30
    assert set(made_of(out).values()) == {1}


STALLED = """
import ray, threading, sys
from packshot.batch.executors import RayExecutor
from packshot.batch.process import BatchSettings
from packshot.errors import BadSettings, ClusterStalled

engine = RayExecutor(None, print, stalled_after_s=3)

@ray.remote(num_cpus=1)
def hold():
    import time
    time.sleep(60)

holding = [hold.remote() for _ in range(2)]
try:
    list(engine.outcomes(iter([]), BatchSettings("in", "out"), threading.Event()))
except ClusterStalled as error:
    print("stalled:", error)
try:
    list(engine.outcomes(iter([]), BatchSettings("in", "out", threads=64), threading.Event()))
except BadSettings as error:
    print("refused:", error)
"""


def test_a_cluster_without_room_is_an_error_and_not_a_silence(cluster: Cluster) -> None:
    done = subprocess.run(
        [sys.executable, "-c", STALLED], env=cluster.environ, capture_output=True, text=True, check=False, timeout=100
    )
    assert "stalled: No result from the cluster for 3 s: no task has started, 0 CPUs are free." in done.stdout
    assert "packshot needs 64" in done.stdout
