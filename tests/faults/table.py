"""The table of all proofs: runs, times and prints them."""

from __future__ import annotations

import importlib
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.proof import PROOFS, Place, Proof
from tests.kit.server import Running, serving

COLUMNS = ("group", "what is done", "what must come of it", "what came", "s", "verdict")
MODULES = (
    "bodies",
    "connections",
    "framing",
    "links",
    "tenants",
    "polyglots",
    "workers",
    "replicas",
    "disks",
    "backing",
    "clocks",
    "jobs",
)


def all_proofs() -> Sequence[Proof]:
    """Every proof in this folder's modules."""
    for name in MODULES:
        importlib.import_module(f"tests.faults.{name}")
    return PROOFS


@contextmanager
def shared_service() -> Iterator[Running]:
    """The same service as the pytest fixture: one worker, so that a queue forms easily."""
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder), workers=1, queue_limit=8) as running:
        yield running


def print_table(proofs: Sequence[Proof]) -> int:
    """Run the proofs and print a line each; returns the number of failures."""
    print(f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|", flush=True)
    verdicts = []
    with shared_service() as running:
        for proof in proofs:
            began = time.monotonic()
            seen, verdict = _carried_out(proof, running)
            took_s = time.monotonic() - began
            print(
                f"| {proof.group} | {proof.name} | {proof.expected} | {seen} | {took_s:.1f} | {verdict} |", flush=True
            )
            verdicts.append(verdict)
    print("\n" + ", ".join(f"{verdicts.count(word)} {word}" for word in ("held", "FAILED", "skipped")))
    return verdicts.count("FAILED")


def _carried_out(proof: Proof, running: Running) -> tuple[str, str]:
    try:
        with tempfile.TemporaryDirectory() as folder:
            return proof.run(Place(Path(folder), running)), "held"
    except pytest.skip.Exception as reason:
        return str(reason.msg), "skipped"
    except Exception as error:  # noqa: BLE001 - the table goes on, and the whole of it is told below
        traceback.print_exc()
        return f"{type(error).__name__}: {str(error).splitlines()[0][:150] if str(error) else ''}", "FAILED"
