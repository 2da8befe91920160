"""GIF: the first frame."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image

from packshot.core.codecs import LIBRARY_LIMITS, decode, probe
from packshot.errors import ImageTooLarge, UnreadableImage
from tests.kit.images import cut, photo, product


def as_gif(image: Image.Image, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, "GIF", **options)
    return out.getvalue()


@pytest.mark.parametrize("interlace", [0, 1])
def test_of_a_film_the_first_frame_is_read(interlace: int) -> None:
    first, second = (Image.fromarray(photo(64, 48, seed)).quantize(64) for seed in (0, 1))
    for more in ({}, {"save_all": True, "append_images": [second]}):
        assert np.array_equal(decode(as_gif(first, interlace=interlace, **more)).rgb, np.asarray(first.convert("RGB")))


def test_a_transparent_colour_is_alpha() -> None:
    rgb, alpha = product(64, 48)
    levels = np.where(alpha > 127, 1 + rgb[..., 0] // 2, 0).astype(np.uint8)
    picture = decode(as_gif(Image.fromarray(levels), transparency=0))
    assert np.array_equal(picture.alpha, np.where(levels > 0, 255, 0))
    assert np.array_equal(picture.rgb[levels > 0][:, 0], levels[levels > 0])


@pytest.mark.parametrize("tenths", range(1, 10))
def test_a_cut_file_is_found_out(tenths: int) -> None:
    with pytest.raises(UnreadableImage):
        decode(cut(as_gif(Image.fromarray(photo(64, 48)).quantize(64)), tenths))


def test_a_frame_beyond_its_screen_is_found_out() -> None:
    data = as_gif(Image.fromarray(photo(64, 48)).quantize(64))
    with pytest.raises(UnreadableImage, match="two sizes"):
        decode(data[:6] + struct.pack("<HH", 40, 40) + data[10:])


def test_a_screen_too_large_is_refused_by_its_header() -> None:
    data = as_gif(Image.fromarray(photo(64, 48)).quantize(64))
    with pytest.raises(ImageTooLarge, match="65535x65535 px"):
        probe(data[:6] + struct.pack("<HH", 65535, 65535) + data[10:], LIBRARY_LIMITS)
