"""AVIF and HEIC: the main picture as a viewer shows it; every claim of a file is verified."""

from __future__ import annotations

import struct
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from PIL import Image

from packshot.core.codecs import FORMATS, LIBRARY_LIMITS, Limits, decode, formats, heif, probe
from packshot.errors import ImageTooLarge, InputError, UnreadableImage, UnsupportedFormat
from tests.kit import files
from tests.kit.heifs import as_avif, as_heic, claiming, with_primaries
from tests.kit.images import as_webp, cut, photo, product
from tests.kit.orientations import STORED

WRITERS: list[Callable[..., bytes]] = [as_avif, as_heic]
both = pytest.mark.parametrize("write", WRITERS)


@cache
def plain(write: Callable[..., bytes]) -> bytes:
    return write(photo(320, 240))


@both
def test_pixels_and_alpha(write: Callable[..., bytes]) -> None:
    rgb, alpha = product(200, 160)
    picture = decode(write(np.dstack([rgb, alpha])))
    assert np.abs(picture.rgb.astype(int) - rgb)[alpha > 0].max() <= 2
    assert np.array_equal(picture.alpha, alpha)
    assert decode(write(rgb)).alpha is None
    assert np.array_equal(decode(write(alpha)).rgb[..., 0], alpha)


@both
@pytest.mark.parametrize("orientation", STORED)
def test_a_picture_is_turned_once(write: Callable[..., bytes], orientation: int) -> None:
    upright = photo(64, 48)
    exif = Image.Exif()
    exif[0x112], exif[0x110] = orientation, "Model 1"
    picture = decode(write(np.ascontiguousarray(STORED[orientation](upright)), exif=exif.tobytes()))
    assert picture.size == (64, 48)
    assert np.abs(picture.rgb.astype(int) - upright).max() <= 2
    assert picture.exif is not None
    assert b"Model 1" in picture.exif


@both
def test_wide_gamut_becomes_srgb(write: Callable[..., bytes]) -> None:
    flat = np.full((64, 64, 3), (20, 200, 30), np.uint8)
    picture = decode(write(flat, icc_profile=files.rgb_profile(files.DISPLAY_P3)))
    assert np.abs(picture.rgb[32, 32] - files.to_srgb((20, 200, 30), files.DISPLAY_P3)).max() <= 3


@pytest.mark.parametrize(("number", "primaries"), [(12, files.DISPLAY_P3), (9, files.BT_2020)])
@both
def test_wide_gamut_by_numbers_becomes_srgb(write: Callable[..., bytes], number: int, primaries: Any) -> None:
    data = write(np.full((64, 64, 3), (90, 160, 100), np.uint8))
    stored, wide = (decode(each).rgb[32, 32].astype(int) for each in (data, with_primaries(data, number)))
    linear = stored / 255
    linear = np.where(linear <= 0.04045, linear / 12.92, ((linear + 0.055) / 1.055) ** 2.4)  # the sRGB curve
    assert np.abs(wide - files.to_srgb(255 * linear, primaries, gamma=1)).max() <= 2
    assert np.abs(wide - stored).max() > 10


@both
def test_high_dynamic_range_is_refused_with_words(write: Callable[..., bytes]) -> None:
    with pytest.raises(UnsupportedFormat, match="dynamic range"):
        probe(with_primaries(plain(write), 9, transfer=16), LIBRARY_LIMITS)


@both
def test_broken_metadata_changes_nothing(write: Callable[..., bytes]) -> None:
    exif = Image.Exif()
    exif[0x110] = "Model 1"
    start = exif.tobytes().removeprefix(b"Exif\0\0")[:8]
    whole = write(photo(64, 48), exif=exif.tobytes())
    assert start in whole
    picture = decode(whole.replace(start, start[:4] + b"\xff\xff\xff\xf0"))
    assert np.array_equal(picture.rgb, decode(write(photo(64, 48))).rgb)
    assert picture.exif is None


def test_of_a_film_the_first_picture_is_read() -> None:
    more = [Image.fromarray(photo(160, 120, seed)) for seed in (1, 2)]
    film = as_avif(photo(160, 120), save_all=True, append_images=more)
    assert film[8:12] == b"avis"
    assert np.abs(decode(film).rgb.astype(int) - photo(160, 120)).mean() < 3


def test_a_picture_of_tiles_as_phones_write_it() -> None:
    image = photo(300, 200)
    data = as_heic(image, tile_size=128)
    assert b"grid" in data
    assert np.abs(decode(data).rgb.astype(int) - image).max() <= 2


@both
@pytest.mark.parametrize("size", [(100, 100), (1, 1), (320, 40)])
def test_a_stream_larger_than_its_box_is_found_out(write: Callable[..., bytes], size: tuple[int, int]) -> None:
    with pytest.raises(UnreadableImage, match="two sizes"):
        decode(claiming(plain(write), *size))


@both
def test_a_box_larger_than_its_stream_is_found_out(write: Callable[..., bytes]) -> None:
    with pytest.raises(UnreadableImage):
        decode(claiming(plain(write), 640, 480))


@both
def test_the_size_is_refused_by_its_header(write: Callable[..., bytes]) -> None:
    assert probe(plain(write), LIBRARY_LIMITS).size == (320, 240)
    with pytest.raises(ImageTooLarge, match="320x240 px"):
        probe(plain(write), Limits(max_side_px=319))


def test_more_tiles_than_the_picture_has_room_for_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heif, "_SPARE_PX", 10_000)  # instead of 4,000,000, which take seconds to write
    data = as_heic(photo(300, 200), tile_size=128, quality=20)
    decode(data)
    for layout in (">II", ">HH"):  # in its box, and in the grid's own field
        whole = struct.pack(layout, 300, 200)
        assert whole in data
        data = data.replace(whole, struct.pack(layout, 100, 100))
    with pytest.raises(UnreadableImage, match="px in all"):
        decode(data)


@both
@pytest.mark.parametrize("tenths", range(1, 10))
def test_a_cut_file_is_found_out(write: Callable[..., bytes], tenths: int) -> None:
    with pytest.raises(InputError):
        decode(cut(plain(write), tenths))


@both
def test_a_file_without_its_last_byte_is_cut(write: Callable[..., bytes]) -> None:
    with pytest.raises(UnreadableImage):
        decode(plain(write)[:-1])


@pytest.mark.parametrize("missing", ["heic", "avif", "webp"])
def test_a_format_that_cannot_be_read_here_is_not_named_among_those_that_are_accepted(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(formats, "_is_installed", lambda module: module != FORMATS[missing].module)
    title = FORMATS[missing].title
    others = [row.title for row in FORMATS.values() if row.name != missing]
    with pytest.raises(UnsupportedFormat, match=f"is an? {title}.*; accepted are {', '.join(others)}\\.") as caught:
        decode({"heic": as_heic, "avif": as_avif, "webp": as_webp}[missing](photo(64, 48)))
    assert "pip" not in str(caught.value)
    with pytest.raises(UnsupportedFormat) as caught:
        decode(b"%PDF-1.7" + bytes(100))
    assert title not in str(caught.value)


def test_the_decoder_is_not_imported_before_it_is_needed() -> None:
    code = "import sys, packshot.core.codecs; sys.exit('pi_heif' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_pixels_outlive_the_decoder_that_made_them() -> None:
    """Gray pixels are never copied, and pi-heif 1.4 frees its memory while views of it still exist."""
    gray = product(200, 160)[1]
    data = as_heic(gray)
    pictures = [decode(data) for _ in range(8)]
    assert all(np.array_equal(picture.rgb[..., 0], gray) for picture in pictures)
