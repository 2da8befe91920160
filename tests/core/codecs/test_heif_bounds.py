"""AVIF and HEIC with multiplied claims: a file costs no more than its bytes and its pixels, however often it names a
part.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packshot.core.codecs import Limits, decode, probe
from packshot.errors import UnreadableImage
from tests.fuzz.bounds import hold, measured
from tests.kit.heifs import Part, as_avif, as_heic, bits, box, container, full, grid_of, obu, size_of, taken_apart
from tests.kit.images import photo, product

SMALL = Limits(min_side_px=1)
WRITERS: list[tuple[bytes, Callable[..., bytes]]] = [(b"avif", as_avif), (b"heic", as_heic)]
both = pytest.mark.parametrize(("brand", "write"), WRITERS)
AV1C = b"av1C", bytes([0x81, 0x20, 0, 0])


@cache
def part(write: Callable[..., bytes]) -> Part:
    return taken_apart(write(photo(64, 64)))[0]


def refuse(data: bytes, words: str) -> None:
    """Refused from the header, at once and in little memory, whatever the claims."""

    def refused() -> None:
        with pytest.raises(UnreadableImage, match=words):
            probe(data, SMALL)

    hold(measured(refused), seconds=1, peak_bytes=30_000_000 + 3 * len(data))


def read(data: bytes) -> None:
    assert decode(data, SMALL).size


@both
@given(cuts=st.lists(st.integers(0, 10_000), max_size=20))
@settings(max_examples=15)
def test_a_stream_in_pieces_is_put_together(brand: bytes, write: Callable[..., bytes], cuts: list[int]) -> None:
    one = part(write)
    places = sorted({0, *(cut % len(one.stream) for cut in cuts), len(one.stream)})
    pieces = [(a, b - a) for a, b in pairwise(places)]
    assert np.array_equal(
        decode(container(brand, [replace(one, pieces=pieces)]), SMALL).rgb, decode(container(brand, [one]), SMALL).rgb
    )


@both
@given(times=st.integers(3, 2_000), megabytes=st.integers(4, 8))
@settings(max_examples=8)
def test_pieces_that_name_the_same_bytes_are_counted_each(
    brand: bytes, write: Callable[..., bytes], times: int, megabytes: int
) -> None:
    one = part(write)
    stream = one.stream + bytes(megabytes * 1_000_000)
    refuse(container(brand, [replace(one, stream=stream, pieces=[(0, len(stream))] * times)]), "too many bytes")


@both
@pytest.mark.parametrize("length", [0, 1])
def test_pieces_without_end_are_counted(brand: bytes, write: Callable[..., bytes], length: int) -> None:
    items = [replace(part(write), pieces=[(0, length)] * 60_000)]
    refuse(container(brand, items), "too many parts")


@pytest.mark.slow
@both
@pytest.mark.parametrize("where", ["alpha", "thumbnails"])
def test_of_a_thousand_items_on_one_stream_those_that_are_shown_are_read(
    brand: bytes, write: Callable[..., bytes], where: str
) -> None:
    one, alpha = taken_apart(write(np.dstack([photo(64, 64), product(64, 64)[1]])))
    refers = [(b"auxl" if where == "alpha" else b"thmb", [1])]
    items = [one, *[replace(alpha, refers=refers)] * 1_900]
    cost = measured(lambda: read(container(brand, items)))
    hold(cost, seconds=1, peak_bytes=30_000_000)


@pytest.mark.slow
@both
@pytest.mark.parametrize("kind", [b"infe", b"dimg", b"ispe", b"free"])
def test_entries_are_counted(brand: bytes, write: Callable[..., bytes], kind: bytes) -> None:
    """Items, references, properties and unknown parts, a hundred thousand of each."""
    data, many = container(brand, [part(write)]), 100_000
    if kind == b"infe":
        one = full(b"infe", struct.pack(">HH4sx", 7, 0, b"av01"), 2)
        refuse(with_more(data, b"iinf", one * many), "too many parts")
    elif kind == b"dimg":
        refers = [(b"dimg", [1] * 60_000)]
        refuse(container(brand, [replace(part(write), refers=refers * 2)]), "too many parts")
    elif kind == b"ispe":
        refuse(with_more(data, b"ipco", box(b"ispe", bytes(12)) * many), "too many parts")
    else:
        refuse(box(b"ftyp", brand + bytes(4)) + box(b"free", b"") * many, "too many parts")


def with_more(data: bytes, kind: bytes, more: bytes) -> bytes:
    """The same file with bytes added at the end of an atom; the enclosing atoms' lengths are corrected."""
    out, at = bytearray(data), data.index(kind) - 4
    for around in {b"iinf": (b"iinf", b"meta"), b"ipco": (b"ipco", b"iprp", b"meta")}[kind]:
        place = data.index(around) - 4
        out[place : place + 4] = struct.pack(">I", int.from_bytes(out[place : place + 4], "big") + len(more))
    end = at + int.from_bytes(data[at : at + 4], "big")
    return bytes(out[:end]) + more + bytes(out[end:])


@pytest.mark.parametrize("size", [10_000, 1_000_000])
def test_an_endless_number_in_a_header_is_not_read_to_its_end(size: int) -> None:
    head = bits((0, 5), (1, 1), (1, 32), (1, 32), (1, 1)) + bytes(size)
    stream = bytes([0x0A]) + leb128(len(head)) + head
    refuse(container(b"avif", [Part(b"av01", stream, [size_of(64, 64), AV1C])]), "endless number")


def leb128(number: int) -> bytes:
    out = b""
    while number > 127:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])


@both
@pytest.mark.parametrize("times", [5, 10_000])
def test_a_second_picture_in_a_stream_is_found_out(brand: bytes, write: Callable[..., bytes], times: int) -> None:
    one = part(write)
    read(container(brand, [one]))
    refuse(container(brand, [replace(one, stream=one.stream * times)]), "too many")


@pytest.mark.parametrize("times", [4, 5_000])
def test_a_frame_that_is_shown_again_is_a_frame(times: int) -> None:
    whole = Part(b"av01", sequence_and_key_frame(64, 64) + obu(3, b"\x80") * times, [size_of(64, 64), AV1C])
    refuse(container(b"avif", [whole]), "too many frames")


def sequence_and_key_frame(width: int, height: int, said: tuple[int, int] | None = None) -> bytes:
    """A sequence header with 16 bits per side, and the start of a key frame, with or without its own size."""
    levels = [(0, 5), (0, 1), (0, 1), (0, 5), (0, 12), (0, 5)]
    tools = [(0, 1), (0, 7), (0, 1), (0, 1), (0, 1)]
    sequence = bits(*levels, (15, 4), (15, 4), (width - 1, 16), (height - 1, 16), *tools, (0, 64))
    own = [(1, 1), (said[0] - 1, 16), (said[1] - 1, 16)] if said else [(0, 1)]
    return obu(1, sequence) + obu(6, bits((0, 1), (0, 2), (1, 1), (0, 1), *own, (0, 64)))


@given(said=st.tuples(st.integers(1, 65_536), st.integers(1, 65_536)))
@settings(max_examples=30)
def test_a_frame_may_be_smaller_than_its_stream_says_and_not_larger(said: tuple[int, int]) -> None:
    data = container(b"avif", [Part(b"av01", sequence_and_key_frame(640, 480, said), [size_of(640, 480), AV1C])])
    if said[0] <= 640 and said[1] <= 480:
        assert probe(data, SMALL).size == (640, 480)
    else:
        refuse(data, "larger than its stream says")


@pytest.mark.parametrize("kind", [5, 15])
def test_units_of_a_stream_are_counted_over_all_items(kind: int) -> None:
    stream = sequence_and_key_frame(64, 64) + bytes([kind << 3 | 2, 0]) * 1_000
    properties = [size_of(64, 64), AV1C]
    tiles = [Part(b"av01", stream + bytes([0x7A, 1, number]), properties) for number in range(20)]
    grid = Part(b"grid", grid_of(20, 1, 1280, 64), [size_of(1280, 64)], [(b"dimg", range(2, 22))])
    refuse(container(b"avif", [grid, *tiles]), "too many units")


def test_units_of_settings_are_counted_over_all_items() -> None:
    one = part(as_heic)
    settings_of = dict(one.properties)[b"hvcC"]
    more = b"\x27" + struct.pack(">H", 4_000) + struct.pack(">H2s", 2, b"\x4e\1") * 4_000
    many = settings_of[:22] + bytes([settings_of[22] + 1]) + settings_of[23:] + more
    properties = [(kind, many if kind == b"hvcC" else body) for kind, body in one.properties]
    tiles = [
        replace(one, stream=one.stream + struct.pack(">I3s", 3, bytes([78, 1, n])), properties=properties)
        for n in range(4)
    ]
    grid = Part(b"grid", grid_of(4, 1, 256, 64), [size_of(256, 64)], [(b"dimg", [2, 3, 4, 5])])
    refuse(container(b"heic", [grid, *tiles]), "too many units")


@pytest.mark.parametrize("kind", [32, 33, 34])
def test_parameter_sets_are_counted_in_every_item(kind: int) -> None:
    """libde265 takes a millisecond for one parameter set."""
    one = part(as_heic)
    settings_of = dict(one.properties)[b"hvcC"]
    unit = next(unit for unit in units_of(settings_of) if unit[0] >> 1 == kind)
    stream = b"".join(struct.pack(">I", len(unit)) + unit for _ in range(9)) + one.stream
    refuse(container(b"heic", [replace(one, stream=stream)]), "too many parameter sets")


def units_of(settings_of: bytes) -> list[bytes]:
    """The units in the body of an hvcC box."""
    units, at = [], 23
    for _ in range(settings_of[22]):
        count, at = int.from_bytes(settings_of[at + 1 : at + 3], "big"), at + 3
        for _ in range(count):
            length, at = int.from_bytes(settings_of[at : at + 2], "big"), at + 2
            units.append(settings_of[at : at + length])
            at += length
    return units


@both
def test_crops_turns_tiles_and_properties_are_counted(brand: bytes, write: Callable[..., bytes]) -> None:
    one = part(write)
    turned = replace(one, properties=[*one.properties, *[(b"irot", b"\1")] * 30])
    refuse(container(brand, [turned]), "turned too often")
    coloured = [(b"colr", b"prof" + bytes([number])) for number in range(60)]
    refuse(container(brand, [replace(one, properties=[*one.properties, *coloured])]), "too many properties")
    grid = Part(b"grid", grid_of(50, 50, 3200, 3200), [size_of(3200, 3200)], [(b"dimg", [2] * 2_500)])
    refuse(container(brand, [grid, one]), "too many tiles")


def test_a_depth_that_differs_from_the_streams_is_found_out() -> None:
    """libheif returns samples at the stream's depth; its caller assumes the depth of the settings."""
    one = part(as_heic)
    body = bytearray(dict(one.properties)[b"hvcC"])
    body[17] ^= 2
    properties = [(kind, bytes(body) if kind == b"hvcC" else each) for kind, each in one.properties]
    refuse(container(b"heic", [replace(one, properties=properties)]), "two depths")


@pytest.mark.slow
@both
@given(columns=st.integers(1, 40), rows=st.integers(1, 40), claimed=st.integers(1, 4))
@settings(max_examples=10)
def test_a_tile_counts_as_often_as_a_grid_names_it(
    brand: bytes, write: Callable[..., bytes], columns: int, rows: int, claimed: int
) -> None:
    tile = taken_apart(write(np.zeros((512, 512, 3), np.uint8)))[0]
    side = 64 * claimed
    grid = Part(b"grid", grid_of(columns, rows, side, side), [size_of(side, side)], [(b"dimg", [2] * (columns * rows))])
    data = container(brand, [grid, tile])
    if columns * rows * 512 * 512 > 4 * side * side + 4_000_000:
        refuse(data, "px in all")
    else:
        assert probe(data, SMALL).size == (side, side)


@both
def test_derivations_in_a_circle_end(brand: bytes, write: Callable[..., bytes]) -> None:
    size = [size_of(64, 64)]
    circle = [Part(b"iden", b"", size, [(b"dimg", [2])]), Part(b"iden", b"", size, [(b"dimg", [1])])]
    refuse(container(brand, circle), "without an end")
    itself = Part(b"grid", grid_of(1, 1, 64, 64), size, [(b"dimg", [1])])
    refuse(container(brand, [itself]), "made of grids")
    alpha = [*size, (b"auxC", bytes(4) + b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0")]
    large = Part(b"grid", grid_of(40, 40, 64, 64), alpha, [(b"auxl", [1]), (b"dimg", [1, *[3] * 1_599])])
    tile = taken_apart(write(np.zeros((512, 512, 3), np.uint8)))[0]
    refuse(container(brand, [part(write), large, tile]), "px in all")
