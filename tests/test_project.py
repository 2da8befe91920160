"""The project's own promises: minimum versions, few dependencies, and a record for each."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCK = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))

# The first releases without known vulnerabilities on untrusted input (docs/decisions/0001-records-and-dependencies.md).
SAFE = {
    "pillow": (12, 3),
    "python-multipart": (0, 0, 31),
    "starlette": (1, 3, 1),
    "h11": (0, 16),
    "opencv-python-headless": (4, 12),
}


def version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text))


def floors() -> dict[str, tuple[int, ...]]:
    required = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["service"]]
    pairs = [re.split(r">=", requirement) for requirement in required]
    return {name: version(floor) for name, floor in pairs}


def test_floors_are_not_below_the_safe_releases() -> None:
    for name, safe in SAFE.items():
        assert floors()[name] >= safe, name


def test_the_lock_is_not_below_the_floors() -> None:
    locked = {package["name"]: version(package.get("version", "0")) for package in LOCK["package"]}
    for name, floor in floors().items():
        assert locked[name] >= floor, name


def test_every_dependency_has_a_decision_record() -> None:
    table = (ROOT / "docs/decisions/0001-records-and-dependencies.md").read_text(encoding="utf-8")
    for name in floors():
        assert name in table, name
