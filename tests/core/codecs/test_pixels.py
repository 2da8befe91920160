"""Pixels from a program's memory are treated like those of the file that they come from."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo

from packshot.core.codecs import LIBRARY_LIMITS, Limits, decode, to_picture
from packshot.core.codecs.colour import ADOBE_RGB
from packshot.core.codecs.formats import Raster
from packshot.core.codecs.pixels import raster_from_array, raster_from_image
from packshot.core.picture import Picture
from packshot.errors import ImageTooLarge, ImageTooSmall, UnreadableImage, UnsupportedFormat
from tests.kit.images import as_jpeg, as_png, corrupted, cut, flat_png, photo

ANY_SIZE = Limits(min_side_px=1)
WITH_PROFILES = {"JPEG", "PNG", "WEBP", "TIFF", "AVIF"}


def image_of(mode: str) -> Image.Image:
    """A small photo in a mode, half transparent where the mode has transparency."""
    rgb = Image.fromarray(photo(48, 40))
    ramp = Image.fromarray(np.tile(np.linspace(0, 255, 48).astype(np.uint8), (40, 1)))
    rgba = Image.merge("RGBA", [*rgb.split(), ramp])
    if mode == "I;16":
        return Image.fromarray(photo(48, 40)[..., 0].astype(np.uint16) * 257 + 100)
    if mode == "P with transparency":
        return rgba.quantize(32)
    if mode in {"La", "RGBa"}:
        return rgba.convert("LA" if mode == "La" else "RGBA").convert(mode)
    return (rgba if mode.endswith("A") else rgb).convert(mode)


def assert_same(one: Picture, other: Picture) -> None:
    np.testing.assert_array_equal(one.rgb, other.rgb)
    assert (one.alpha is None) == (other.alpha is None)
    if one.alpha is not None and other.alpha is not None:
        np.testing.assert_array_equal(one.alpha, other.alpha)
    assert one.exif == other.exif


@pytest.mark.slow
@settings(max_examples=150)
@given(
    kind=st.sampled_from(["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF"]),
    mode=st.sampled_from(["RGB", "L", "1", "P", "P with transparency", "RGBA", "LA", "CMYK", "I;16"]),
    orientation=st.sampled_from([None, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
    profile=st.sampled_from([None, ADOBE_RGB]),
    key_and_loaded=st.tuples(st.booleans(), st.booleans()),
)
def test_an_image_that_was_opened_is_what_its_file_is(
    kind: str, mode: str, orientation: int | None, profile: bytes | None, key_and_loaded: tuple[bool, bool]
) -> None:
    image, extras, (key, loaded) = image_of(mode), dict[str, Any](), key_and_loaded
    if orientation is not None:
        exif = Image.Exif()
        exif[0x0112], exif[0x010F] = orientation, "Maker"
        extras["exif"] = exif
    # An AVIF has no gray mode: its reader gives colours, so a colour profile counts.
    if profile is not None and kind in WITH_PROFILES and not (kind == "AVIF" and mode in {"L", "LA", "1"}):
        extras["icc_profile"] = profile
    if key and kind == "PNG" and mode in {"RGB", "L"}:
        extras["transparency"] = image.getpixel((3, 3))
    stream = io.BytesIO()
    try:
        image.save(stream, kind, **extras)
    except (OSError, ValueError):  # not a mode of this format
        assume(False)
    with Image.open(io.BytesIO(stream.getvalue())) as opened:
        if loaded:
            opened.load()
        assert_same(to_picture(raster_from_image(opened, ANY_SIZE)), decode(stream.getvalue(), ANY_SIZE))


WIDE = struct.pack(">8I", 31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000)


@given(
    st.sampled_from(["RGB", "L", "P", "RGBA", "LA"]),
    st.dictionaries(
        st.sampled_from([b"gAMA", b"cHRM", b"sRGB"]), st.sampled_from([45_455, 100_000, 60_000, 0]), max_size=3
    ),
    st.sampled_from([None, ADOBE_RGB]),
)
def test_colours_that_a_png_gives_by_numbers_count(mode: str, said: dict[bytes, int], profile: bytes | None) -> None:
    beside = PngInfo()
    bodies = {b"gAMA": lambda value: struct.pack(">I", value), b"cHRM": lambda _: WIDE, b"sRGB": lambda _: b"\0"}
    for name, value in said.items():
        beside.add(name, bodies[name](value))
    data = as_png(image_of(mode), pnginfo=beside, icc_profile=profile)
    with Image.open(io.BytesIO(data)) as opened:
        assert_same(to_picture(raster_from_image(opened, ANY_SIZE)), decode(data, ANY_SIZE))


@pytest.mark.parametrize(
    "mode",
    ["RGB", "L", "1", "P", "P with transparency", "PA", "RGBA", "LA", "La", "RGBa", "CMYK", "YCbCr", "HSV", "I;16"],
)
def test_every_mode_with_a_white_looks_as_pil_shows_it(mode: str) -> None:
    image = image_of(mode)
    seen = to_picture(raster_from_image(image, ANY_SIZE))
    straight = image.convert({"La": "LA", "RGBa": "RGBA"}[mode]) if mode in {"La", "RGBa"} else image
    shown = np.asarray((straight.point(lambda v: v / 257, "L") if mode == "I;16" else straight).convert("RGBA"))
    visible = shown[..., 3] > 40  # below this alpha, premultiplied bytes lose their colours
    assert np.abs(seen.rgb.astype(int) - shown[..., :3])[visible].max() <= (8 if mode in {"La", "RGBa"} else 2)
    assert (seen.alpha is not None) == image.has_transparency_data
    if seen.alpha is not None:
        np.testing.assert_array_equal(seen.alpha, shown[..., 3])


@pytest.mark.parametrize("mode", ["I", "F", "LAB"])
def test_a_mode_without_a_fixed_white_is_refused_with_what_to_do(mode: str) -> None:
    with pytest.raises(UnsupportedFormat, match=f"mode {mode}") as caught:
        raster_from_image(Image.new(mode, (40, 40)), LIBRARY_LIMITS)
    assert caught.value.hint


def test_an_image_that_was_turned_upright_is_not_turned_again() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(io.BytesIO(as_jpeg(photo(48, 40), exif=exif))) as opened:
        sideways = to_picture(raster_from_image(opened, ANY_SIZE))
        upright = to_picture(raster_from_image(ImageOps.exif_transpose(opened), ANY_SIZE))
    assert sideways.size == upright.size == (40, 48)
    np.testing.assert_array_equal(sideways.rgb, upright.rgb)


@pytest.mark.parametrize("damage", [lambda data: cut(data, 5), lambda data: corrupted(data, 5)])
def test_an_image_whose_file_is_damaged_is_a_callers_mistake_when_it_is_loaded(damage: Any) -> None:
    with Image.open(io.BytesIO(damage(as_png(photo())))) as opened, pytest.raises(UnreadableImage, match="PIL image"):
        raster_from_image(opened, LIBRARY_LIMITS)


def test_an_image_whose_file_was_closed_says_so(tmp_path: Any) -> None:
    (tmp_path / "a.png").write_bytes(as_png(photo()))
    with Image.open(tmp_path / "a.png") as opened:
        pass
    with pytest.raises(UnreadableImage, match="closed"):
        raster_from_image(opened, LIBRARY_LIMITS)


def test_sizes_are_those_that_files_may_have_and_checked_before_anything_is_loaded() -> None:
    with Image.open(io.BytesIO(flat_png(8000, 7000)[:200])) as large, pytest.raises(ImageTooLarge):
        raster_from_image(large, LIBRARY_LIMITS)
    wide = np.broadcast_to(np.uint8(0), (8000, 7000, 3))  # uses one byte of memory
    with pytest.raises(ImageTooLarge):
        raster_from_array(wide, LIBRARY_LIMITS)
    for small in (np.zeros((31, 40), np.uint8), np.zeros((0, 0, 3), np.uint8)):
        with pytest.raises(ImageTooSmall):
            raster_from_array(small, LIBRARY_LIMITS)


SHAPES = st.sampled_from([(5, 7), (5, 7, 1), (5, 7, 3), (5, 7, 4)])
TYPES = st.sampled_from([np.dtype(each) for each in ("u1", "<u2", ">u2", "?")])


@given(st.data(), SHAPES, TYPES, st.sampled_from([1, -1]))
def test_an_array_is_its_values_at_full_scale(data: Any, shape: tuple[int, ...], kind: Any, step: int) -> None:
    array = data.draw(arrays.arrays(kind, shape))[:, ::step]
    raster = raster_from_array(array, ANY_SIZE)
    white = {"u": np.iinfo(kind).max if kind.kind == "u" else 1, "b": 1}[kind.kind]
    expected = np.rint(array.astype(np.float64) / white * 255)
    channels = 1 if array.ndim == 2 else array.shape[2]
    assert raster.samples.shape == ((5, 7) if channels == 1 else (5, 7, 3))
    np.testing.assert_array_equal(raster.samples, expected[..., :3] if channels > 1 else expected.reshape(5, 7))
    assert (raster.alpha is not None) == (channels == 4)
    if raster.alpha is not None:
        np.testing.assert_array_equal(raster.alpha, expected[..., 3])


@given(
    st.sampled_from(["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u4", "u8", "c8", "O", "U3", "M8[s]"]),
    st.sampled_from([(40, 40), (40, 40, 3)]),
)
def test_an_array_of_another_type_is_refused_with_the_conversion(kind: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(TypeError, match=r"numpy\.uint8"):
        raster_from_array(np.zeros(shape, kind), LIBRARY_LIMITS)


@given(st.lists(st.integers(1, 6), max_size=5).filter(lambda shape: not 2 <= len(shape) <= 3))
def test_an_array_of_another_shape_is_refused_by_its_shape(shape: list[int]) -> None:
    with pytest.raises(TypeError, match=r"shape \(.*height, width"):
        raster_from_array(np.zeros(shape, np.uint8), LIBRARY_LIMITS)


@pytest.mark.parametrize(("shape", "advice"), [((3, 40, 50), r"transpose\(1, 2, 0\)"), ((2, 40, 50, 3), "remove_many")])
def test_an_array_in_another_librarys_order_is_told_the_way(shape: tuple[int, ...], advice: str) -> None:
    with pytest.raises(TypeError, match=advice):
        raster_from_array(np.zeros(shape, np.uint8), LIBRARY_LIMITS)


def test_the_callers_own_pixels_stay_as_they_are() -> None:
    array = photo(48, 40)
    before = array.copy()
    picture = to_picture(raster_from_array(array, ANY_SIZE))
    assert isinstance(raster_from_array(array, ANY_SIZE), Raster)
    np.testing.assert_array_equal(picture.rgb, before)
    np.testing.assert_array_equal(array, before)
