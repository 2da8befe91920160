"""A proof: an attack on the service, its expected outcome, and the table row with the actual outcome."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.kit.server import Running

Group = Literal["abuse", "fault"]
Kind = Literal["quick", "slow", "services", "browser", "release"]


@dataclass(frozen=True)
class Place:
    """The surroundings of a proof: its own folder, and a service on a socket, possibly shared with other proofs."""

    folder: Path
    running: Running


@dataclass(frozen=True)
class Proof:
    """run: performs the proof, asserts the expectations, and returns the outcome in a few words. kind: the mark in
    pytest.
    """

    group: Group
    name: str
    expected: str
    run: Callable[[Place], str]
    kind: Kind = "quick"


PROOFS: list[Proof] = []
"""All proofs, in the order of the table."""


def proof(
    group: Group, name: str, expected: str, *, kind: Kind = "quick"
) -> Callable[[Callable[[Place], str]], Callable[[Place], str]]:
    """Add a function to the table."""

    def enter(run: Callable[[Place], str]) -> Callable[[Place], str]:
        PROOFS.append(Proof(group, name, expected, run, kind))
        return run

    return enter
