"""A photo's EXIF block: the fields that a packshot keeps on request, and those that it never keeps."""

from __future__ import annotations

import io
import struct
import zlib
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, TiffImagePlugin

from packshot.core.codecs import LIBRARY_LIMITS, WRITTEN, Limits, decode, encode, png_metadata, probe
from packshot.core.codecs.exif import read_orientation, sanitize
from packshot.errors import ImageTooLarge, ImageTooSmall
from tests.kit import files
from tests.kit.images import as_jpeg, as_png, as_webp, photo
from tests.kit.orientations import STORED
from tests.kit.tiffs import STRUCTURE, raw_tiff

Tag, Gps = ExifTags.Base, ExifTags.GPS
CAMERA = {Tag.ExposureTime: TiffImagePlugin.IFDRational(1, 250), Tag.DateTimeOriginal: "2026:03:01 10:20:30"}
PLACE = {Gps.GPSLatitudeRef: "N", Gps.GPSLatitude: tuple(map(TiffImagePlugin.IFDRational, (52, 31, 12)))}
MAIN = {Tag.Make: "Maker", Tag.Model: "Model 1", Tag.Artist: "A. Person", Tag.Copyright: "Shop", Tag.DateTime: "2026"}


def camera_block(
    orientation: int = 1,
    *,
    order: str = ">",
    camera: dict[int, object] | None = None,
    main: dict[int, object] | None = None,
) -> bytes:
    """A block as a camera writes it, with the fields that must not survive: a maker's note, its size, a thumbnail."""
    exif = Image.Exif()
    exif.endian = order
    exif.update({**MAIN, Tag.Orientation: orientation, Tag.ImageWidth: 9999, **(main or {})})
    note = {Tag.MakerNote: b"SECRET" * 50, Tag.ExifImageWidth: 9999, Tag.ColorSpace: 65535}
    exif.get_ifd(ExifTags.IFD.Exif).update({**CAMERA, **note, **(camera or {})})
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(PLACE)
    exif.get_ifd(ExifTags.IFD.IFD1).update({Tag.Compression: 6, Tag.Make: "THUMBNAIL"})
    return exif.tobytes().removeprefix(b"Exif\0\0")


def fields(block: bytes) -> tuple[dict[int, object], dict[int, object], dict[int, object]]:
    """The fields as Pillow reads them, with its own parser."""
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


@pytest.mark.slow
@given(
    st.dictionaries(
        st.sampled_from([Tag.LensModel, Tag.DateTimeDigitized, Tag.OffsetTime]),
        st.text(st.characters(codec="ascii", exclude_characters="\0"), min_size=1, max_size=40),
    ),
    st.fractions(Fraction(1, 8000), 30, max_denominator=8000),
    st.sampled_from("<>"),
)
@settings(max_examples=40)
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
@settings(max_examples=150)
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


# TIFF 6.0, section 2: every integer type.
WHOLE = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I"}


def block_with(kind: int, orientation: int, *, order: str, count: int, before: int, after: int, gap: int) -> bytes:
    """A directory `gap` bytes after the TIFF header, with texts around the orientation, then the values.

    count: of values; the first is the orientation. More than four bytes of values are stored at an offset.
    """
    numbers = struct.pack(f"{order}{count}{WHOLE[kind]}", orientation, *[9] * (count - 1))
    tags = [(0x100 + at, 2, b"text %d\0" % at) for at in range(before)] + [(0x112, kind, numbers)]
    tags += [(0x113 + at, 2, b"more %d\0" % at) for at in range(after)]
    start = 8 + gap
    table, heap = struct.pack(f"{order}H", len(tags)), b""
    for tag, each, value in tags:
        place = struct.pack(f"{order}I", start + 2 + 12 * len(tags) + 4 + len(heap))
        length = count if tag == 0x112 else len(value)
        table += struct.pack(f"{order}HHI", tag, each, length) + (value.ljust(4, b"\0") if len(value) <= 4 else place)
        heap += value if len(value) > 4 else b""
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", start)
    return head + bytes(gap) + table + bytes(4) + heap


layouts = st.fixed_dictionaries(
    {
        "order": st.sampled_from("<>"),
        "count": st.integers(1, 6),
        "before": st.integers(0, 5),
        "after": st.integers(0, 5),
        "gap": st.integers(0, 9),
    }
)


@given(st.sampled_from(sorted(WHOLE)), st.integers(1, 8), layouts)
@settings(max_examples=150)
def test_an_orientation_is_read_from_any_kind_of_whole_number(kind: int, orientation: int, layout: dict) -> None:
    assert read_orientation(block_with(kind, orientation, **layout)) == orientation


@pytest.mark.parametrize("orientation", [-1, 0, 9, 127])
@pytest.mark.parametrize("kind", [6, 8, 9])
def test_a_signed_number_that_is_no_orientation_turns_nothing(kind: int, orientation: int) -> None:
    assert read_orientation(block_with(kind, orientation, order=">", count=1, before=0, after=0, gap=0)) == 1


def raw_profile(block: bytes, keyword: str, chunk: str, *, packed: bool = True, width: int = 36) -> bytes:
    """A text chunk in which ImageMagick and other programs keep a block: its length, then hex in lines."""
    digits = block.hex()
    lines = "\n".join(digits[at : at + 2 * width] for at in range(0, len(digits), 2 * width))
    text = f"\n{keyword.rsplit(maxsplit=1)[-1].lower()}\n{len(block):8}\n{lines}\n".encode()
    before = {"tEXt": b"", "zTXt": b"\0", "iTXt": bytes([packed, 0]) + b"\0\0"}[chunk]
    body = zlib.compress(text) if chunk == "zTXt" or (chunk == "iTXt" and packed) else text
    return files.png_chunk(chunk.encode(), keyword.encode() + b"\0" + before + body)


PREFIX = b"Exif\0\0"
CARRIERS = {
    "jpeg": lambda image, block: as_jpeg(image, exif=PREFIX + block, quality=98, subsampling=0),
    "webp": lambda image, block: as_webp(image, exif=block, lossless=True),
    "webp, prefix": lambda image, block: as_webp(image, exif=PREFIX + block, lossless=True),
    "png": lambda image, block: with_chunk(image, files.png_chunk(b"eXIf", block)),
    "png, prefix": lambda image, block: with_chunk(image, files.png_chunk(b"eXIf", PREFIX + block)),
    "png, behind its pixels": lambda image, block: with_chunk(image, files.png_chunk(b"eXIf", block), behind=True),
    **{
        f"png, {keyword} in {chunk}, {packed=}, {prefix=}": (
            lambda image, block, keyword=keyword, chunk=chunk, packed=packed, prefix=prefix: with_chunk(
                image, raw_profile(prefix + block, f"Raw profile type {keyword}", chunk, packed=packed)
            )
        )
        for keyword in ("exif", "APP1")
        for chunk, packed in (("tEXt", False), ("zTXt", True), ("iTXt", True), ("iTXt", False))
        for prefix in (b"", PREFIX)
    },
}


def with_chunk(image: np.ndarray, chunk: bytes, *, behind: bool = False) -> bytes:
    png = as_png(image)
    place = len(png) - 12 if behind else 33
    return png[:place] + chunk + png[place:]


@pytest.mark.parametrize("carrier", CARRIERS)
@given(kind=st.sampled_from(sorted(WHOLE)), orientation=st.integers(1, 8), order=st.sampled_from("<>"))
@settings(max_examples=3)
def test_every_carrier_of_a_block_is_obeyed(carrier: str, kind: int, orientation: int, order: str) -> None:
    upright = photo(48, 40)
    block = block_with(kind, orientation, order=order, count=1, before=2, after=1, gap=0)
    data = CARRIERS[carrier](np.ascontiguousarray(STORED[orientation](upright)), block)
    found = decode(data).rgb
    assert found.shape == upright.shape
    assert probe(data, LIBRARY_LIMITS).size == (48, 40)
    assert np.abs(found.astype(int) - upright).mean() < (2 if carrier == "jpeg" else 0.01)


@pytest.mark.parametrize("carrier", CARRIERS)
def test_every_carrier_of_a_block_keeps_the_camera_and_not_the_orientation(carrier: str) -> None:
    exif = decode(CARRIERS[carrier](photo(48, 40), camera_block(6))).exif
    assert exif == sanitize(camera_block(6))
    assert exif is not None
    assert fields(exif)[0][Tag.Model] == MAIN[Tag.Model]


@pytest.mark.parametrize("kind", sorted(WHOLE))
@pytest.mark.parametrize("order", ["<", ">"])
def test_a_tiff_is_turned_by_its_own_tag_of_any_kind(kind: int, order: str) -> None:
    upright = photo(48, 40)
    for orientation in STORED:
        # Bytes are written with their number as the count: a short counts as two values, and readers use the first.
        value = [orientation] if kind in {3, 4, 9, 13} else struct.pack(order + WHOLE[kind], orientation)
        data = raw_tiff(np.ascontiguousarray(STORED[orientation](upright)), order=order, tags={274: (kind, value)})
        assert probe(data, LIBRARY_LIMITS).size == (48, 40)
        assert np.array_equal(decode(data).rgb, upright)


@pytest.mark.slow
@pytest.mark.parametrize("carrier", CARRIERS)
@given(orientation=st.integers(1, 8), width=st.integers(70, 90), height=st.integers(40, 60))
@settings(max_examples=2)
def test_a_refusal_names_the_sides_that_the_owner_knows(
    carrier: str, orientation: int, width: int, height: int
) -> None:
    stored = np.ascontiguousarray(STORED[orientation](photo(width, height)))
    data = CARRIERS[carrier](stored, files.exif_block(orientation))
    for limits in (
        Limits(max_side_px=width - 1),
        Limits(max_pixels=width * height - 1),
        Limits(min_side_px=height + 1),
    ):
        with pytest.raises((ImageTooLarge, ImageTooSmall), match=f"{width}x{height} px") as caught:
            probe(data, limits)
        assert (caught.value.fields["width"], caught.value.fields["height"]) == (width, height)


NO_PROFILES = {
    "no hex": b"\nexif\n      10\nzzzz\n",
    "half a byte": b"\nexif\n      10\n4d4d002\n",
    "no length": b"\nexif\n4d4d002a\n",
    "not ASCII": b"\nexif\n      10\n\xff\xfe\n",
    "spaces": b" " * 100_000,
    "empty": b"",
    "XMP": b"\ngeneric profile\n      10\n" + b"http://ns.adobe.com/xap/1.0/\0<x/>".hex().encode(),
}


@pytest.mark.parametrize("name", NO_PROFILES)
@pytest.mark.parametrize("stream", [zlib.compress, lambda text: zlib.compress(text)[:-6], lambda text: b"no stream"])
def test_a_text_that_is_no_profile_is_passed_over_and_the_next_one_is_read(name: str, stream) -> None:
    upright = photo(48, 40)
    bad = files.png_chunk(b"zTXt", b"Raw profile type APP1\0\0" + stream(NO_PROFILES[name]))
    good = raw_profile(files.exif_block(6), "Raw profile type exif", "zTXt")
    assert np.array_equal(decode(with_chunk(upright, bad)).rgb, upright)
    assert np.array_equal(decode(with_chunk(np.ascontiguousarray(STORED[6](upright)), bad + good)).rgb, upright)


def test_the_chunk_that_the_specification_has_wins_over_a_text() -> None:
    upright = photo(48, 40)
    text = raw_profile(files.exif_block(3), "Raw profile type exif", "zTXt")
    chunk = files.png_chunk(b"eXIf", files.exif_block(6))
    assert np.array_equal(decode(with_chunk(np.ascontiguousarray(STORED[6](upright)), text + chunk)).rgb, upright)


@pytest.mark.parametrize("end", [b"", b"\xff" * 4], ids=["whole", "broken at its end"])
def test_texts_of_all_profiles_together_inflate_to_a_bound(end: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand chunks of 4 kB inflate to 4 MB each; the first one uses up the whole budget.

    The service reads the block twice: with the header, for the size, and with the pixels.
    """
    streams = []

    def counted(stream: bytes, most: int) -> tuple[bytes, bool]:
        streams.append(stream)
        return inflate(stream, most)

    inflate = png_metadata._inflated
    monkeypatch.setattr(png_metadata, "_inflated", counted)
    stream = files.zeros_deflated((4 << 20) - 100)
    stream = stream[: -len(end)] + end if end else stream
    chunk = files.png_chunk(b"zTXt", b"Raw profile type exif\0\0" + stream)
    assert np.array_equal(decode(with_chunk(photo(48, 40), chunk * 1000)).rgb, photo(48, 40))
    assert len(streams) <= 2 * 2
