"""The residue that packshot leaves of a background never fails packshot's own check of the finished file."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packshot.core import codecs
from packshot.core.foreground import estimate_foreground
from packshot.core.frame import make_frame
from packshot.core.matte import drop_faint, visible_box
from packshot.core.options import Options
from packshot.core.picture import Float32, Picture
from packshot.core.render import render
from packshot.core.rules import Report
from packshot.engine.calls import remove
from packshot.engine.job import make_job
from packshot.engine.judging import check
from packshot.engine.matting import find_matte
from packshot.engine.network import default_network
from packshot.engine.presets import preset_names, recipe_for
from tests.kit.images import as_png

EXAMPLES = Path(__file__).parents[2] / "examples"
SIDE = 700


@st.composite
def soft_discs(draw: st.DrawFn) -> Float32:
    """A typical network's matte: a soft disc, specks of any size and strength around it, haze over all."""
    matte = np.zeros((SIDE, SIDE), np.float32)
    axes = draw(st.tuples(st.integers(80, 230), st.integers(80, 230)))
    cv2.ellipse(matte, (SIDE // 2, SIDE // 2), axes, draw(st.integers(0, 179)), 0, 360, 1.0, -1)
    matte = np.asarray(cv2.GaussianBlur(matte, (0, 0), draw(st.floats(0.5, 3))), np.float32)
    for _ in range(draw(st.integers(0, 6))):
        place = draw(st.tuples(st.integers(15, SIDE - 15), st.integers(15, SIDE - 15)))
        dot = np.zeros_like(matte)
        cv2.circle(dot, place, draw(st.integers(0, 14)), draw(st.floats(0.03, 1)), -1)
        matte = np.maximum(matte, cv2.GaussianBlur(dot, (0, 0), draw(st.floats(0.3, 2))))
    haze = np.zeros_like(matte)
    cv2.circle(haze, (SIDE // 2, SIDE // 2), draw(st.integers(100, SIDE)), draw(st.floats(0, 0.09)), -1)
    return np.maximum(matte, cv2.GaussianBlur(haze, (0, 0), draw(st.floats(1, 60))))


def judged(data: bytes, preset: str) -> Report:
    """A finished picture by a preset's rules, as in `packshot check` and POST /v1/checks."""
    return check(make_job(data, recipe_for(Options(preset=preset))))


def checked(picture: Picture, matte: Float32, preset: str) -> Report:
    """The check of the pipeline's output file for a picture with this matte."""
    recipe = recipe_for(Options(preset=preset))
    kept = drop_faint(matte)
    frame = make_frame(recipe.framing, picture.size, visible_box(kept))
    found = render(recipe, picture, kept, frame, foreground=estimate_foreground(picture, kept))
    data = codecs.encode(found.rgb, found.alpha, format=recipe.format, quality=recipe.quality, exif=None)
    return judged(data, preset)


@pytest.mark.slow
@given(matte=soft_discs(), product=st.tuples(*[st.integers(0, 150)] * 3), ground=st.tuples(*[st.integers(0, 255)] * 3))
@settings(max_examples=10)
def test_haze_and_specks_never_break_the_rule_of_a_pure_background(
    matte: Float32, product: tuple[int, int, int], ground: tuple[int, int, int]
) -> None:
    share = matte[..., None]
    rgb = np.rint(share * np.array(product) + (1 - share) * np.array(ground)).astype(np.uint8)
    report = checked(Picture(rgb), matte, "amazon")
    assert "background" not in {check.rule for check in report.failed}, report.failed


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bear", "bottle", "jars", "mug", "stool", "teapot"])
def test_a_packshot_of_an_example_keeps_the_same_rules_when_it_is_checked(name: str) -> None:
    result = remove((EXAMPLES / f"{name}.jpg").read_bytes(), Options(preset="amazon"))
    assert result.report is not None
    again = judged(result.data, "amazon")
    assert {check.rule for check in again.failed} == {check.rule for check in result.report.failed}
    assert "background" not in {check.rule for check in again.failed}


@pytest.mark.slow
def test_stains_that_a_stool_has_left_on_its_floor_fail_with_no_marketplace() -> None:
    picture = codecs.decode((EXAMPLES / "stool.jpg").read_bytes())
    matte = find_matte(picture, default_network()).matte
    for preset in preset_names():
        checks = {check.rule: check for check in checked(picture, matte, preset).checks}
        assert all(checks[rule].passed for rule in ("background", "whole-product") if rule in checks), preset


def test_dust_in_a_files_own_alpha_does_not_move_the_frame() -> None:
    rgba = np.zeros((600, 600, 4), np.uint8)
    cv2.circle(rgba, (300, 300), 150, (60, 90, 160, 255), -1)
    clean = remove(as_png(rgba), Options(preset="square"))
    rgba[20:22, 560:562] = (60, 90, 160, 255)
    assert remove(as_png(rgba), Options(preset="square")).product == clean.product
