"""Rendering: the position and colour of everything in an output, for each kind of background, frame and shadow."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packshot.core import render as render_module
from packshot.core.compose import cutout, flatten
from packshot.core.foreground import estimate_foreground
from packshot.core.frame import Frame, make_frame
from packshot.core.geometry import Box, Size
from packshot.core.matte import bounding_box
from packshot.core.options import Options
from packshot.core.picture import Float32, Picture, to_uint8
from packshot.core.recipe import make_recipe
from packshot.core.render import Rendering, render
from tests.core.scenes import Scene, noise, scene

GRAY = (200, 200, 200)
SIZE, BOX = Size(120, 90), Box(30, 20, 80, 70)


@pytest.fixture(scope="module")
def known() -> Scene:
    return scene()


def rendered(picture: Picture, matte: Float32, backdrop: Picture | None = None, **options: object) -> Rendering:
    recipe = make_recipe(Options.from_fields(options))
    foreground = None if recipe.form == "mask" else estimate_foreground(picture, matte)
    return render(recipe, picture, matte, frame_of(picture, matte, **options), backdrop, foreground=foreground)


def frame_of(picture: Picture, matte: Float32, **options: object) -> Frame:
    box = bounding_box(matte)
    assert box is not None
    return make_frame(make_recipe(Options.from_fields(options)).framing, picture.size, box)


def square(size: Size = SIZE, box: Box = BOX) -> tuple[Picture, Float32]:
    """A red product with hard edges on blue, and its matte."""
    rgb = np.zeros((size.height, size.width, 3), np.uint8)
    rgb[:] = 20, 40, 220
    rgb[box.slices] = 220, 30, 10
    matte = np.zeros(rgb.shape[:2], np.float32)
    matte[box.slices] = 1
    return Picture(rgb), matte


def test_with_nothing_asked_it_is_the_cutout(known: Scene) -> None:
    found = rendered(known.picture, known.matte)
    rgb, alpha = cutout(estimate_foreground(known.picture, known.matte))
    assert np.array_equal(found.rgb, rgb)
    assert found.alpha is not None
    assert np.array_equal(found.alpha, alpha)
    white = rendered(known.picture, known.matte, background="white")
    assert np.array_equal(white.rgb, flatten(estimate_foreground(known.picture, known.matte), known.matte))
    assert white.alpha is None
    assert np.array_equal(rendered(known.picture, known.matte, form="mask").rgb, to_uint8(known.matte))


@pytest.mark.parametrize("options", [{"crop": True, "margin": "7px 3px"}, {"canvas": "1:1", "fill": "50%"}])
def test_unscaled_frames_copy_the_products_pixels(known: Scene, options: dict[str, object]) -> None:
    whole = rendered(known.picture, known.matte)
    part = rendered(known.picture, known.matte, **options)
    frame, box = frame_of(known.picture, known.matte, **options), bounding_box(known.matte)
    assert box is not None
    at = frame.place(box)
    assert np.array_equal(part.rgb[at.slices], whole.rgb[box.slices])
    assert part.alpha is not None
    assert whole.alpha is not None
    assert np.array_equal(part.alpha[at.slices], whole.alpha[box.slices])
    assert part.alpha.sum() == whole.alpha.sum()  # nothing outside it


@pytest.mark.parametrize("options", [{}, {"crop": True, "margin": "30%"}, {"canvas": "300x200", "fill": "70%"}])
def test_around_the_product_the_background_is_exact(options: dict[str, object]) -> None:
    picture, matte = square()
    found = rendered(picture, matte, background="rgb(200, 200, 200)", max_upscale=4, **options)
    frame = frame_of(picture, matte, max_upscale=4, **options)
    around = np.ones(found.rgb.shape[:2], bool)
    around[frame.place(BOX).slices] = False
    assert around.any()
    assert (found.rgb[around] == GRAY).all()


@pytest.mark.parametrize("options", [{}, {"max_px": 401}, {"max_px": 1500}])
@pytest.mark.parametrize("colour", [(255, 255, 255), (20, 40, 60)])
def test_no_residue_is_left_on_a_plain_ground(colour: tuple[int, int, int], options: dict[str, object]) -> None:
    known = scene(softness_px=9)
    options = {"canvas": "1:1", "fill": "60%", "max_upscale": 4, **options}
    share = rendered(known.picture, known.matte, form="mask", **options).rgb
    found = rendered(known.picture, known.matte, background=f"rgb{colour}", **options).rgb
    assert ((share > 0) & (share <= 5)).any()
    assert (found[share <= 5] == colour).all()


@pytest.mark.parametrize("scale", [0.31, 0.5, 1.7, 3.0])
def test_scaling_brings_no_foreign_colour_into_the_edge(scale: float) -> None:
    picture, matte = square()
    side = round(50 * scale)
    found = rendered(picture, matte, crop=True, canvas=f"{side}x{side}", max_upscale=4)
    assert found.alpha is not None
    seen = found.alpha > 8
    assert seen.mean() > 0.9
    assert np.abs(found.rgb[seen].astype(int) - (220, 30, 10)).max() <= 3


def test_a_scaled_mask_is_the_alpha_of_the_scaled_cutout(known: Scene) -> None:
    options = {"crop": True, "canvas": "1:1", "max_px": 61}
    alpha = rendered(known.picture, known.matte, **options).alpha
    found = rendered(known.picture, known.matte, form="mask", **options).rgb
    assert alpha is not None
    assert alpha.shape == found.shape
    assert np.array_equal(found, alpha)


def test_a_picture_behind_covers_the_frame_and_only_the_frame() -> None:
    picture, matte = square()
    behind = Picture(noise(Size(64, 64)))
    found = rendered(picture, matte, behind, background_picture=b"decoded by the pipeline")
    assert found.alpha is None
    assert (found.rgb[20:70, 30:80] == (220, 30, 10)).all()
    assert found.rgb[:15].std() > 20


def test_the_blurred_surroundings_have_no_product_in_them() -> None:
    picture, matte = square()
    found = rendered(picture, matte, background="blur", crop=True, margin="20px")
    frame = frame_of(picture, matte, crop=True, margin="20px")
    around = np.ones(found.rgb.shape[:2], bool)
    around[frame.place(BOX).slices] = False
    assert np.abs(found.rgb[around].astype(int) - (20, 40, 220)).max() <= 3


@pytest.mark.parametrize("kind", ["contact", "soft"])
def test_a_shadow_darkens_the_ground_and_never_the_product(kind: str) -> None:
    picture, matte = square()
    plain = rendered(picture, matte, background="white", crop=True, margin="40px")
    shaded = rendered(picture, matte, background="white", crop=True, margin="40px", shadow=kind)
    assert np.array_equal(shaded.rgb[40:90, 40:90], plain.rgb[40:90, 40:90])
    change = plain.rgb.astype(int) - shaded.rgb
    assert change.min() >= 0
    assert change.max() > 10
    assert change.max() <= 128 + 1  # 50 % by default
    lighter = rendered(picture, matte, background="white", crop=True, margin="40px", shadow=kind, shadow_opacity="10%")
    assert (plain.rgb.astype(int) - lighter.rgb).max() <= 26


def shot_with_a_shadow() -> tuple[Picture, Float32]:
    """A blue disc on a light ground, with a soft shadow to its lower right."""
    matte, shade = np.zeros((240, 320), np.float32), np.zeros((240, 320), np.float32)
    cv2.circle(matte, (150, 110), 45, 1.0, -1)
    cv2.ellipse(shade, (190, 150), (70, 25), 0, 0, 360, 1.0, -1)
    matte, shade = (np.asarray(cv2.GaussianBlur(each, (0, 0), soft)) for each, soft in ((matte, 0.8), (shade, 6)))
    ground = 230 * (1 - 0.5 * shade[..., None]) * np.ones(3)
    rgb = matte[..., None] * np.array([60, 80, 170]) + (1 - matte[..., None]) * ground
    return Picture(np.rint(rgb).astype(np.uint8)), np.where(matte < 0.004, 0, matte).astype(np.float32)


@given(
    kind=st.sampled_from(["contact", "soft", "photo"]),
    opacity=st.integers(1, 100),
    frame=st.sampled_from(
        [
            {"crop": True},
            {"crop": True, "margin": "5%"},
            {"crop": True, "margin": "2px 9px 30px 4px"},
            {"canvas": "1:1", "fill": "85%"},
            {"canvas": "90x130", "fill": "70%", "position": "bottom right"},
            {"canvas": "200x90", "position": "0% 100%"},
        ]
    ),
)
@settings(max_examples=25)
def test_no_edge_cuts_a_shadow(kind: str, opacity: int, frame: dict[str, object]) -> None:
    picture, matte = shot_with_a_shadow()
    plain = rendered(picture, matte, background="white", **frame)
    shaded = rendered(picture, matte, background="white", shadow=kind, shadow_opacity=f"{opacity}%", **frame)
    change = plain.rgb[..., 0].astype(int) - shaded.rgb[..., 0]
    assert change.min() >= 0
    if opacity > 30:
        assert change.max() > 10
    assert max(change[0].max(), change[-1].max(), change[:, 0].max(), change[:, -1].max()) <= 2


def test_a_shadow_on_nothing_laid_on_white_is_the_shadow_on_white() -> None:
    picture, matte = square()
    options = {"crop": True, "margin": "40px", "shadow": "soft"}
    cut, white = rendered(picture, matte, **options), rendered(picture, matte, background="white", **options)
    assert cut.alpha is not None
    alpha = cut.alpha[..., None] / 255
    laid = cut.rgb * alpha + 255 * (1 - alpha)
    assert np.abs(laid - white.rgb).max() <= 2


def test_a_frame_that_cuts_into_the_product_shows_its_part() -> None:
    picture, matte = square(box=Box(0, 0, 50, 90))
    found = rendered(picture, matte, canvas="60x60", position="top left")
    assert found.rgb.shape == (60, 60, 3)
    assert found.alpha is not None
    assert found.alpha[:45, :25].all()


def test_a_small_product_in_a_large_photo_is_enlarged_without_the_whole_photo() -> None:
    """Haze covers the photo, and the background is the photo's own: at a scale of 4 the whole has 31 megapixels."""
    rgb = np.full((1200, 1600, 3), 200, np.uint8)
    matte = np.full((1200, 1600), 0.004, np.float32)
    matte[500:600, 700:800] = 1
    rgb[500:600, 700:800] = (20, 60, 120)
    picture, box = Picture(rgb), Box(700, 500, 800, 600)
    recipe = make_recipe(Options(background="blur", crop=True, canvas="400x400", max_upscale=4.0))
    frame = make_frame(recipe.framing, picture.size, box)
    assert frame.scale == 4
    largest: list[int] = []
    scaled = render_module.rescale

    def noted(image: Any, size: Size) -> Any:
        largest.append(size.width * size.height)
        return scaled(image, size)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(render_module, "rescale", noted)
        made = render(recipe, picture, matte, frame, foreground=estimate_foreground(picture, matte)).rgb
    assert max(largest) <= 2 * 400 * 400
    assert made.shape == (400, 400, 3)
    assert np.abs(made[40:360, 40:360].astype(int) - (20, 60, 120)).max() <= 1
