"""The table of a load run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from bench.load.client import NO_ANSWER, Outcome

COLUMNS = (
    *("service", "clients", "offered/s", "served/s", "jobs' photos/s", "p50 s", "p95 s", "p99 s"),
    *("other answers", "memory MB", "results checked", "clients' CPU"),
)


@dataclass(frozen=True)
class Phase:
    """The results of one phase: all its requests, the replicas' peak memory in total, and the clients' CPU.

    beside: photos of jobs that finished meanwhile.
    """

    service: str
    clients: str
    seconds: float
    wall_s: float
    outcomes: Sequence[Outcome]
    memory_bytes: int
    busy: float
    beside: int = 0

    @property
    def good(self) -> list[Outcome]:
        return [each for each in self.outcomes if each.status == 200]

    @property
    def served(self) -> float:
        """Good responses a second, up to the last one."""
        return len(self.good) / self.wall_s

    @property
    def faults(self) -> list[str]:
        """Faults that must never occur: a missing or broken result, a broken connection, a 5xx other than 503."""
        broken = [each.fault for each in self.outcomes if each.fault]
        return broken + [f"status {each.status}" for each in self.outcomes if each.status in {500, 502, 504}]

    def percentile(self, share: float) -> float:
        return percentile([each.took_s for each in self.good], share)


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which this share of the values lies; 0 without values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def table(phases: Sequence[Phase]) -> str:
    lines = [f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
    for phase in phases:
        others = Counter(each.status for each in phase.outcomes if each.status != 200)
        told = ", ".join(f"{'none' if status == NO_ANSWER else status}: {n}" for status, n in sorted(others.items()))
        checked = sum(not each.fault for each in phase.good)
        lines.append(
            f"| {phase.service} | {phase.clients} | {len(phase.outcomes) / phase.seconds:.1f} | {phase.served:.1f} "
            f"| {phase.beside / phase.wall_s:.1f} "
            f"| {phase.percentile(0.5):.2f} | {phase.percentile(0.95):.2f} | {phase.percentile(0.99):.2f} "
            f"| {told or '-'} | {phase.memory_bytes / 1e6:.0f} | {checked} of {len(phase.good)} "
            f"| {phase.busy:.0%} |"
        )
    return "\n".join(lines)


def as_json(phases: Sequence[Phase]) -> list[dict[str, object]]:
    return [
        {
            "service": phase.service,
            "clients": phase.clients,
            "offered_per_s": len(phase.outcomes) / phase.seconds,
            "served_per_s": phase.served,
            "jobs_photos_per_s": phase.beside / phase.wall_s,
            "p50_s": phase.percentile(0.5),
            "p95_s": phase.percentile(0.95),
            "p99_s": phase.percentile(0.99),
            "statuses": dict(Counter(each.status for each in phase.outcomes)),
            "memory_bytes": phase.memory_bytes,
            "faults": phase.faults,
        }
        for phase in phases
    ]
