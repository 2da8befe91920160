"""PNG: damage that costs pixels is detected; other damage does not prevent decoding."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packshot.core.codecs import decode
from packshot.errors import InputError, UnreadableImage
from tests.kit import files
from tests.kit.images import noise, photo

IMAGE = photo(48, 40)
ROWS = b"".join(b"\0" + row.tobytes() for row in IMAGE)
BLACK_BELOW = np.vstack([IMAGE[:20], np.zeros_like(IMAGE[:20])])  # as if these rows never arrived
HEADER, END = files.png_header(48, 40), files.png_chunk(b"IEND", b"")

letters = st.sampled_from("ABCXYZabcxyz")
ancillary = st.one_of(
    st.sampled_from(["tEXt", "zTXt", "iTXt", "iCCP", "gAMA", "cHRM", "sRGB", "cICP", "pHYs", "tIME", "eXIf", "bKGD"]),
    st.builds(lambda first, rest: first + rest, st.sampled_from("abcxyz"), st.text(letters, min_size=3, max_size=3)),
).map(str.encode)


def idats(stream: bytes, pieces: int) -> list[bytes]:
    length = -(-len(stream) // pieces)
    return [files.png_chunk(b"IDAT", stream[at : at + length]) for at in range(0, len(stream), length)]


def with_wrong_checksum(chunk: bytes) -> bytes:
    return chunk[:-4] + bytes([chunk[-4] ^ 1]) + chunk[-3:]


def png(*chunks: bytes, end: bytes = END) -> bytes:
    return b"".join([files.PNG_SIGNATURE, HEADER, *chunks, end])


@given(ancillary, st.binary(max_size=40), st.integers(0, 4), st.integers(1, 4), st.booleans())
@settings(max_examples=60)
def test_a_wrong_checksum_in_a_chunk_without_pixels_costs_that_chunk_only(
    name: bytes, body: bytes, place: int, pieces: int, ended: bool
) -> None:
    chunks = idats(zlib.compress(ROWS), pieces)
    chunks.insert(min(place, len(chunks)), with_wrong_checksum(files.png_chunk(name, body)))
    picture = decode(png(*chunks, end=END if ended else b""))
    assert np.array_equal(picture.rgb, IMAGE)
    assert picture.alpha is None
    assert picture.exif is None


@given(st.binary(min_size=1, max_size=40), ancillary, st.integers(0, 60), st.integers(1, 4))
@settings(max_examples=60)
def test_behind_whole_pixels_a_file_may_end_in_any_way(rest: bytes, name: bytes, left: int, pieces: int) -> None:
    pixels = idats(zlib.compress(ROWS), pieces)
    tail = files.png_chunk(name, b"x" * 30) + END
    ends = [tail[:left], b"\xff\xff" + rest, b"\0" * len(rest), END + rest, with_wrong_checksum(END)]
    for end in [*ends, struct.pack(">I", 99) + name + rest, struct.pack(">I", 99) + b"IEND" + rest]:
        assert np.array_equal(decode(png(*pixels, end=end)).rgb, IMAGE), end


@pytest.mark.parametrize("image", [IMAGE, BLACK_BELOW], ids=["photo", "black below"])
@given(st.integers(1, 4), st.floats(0, 1))
@settings(max_examples=30)
def test_a_file_cut_inside_its_pixels_is_found_out(image: np.ndarray, pieces: int, place: float) -> None:
    rows = b"".join(b"\0" + row.tobytes() for row in image)
    data = png(*idats(zlib.compress(rows), pieces), end=b"")
    with pytest.raises(InputError):  # UnsupportedFormat if the damage is in the signature
        decode(data[: round(1 + place * (len(data) - 2))])


@pytest.mark.parametrize("image", [IMAGE, BLACK_BELOW, noise(48, 40)], ids=["photo", "black below", "noise"])
@pytest.mark.parametrize("pieces", range(1, 5))
def test_pixels_under_a_damaged_name_are_not_passed_over(image: np.ndarray, pieces: int) -> None:
    rows = b"".join(b"\0" + row.tobytes() for row in image)
    # A flush after each eighth: any piece may be missing, and later pieces still inflate.
    deflate = zlib.compressobj()
    eighths = [
        deflate.compress(rows[at : at + len(rows) // 8]) + deflate.flush(zlib.Z_FULL_FLUSH)
        for at in range(0, len(rows), len(rows) // 8)
    ]
    chunks = [files.png_chunk(b"IDAT", each) for each in [*eighths, deflate.flush()]]
    for number in range(len(chunks)):
        renamed = chunks[number].replace(b"IDAT", b"iDAT", 1)
        with pytest.raises(UnreadableImage):
            decode(png(*chunks[:number], renamed, *chunks[number + 1 :]))


@pytest.mark.parametrize("name", [b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"ABCD", b"\0\1\2\3"])
def test_a_wrong_checksum_in_what_makes_pixels_is_found_out(name: bytes) -> None:
    with pytest.raises(UnreadableImage):
        decode(png(with_wrong_checksum(files.png_chunk(name, b"\0" * 6)), *idats(zlib.compress(ROWS), 2)))


@pytest.mark.parametrize("image", [IMAGE, BLACK_BELOW], ids=["photo", "black below"])
@pytest.mark.parametrize("end", [b"", b"abcd", b"ab", b"abcd" * 30])
def test_pixels_whose_chunks_are_right_need_no_checksum_of_their_own(image: np.ndarray, end: bytes) -> None:
    stream = zlib.compress(b"".join(b"\0" + row.tobytes() for row in image))[:-4] + end
    assert np.array_equal(decode(png(*idats(stream, 2))).rgb, image)


def test_pixels_without_their_own_checksum_are_not_believed_beside_a_damaged_chunk() -> None:
    stream = zlib.compress(ROWS)[:-4] + b"abcd"
    with pytest.raises(UnreadableImage):
        decode(png(with_wrong_checksum(files.png_chunk(b"tEXt", b"a\0b")), *idats(stream, 2)))


@pytest.mark.parametrize("size", [(590, 592), (2000, 525)])
def test_more_bytes_than_the_rows_have_are_no_damage(size: tuple[int, int]) -> None:
    width, height = size
    stream = zlib.compress(bytes((3 * width + 1) * height + 500), 9)
    text = with_wrong_checksum(files.png_chunk(b"tEXt", b"a\0b"))
    for extra in (b"", text):
        assert decode(files.png_file(files.png_header(width, height), stream, extra)).size == size
