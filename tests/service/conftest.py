"""Fixtures of the tests on the service's tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.service.kit import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the tables shall lie."""
    return tmp_path / "accounts.sqlite3"
