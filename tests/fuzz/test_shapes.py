"""Headers of files that are all structure cost almost nothing, whatever number of parts they claim."""

from __future__ import annotations

from random import Random

import pytest

from tests.fuzz.shapes import LONGEST, SHAPES
from tests.fuzz.targets import TARGETS


@pytest.mark.slow
@pytest.mark.parametrize("name", SHAPES)
def test_a_header_of_any_shape_stays_within_the_bounds(name: str) -> None:
    target = TARGETS["probe"]
    for number in range(40):
        data = SHAPES[name](Random(number))
        target.hold(target.run(data), data)


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_are_repeatable_short_and_not_all_alike(name: str) -> None:
    drawn = [SHAPES[name](Random(number)) for number in range(20)]
    assert drawn[7] == SHAPES[name](Random(7))
    assert max(map(len, drawn)) < 2 * LONGEST
    assert len(set(drawn)) > 10
