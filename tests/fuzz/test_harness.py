"""The fuzzer's own parts: mutations reach their targets, and broken bounds are noticed."""

from __future__ import annotations

import mmap
from random import Random

import pytest

from packshot.core.codecs import decode
from packshot.errors import InputError
from tests.fuzz import forms, seeds
from tests.fuzz.bounds import BoundBroken, hold, measured
from tests.fuzz.mutate import FORMATS, LONGEST, mutate


def _known() -> list[str]:
    return [name for name, make in seeds.SEEDS.items() if any(make().startswith(magic) for magic in FORMATS)]


@pytest.mark.parametrize("name", _known())
def test_a_file_comes_apart_and_together_again(name: str) -> None:
    data = seeds.SEEDS[name]()
    parts = next(each for magic, each in FORMATS.items() if data.startswith(magic))
    assert parts.join(parts.split(data)) == data


def test_mutations_are_repeatable() -> None:
    data = seeds.SEEDS["png"]()
    assert mutate(data, Random(7)) == mutate(data, Random(7))
    assert forms.mutate(data, Random(7)) == forms.mutate(data, Random(7))


def test_a_mutation_of_a_mutation_does_not_grow_without_end() -> None:
    random, data = Random(1), seeds.SEEDS["png"]()
    for _ in range(300):
        data = mutate(data, random) or seeds.SEEDS["png"]()
        assert len(data) <= LONGEST


def test_damage_gets_behind_the_checksums() -> None:
    """If every PNG failed at a checksum, the fuzzer would test only checksums."""
    random, data, faults = Random(1), seeds.SEEDS["png"](), []
    for _ in range(300):
        try:
            decode(mutate(data, random))
        except InputError as error:
            faults.append(error.message)
    assert sum("checksum" in fault for fault in faults) < len(faults) / 2
    assert len(set(faults)) > 20


def test_memory_that_is_taken_is_noticed() -> None:
    def take() -> None:
        # Memory directly from the kernel: an allocator with memory left from earlier tests would request none.
        with mmap.mmap(-1, 64 << 20) as taken:
            for _ in range(64):
                taken.write(b"\1" * (1 << 20))

    cost = measured(take)
    assert 60 << 20 < cost.peak_bytes < 80 << 20
    with pytest.raises(BoundBroken, match="MB"):
        hold(cost, 10, 32 << 20)
    assert measured(lambda: None).peak_bytes < 4 << 20


def test_time_that_is_taken_is_noticed() -> None:
    cost = measured(lambda: sum(range(3_000_000)))
    assert cost.seconds > 0.01
    with pytest.raises(BoundBroken, match="processor time"):
        hold(cost, 0.001, 1 << 30)
