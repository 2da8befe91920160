"""Old findings of the fuzzer stay fixed, within the bounds of `python -m tests.fuzz`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.corpus import FOLDER, MOST_BYTES, inputs
from tests.fuzz.targets import TARGETS

pytestmark = pytest.mark.filterwarnings("ignore")  # Pillow's warnings about skipped parts: a service logs them


@pytest.mark.parametrize("target", TARGETS)
def test_every_input_of_the_corpus(target: str) -> None:
    found = inputs(target)
    assert found
    for path in found:
        data = path.read_bytes()
        TARGETS[target].hold(TARGETS[target].run(data), data)


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_every_seed(target: str) -> None:
    for make in TARGETS[target].seeds.values():
        TARGETS[target].check(make())


def test_the_corpus_stays_small() -> None:
    assert sum(path.stat().st_size for path in Path(FOLDER).rglob("*") if path.is_file()) < MOST_BYTES
