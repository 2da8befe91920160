"""Any input gives a picture or an InputError; nothing else reaches the calling code."""

from __future__ import annotations

import struct
import zlib
from functools import cache

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from packshot.core.codecs import FORMATS, Limits, decode
from packshot.errors import InputError
from tests.kit import files
from tests.kit.heifs import as_avif, as_heic
from tests.kit.images import FOREIGN, ODD, as_jpeg, good, photo
from tests.kit.tiffs import DEFLATE, PALETTE, SHORT, as_tiff, raw_tiff

LIMITS = Limits(max_side_px=1999)
SEEDS = {
    **{kind: (lambda kind=kind: good(kind, 64, 48)) for kind in ("jpeg", "png", "bmp", "webp")},
    "progressive": ODD["progressive jpeg"],
    "cmyk": ODD["cmyk jpeg"],
    "adobe rgb": lambda: as_jpeg(photo(64, 48), icc_profile=files.rgb_profile()),
    "palette": lambda: files.raw_png(
        np.zeros((40, 40, 1), np.uint8),
        3,
        4,
        files.png_chunk(b"PLTE", bytes(48)) + files.png_chunk(b"tRNS", bytes(3)),
    ),
    "colours and a text of EXIF": lambda: files.raw_png(
        photo(64, 48),
        2,
        8,
        files.png_chunk(b"gAMA", struct.pack(">I", 55_556))
        + files.png_chunk(b"cHRM", struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000))
        + files.png_chunk(b"tEXt", b"Raw profile type exif\0\nexif\n26\n" + files.exif_block(6).hex().encode()),
    ),
    "deep": lambda: files.raw_png(np.zeros((40, 40, 4), np.uint16), 6, 16),
    "gif": FOREIGN["gif"],
    "tiff": lambda: raw_tiff(photo(64, 48), rows=16),
    "tiff, tiles": lambda: raw_tiff(photo(64, 48), tile=16, compression=DEFLATE, order=">"),
    "tiff, palette": lambda: raw_tiff(photo(64, 48)[..., :1], PALETTE, tags={320: (SHORT, [7] * 768)}),
    "tiff, jpeg inside": lambda: as_tiff(photo(64, 48), compression="jpeg"),
    "tiff, lzw": lambda: as_tiff(photo(64, 48), compression="tiff_lzw"),
    "avif": cache(lambda: as_avif(np.dstack([photo(64, 48), photo(64, 48)[..., :1]]))),
    **({"heic": cache(lambda: as_heic(photo(150, 100), tile_size=64))} if FORMATS["heic"].available else {}),
}
edits = st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=4)), min_size=1, max_size=6)


def edited(data: bytes, changes: list[tuple[float, bytes]], head: bool) -> bytes:
    """Overwrites bytes at places given as fractions: of the 200 bytes of structure (`head`), or of the whole file.

    The structure comes first; last in the tests' TIFFs; and first, twice as long, in AVIF and HEIC.
    """
    span = min(600 if data[4:8] == b"ftyp" else 200, len(data)) if head else len(data)
    out, first = bytearray(data), len(data) - span if data[:2] in {b"II", b"MM"} else 0
    for place, patch in changes:
        at = first + int(place * (span - 1))
        out[at : at + len(patch)] = patch
    return bytes(out)


def with_right_checksums(png: bytes) -> bytes:
    """Corrects the checksums, so that damage reaches the data that they protect."""
    out, position = bytearray(png), 8
    while position + 12 <= len(out):
        (length,) = struct.unpack_from(">I", out, position)
        end = position + 12 + length
        if end > len(out):
            break
        out[end - 4 : end] = struct.pack(">I", zlib.crc32(out[position + 4 : end - 4]))
        position = end
    return bytes(out)


def survives(data: bytes) -> None:
    try:
        picture = decode(data, LIMITS)
    except InputError as error:
        assert error.message
        # A memory address or a Python value means nothing to users.
        assert " at 0x" not in error.message
        assert "b'" not in error.message
    else:
        height, width = picture.rgb.shape[:2]
        assert picture.rgb.shape == (height, width, 3)
        assert max(picture.size) <= 1999
        assert picture.alpha is None or picture.alpha.shape == (height, width)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
@given(changes=edits, head=st.booleans())
@settings(max_examples=40)
def test_edited_files(seed: str, changes: list[tuple[float, bytes]], head: bool) -> None:
    data = edited(SEEDS[seed](), changes, head)
    survives(data)
    if data.startswith(files.PNG_SIGNATURE):
        survives(with_right_checksums(data))


@given(
    st.sampled_from(
        [
            b"",
            b"\xff\xd8\xff",
            files.PNG_SIGNATURE,
            b"BM",
            b"RIFF\0\0\0\0WEBP",
            b"II*\0\x08\0\0\0",
            b"GIF89a",
            b"\0\0\0\x14ftypavif",
        ]
    ),
    st.binary(max_size=300),
)
@example(b"BM", bytes(12) + b"\x28" + bytes(40))
@settings(max_examples=200)
def test_noise_behind_a_magic_number(magic: bytes, noise: bytes) -> None:
    survives(magic + noise)


@given(st.binary(max_size=120))
@settings(max_examples=100)
def test_noise_as_exif(block: bytes) -> None:
    png = good("png", 64, 48)
    picture = decode(png[:33] + files.png_chunk(b"eXIf", b"MM\0*" + block) + png[33:])
    assert sorted(picture.size) == [48, 64]


@given(st.binary(max_size=200), st.integers(0, 300))
@settings(max_examples=60)
def test_noise_in_a_profile(patch: bytes, place: int) -> None:
    profile = files.rgb_profile()
    broken = (profile[:place] + patch + profile[place + len(patch) :])[: len(profile)]
    assert decode(as_jpeg(photo(64, 48), icc_profile=broken)).size == (64, 48)
