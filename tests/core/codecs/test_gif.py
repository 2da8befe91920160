"""GIF: the first frame."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from packshot.core.codecs import LIBRARY_LIMITS, Limits, decode, probe
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


def test_a_screen_too_large_is_refused_by_its_header() -> None:
    data = as_gif(Image.fromarray(photo(64, 48)).quantize(64))
    with pytest.raises(ImageTooLarge, match="65535x65535 px"):
        probe(data[:6] + struct.pack("<HH", 65535, 65535) + data[10:], LIBRARY_LIMITS)


ANY_SIZE = Limits(min_side_px=1)
LEVELS = np.random.default_rng(5).integers(1, 256, (36, 40), np.uint8)
EXTENSIONS = {
    "comment": b"!\xfe" + (b"\xff" + b"c" * 255) * 20 + b"\0",
    "loop": b"!\xff\x0bNETSCAPE2.0\x03\x01\0\0\0",
    "plain text": b"!\x01\x0c" + bytes(12) + b"\x02hi\0",
    "control": b"!\xf9\x04\0\0\0\0\0",
    "short control": b"!\xf9\x01\x01\0",
    "unknown": b"!\x77\x03abc\0",
}


def gif_parts(**options: object) -> tuple[bytes, bytes, bytes]:
    """A GIF of LEVELS in three parts: up to the end of its palette, its extensions, and the rest from the frame's
    descriptor.
    """
    data = as_gif(Image.fromarray(LEVELS), **options)
    end = 13 + (3 << (data[10] & 7) + 1)
    frame = data.index(b",\0\0\0\0" + struct.pack("<HH", 40, 36), end)
    return data[:end], data[end:frame], data[frame:]


def placed(screen: tuple[int, int], left: int, top: int, **options: object) -> bytes:
    head, extensions, frame = gif_parts(**options)
    frame = frame[:1] + struct.pack("<HH", left, top) + frame[5:]
    return head[:6] + struct.pack("<HH", *screen) + head[10:] + extensions + frame


@given(
    st.tuples(st.integers(0, 100), st.integers(0, 100)),
    st.integers(0, 60),
    st.integers(0, 60),
    st.booleans(),
    st.booleans(),
)
@example((0, 0), 0, 0, False, False)
@example((1, 1), 0, 0, True, True)
@example((20, 80), 30, 0, False, True)
@settings(max_examples=60)
def test_a_first_frame_is_whole_on_any_screen(
    screen: tuple[int, int], left: int, top: int, interlace: bool, transparent: bool
) -> None:
    options = {"transparency": int(LEVELS[3, 3])} if transparent else {}
    data = placed(screen, left, top, interlace=interlace, **options)
    size = max(screen[0], left + 40), max(screen[1], top + 36)
    assert probe(data, ANY_SIZE).size == size
    picture = decode(data)
    assert picture.size == size
    rgb = picture.rgb[top : top + 36, left : left + 40]
    if transparent:
        assert picture.alpha is not None
        alpha = picture.alpha[top : top + 36, left : left + 40]
        assert np.array_equal(alpha, np.where(LEVELS[3, 3] == LEVELS, 0, 255))
        assert np.array_equal(rgb[alpha > 0][:, 0], LEVELS[alpha > 0])
        assert picture.alpha.astype(int).sum() == alpha.astype(int).sum()  # nothing is visible outside the frame
    else:
        assert np.array_equal(rgb, np.dstack([LEVELS] * 3))


def test_what_a_frame_makes_of_its_screen_is_held_to_the_limits() -> None:
    with pytest.raises(ImageTooLarge, match="5040x36 px"):
        probe(placed((1, 1), 5000, 0), Limits(max_side_px=4000))
    with pytest.raises(ImageTooLarge, match="20040x20036 px"):
        probe(placed((1, 1), 20_000, 20_000), LIBRARY_LIMITS)
    with pytest.raises(UnreadableImage, match="reaches to"):
        probe(placed((1, 1), 65_530, 0), LIBRARY_LIMITS)


@pytest.mark.parametrize("screen", [(40, 36), (0, 0), (40, 0)])
def test_a_frame_without_a_side_is_as_large_as_its_screen(screen: tuple[int, int]) -> None:
    head, extensions, frame = gif_parts()
    data = head[:6] + struct.pack("<HH", *screen) + head[10:] + extensions + frame[:5] + bytes(4) + frame[9:]
    if 0 in screen:
        with pytest.raises(UnreadableImage, match="first frame of"):
            probe(data, ANY_SIZE)
    else:
        assert np.array_equal(decode(data).rgb[..., 0], LEVELS)


@given(st.lists(st.sampled_from(sorted(EXTENSIONS)), max_size=6), st.binary(max_size=5), st.booleans())
@settings(max_examples=50)
def test_what_stands_before_the_first_frame_changes_nothing(names: list[str], stray: bytes, before: bool) -> None:
    stray = bytes(each for each in stray if each not in b",!;")
    key = int(LEVELS[3, 3])
    head, extensions, frame = gif_parts(transparency=key)
    more = b"".join(EXTENSIONS[name] for name in names) + stray
    picture = decode(head + (more + extensions if before else extensions + more) + frame)
    assert np.array_equal(picture.rgb[..., 0][key != LEVELS], LEVELS[key != LEVELS])
    assert (picture.alpha is None) == (not before and "control" in names)  # the last one counts


@pytest.mark.parametrize("fill", [EXTENSIONS["unknown"], b"!\xfe" + b"\x01c" * 30_000 + b"\0", b"\0"])
def test_blocks_before_the_first_frame_are_counted(fill: bytes) -> None:
    head, extensions, frame = gif_parts()
    with pytest.raises(UnreadableImage, match="blocks before its first frame"):
        probe(head + fill * (200_000 // len(fill) + 1) + extensions + frame, LIBRARY_LIMITS)


@pytest.mark.parametrize("end", [b"", b";", b",", b"!", b"!\xf9", b"!\xfe\xff", b",\0\0\0\0\x28\0\x24\0"])
def test_a_file_without_a_frame_is_found_out(end: bytes) -> None:
    head, _, _ = gif_parts()
    for data in (head + end, head[:13] + end, head[:7] + end):
        with pytest.raises(UnreadableImage):
            decode(data)


@given(st.floats(0, 1), st.booleans())
@settings(max_examples=40)
def test_pixels_that_end_early_are_found_out(place: float, ended: bool) -> None:
    """The file itself is complete: the frame's blocks are cut, then come an empty block and the end."""
    head, extensions, frame = gif_parts()
    bodies, position = b"", 11
    while frame[position]:
        bodies += frame[position + 1 : position + 1 + frame[position]]
        position += 1 + frame[position]
    kept = bodies[: int(place * (len(bodies) - 4))]
    blocks = b"".join(bytes([len(kept[at : at + 255])]) + kept[at : at + 255] for at in range(0, len(kept), 255))
    with pytest.raises(UnreadableImage):
        decode(head + extensions + frame[:11] + blocks + (b"\0;" if ended else b""))
