"""A turned photo: the product is found in the original, and every later step turns with the photo."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import pytest

from packshot.core.codecs import Header
from packshot.core.geometry import Size
from packshot.core.options import Options
from packshot.core.recipe import Recipe
from packshot.core.values import MOST_PIXELS
from packshot.engine.calls import remove
from packshot.engine.job import Job, MatteResult, make_job
from packshot.engine.network import default_network
from packshot.engine.pipeline import run
from packshot.engine.presets import recipe_for
from packshot.engine.result import Result
from tests.kit.images import as_jpeg, as_png, photo

WIDTH, HEIGHT = 360, 270


class Kept:
    """The mattes of a photo, computed once for all its renderings, as the service keeps them."""

    def __init__(self) -> None:
        self.mattes: dict[object, MatteResult] = {}

    def find(self, recipe: Recipe) -> MatteResult | None:
        return self.mattes.get((recipe.roi, recipe.touch_up))

    def keep(self, recipe: Recipe, matte: MatteResult) -> None:
        self.mattes[recipe.roi, recipe.touch_up] = matte


KEPT: dict[bytes, Kept] = {}


@cache
def shot() -> bytes:
    """A dark mug on light gray, right of the middle, its handle to the left."""
    rgb = np.full((HEIGHT, WIDTH, 3), 225, np.uint8)
    cv2.rectangle(rgb, (180, 70), (285, 220), (40, 70, 110), -1, cv2.LINE_AA)
    cv2.ellipse(rgb, (180, 145), (42, 45), 0, 90, 270, (40, 70, 110), 14, cv2.LINE_AA)
    return as_png(rgb)


def made(data: bytes, **fields: object) -> Result:
    job = make_job(data, recipe_for(Options.from_fields(fields)))
    return run(job, default_network(), keep_matte=True, mattes=KEPT.setdefault(data, Kept()))


@pytest.mark.slow
@pytest.mark.parametrize(("degrees", "quarters"), [(90, 1), (180, 2), (-90, 3), (270, 3)])
def test_a_quarter_has_the_mattes_own_pixels(degrees: float, quarters: int) -> None:
    plain, turned = made(shot()), made(shot(), rotate=degrees)
    assert np.array_equal(turned.matte, np.rot90(plain.matte, -quarters))
    assert turned.photo_size == turned.size == Size(*(plain.size if quarters == 2 else plain.size[::-1]))
    alpha = np.rot90(np.asarray(plain.image)[..., 3], -quarters)
    assert np.array_equal(np.asarray(turned.image)[..., 3], alpha)


@pytest.mark.slow
def test_a_whole_turn_is_none_and_a_kept_matte_is_left_alone() -> None:
    plain = made(shot())
    made(shot(), rotate=33)
    assert made(shot(), rotate=360).data == plain.data == remove(shot()).data


def test_another_angle_keeps_the_product_and_hides_what_was_removed() -> None:
    plain, turned = made(shot()), made(shot(), rotate=-12)
    assert turned.photo_size.width > WIDTH
    assert turned.photo_size.height > HEIGHT
    assert turned.matte.shape == turned.photo_size[::-1]
    assert turned.matte.sum() == pytest.approx(plain.matte.sum(), rel=0.01)
    rgba = np.asarray(turned.image)
    assert not rgba[rgba[..., 3] == 0].any()
    assert np.abs(rgba[rgba[..., 3] > 250][:, :3].astype(int) - (40, 70, 110)).mean() < 3


@pytest.mark.slow
@pytest.mark.parametrize(
    "fields",
    [
        {"form": "mask"},
        {"background": "white", "crop": True, "margin": "5%", "shadow": "soft"},
        {"background": "blur"},
        {"canvas": "1:1", "fill": "80%", "shadow": "photo"},
        {"preset": "square"},
    ],
)
def test_every_form_and_frame_is_made_of_the_turned_photo(fields: dict[str, object]) -> None:
    plain, turned, slanted = (made(shot(), **fields, rotate=each) for each in (0, 90, 7.5))
    assert turned.size == Size(*plain.size[::-1])
    assert not slanted.product.is_empty
    assert (slanted.report is None) == (plain.report is None)
    if plain.report is not None and slanted.report is not None:
        assert [check.passed for check in slanted.report.checks] == [check.passed for check in plain.report.checks]


@pytest.mark.slow
def test_region_and_touch_up_speak_of_the_photo_as_it_was_sent() -> None:
    keep = np.full((HEIGHT, WIDTH), 128, np.uint8)
    keep[:, 225:] = 0  # remove the mug's right part
    for wishes in ({"roi": "0 0 225 270"}, {"touch_up": as_png(keep)}):
        plain, turned = (made(shot(), **wishes, rotate=each) for each in (0, 180))
        assert plain.box.right <= 228
        assert turned.box.left >= WIDTH - 228
        assert np.array_equal(turned.matte, np.rot90(plain.matte, 2))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("degrees", "edge"), [(0, "left"), (4, "left"), (90, "upper"), (-85.5, "lower"), (180, "right")]
)
def test_a_product_that_the_photo_cuts_is_cut_however_it_is_turned(degrees: float, edge: str) -> None:
    cut = as_jpeg(photo(500, 500, 1)[:, 180:])
    result = made(cut, preset="amazon", rotate=degrees)
    assert (edge,) in [note.facts.get("edges") for note in result.notes]
    assert result.report is not None
    (whole,) = (check for check in result.report.checks if check.rule == "whole-product")
    assert whole.facts["edges"] == (edge,)


def test_memory_is_counted_for_the_larger_canvas_and_is_bounded() -> None:
    def need(size: Size, **wishes: object) -> int:
        return Job((recipe_for(Options.from_fields(wishes)),), Header("jpeg", size), b"").memory_bytes()

    small, large = Size(2000, 2000), Size(7000, 7000)
    assert need(small, rotate=45) == pytest.approx(2 * need(small), rel=0.01)
    assert need(small, rotate=90) == need(small)
    assert need(large, rotate=45) <= need(large) * MOST_PIXELS / (7000 * 7000)
