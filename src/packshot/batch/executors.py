"""Executors do the work: each takes photos and gives the outcomes of each, in whatever order they come.

LocalExecutor has threads of this process, RayExecutor tasks on a cluster, which Ray places, restarts and takes to other
machines. All of them call `process(photo, settings)`; the driver in run.py neither knows nor cares where.

Tasks rather than Ray Data: nothing but names and figures travels (photos and packshots go between workers and storage),
so there are no blocks to stream, and the driver's loop stays the local one: a bounded number in hand, no listing held
in memory, and a stop that finishes what was begun (docs/decisions/0031-ray.md).
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
"""So often a photo is begun again when its worker dies; a photo that kills four of them is the reason."""

LOOK_EVERY_S = 5.0
STALLED_AFTER_S = 300.0
"""A photo takes seconds. Where none comes for minutes the cluster waits for something that will not come by itself."""


Work = Callable[[Photo, BatchSettings], Outcomes]


class Executor(Protocol):
    """Does the work of a batch."""

    def outcomes(
        self, photos: Iterator[Photo], settings: BatchSettings, stop: threading.Event, work: Work | None = None
    ) -> Iterator[Outcomes]:
        """Those of each photo that was begun. work: `process`, or another function of process.py.

        Photos are taken when there is room for them: never more than a fixed number is in hand, of millions. Once
        `stop` is set none is begun any more, and those in hand are finished.
        """
        ...


class LocalExecutor:
    """Threads of this process around one network: all that takes time releases the interpreter's lock."""

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs

    def outcomes(
        self, photos: Iterator[Photo], settings: BatchSettings, stop: threading.Event, work: Work | None = None
    ) -> Iterator[Outcomes]:
        running: set[Future[Outcomes]] = set()
        pool = ThreadPoolExecutor(self.jobs, thread_name_prefix="photo")
        try:
            while True:
                # Twice as many as are worked on: a thread that is done never waits for the listing.
                while len(running) < 2 * self.jobs and not stop.is_set() and (photo := next(photos, None)) is not None:
                    running.add(pool.submit(work or process, photo, settings))
                if stop.is_set():
                    running = {future for future in running if not future.cancel()}
                if not running:
                    return
                done, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        finally:
            pool.shutdown(cancel_futures=True)  # where the caller gives up: what was not begun stays so


class RayExecutor:
    """Tasks on a cluster, as many in hand as it has processors for, twice; nodes that come later are used too.

    say: where warnings go. stalled_after_s: how long the cluster may give nothing before it is an error.
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
        """As Executor has it.

        Raises
        ------
        ClusterStalled
            Nothing came from the cluster for too long; outputs and journal are whole, and the next run goes on.
        BadSettings
            The workers have another packshot, or none.
        """
        settings = _everywhere(settings)
        self._check_workers(settings)
        # Ray keeps a worker's process for the next task, and with it the network.
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
                raise self._stalled(f"{len(running)} photos are in hand")

    def _outcomes(self, ready: Any, photo: Photo) -> Outcomes:
        try:
            return cast("Outcomes", self._ray.get(ready))
        except self._ray.exceptions.RayError as error:  # `process` itself raises nothing: its worker is gone
            message = f"The worker died {1 + RETRIES} times over this photo ({type(error).__name__})."
            hint = "Is there memory enough for it? Try it alone."
            return failed(photo, Failure("worker-died", message, hint))

    def _slots(self, settings: BatchSettings) -> int:
        """How many photos the cluster can work on now."""
        if self._jobs is not None:
            return self._jobs
        there = self._ray.cluster_resources()
        slots = there.get("CPU", 0) // settings.threads
        return max(1, int(min(slots, there.get("GPU", 0)) if settings.device == "cuda" else slots))

    def _check_workers(self, settings: BatchSettings) -> None:
        """One small task first: it finds a cluster without room, and workers with another packshot."""
        there = self._ray.cluster_resources()
        if settings.device == "cuda" and not there.get("GPU"):
            raise BadSettings("The cluster has no GPU.", hint="Use --device cpu, or start a node with one.")
        if there.get("CPU", 0) < settings.threads:
            raise BadSettings(
                f"The cluster has {there.get('CPU', 0):g} CPUs; {settings.threads} are needed.", hint="Start a node."
            )
        probe = self._ray.remote(num_cpus=settings.threads, max_retries=RETRIES)(_version)
        try:
            theirs = self._ray.get(probe.remote(), timeout=self._stalled_after_s)
        except self._ray.exceptions.GetTimeoutError as error:
            raise self._stalled("not one task began") from error
        except self._ray.exceptions.RayError as error:
            raise BadSettings(
                f"A worker cannot run packshot: {str(error).splitlines()[-1][:200]}",
                hint=f"Install packshot[batch,ray]=={__version__} on every node.",
            ) from error
        if theirs != __version__:
            raise BadSettings(
                f"The workers have packshot {theirs}, this is {__version__}.", hint="Install the same on every node."
            )
        nodes = sum(node["Alive"] for node in self._ray.nodes())
        folders = [place for place in (settings.photos, settings.out) if "://" not in place]
        if nodes > 1 and folders:
            self._say(f"{' and '.join(folders)}: every one of the {nodes} nodes must see the same folder there.")

    def _stalled(self, what: str) -> ClusterStalled:
        free, seconds = self._ray.available_resources().get("CPU", 0), self._stalled_after_s
        return ClusterStalled(
            f"Nothing came from the cluster for {seconds:.0f} s: {what}, {free:g} CPUs are free.",
            hint="Look at `ray status` and at the dashboard: are there nodes with a free CPU, and can they reach the "
            "storage? The same command goes on where this one stopped.",
        )


def _everywhere(settings: BatchSettings) -> BatchSettings:
    """Settings that mean the same in a process with another working folder."""
    paths: dict[str, Any] = {}
    for name in ("photos", "out", "thumbnails", "model"):
        text = getattr(settings, name)
        if text and (text.endswith(".onnx") if name == "model" else "://" not in text):
            paths[name] = str(Path(text).resolve())
    return replace(settings, **paths)


def _make(photo: Photo, settings: BatchSettings, work: Work) -> Outcomes:
    """`process` in a worker's process, which makes one photo at a time."""
    tune_process()
    return work(photo, settings)


def _version() -> str:
    return __version__


def _connect() -> Any:
    """The cluster that RAY_ADDRESS names, or one that was started on this machine, or a new one of this machine."""
    # Below `uv run` Ray would send this folder to every worker and start it with uv; packshot is installed there.
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    try:
        import ray  # noqa: PLC0415 - an extra, and a second
    except ImportError as error:
        raise BadSettings(
            "--engine ray needs Ray, which is not installed.", hint="pip install 'packshot[ray]'"
        ) from error
    if not ray.is_initialized():
        try:
            ray.init(logging_level=logging.WARNING, log_to_driver=False)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise BadSettings(
                f"The Ray cluster cannot be reached: {str(error)[:200]}",
                hint="RAY_ADDRESS names its head, such as 10.0.0.1:6379.",
            ) from error
    return ray
