"""`python -m evaluation.capacity.measure`: the pipeline's times, and a service of one and two replicas under load.

The measurements alternate in short rounds, so that other work on the machine affects all of them alike. The inputs of
the simulation are the worker times of one replica and the overhead of a single client. It must predict the clients'
times, for one replica and for two. For plans, the pipeline is measured in processor time.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path

from bench import photos
from bench.load.__main__ import WEIGHTS
from bench.load.client import Drive, Traffic, drive
from bench.load.replicas import fleet, new_key
from evaluation.machine import machine
from packshot.engine.calls import remove
from packshot.engine.network import load_network
from packshot.engine.process import tune_process

MEASURED = Path(__file__).with_name("measured.json")
# Two workers in total: the machine of the first measurement has two cores.
LOADS = {"alone": (1, 2, 1), "one": (1, 2, 4), "one, busy": (1, 2, 8), "two": (2, 1, 4), "two, busy": (2, 1, 8)}
"""By name: replicas, workers in each, clients of a closed loop."""
FED, ALONE = "one, busy", "alone"
"""The load whose worker times are the simulation's input; the load that measures a request's overhead."""


@dataclass
class Load:
    """Measurements of one service, by round. seconds: of the round. took_s: of each request, seen by its client.
    worked_s: the times that the workers report.
    """

    replicas: int
    workers: int
    clients: int
    seconds: list[float] = field(default_factory=list)
    took_s: list[list[float]] = field(default_factory=list)
    worked_s: list[list[float]] = field(default_factory=list)
    refused: int = 0


@dataclass
class Measurements:
    """All measurements; measured.json holds them.

    line: processor seconds of single photos, which is their time on an idle machine, by how many ran in parallel.
    loop_s: a request's time outside the pipeline.
    think_s: a client's pause between two requests. photo_bytes, result_bytes: means.
    """

    machine: dict[str, str] = field(default_factory=dict)
    load_average: list[float] = field(default_factory=list)
    line: dict[int, list[float]] = field(default_factory=dict)
    loop_s: float = 0.0
    think_s: float = 0.0
    photo_bytes: float = 0.0
    result_bytes: float = 0.0
    loads: dict[str, Load] = field(default_factory=dict)


def line_seconds(files: Mapping[str, bytes], threads: int, seconds: float, seed: int) -> list[float]:
    """Every photo's processor time while `threads` of them run in parallel, in the same mix as the clients use.

    Each photo stays on its thread, so this is its time on its own core, independent of other work on the machine.
    """
    network, ends = load_network(), time.monotonic() + seconds

    def one_thread(number: int) -> list[float]:
        chance, found = random.Random(1000 * seed + number), list[float]()  # noqa: S311 - a mix, not a secret
        while time.monotonic() < ends:
            photo = files[chance.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]]
            began = time.thread_time()
            remove(photo, network=network)
            found.append(time.thread_time() - began)
        return found

    with ThreadPoolExecutor(threads) as pool:
        return [each for found in pool.map(one_thread, range(threads)) for each in found]


def measure(rounds: int, seconds: float, cores: int) -> Measurements:
    """Rounds: each runs the pipeline on 1 to `cores` threads, then every load."""
    files = {size: photos.photo("bottle", int(size)) for size in WEIGHTS}
    found = Measurements(machine=machine(), photo_bytes=_mean({size: len(data) for size, data in files.items()}))
    found.result_bytes = _mean({size: len(remove(data).data) for size, data in files.items()})
    found.line = {count: [] for count in range(1, cores + 1)}
    found.loads = {name: Load(*load) for name, load in LOADS.items()}
    alone: list[Drive] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool,
        ExitStack() as services,
    ):
        traffics = {}
        for count in (1, 2):
            home = Path(folder, str(count))
            settings = {"workers": 2 // count, "queue_limit": 64, "log_level": "warning"}
            address, _ = services.enter_context(fleet(count, home, settings))
            (home / "downloads").mkdir()
            traffics[count] = Traffic(address, new_key(home / "state"), files, WEIGHTS, seconds, home / "downloads")
            pool.submit(drive, replace(traffics[count], clients=2 * count, seconds=1)).result()
        for number in range(rounds):
            found.load_average.append(os.getloadavg()[0])
            for count in found.line:
                found.line[count] += line_seconds(files, count, seconds / 2, number)
            for name in random.Random(number).sample(list(LOADS), len(LOADS)):  # noqa: S311 - no load is always last
                load = found.loads[name]
                traffic = replace(traffics[load.replicas], clients=load.clients, seed=number)
                driven = pool.submit(drive, traffic).result()
                _add(load, driven)
                if name == ALONE:
                    alone.append(driven)
            print(f"round {number + 1} of {rounds}, load average {found.load_average[-1]:.1f}", flush=True)
    _note_overhead(found, alone)
    return found


def _mean(by_size: Mapping[str, float]) -> float:
    return sum(WEIGHTS[size] * value for size, value in by_size.items())


def _add(load: Load, driven: Drive) -> None:
    load.seconds.append(driven.wall_s)
    good = [each for each in driven.outcomes if each.status == 200]
    load.took_s.append([round(each.took_s, 4) for each in good])
    load.worked_s.append([round(each.served_s, 4) for each in good])
    load.refused += sum(each.status == 503 for each in driven.outcomes)


def _note_overhead(found: Measurements, alone: Sequence[Drive]) -> None:
    """A request's overhead outside the pipeline, from a service with one client and therefore no queue."""
    good = [each for driven in alone for each in driven.outcomes if each.status == 200]
    found.loop_s = statistics.median(each.took_s - each.served_s for each in good)
    found.think_s = max(0.0, (sum(each.wall_s for each in alone) - sum(each.took_s for each in good)) / len(good))


def write(found: Measurements, path: Path) -> None:
    """Writes times in tenths of milliseconds: the measurement is no more exact."""
    told = asdict(found)
    told["line"] = {count: [round(each, 4) for each in times] for count, times in found.line.items()}
    path.write_text(json.dumps(told) + "\n", encoding="utf-8")


def read(path: Path = MEASURED) -> Measurements:
    told = json.loads(path.read_text(encoding="utf-8"))
    told["line"] = {int(count): times for count, times in told["line"].items()}
    told["loads"] = {name: Load(**load) for name, load in told["loads"].items()}
    return Measurements(**told)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m evaluation.capacity.measure", description=__doc__)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=4.0, help="seconds per load and round; the pipeline gets half")
    parser.add_argument("--cores", type=int, default=2, help="most photos in parallel; at most the number of cores")
    parser.add_argument("--out", type=Path, default=MEASURED)
    options = parser.parse_args()
    tune_process()
    write(measure(options.rounds, options.seconds, options.cores), options.out)


if __name__ == "__main__":
    main()
