"""The encoder writes exactly the given content."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from packshot.core.codecs import WRITTEN, decode, encode
from packshot.errors import InvalidOption
from tests.kit.images import noise, photo, product
from tests.kit.tiffs import STRUCTURE

shapes = st.tuples(st.integers(1, 40), st.integers(1, 40))


def png(samples: np.ndarray, alpha: np.ndarray | None = None) -> bytes:
    return encode(samples, alpha, format="png")


def jpeg(samples: np.ndarray, quality: int | None = None) -> bytes:
    return encode(samples, format="jpeg", quality=quality)


def by_pillow(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


@given(st.data())
@settings(max_examples=60)
def test_a_png_is_exact_and_hides_nothing_under_alpha_0(data: st.DataObject) -> None:
    shape = data.draw(shapes)
    rgb = data.draw(hnp.arrays(np.uint8, (*shape, 3)))
    alpha = data.draw(hnp.arrays(np.uint8, shape, elements=st.sampled_from([0, 1, 128, 255])))
    image = by_pillow(png(rgb, alpha))
    assert image.mode == "RGBA"
    written = np.asarray(image)
    assert np.array_equal(written[..., 3], alpha)
    assert np.array_equal(written[..., :3], np.where(alpha[..., None] > 0, rgb, 0))


@given(hnp.arrays(np.uint8, shapes))
@settings(max_examples=40)
def test_a_mask_is_exact(values: np.ndarray) -> None:
    image = by_pillow(png(values))
    assert image.mode == "L"
    assert np.array_equal(np.asarray(image), values)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (997, 641)])
def test_an_rgb_png_is_exact(size: tuple[int, int]) -> None:
    image = by_pillow(png(noise(*size)))
    assert image.mode == "RGB"
    assert np.array_equal(np.asarray(image), noise(*size))


def test_a_view_of_a_larger_array_is_written_as_it_looks() -> None:
    rgb, alpha = product(200, 160)
    box = (slice(10, 90), slice(20, 150))
    assert png(rgb[box], alpha[box]) == png(rgb[box].copy(), alpha[box].copy())
    assert png(rgb[box]) == png(rgb[box].copy())
    assert png(alpha[box]) == png(alpha[box].copy())
    assert jpeg(rgb[box]) == jpeg(rgb[box].copy())


def test_inputs_are_left_alone() -> None:
    rgb, alpha = product(64, 48)
    before = rgb.copy(), alpha.copy()
    png(rgb, alpha)
    assert np.array_equal(rgb, before[0])
    assert np.array_equal(alpha, before[1])


def test_cutouts_survive_a_round_trip() -> None:
    rgb, alpha = product(200, 160)
    first = decode(png(rgb, alpha))
    again = decode(png(first.rgb, first.alpha))
    assert np.array_equal(first.rgb, again.rgb)
    assert np.array_equal(first.alpha, again.alpha)


def test_files_hold_no_metadata() -> None:
    rgb, alpha = product(64, 48)
    assert set(by_pillow(png(rgb, alpha)).info) <= {"srgb"}
    assert not by_pillow(png(alpha)).info
    image = by_pillow(jpeg(rgb))
    assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density", "dpi"}
    assert not image.getexif()


def test_pngs_are_no_larger_than_pillows_fastest_by_much() -> None:
    rgb, alpha = product(640, 480)
    out = io.BytesIO()
    by_pillow(png(rgb, alpha)).save(out, "PNG", compress_level=1)
    assert len(png(rgb, alpha)) < 1.2 * len(out.getvalue())


def test_white_beside_a_product_stays_white_in_a_jpeg() -> None:
    """Half-resolution colour puts a halo of 35 of 255 around a yellow product; full resolution gives 7."""
    shape = cv2.circle(np.zeros((301, 301), np.uint8), (151, 149), 100, 255, -1, cv2.LINE_AA)
    alpha = shape[..., None] / 255
    rgb = np.rint(np.array([240, 200, 20]) * alpha + 255 * (1 - alpha)).astype(np.uint8)
    near = (shape == 0) & (cv2.dilate(shape, np.ones((33, 33), np.uint8)) > 0)
    off = 255 - decode(jpeg(rgb)).rgb[near].min(axis=-1).astype(int)
    assert np.percentile(off, 99) < 12


def test_jpeg_quality_is_obeyed() -> None:
    rgb = photo(320, 240)
    sizes = [len(jpeg(rgb, quality)) for quality in (50, 80, 95)]
    assert sizes == sorted(sizes)


FORMATS = sorted(WRITTEN)
WITH_ALPHA = [kind for kind in FORMATS if WRITTEN[kind].alpha]


def disc_on(ground: int, side: int = 301) -> tuple[np.ndarray, np.ndarray]:
    """A yellow disc on a gray level, uint8 RGB, and its anti-aliased alpha."""
    alpha = cv2.circle(np.zeros((side, side), np.uint8), (side // 2, side // 2), side // 3, 255, -1, cv2.LINE_AA)
    share = alpha[..., None] / 255
    return np.rint(np.array([240, 200, 20]) * share + ground * (1 - share)).astype(np.uint8), alpha


@pytest.mark.parametrize("kind", FORMATS)
def test_each_format_is_what_it_says_and_looks_like_what_was_given(kind: str) -> None:
    rgb = photo(320, 240)
    image = by_pillow(encode(rgb, format=kind))
    assert Image.MIME[image.format] == WRITTEN[kind].media_type
    assert Image.registered_extensions()[WRITTEN[kind].suffix] == image.format
    assert np.abs(np.asarray(image.convert("RGB")).astype(int) - rgb).mean() < 2.5
    assert set(image.getexif()) <= (STRUCTURE if kind == "tiff" else set())


@pytest.mark.parametrize("quality", [40, 100])
@pytest.mark.parametrize("kind", WITH_ALPHA)
def test_alpha_is_exact_in_every_format_at_every_quality(kind: str, quality: int) -> None:
    rgb, alpha = product(200, 160)
    alpha = cv2.GaussianBlur(alpha, (0, 0), 1.5)
    image = by_pillow(encode(rgb, alpha, format=kind, quality=quality))
    assert image.mode == "RGBA"
    assert np.array_equal(np.asarray(image)[..., 3], alpha)


@pytest.mark.parametrize("kind", WITH_ALPHA)
def test_no_format_holds_what_alpha_hides(kind: str) -> None:
    rgb, alpha = product(200, 160)
    secret = np.where(alpha[..., None] > 0, rgb, noise(200, 160))
    clean = np.where(alpha[..., None] > 0, rgb, 0).astype(np.uint8)
    assert encode(secret, alpha, format=kind) == encode(clean, alpha, format=kind)


@pytest.mark.parametrize("kind", FORMATS)
def test_white_away_from_the_product_is_white(kind: str) -> None:
    rgb, alpha = disc_on(255)
    away = cv2.dilate(alpha, np.ones((65, 65), np.uint8)) == 0
    image = by_pillow(encode(rgb, format=kind))
    assert np.asarray(image.convert("RGB"))[away].min() == 255


@pytest.mark.parametrize("kind", ["webp", "avif"])
def test_black_under_alpha_does_not_darken_the_edge(kind: str) -> None:
    rgb, alpha = disc_on(240)
    image = np.asarray(by_pillow(encode(rgb, alpha, format=kind))).astype(float)
    edge, share = (alpha > 0) & (alpha < 255), alpha[..., None] / 255
    darker = ((rgb - image[..., :3]) * share)[edge]  # on black, where no other light adds
    assert abs(darker.mean()) < 3


@given(values=hnp.arrays(np.uint8, shapes), kind=st.sampled_from(WITH_ALPHA))
@settings(max_examples=30)
def test_masks_are_exact_in_every_format_that_can_be(values: np.ndarray, kind: str) -> None:
    image = by_pillow(encode(values, format=kind, quality=50))
    assert np.array_equal(np.asarray(image.convert("L")), values)


def test_a_mask_as_jpeg_is_gray() -> None:
    alpha = product(64, 48)[1]
    image = by_pillow(encode(alpha, format="jpeg", quality=95))
    assert image.mode == "L"
    assert np.abs(np.asarray(image).astype(int) - alpha).max() < 16


def test_webp_of_quality_100_loses_nothing() -> None:
    assert np.array_equal(np.asarray(by_pillow(encode(noise(), format="webp", quality=100))), noise())


def test_alpha_where_the_format_has_none_is_the_callers_mistake() -> None:
    rgb, alpha = product(64, 48)
    with pytest.raises(ValueError, match="JPEG"):
        encode(rgb, alpha, format="jpeg", quality=90)
    with pytest.raises(ValueError, match="mask"):
        encode(alpha, alpha, format="png")


def test_a_side_beyond_the_format_names_the_formats_that_can_hold_it() -> None:
    long = np.zeros((32, 16_384, 3), np.uint8)
    with pytest.raises(InvalidOption, match="16,383 px; the output has 16384x32") as caught:
        encode(long, format="webp", quality=90)
    assert caught.value.fields["allowed"] == tuple(kind for kind in WRITTEN if kind != "webp")
    assert by_pillow(encode(long, format="jpeg", quality=90)).size == (16_384, 32)
