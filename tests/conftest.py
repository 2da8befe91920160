"""Shared by several folders of tests. Imports are inside functions: tests of core need not load the web framework."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import hypothesis
import pytest

if TYPE_CHECKING:
    from tests.kit.s3 import S3
    from tests.kit.server import Running

# A busy machine may need a second for a millisecond's work: no test is about the time of one example.
hypothesis.settings.register_profile(
    "packshot", deadline=None, derandomize="CI" in os.environ, max_examples=25 if "CI" in os.environ else 100
)
hypothesis.settings.load_profile("packshot")


@pytest.fixture(scope="session", autouse=True)
def _without_the_users_own_models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Hides the user's own models and default model, also from the processes that tests start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
        patch.delenv("PACKSHOT_MODELS_DIR", raising=False)
        yield


@pytest.fixture(scope="session", autouse=True)
def _with_compiled_modules() -> Iterator[None]:
    """Test processes keep Python's compiled modules, even if the machine's settings forbid it: saves 1.5 s each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
        yield


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The server for all tests without special settings. It has one worker, so that a queue forms easily."""
    from tests.kit.server import serving

    with serving(tmp_path_factory.mktemp("state"), workers=1, queue_limit=8) as running:
        yield running


@pytest.fixture(scope="session")
def shared_s3() -> Iterator[S3]:
    """A real S3 server for all tests that do not change it: its start takes 7 to 14 s. Each test has its own prefix."""
    from tests.kit.s3 import s3_server

    with s3_server() as server:
        yield server
