"""The committed inputs: what fuzzing found, and a few that reach far. Replayed by every run of the tests."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent / "corpus"
MOST_BYTES = 200_000


_FOLDERS = {"probe": ("decode", "probe")}  # a file that is decoded is probed before


def inputs(target: str) -> list[Path]:
    """Of one target, by name."""
    folders = _FOLDERS.get(target, (target,))
    return sorted(path for folder in folders for path in (FOLDER / folder).glob("*") if path.is_file())
