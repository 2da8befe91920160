"""Sizes and boxes."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from packshot.core.geometry import Box, Size, network_size

sides = st.integers(32, 1999)
sizes = st.builds(Size, sides, sides)


@given(sizes, st.sampled_from([(512, 32), (320, 32), (1024, 16)]))
def test_a_network_sees_whole_multiples_and_never_more_than_its_side(size: Size, rule: tuple[int, int]) -> None:
    side_px, multiple = rule
    seen = network_size(size, side_px=side_px, multiple=multiple, fit="longest")
    assert seen.longest == side_px
    assert seen.width % multiple == seen.height % multiple == 0
    assert min(seen) >= side_px / 4 - multiple / 2


@given(sizes)
def test_the_aspect_survives_up_to_the_rounding_unless_the_picture_is_a_strip(size: Size) -> None:
    seen = network_size(size, side_px=512, multiple=32, fit="longest")
    scale = 512 / size.longest
    for length, wanted in zip(seen, size, strict=True):
        assert length == 128 or abs(length - wanted * scale) <= 16


@given(sizes)
def test_a_picture_on_its_side_gives_the_input_on_its_side(size: Size) -> None:
    upright = network_size(size, side_px=512, multiple=32, fit="longest")
    turned = network_size(Size(size.height, size.width), side_px=512, multiple=32, fit="longest")
    assert turned == Size(upright.height, upright.width)


@given(sizes)
def test_stretch_is_always_the_square(size: Size) -> None:
    assert network_size(size, side_px=320, multiple=32, fit="stretch") == Size(320, 320)


def test_a_box_knows_its_size_and_cuts_it_out() -> None:
    box = Box(3, 5, 10, 9)
    assert np.zeros((20, 30, 3))[box.slices].shape == (box.size.height, box.size.width, 3)
    assert Box.full(Size(30, 20)).size == Size(30, 20)
    assert str(Size(30, 20)) == "30x20"
