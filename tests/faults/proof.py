"""A proof: what is done to the service, what must come of it, and the line of the table that says what came."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.kit.server import Running

Group = Literal["abuse", "fault"]
Kind = Literal["quick", "slow", "services", "browser"]


@dataclass(frozen=True)
class Place:
    """Where a proof takes place: a folder of its own, and a service on a socket that it may share with others."""

    folder: Path
    running: Running


@dataclass(frozen=True)
class Proof:
    """run: does it, asserts what is expected, and returns what was seen in a few words. kind: the mark in pytest."""

    group: Group
    name: str
    expected: str
    run: Callable[[Place], str]
    kind: Kind = "quick"


PROOFS: list[Proof] = []
"""All of them, in the order of the table."""


def proof(
    group: Group, name: str, expected: str, *, kind: Kind = "quick"
) -> Callable[[Callable[[Place], str]], Callable[[Place], str]]:
    """Enter a function into the table."""

    def enter(run: Callable[[Place], str]) -> Callable[[Place], str]:
        PROOFS.append(Proof(group, name, expected, run, kind))
        return run

    return enter
