"""The committed inputs: findings of the fuzzer, and a few inputs that reach deep code. Every test run replays them."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent / "corpus"
MOST_BYTES = 200_000


_FOLDERS = {"probe": ("decode", "probe")}  # the service probes a file before it decodes it


def inputs(target: str) -> list[Path]:
    """The inputs of one target, by name."""
    folders = _FOLDERS.get(target, (target,))
    return sorted(path for folder in folders for path in (FOLDER / folder).glob("*") if path.is_file())
