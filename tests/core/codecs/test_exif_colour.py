"""The colour space in a photo's EXIF block, for photos without a profile."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from packshot.core.codecs import decode
from tests.kit.images import as_jpeg


def colour_block(order: str, space: int | None, index: bytes | None, kind: int = 3) -> bytes:
    """An EXIF block with a colour space and an interoperability index; None leaves a field out."""

    def directory(entries: list[tuple[int, int, int, bytes]]) -> bytes:
        body = b"".join(struct.pack(order + "HHI", *entry[:3]) + entry[3].ljust(4, b"\0") for entry in entries)
        return struct.pack(order + "H", len(entries)) + body + bytes(4)

    def number(value: int, kind: int = 4) -> bytes:
        return struct.pack(order + ("H" if kind == 3 else "I"), value)

    camera = [(0xA001, kind, 1, number(space, kind))] if space is not None else []
    size = 2 + 12 * (len(camera) + (index is not None)) + 4
    pointer = [(0xA005, 4, 1, number(26 + size))] if index is not None else []
    rules = directory([(1, 2, 4, index)]) if index is not None else b""
    head = (b"II*\0" if order == "<" else b"MM\0*") + number(8)
    return head + directory([(0x8769, 4, 1, number(26))]) + directory(camera + pointer) + rules


RED = np.full((64, 64, 3), (200, 40, 40), np.uint8)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("space", "index", "adobe"),
    [
        (2, None, True),
        (2, b"R98\0", True),
        (65535, b"R03\0", True),
        (None, b"R03\0", True),
        (1, b"R03\0", False),
        (1, None, False),
        (65535, b"R98\0", False),
        (65535, None, False),
        (None, None, False),
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_adobe_rgb_by_exif_alone(order: str, space: int | None, index: bytes | None, adobe: bool, kind: str) -> None:
    out = io.BytesIO()
    options = {"quality": 100, "subsampling": 0} if kind == "JPEG" else {"lossless": True} if kind == "WEBP" else {}
    block = b"Exif\0\0" + colour_block(order, space, index)
    Image.fromarray(RED).save(out, kind, exif=block, **options)
    expected = (233, 35, 35) if adobe else (200, 40, 40)
    assert np.abs(decode(out.getvalue()).rgb.astype(int) - expected).max() <= 2


def test_a_profile_wins_over_exif() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = b"Exif\0\0" + colour_block("<", 2, None)
    picture = decode(as_jpeg(RED, quality=100, subsampling=0, exif=exif, icc_profile=profile))
    assert np.abs(picture.rgb.astype(int) - RED).max() <= 2


@given(st.binary(max_size=60), st.integers(8, 80), st.sampled_from("<>"))
@settings(max_examples=60)
def test_noise_in_colour_tags_costs_no_picture(noise: bytes, place: int, order: str) -> None:
    block = colour_block(order, 65535, b"R03\0")
    block = block[:place] + noise + block[place + len(noise) :]
    assert decode(as_jpeg(RED, exif=b"Exif\0\0" + block)).size == (64, 64)
