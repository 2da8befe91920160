"""`python -m bench.load`: finds the capacity, then sends up to four times as much in an open loop.

It measures one replica, and two behind nginx. In the last phases the service also has jobs to do.

Every 200 is checked: its result is downloaded at once and opened after the phase. The clients run in separate
processes. They share the machine with the service, so the table shows their share of a processor.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from bench import photos
from bench.load.client import Drive, Traffic, drive
from bench.load.jobs import jobs_beside
from bench.load.replicas import Replica, fleet, inherited, new_key
from bench.load.report import Phase, as_json, table
from bench.processes import PeakMemory

WEIGHTS = {"640": 0.5, "1200": 0.35, "2000": 0.15}
OPEN = (0.7, 1.0, 2.0, 4.0)
BESIDE_JOBS = (0.35, 0.7)
_LOOPS = len(OPEN) + len(BESIDE_JOBS)
# Shares of a service's time per phase: one client, enough clients to keep all threads busy, the open loops.
PARTS = (0.1, 0.2, *(0.7 / _LOOPS for _ in range(_LOOPS)))


@dataclass(frozen=True)
class Stand:
    """Shared state of the phases of one service."""

    name: str
    traffic: Traffic
    replicas: Sequence[Replica]
    pool: ProcessPoolExecutor
    processes: int

    def run(self, clients: str, traffic: Traffic) -> Phase:
        """Run the clients in all processes at the same time, each with its share of the traffic."""
        peak = PeakMemory(lambda: sum(each.resident_bytes for each in self.replicas))
        share = [
            replace(
                traffic,
                seed=number,
                rate=traffic.rate / self.processes,
                clients=len(range(number, traffic.clients, self.processes)),
            )
            for number in range(self.processes)
        ]
        with peak:
            drives: list[Drive] = list(self.pool.map(drive, [each for each in share if each.clients or each.rate]))
        return Phase(
            self.name,
            clients,
            traffic.seconds,
            max(each.wall_s for each in drives),
            [outcome for each in drives for outcome in each.outcomes],
            peak.bytes,
            sum(each.busy for each in drives),
        )


def measure(stand: Stand, seconds: float, workers: int) -> list[Phase]:
    """Run one client, then enough clients to find the capacity, then open loops at multiples of it."""
    durations = [part * seconds for part in PARTS]
    phases = [
        stand.run(f"{count} in a closed loop", replace(stand.traffic, clients=count, seconds=duration))
        for count, duration in zip((1, 2 * workers), durations, strict=False)
    ]
    capacity = phases[-1].served
    for times, duration in zip(OPEN, durations[2:], strict=False):
        traffic = replace(stand.traffic, rate=times * capacity, seconds=duration)
        phases.append(stand.run(f"{times:g} x capacity, open", traffic))
        print(table(phases).splitlines()[-1], file=sys.stderr, flush=True)
    for times, duration in zip(BESIDE_JOBS, durations[2 + len(OPEN) :], strict=True):
        traffic = replace(stand.traffic, rate=times * capacity, seconds=duration)
        with jobs_beside(traffic, int(2 * capacity * duration)) as beside:
            phase = stand.run(f"{times:g} x capacity, open, with jobs", traffic)
        phases.append(replace(phase, beside=beside.photos))
        print(table(phases).splitlines()[-1], file=sys.stderr, flush=True)
    return phases


def main() -> int:
    options = _options()
    files = {size: photos.photo("bottle", int(size)) for size in WEIGHTS}
    workers = options.workers
    print(f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}, {workers} worker")
    print(f"threads in all; photos of {', '.join(f'{s} px ({w:.0%})' for s, w in WEIGHTS.items())}\n")
    phases = []
    for count in options.replicas:
        phases += _one_service(count, options, files)
    print(table(phases))
    if options.json:
        options.json.write_text(json.dumps(as_json(phases), indent=1) + "\n")
    faults = [fault for phase in phases for fault in phase.faults]
    print(f"\nfaults: {len(faults)} {faults[:5] if faults else ''}")
    return 1 if faults else 0


def _one_service(count: int, options: argparse.Namespace, files: Mapping[str, bytes]) -> list[Phase]:
    each = max(1, options.workers // count)
    given = inherited() if options.inherit else {}
    settings = {**given, "workers": each, "queue_limit": options.queue, "log_level": "warning"}
    name = "1 replica" if count == 1 else f"{count} replicas behind nginx"
    context = multiprocessing.get_context("spawn")
    with (
        tempfile.TemporaryDirectory() as folder,
        fleet(count, Path(folder), settings) as (address, replicas),
        ProcessPoolExecutor(options.processes, mp_context=context) as pool,
    ):
        downloads = Path(folder, "downloads")
        downloads.mkdir()
        traffic = Traffic(address, new_key(Path(folder, "state"), settings=given), files, WEIGHTS, 0, downloads)
        stand = Stand(f"{name}, {each} threads each", traffic, replicas, pool, options.processes)
        stand.run("warm-up", replace(traffic, clients=2 * count, seconds=1))
        return measure(stand, 60 * options.minutes / len(options.replicas), each * count)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.load", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.5, help="total minutes of load, without the starts")
    parser.add_argument(
        "--replicas", type=int, nargs="+", default=[1, 2], help="services to measure, as replica counts"
    )
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="total worker threads of a service")
    parser.add_argument("--queue", type=int, default=16, help="requests that may wait in each replica")
    parser.add_argument(
        "--inherit", action="store_true", help="keep the PACKSHOT_ variables: a database, Redis, a bucket"
    )
    parser.add_argument("--processes", type=int, default=1, help="processes of clients")
    parser.add_argument("--json", type=Path, help="also write the table's figures to this file")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
