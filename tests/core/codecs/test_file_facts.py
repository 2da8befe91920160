"""Frames, colours and bits of files, compared with the encoders that wrote them."""

from __future__ import annotations

import io
import struct

import numpy as np
import pillow_heif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from packshot.core.codecs import LIBRARY_LIMITS, Header, probe
from packshot.core.codecs.file_facts import FileFacts, read_file_facts
from packshot.core.geometry import Size
from tests.kit.files import jpeg_segment, raw_png, with_segments
from tests.kit.heifs import as_avif, as_heic
from tests.kit.images import as_bmp, as_jpeg, as_png, as_webp, good, photo
from tests.kit.tiffs import as_tiff, raw_tiff

ANIMATED = ("GIF", "PNG", "WEBP", "TIFF", "AVIF")


def facts(data: bytes) -> FileFacts:
    return read_file_facts(data, probe(data, LIBRARY_LIMITS))


def film(kind: str, frames: int, seed: int = 0) -> bytes:
    """Frames that all differ: encoders drop repeated frames."""
    each = [Image.fromarray(photo(64, 48, seed + number)) for number in range(frames)]
    out = io.BytesIO()
    more = {} if kind == "TIFF" else {"duration": 50}
    each[0].save(out, kind, save_all=True, append_images=each[1:], **more)
    return out.getvalue()


@settings(max_examples=30)
@given(st.sampled_from(ANIMATED), st.integers(1, 4), st.integers(0, 99))
def test_a_file_holds_several_pictures_when_more_than_one_was_saved(kind: str, frames: int, seed: int) -> None:
    assert facts(film(kind, frames, seed)).several == (frames > 1)


def with_directory(data: bytes, **tags: int) -> bytes:
    """A little-endian TIFF with one more directory: tags 254 (subfile) and 256 (width)."""
    numbers = {"subfile": 254, "width": 256}
    place = len(data) + len(data) % 2
    body = struct.pack("<H", len(tags))
    for name, value in tags.items():
        body += struct.pack("<HHII", numbers[name], 4, 1, value)
    out = bytearray(data.ljust(place, b"\0") + body + bytes(4))
    (first,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, first)
    struct.pack_into("<I", out, first + 2 + 12 * count, place)
    return bytes(out)


@pytest.mark.parametrize(("subfile", "several"), [(0, True), (2, True), (1, False), (4, False)])
def test_thumbnails_and_masks_in_a_tiff_are_no_pages(subfile: int, several: bool) -> None:
    assert facts(with_directory(as_tiff(photo(64, 48)), subfile=subfile, width=16)).several == several


def test_directories_in_a_circle_end() -> None:
    data = bytearray(as_tiff(photo(64, 48)))
    (first,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, first)
    struct.pack_into("<I", data, first + 2 + 12 * count, first)
    assert not facts(bytes(data)).several


GRAY = photo(64, 48)[..., 0]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (as_jpeg(photo(64, 48)), ("rgb", 8)),
        (as_jpeg(GRAY), ("gray", 8)),
        (as_jpeg(Image.fromarray(photo(64, 48)).convert("CMYK")), ("cmyk", 8)),
        (with_segments(as_jpeg(photo(64, 48)), *[jpeg_segment(0xE1, b"\xff\xc0 no frame \xff")] * 9), ("rgb", 8)),
        (as_png(photo(64, 48)), ("rgb", 8)),
        (as_png(Image.fromarray(photo(64, 48)).convert("RGBA")), ("rgb", 8)),
        (as_png(Image.fromarray(photo(64, 48)).quantize(4)), ("rgb", 8)),
        (as_png(GRAY), ("gray", 8)),
        (raw_png(np.full((48, 64, 3), 999, np.uint16), 2, 16), ("rgb", 16)),
        (raw_png(np.full((48, 64, 1), 999, np.uint16), 0, 16), ("gray", 16)),
        (raw_png(np.ones((48, 64, 1), np.uint8), 0, 1), ("gray", 1)),
        (as_tiff(photo(64, 48)), ("rgb", 8)),
        (raw_tiff(np.full((48, 64, 3), 999, np.uint16), bits=16, order=">"), ("rgb", 16)),
        (raw_tiff(np.full((48, 64, 4), 9, np.uint8), 5), ("cmyk", 8)),
        (raw_tiff(np.full((48, 64, 1), 9, np.uint8), 1), ("gray", 8)),
        (as_webp(photo(64, 48)), ("rgb", 8)),
        (as_bmp(photo(64, 48)), ("rgb", 8)),
        (film("GIF", 1), ("rgb", 8)),
        (as_avif(photo(64, 48)), ("rgb", 8)),
        (as_avif(GRAY, subsampling="4:0:0"), ("gray", 8)),
    ],
)
def test_colours_and_bits_are_those_of_the_file(data: bytes, expected: tuple[str, int]) -> None:
    found = facts(data)
    assert (found.colours, found.bits) == expected
    assert not found.several


def test_an_iphones_format_is_rgb_of_eight_bits_and_one_picture() -> None:
    assert facts(as_heic(photo(64, 48))) == FileFacts()


@pytest.mark.parametrize("bits", [10, 12])
def test_deep_heic_is_said(bits: int) -> None:
    deep = np.full((48, 64, 3), 30_000, np.uint16)
    out = io.BytesIO()
    pillow_heif.options.SAVE_HDR_TO_12_BIT = bits == 12
    try:
        pillow_heif.from_bytes("RGB;16", (64, 48), deep.tobytes()).save(out)
    finally:
        pillow_heif.options.SAVE_HDR_TO_12_BIT = False
    assert facts(out.getvalue()).bits == bits


SAMPLES = {
    **{kind.lower(): film(kind, 2) for kind in ANIMATED},
    "jpeg": good("jpeg"),
    "heic": film("AVIF", 2),
}


@pytest.mark.slow
@settings(max_examples=200)
@given(st.sampled_from(sorted(SAMPLES)), st.data())
def test_damaged_files_give_some_facts_and_no_error(kind: str, data: st.DataObject) -> None:
    """The header was already read; all later bytes may be damaged."""
    whole = bytearray(SAMPLES[kind])
    for _ in range(data.draw(st.integers(0, 4))):
        whole[data.draw(st.integers(0, min(len(whole), 900) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)))
    read_file_facts(bytes(whole[:cut]), Header(kind, Size(64, 48)))
