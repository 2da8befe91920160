"""BMP: palettes shorter than the bits allow, and pixels that begin directly after a palette."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packshot.core.codecs import decode, probe
from packshot.core.codecs.limits import LIBRARY_LIMITS
from packshot.errors import UnreadableImage
from tests.kit import files

random = np.random.default_rng(7)


def palette_bmp(indices: np.ndarray, palette: np.ndarray, bits: int, *, old: bool, said: int, offset: int = 0) -> bytes:
    """A BMP of the palette's colours, top row first. old: with the OS/2 header, which has no number of colours."""
    height, width = indices.shape
    row_bytes = (width * bits + 31) // 32 * 4
    unpacked = np.unpackbits(indices[..., None].astype(np.uint8), axis=-1)[..., 8 - bits :].reshape(height, -1)
    rows = np.zeros((height, row_bytes), np.uint8)
    packed = np.packbits(unpacked, axis=1)
    rows[:, : packed.shape[1]] = packed
    entries = np.zeros((len(palette), 3 if old else 4), np.uint8)
    entries[:, :3] = palette[:, ::-1]
    if old:
        start = offset or 26 + entries.size
        head = b"BM" + struct.pack("<IHHIIHHHH", 0, 0, 0, start, 12, width, height, 1, bits)
        rows = rows[::-1]
    else:
        head = files.bmp_header(width, -height, bits, offset=offset or 54 + entries.size, colours=said)
    return head + entries.tobytes() + rows.tobytes()


@st.composite
def drawings(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, int]:
    """Indices, colours and bits; with fewer colours than the bits allow, or exactly as many."""
    bits = draw(st.sampled_from([1, 4, 8]))
    colours = draw(st.integers(1, 1 << bits))
    size = draw(st.integers(32, 70)), draw(st.integers(32, 70))
    palette = random.integers(0, 256, (colours, 3), dtype=np.uint8)
    if draw(st.booleans()):  # black, white and even gray steps: libraries treat these as no palette
        grays = np.array([0, 255]) if colours == 2 else np.arange(colours)
        palette = grays.astype(np.uint8)[:, None].repeat(3, axis=1)
    return random.integers(0, colours, size), palette, bits


@given(drawings(), st.booleans(), st.booleans())
@settings(max_examples=60)
def test_pixels_may_begin_right_behind_a_short_palette(
    drawing: tuple[np.ndarray, np.ndarray, int], old: bool, counted: bool
) -> None:
    """The number of colours may be given, or be 0, which means as many as the bits allow."""
    indices, palette, bits = drawing
    data = palette_bmp(indices, palette, bits, old=old, said=len(palette) if counted else 0)
    assert np.array_equal(decode(data).rgb, palette[indices])


@given(drawings())
@settings(max_examples=30)
def test_pixels_that_are_said_to_begin_where_the_palette_does_begin_behind_it(
    drawing: tuple[np.ndarray, np.ndarray, int],
) -> None:
    indices, palette, bits = drawing
    data = palette_bmp(indices, palette, bits, old=False, said=len(palette), offset=54)
    assert np.array_equal(decode(data).rgb, palette[indices])


@given(drawings(), st.integers(1, 20))
@settings(max_examples=40)
def test_only_what_fills_up_the_last_row_may_be_missing(
    drawing: tuple[np.ndarray, np.ndarray, int], missing: int
) -> None:
    indices, palette, bits = drawing
    spare = -indices.shape[1] * bits % 32 // 8
    data = palette_bmp(indices, palette, bits, old=False, said=len(palette))[:-missing]
    if missing <= spare:
        assert np.array_equal(decode(data).rgb, palette[indices])
    else:
        with pytest.raises(UnreadableImage, match="cut off"):
            probe(data, LIBRARY_LIMITS)


@pytest.mark.parametrize("old", [False, True])
def test_an_index_without_a_colour_is_black(old: bool) -> None:
    palette, indices = np.full((3, 3), 200, np.uint8), random.integers(0, 6, (32, 33))
    rgb = decode(palette_bmp(indices, palette, 8, old=old, said=3)).rgb
    assert np.array_equal(rgb, np.where(indices < 3, 200, 0)[..., None].repeat(3, axis=2))


@pytest.mark.parametrize("offset", [0, 14, 53, 55, 57])
def test_pixels_inside_the_header_are_found_out(offset: int) -> None:
    data = files.bmp_header(32, 32, 8, offset=offset, colours=4) + bytes(2000)
    with pytest.raises(UnreadableImage, match="inside its header"):
        probe(data, LIBRARY_LIMITS)
