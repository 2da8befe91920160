"""Photos with transparency: an alpha that cuts out a product is used; a photo in a frame is treated as a photo."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import packshot
from packshot import remove
from packshot.core.options import Options
from packshot.core.picture import UInt8
from packshot.errors import NoForeground
from tests.kit.images import as_png, photo, product

EXAMPLES = Path(__file__).parents[2] / "examples"
HEIGHT, WIDTH = 240, 320


def decoded(data: bytes) -> UInt8:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"))


def mask_of(rgb: UInt8, alpha: UInt8) -> UInt8:
    return decoded(remove(as_png(np.dstack([rgb, alpha])), Options(form="mask")).data)[..., 0]


def iou(mask: UInt8, truth: UInt8) -> float:
    ours, theirs = mask >= 128, truth >= 128
    return float((ours & theirs).sum() / (ours | theirs).sum())


def flat(colour: tuple[int, int, int]) -> UInt8:
    return np.full((HEIGHT, WIDTH, 3), colour, np.uint8)


def logo() -> UInt8:
    """Two pieces and a ring, anti-aliased."""
    alpha = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.rectangle(alpha, (30, 30), (100, 200), 255, -1)
    cv2.circle(alpha, (200, 80), 40, 255, 18, cv2.LINE_AA)
    cv2.fillPoly(alpha, [np.array([(150, 210), (290, 210), (220, 150)], np.int32)], 255, cv2.LINE_AA)
    return alpha


def frame(kind: str, height: int, width: int) -> UInt8:
    """The alpha of a photo cut to a disc, a strip or rounded corners, or without a meaningful alpha."""
    if kind == "strip":
        return np.pad(np.full((height - 24, width), 255, np.uint8), ((12, 12), (0, 0)))
    if "opaque" in kind:
        return np.full((height, width), 254 if kind == "nearly opaque" else 255, np.uint8)
    alpha = np.zeros((height, width), np.uint8)
    if kind == "disc":
        cv2.ellipse(alpha, (width // 2, height // 2), (width // 2, height // 2), 0, 0, 360, 255, -1)
    else:
        radius = width // 5
        cv2.rectangle(alpha, (radius, radius), (width - radius, height - radius), 255, -1)
        alpha = cv2.dilate(alpha, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)))
    return alpha


@pytest.mark.parametrize("colour", [(255, 255, 255), (0, 0, 0), (128, 128, 128), (250, 248, 252), (200, 30, 40)])
def test_a_logo_of_any_colour_keeps_every_piece_and_its_exact_edge(colour: tuple[int, int, int]) -> None:
    assert np.array_equal(mask_of(flat(colour), logo()), logo())


@pytest.mark.parametrize("shift", [-60, 0, 60])
def test_the_colours_of_a_cutout_are_its_own(shift: int) -> None:
    rgb, alpha = product(WIDTH, HEIGHT)
    rgb = np.clip(rgb.astype(int) + shift, 0, 255).astype(np.uint8)
    out = decoded(remove(as_png(np.dstack([rgb, alpha]))).data)
    assert np.array_equal(out[..., 3], alpha)
    assert np.array_equal(out[..., :3][alpha > 0], rgb[alpha > 0])


def test_a_product_that_is_half_transparent_throughout_stays_so() -> None:
    alpha = (logo() * 0.35).astype(np.uint8)
    assert np.array_equal(mask_of(flat((230, 240, 250)), alpha), alpha)


def test_a_cutout_of_a_cutout_is_the_same_cutout() -> None:
    once = packshot.remove_background((EXAMPLES / "bear.jpg").read_bytes())
    assert np.array_equal(decoded(packshot.remove_background(once)), decoded(once))


@pytest.mark.slow
@given(seed=st.integers(0, 99), level=st.integers(0, 255), grow=st.integers(0, 3))
@settings(max_examples=12)
def test_whatever_colour_hides_under_alpha_0_changes_nothing(seed: int, level: int, grow: int) -> None:
    rgb, alpha = product(120, 90, seed)
    alpha = cv2.dilate(alpha, np.ones((2 * grow + 1, 2 * grow + 1), np.uint8))
    other = rgb.copy()
    other[alpha == 0] = level
    one, two = (decoded(remove(as_png(np.dstack([each, alpha]))).data) for each in (rgb, other))
    assert np.array_equal(one, two)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bear", "mug", "teapot"])
@pytest.mark.parametrize("kind", ["disc", "strip", "corners", "opaque", "nearly opaque"])
def test_a_photo_in_a_frame_is_still_a_photo(name: str, kind: str) -> None:
    with Image.open(EXAMPLES / f"{name}.jpg") as image, Image.open(EXAMPLES / "truth" / f"{name}.png") as matte:
        size = (image.width // 3, image.height // 3)
        rgb, truth = np.asarray(image.resize(size)), np.asarray(matte.resize(size))
    alpha = frame(kind, *truth.shape)
    mask = mask_of(rgb, alpha)
    assert iou(mask, np.minimum(truth, alpha)) > 0.8
    assert (mask <= alpha).all()


def test_a_photo_that_is_faint_all_over_has_a_product_as_faint() -> None:
    rgb, truth = product(WIDTH, HEIGHT)
    mask = mask_of(rgb, np.full((HEIGHT, WIDTH), 90, np.uint8))
    assert mask.max() == 90
    assert iou(mask * 2, truth) > 0.9


def test_a_file_that_is_clear_all_over_holds_no_product() -> None:
    with pytest.raises(NoForeground):
        remove(as_png(np.dstack([photo(), np.zeros((240, 320), np.uint8)])))


def test_a_region_of_interest_of_a_cutout_is_cut_from_its_own_alpha() -> None:
    data = as_png(np.dstack([flat((255, 255, 255)), logo()]))
    mask = decoded(remove(data, Options(form="mask", roi="0px 0px 120px 240px")).data)[..., 0]
    inside = np.arange(WIDTH) < 120
    assert np.array_equal(mask, logo() * inside.astype(np.uint8))


def test_the_alpha_of_a_cutout_is_sure_and_needs_no_look() -> None:
    result = remove(as_png(np.dstack([flat((255, 255, 255)), logo()])))
    assert result.confidence is not None
    assert result.confidence > 0.95
    assert not result.review
