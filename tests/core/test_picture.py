"""The only conversion between bytes and floats."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from packshot.core.picture import Picture, quantile, to_uint8, to_unit


def test_every_byte_survives_the_way_in_and_out() -> None:
    every = np.arange(256, dtype=np.uint8)
    assert to_unit(every).dtype == np.float32
    assert np.array_equal(to_uint8(to_unit(every)), every)


@given(st.floats(-2, 3, width=32))
def test_the_way_out_rounds_to_the_nearest_and_clips(value: float) -> None:
    (out,) = to_uint8(np.array([value], np.float32))
    assert abs(int(out) - min(max(value, 0), 1) * 255) <= 0.5 + 1e-4


def test_the_way_out_leaves_its_input_alone() -> None:
    values = np.full((4, 4), 0.5, np.float32)
    to_uint8(values)
    assert (values == 0.5).all()


def test_a_pictures_size_is_width_then_height() -> None:
    assert Picture(np.zeros((20, 30, 3), np.uint8)).size == (30, 20)


@given(st.lists(st.floats(0, 255, width=32), min_size=1, max_size=40), st.floats(0, 1))
def test_a_quantile_is_that_of_numpy(values: list[float], share: float) -> None:
    array = np.array(values, np.float32)
    assert abs(quantile(array, share) - float(np.quantile(array, share))) <= 1e-4
