"""remove_many: in order, a few photos ahead, and it stops when the caller stops."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import packshot
from packshot.engine.network import Network, load_network
from packshot.errors import InvalidOption, NoForeground
from tests.engine.tiny_onnx import write_model

UInt8 = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Network:
    """A network that takes bright pixels for the product."""
    return load_network(str(write_model(tmp_path_factory.mktemp("models"))))


def square(side: int) -> UInt8:
    """A white square of that side on black; all black for 0."""
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[8 : 8 + side, 8 : 8 + side] = 255
    return picture


def workers() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name.startswith("packshot")]


@pytest.mark.slow
@settings(max_examples=30)
@given(st.lists(st.sampled_from([0, 16, 24, 32, 40, 48]), max_size=7), st.integers(1, 4))
def test_each_outcome_stands_in_its_photos_place(network: Network, sides: list[int], jobs: int) -> None:
    photos = [square(side) for side in sides]
    outcomes = list(packshot.remove_many(photos, network=network, jobs=jobs, return_exceptions=True))
    assert len(outcomes) == len(sides)
    for side, outcome in zip(sides, outcomes, strict=True):
        if side == 0:
            assert isinstance(outcome, NoForeground)
        else:
            assert isinstance(outcome, packshot.Result)
            assert outcome.box.size == pytest.approx((side, side), abs=4)
    assert not workers()


@settings(max_examples=30)
@given(st.lists(st.sampled_from([0, 32]), min_size=1, max_size=6), st.integers(1, 3))
def test_the_first_failure_is_raised_in_its_place_and_ends_it(network: Network, sides: list[int], jobs: int) -> None:
    good = list(itertools.takewhile(bool, sides))
    results = packshot.remove_many([square(side) for side in sides], network=network, jobs=jobs)
    for _ in good:
        assert next(results)
    with pytest.raises(StopIteration if len(good) == len(sides) else NoForeground) as caught:
        next(results)
    if len(good) < len(sides):
        assert caught.value.__notes__ == [f"It is photo {len(good) + 1}"]
    assert not workers()


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_of_endless_photos_only_a_few_are_taken_ahead(network: Network, jobs: int) -> None:
    taken = 0

    def endless() -> Iterator[UInt8]:
        nonlocal taken
        while True:
            taken += 1
            yield square(32)

    results = packshot.remove_many(endless(), network=network, jobs=jobs)
    assert taken == 0
    for number in range(1, 8):
        next(results)
        assert taken <= number - 1 + 2 * jobs
    results.close()
    assert not workers()


def test_leaving_the_loop_cancels_what_nobody_waits_for(network: Network) -> None:
    """A photo in work ends at its next stage, and waiting photos never start."""
    asked, leave = [], threading.Event()

    class Slow:
        card = network.card

        def predict(self, rgb: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
            asked.append(rgb)
            if rgb.mean() > 0.1:  # all but the first photo
                leave.wait(20)
            return network.predict(rgb)

    results = packshot.remove_many([square(12)] + [square(32)] * 8, network=Slow(), jobs=2)
    next(results)
    threading.Timer(0.05, leave.set).start()
    results.close()
    assert len(asked) <= 3
    assert not workers()


def test_threads_end_with_the_last_photo_even_if_the_generator_is_kept(network: Network) -> None:
    photos = [square(32)] * 5
    results = packshot.remove_many(photos, network=network, jobs=2)
    assert len([each for _, each in zip(photos, results, strict=False)]) == 5  # zip does not request a sixth
    for thread in workers():
        thread.join(20)
    assert not workers()


def test_what_goes_wrong_among_the_photos_is_the_callers_to_see(network: Network) -> None:
    def breaking() -> Iterator[UInt8]:
        yield square(32)
        raise LookupError("the camera is gone")

    with pytest.raises(LookupError, match="camera"):
        list(packshot.remove_many(breaking(), network=network, jobs=2))
    assert not workers()


def test_options_are_checked_before_any_photo_is_asked_for() -> None:
    with pytest.raises(InvalidOption, match="crop"):
        packshot.remove_many(iter(()), crop="yes")  # type: ignore[call-overload]
    with pytest.raises(InvalidOption, match="jobs"):
        packshot.remove_many([], jobs=0)


@pytest.mark.parametrize("one", ["a.jpg", Path("a.jpg"), b"abc", square(32), None, 3])
def test_one_photo_is_not_taken_for_many(one: object) -> None:
    with pytest.raises(TypeError, match="several photos"):
        packshot.remove_many(one)  # type: ignore[call-overload]
