"""Drawn scenes, and the plot of a confidence."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation import drawn
from evaluation.confidence_picture import LOOKED_AT, found_by, svg


@pytest.mark.slow
@given(seed=st.integers(0, 999))
@settings(max_examples=10)
def test_shapes_stand_apart_and_differ_from_their_ground(seed: int) -> None:
    rgb, alpha = drawn.shapes(seed)
    count, label = cv2.connectedComponents((alpha > 127).astype(np.uint8))
    assert 2 <= count - 1 <= 4
    for each in range(1, count):
        assert np.abs(rgb[label == each].astype(int).mean(axis=0) - 255).max() > drawn.CONTRAST / 2
    assert (rgb[alpha == 0] == 255).all()


@pytest.mark.slow
@given(seed=st.integers(0, 999))
@settings(max_examples=10)
def test_a_label_is_as_white_as_the_ground_and_part_of_the_truth(seed: int) -> None:
    rgb, alpha = drawn.labelled(seed)
    white_inside = (rgb == 255).all(axis=2) & (alpha == 255)
    assert white_inside.sum() > 0.1 * (alpha == 255).sum()
    assert cv2.connectedComponents(((rgb != 255).any(axis=2)).astype(np.uint8))[0] == 3
    assert cv2.connectedComponents((alpha > 127).astype(np.uint8))[0] == 2


def test_the_command_writes_pairs(tmp_path: Path) -> None:
    drawn.main(["--out", str(tmp_path), "--shapes", "2", "--labelled", "1"])
    assert len(list((tmp_path / "im").iterdir())) == len(list((tmp_path / "gt").iterdir())) == 3


def test_who_knows_the_damaged_finds_them_first_and_who_guesses_does_not() -> None:
    random = np.random.default_rng(0)
    damaged = random.random(2000) < 0.1
    knowing, guessing, wrong = -1.0 * damaged, random.random(2000), 1.0 * damaged
    ends = [found_by(said, damaged)[-1] for said in (knowing, guessing, wrong)]
    assert [share for share, _ in ends] == [LOOKED_AT] * 3
    assert ends[0][1] == 1
    assert ends[1][1] == pytest.approx(LOOKED_AT, abs=0.07)
    assert ends[2][1] == 0


def test_the_picture_names_both_ways() -> None:
    random = np.random.default_rng(0)
    said, damaged = random.random(100), random.random(100) < 0.3
    picture = svg(said, said, {"one way": said, "another": said[::-1]}, damaged)
    assert picture.startswith("<svg")
    assert "one way" in picture
    assert "another" in picture
