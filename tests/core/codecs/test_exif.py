"""A photo's EXIF block: what goes on into a packshot when it is asked for, and what never does."""

from __future__ import annotations

import io
import struct
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, TiffImagePlugin

from packshot.core.codecs import WRITTEN, decode, encode
from packshot.core.codecs.exif import sanitize
from tests.kit import files
from tests.kit.images import as_jpeg, as_png, photo
from tests.kit.orientations import STORED
from tests.kit.tiffs import STRUCTURE

Tag, Gps = ExifTags.Base, ExifTags.GPS
CAMERA = {Tag.ExposureTime: TiffImagePlugin.IFDRational(1, 250), Tag.DateTimeOriginal: "2026:03:01 10:20:30"}
PLACE = {Gps.GPSLatitudeRef: "N", Gps.GPSLatitude: tuple(map(TiffImagePlugin.IFDRational, (52, 31, 12)))}
MAIN = {Tag.Make: "Maker", Tag.Model: "Model 1", Tag.Artist: "A. Person", Tag.Copyright: "Shop", Tag.DateTime: "2026"}


def camera_block(orientation: int = 1, *, order: str = ">", camera: dict[int, object] | None = None) -> bytes:
    """A block as a camera writes it, with what must not survive: a maker's note, its size, a thumbnail."""
    exif = Image.Exif()
    exif.endian = order
    exif.update({**MAIN, Tag.Orientation: orientation, Tag.ImageWidth: 9999})
    note = {Tag.MakerNote: b"SECRET" * 50, Tag.ExifImageWidth: 9999, Tag.ColorSpace: 65535}
    exif.get_ifd(ExifTags.IFD.Exif).update({**CAMERA, **note, **(camera or {})})
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(PLACE)
    exif.get_ifd(ExifTags.IFD.IFD1).update({Tag.Compression: 6, Tag.Make: "THUMBNAIL"})
    return exif.tobytes().removeprefix(b"Exif\0\0")


def fields(block: bytes) -> tuple[dict[int, object], dict[int, object], dict[int, object]]:
    """By Pillow, which reads blocks in its own way."""
    exif = Image.Exif()
    exif.load(block)
    return dict(exif), dict(exif.get_ifd(ExifTags.IFD.Exif)), dict(exif.get_ifd(ExifTags.IFD.GPSInfo))


@pytest.mark.parametrize("order", ["<", ">"])
def test_camera_date_and_place_are_kept_and_what_is_no_longer_true_is_not(order: str) -> None:
    block = sanitize(camera_block(6, order=order))
    assert block is not None
    main, camera, place = fields(block)
    assert {tag: main[tag] for tag in MAIN} == MAIN
    assert {tag: camera[tag] for tag in CAMERA} == CAMERA
    assert {tag: place[tag] for tag in PLACE} == PLACE
    assert camera[Tag.ColorSpace] == 1  # sRGB
    assert not {Tag.Orientation, Tag.ImageWidth} & set(main)
    assert not {Tag.MakerNote, Tag.ExifImageWidth} & set(camera)
    assert b"SECRET" not in block
    assert b"THUMBNAIL" not in block


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("kind", sorted(WRITTEN))
def test_kept_metadata_survives_every_format_and_turns_nothing(kind: str, orientation: int) -> None:
    upright = photo(64, 48)
    source = decode(as_png(np.ascontiguousarray(STORED[orientation](upright)), exif=camera_block(orientation)))
    assert np.array_equal(source.rgb, upright)
    data = encode(source.rgb, format=kind, exif=source.exif)
    image = Image.open(io.BytesIO(data))
    assert image.getexif().get(Tag.Orientation, 1) == 1
    assert image.size == (64, 48)
    assert image.getexif()[Tag.Model] == MAIN[Tag.Model]
    assert image.getexif().get_ifd(ExifTags.IFD.GPSInfo)[Gps.GPSLatitude] == PLACE[Gps.GPSLatitude]
    assert np.abs(np.asarray(image.convert("RGB")).astype(int) - upright).mean() < 4


@given(
    st.dictionaries(
        st.sampled_from([Tag.LensModel, Tag.DateTimeDigitized, Tag.OffsetTime]),
        st.text(st.characters(codec="ascii", exclude_characters="\0"), min_size=1, max_size=40),
    ),
    st.fractions(Fraction(1, 8000), 30, max_denominator=8000),
    st.sampled_from("<>"),
)
@settings(max_examples=40, deadline=None)
def test_keep_then_decode_gives_the_same_fields(texts: dict[int, str], exposure: Fraction, order: str) -> None:
    said = {**texts, Tag.ExposureTime: TiffImagePlugin.IFDRational(exposure.numerator, exposure.denominator)}
    first = decode(as_jpeg(photo(64, 48), exif=b"Exif\0\0" + camera_block(3, order=order, camera=said)))
    assert first.exif is not None
    for kind in WRITTEN:
        assert decode(encode(first.rgb, format=kind, exif=first.exif)).exif == first.exif
    assert said.items() <= fields(first.exif)[1].items()


BROKEN = {
    "empty": b"",
    "no TIFF header": b"not a block at all",
    "ends early": b"MM\0*\xff\xff\xff\xf0",
    "only an orientation": files.exif_block(6),
    "65535 entries": files.exif_block(1, entries=65535),
    "points to itself": b"II*\0" + struct.pack("<IHHHII", 8, 1, 0x8769, 4, 1, 8) + bytes(4),
    "a value outside": b"II*\0" + struct.pack("<IHHHII", 8, 1, 0x110, 2, 4000, 9999) + bytes(4),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_block_that_says_nothing_is_none(name: str) -> None:
    assert sanitize(BROKEN[name]) is None
    assert decode(as_png(photo(64, 48), exif=BROKEN[name] or b"x")).exif is None


@given(st.binary(max_size=300), st.integers(8, 400), st.sampled_from("<>"))
@settings(max_examples=150, deadline=None)
def test_noise_never_raises_and_what_comes_out_can_be_read(noise: bytes, place: int, order: str) -> None:
    block = camera_block(order=order)
    block = block[:place] + noise + block[place + len(noise) :]
    clean = sanitize(block)
    assert clean is None or (len(clean) <= 60_000 and sanitize(clean) == clean)


def test_a_large_value_is_left_out_and_the_rest_is_kept() -> None:
    block = sanitize(camera_block(camera={Tag.UserComment: bytes(50_000)}))
    assert block is not None
    assert len(block) < 2000
    assert fields(block)[0][Tag.Model] == MAIN[Tag.Model]


def test_nothing_is_written_unless_it_is_asked_for() -> None:
    picture = decode(as_jpeg(photo(64, 48), exif=b"Exif\0\0" + camera_block()))
    assert picture.exif is not None
    for kind in WRITTEN:
        data = encode(picture.rgb, format=kind)
        assert decode(data).exif is None
        assert set(Image.open(io.BytesIO(data)).getexif()) <= (STRUCTURE if kind == "tiff" else set())
