"""Executors run the work: they take photos and return the outcomes of each photo, in any order.

LocalExecutor uses threads of this process. RayExecutor uses tasks on a cluster, which Ray schedules, restarts and moves
to other machines. Both call `process(photo, settings)`, so run.py does not depend on the executor.

Ray tasks, not Ray Data: only names and figures are sent, because workers read and write photos and packshots in
storage. So there are no blocks to stream. The loop is the same as the local one: a bounded number of photos in
progress, and no listing in memory. A stop finishes started photos (docs/decisions/0031-ray.md).
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, cast

from packshot import __version__
from packshot.batch.listing import Photo
from packshot.batch.process import BatchSettings, Failure, Outcomes, failed, process
from packshot.engine.process import tune_process
from packshot.errors import BadSettings, ClusterStalled

RETRIES = 3
"""Retries of a photo when its worker dies. After four deaths, the photo itself is the likely cause."""

LOOK_EVERY_S = 5.0
STALLED_AFTER_S = 300.0
"""A photo takes seconds. If none arrives for minutes, the cluster needs an action of its operator."""


Work = Callable[[Photo, BatchSettings], Outcomes]


class Executor(Protocol):
    """Runs the work of a batch."""

    def outcomes(
        self, photos: Iterator[Photo], settings: BatchSettings, stop: threading.Event, work: Work | None = None
    ) -> Iterator[Outcomes]:
        """The outcomes of each started photo. work: `process`, or another function of process.py.

        Takes photos from the iterator on demand, so that only a bounded number of millions is in progress. After
        `stop` is set, no photo starts, and those in progress are finished.
        """
        ...


class LocalExecutor:
    """Threads of this process that share one network. All slow steps release the GIL."""

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs

    def outcomes(
        self, photos: Iterator[Photo], settings: BatchSettings, stop: threading.Event, work: Work | None = None
    ) -> Iterator[Outcomes]:
        running: set[Future[Outcomes]] = set()
        pool = ThreadPoolExecutor(self.jobs, thread_name_prefix="photo")
        try:
            while True:
                # Twice as many as threads: a free thread never waits for the listing.
                while len(running) < 2 * self.jobs and not stop.is_set() and (photo := next(photos, None)) is not None:
                    running.add(pool.submit(work or process, photo, settings))
                if stop.is_set():
                    running = {future for future in running if not future.cancel()}
                if not running:
                    return
                done, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        finally:
            pool.shutdown(cancel_futures=True)  # if the caller gives up, queued photos never start


class RayExecutor:
    """Ray tasks on a cluster, with twice as many photos in progress as it has slots. Also uses nodes that join later.

    say: called with warnings. stalled_after_s: seconds without an outcome after which the cluster counts as stalled.
    """

    def __init__(
        self, jobs: int | None, say: Callable[[str], None], *, stalled_after_s: float = STALLED_AFTER_S
    ) -> None:
        self._jobs = jobs
        self._say = say
        self._stalled_after_s = stalled_after_s
        self._ray = _connect()

    def outcomes(
        self, photos: Iterator[Photo], settings: BatchSettings, stop: threading.Event, work: Work | None = None
    ) -> Iterator[Outcomes]:
        """See Executor.

        Raises
        ------
        ClusterStalled
            No outcome for `stalled_after_s` seconds. Outputs and journal are consistent, and the next run continues.
        BadSettings
            The workers have another version of packshot, or none; or the cluster has too few CPUs or no GPU.
        """
        settings = _everywhere(settings)
        self._check_workers(settings)
        # Ray reuses a worker's process, and with it the loaded network, for the next task.
        gpus = 1 if settings.device == "cuda" else 0
        task = self._ray.remote(num_cpus=settings.threads, num_gpus=gpus, max_retries=RETRIES)(_make)
        shared = self._ray.put(settings)
        running: dict[Any, Photo] = {}
        last = time.monotonic()
        while True:
            while len(running) < 2 * self._slots(settings) and not stop.is_set():
                if (photo := next(photos, None)) is None:
                    break
                running[task.remote(photo, shared, work or process)] = photo
            if not running:
                return
            done, _ = self._ray.wait(list(running), timeout=LOOK_EVERY_S)
            for ready in done:
                yield self._outcomes(ready, running.pop(ready))
            last = time.monotonic() if done else last
            if time.monotonic() - last > self._stalled_after_s:
                raise self._stalled(f"{len(running)} photos are in progress")

    def _outcomes(self, ready: Any, photo: Photo) -> Outcomes:
        try:
            return cast("Outcomes", self._ray.get(ready))
        except self._ray.exceptions.RayError as error:  # `process` never raises, so its worker has died
            message = f"The worker died {1 + RETRIES} times over this photo ({type(error).__name__})."
            hint = "Check that workers have enough memory, and try the photo alone."
            return failed(photo, Failure("worker-died", message, hint))

    def _slots(self, settings: BatchSettings) -> int:
        """The number of photos that the cluster can process at the same time."""
        if self._jobs is not None:
            return self._jobs
        there = self._ray.cluster_resources()
        slots = there.get("CPU", 0) // settings.threads
        return max(1, int(min(slots, there.get("GPU", 0)) if settings.device == "cuda" else slots))

    def _check_workers(self, settings: BatchSettings) -> None:
        """Run a small task first, to detect a cluster without capacity and workers with another version of packshot."""
        there = self._ray.cluster_resources()
        if settings.device == "cuda" and not there.get("GPU"):
            raise BadSettings("The cluster has no GPU.", hint="Use --device cpu, or start a node with a GPU.")
        if there.get("CPU", 0) < settings.threads:
            raise BadSettings(
                f"The cluster has {there.get('CPU', 0):g} CPUs, but packshot needs {settings.threads}.",
                hint="Start another node.",
            )
        probe = self._ray.remote(num_cpus=settings.threads, max_retries=RETRIES)(_version)
        try:
            theirs = self._ray.get(probe.remote(), timeout=self._stalled_after_s)
        except self._ray.exceptions.GetTimeoutError as error:
            raise self._stalled("no task has started") from error
        except self._ray.exceptions.RayError as error:
            raise BadSettings(
                f"A worker cannot run packshot: {str(error).splitlines()[-1][:200]}",
                hint=f"Install packshot[batch,ray]=={__version__} on every node.",
            ) from error
        if theirs != __version__:
            raise BadSettings(
                f"The workers have packshot {theirs}, but this is {__version__}.",
                hint="Install the same version on every node.",
            )
        nodes = sum(node["Alive"] for node in self._ray.nodes())
        folders = [place for place in (settings.photos, settings.out) if "://" not in place]
        if nodes > 1 and folders:
            self._say(f"{' and '.join(folders)}: all {nodes} nodes must see the same folder at this path.")

    def _stalled(self, what: str) -> ClusterStalled:
        free, seconds = self._ray.available_resources().get("CPU", 0), self._stalled_after_s
        return ClusterStalled(
            f"No result from the cluster for {seconds:.0f} s: {what}, {free:g} CPUs are free.",
            hint="Check `ray status` and the dashboard for nodes with a free CPU, and that nodes reach the storage. "
            "Then run the same command to continue.",
        )


def _everywhere(settings: BatchSettings) -> BatchSettings:
    """The settings with absolute paths, valid in a process with another working folder."""
    paths: dict[str, Any] = {}
    for name in ("photos", "out", "thumbnails", "model"):
        text = getattr(settings, name)
        if text and (text.endswith(".onnx") if name == "model" else "://" not in text):
            paths[name] = str(Path(text).resolve())
    return replace(settings, **paths)


def _make(photo: Photo, settings: BatchSettings, work: Work) -> Outcomes:
    """Run `work` in a worker's process, which processes one photo at a time."""
    tune_process()
    return work(photo, settings)


def _version() -> str:
    return __version__


def _connect() -> Any:
    """Connect to the cluster at RAY_ADDRESS, else to one running on this machine, else start one here."""
    # Under `uv run`, Ray would send this folder to every worker and start it with uv; workers have packshot installed.
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    try:
        import ray  # noqa: PLC0415 - an extra that takes a second to import
    except ImportError as error:
        raise BadSettings(
            "--engine ray needs Ray, which is not installed.", hint="Install it with: pip install 'packshot[ray]'"
        ) from error
    if not ray.is_initialized():
        try:
            ray.init(logging_level=logging.WARNING, log_to_driver=False)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise BadSettings(
                f"The Ray cluster cannot be reached: {str(error)[:200]}",
                hint="Set RAY_ADDRESS to its head node, such as 10.0.0.1:6379.",
            ) from error
    return ray
