"""The committed inputs: what fuzzing found, and a few that reach far. Replayed by every run of the tests."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent / "corpus"
MOST_BYTES = 200_000


def inputs(target: str) -> list[Path]:
    """Of one target, by name."""
    return sorted(path for path in (FOLDER / target).glob("*") if path.is_file())
