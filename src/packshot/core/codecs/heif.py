"""AVIF and HEIC in common: checks every claim of the container, and makes a new container for the decoder.

Decoders see only the main picture, its tiles and its alpha: no other item, property, film or metadata. This module
crops and turns the picture, in the same way for both formats.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from math import floor

import numpy as np

from packshot.core.codecs import bmff
from packshot.core.codecs.coded_size import Coded, Stream
from packshot.core.codecs.colour import by_number
from packshot.core.codecs.limits import damaged, letters
from packshot.core.geometry import Box, Size
from packshot.core.picture import UInt8
from packshot.errors import UnsupportedFormat

# Encoders round up to whole blocks of at most 64 px, and the tiles of a phone's photo extend beyond its border. A
# layered picture is decoded up to four times.
_BLOCK_PX, _SPARE_PX, _TIMES = 64, 4_000_000, 4
# Identical tiles may share a stream. It is decoded, and counted here, once per tile.
_SPARE_BYTES = 4_000_000
_MAX_UNITS = 12_000  # a thousand tiles have about five each, in their streams and settings
_MAX_IDENTITIES = 8
_MAX_DECODED, _MAX_PROPERTIES, _MAX_STEPS = 2_000, 50, 24

# BT.601's primaries and similar ones: phones write these numbers for sRGB pictures.
_NEAR_SRGB = frozenset({5, 6, 7})

Streams = Mapping[bytes, Callable[[bytes, Stream, bmff.Count], Coded]]
"""By item kind: a function from decoder settings (their body), stream and counter to what the stream holds."""

_ALPHA = (b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", b"urn:mpeg:hevc:2015:auxid:1", b"urn:mpeg:avc:2015:auxid:1")
_CROP, _ROTATE, _MIRROR = b"clap", b"irot", b"imir"
# Properties that decoders see, properties that this module applies, and properties that change no pixel.
_DECODED = frozenset({b"av1C", b"hvcC", b"ispe", b"pixi", b"colr", b"auxC", b"a1op", b"lsel", b"a1lx"})
_FOLLOWED = frozenset({_CROP, _ROTATE, _MIRROR})
_HARMLESS = frozenset({b"pasp", b"clli", b"mdcv", b"cclv", b"amve", b"rref", b"crtt", b"mdft", b"altt", b"udes"})


@dataclass(frozen=True)
class Still:
    """A file's main picture.

    coded: its size from the decoder. size: as shown, cropped and turned. steps: from `coded` to `size`; each is a box
    to cut out, or the number in irot or imir. icc: the profile for its colour numbers; for files without a profile.
    exif: from the TIFF header on. parts: the picture, its tiles and its alpha.
    """

    coded: Size
    size: Size
    steps: tuple[tuple[bytes, Box | int], ...]
    icc: bytes | None
    exif: bytes | None
    parts: bmff.Container

    def show(self, samples: UInt8) -> UInt8:
        """Crop and turn samples of the coded size, (H, W) or (H, W, channels), as the file says."""
        for kind, how in self.steps:
            if isinstance(how, Box):
                samples = samples[how.top : how.bottom, how.left : how.right]
            elif kind == _ROTATE:
                samples = np.rot90(samples, how)
            else:
                samples = samples[:, ::-1] if how else samples[::-1]
        return np.ascontiguousarray(samples)


def read(name: str, data: bytes, streams: Streams) -> Still:
    """Read the main picture, and check that container and streams agree on its size.

    name: the format's name in messages. Raises UnreadableImage, UnsupportedFormat.
    """
    try:
        container = bmff.read(data)
        number, properties = _base(container)
        parts, decoded = _parts(container, number)
        size = parts.items[number].size
        if size is None or 0 in size:
            raise ValueError("its main picture has no size")
        _check(data, parts, decoded, size, streams)
        steps, shown = _steps(properties, size)
        return Still(size, shown, steps, _profile(container), _exif(data, container), parts)
    except bmff.NotRead as error:
        raise UnsupportedFormat(f"This {name} {error}.", hint="Save it as JPEG or PNG and send it again.") from error
    except ValueError as error:
        raise damaged(name, f"is damaged: {error}") from error
    except (LookupError, struct.error, OverflowError) as error:  # Python's own words say nothing about the file
        raise damaged(name, "is damaged: its parts do not fit together") from error


def _base(container: bmff.Container) -> tuple[int, list[tuple[bytes, bytes]]]:
    """The item behind the main picture, and the properties of all items that lead there, the innermost first.

    An item of kind iden shows another item, cropped or turned.
    """
    number, properties = container.primary, list(container.items[container.primary].properties)
    for _ in range(_MAX_IDENTITIES):
        item = container.items[number]
        if item.kind != b"iden":
            return number, properties
        number = item.made_of[0]
        properties = container.items[number].properties + properties
    raise ValueError("its main picture refers to other pictures without an end")


def _parts(container: bmff.Container, base: int) -> tuple[bmff.Container, list[int]]:
    """The items for the decoder, reduced to their needed parts; and the items that it decodes, with repetitions.

    The items are the picture and its alpha, each whole or made of tiles, and the alpha of the picture's tiles.
    """
    beside = _alpha(container)
    alpha = beside.get(container.primary, beside.get(base))
    parts: dict[int, bmff.Item] = {}
    decoded: list[int] = []

    def add(number: int, *, alpha: int | None = None, of: int | None = None) -> list[int]:
        item = container.items[number]
        decoded.append(number)
        if len(decoded) > _MAX_DECODED:
            raise ValueError("it is made of too many tiles")
        if number not in parts:
            parts[number] = _for_decoder(item, alpha, of)
        tiles = item.made_of if item.kind == b"grid" else []
        if any(container.items[tile].kind == b"grid" for tile in tiles):
            raise ValueError("its grid is made of grids")
        return tiles

    for tile in add(base, alpha=alpha):
        of_tile = beside.get(tile)
        if of_tile is not None and container.items[of_tile].kind == b"grid":
            of_tile = None
        add(tile, alpha=of_tile)
        if of_tile is not None:
            add(of_tile, of=tile)
    if alpha is not None:
        for tile in add(alpha, of=base):
            add(tile)
    return bmff.Container(base, parts), decoded


def _alpha(container: bmff.Container) -> dict[int, int]:
    """Maps each item that has alpha to the item that holds it."""
    beside: dict[int, int] = {}
    for number, item in container.items.items():
        if (item.body(b"auxC") or b"")[4:].split(b"\0")[0] in _ALPHA:
            for shown in item.points_to.get(b"auxl", ()):
                beside.setdefault(shown, number)
    return beside


def _for_decoder(item: bmff.Item, alpha: int | None, of: int | None) -> bmff.Item:
    """A copy with only the decoded parts. alpha: the item that holds its alpha. of: the item whose alpha it holds."""
    unknown = item.essential - _DECODED - _FOLLOWED - _HARMLESS
    if unknown:
        raise bmff.NotRead(f"has a property of the kind {letters(min(unknown))}, which is not supported")
    pointed = {b"auxl": [of]} if of is not None else {}
    if item.kind == b"grid":
        pointed[b"dimg"] = item.made_of
    if alpha is not None and alpha in item.points_to.get(b"prem", ()):
        pointed[b"prem"] = [alpha]
    properties = list(dict.fromkeys(each for each in item.properties if each[0] in _DECODED))
    if len(properties) > _MAX_PROPERTIES:
        raise ValueError("a part of it has too many properties")
    return replace(item, properties=properties, points_to=pointed)


def _check(data: bytes, parts: bmff.Container, decoded: list[int], size: Size, streams: Streams) -> None:
    """Check the decoded items, with repetitions, against the file's bytes and the picture's size. Raises ValueError."""
    stored, units = bmff.Count(len(data) + _SPARE_BYTES, "bytes"), bmff.Count(_MAX_UNITS, "units in its streams")
    room, total = _TIMES * size.width * size.height + _SPARE_PX, 0
    costs: dict[int, int] = {}
    for number in decoded:
        item = parts.items[number]
        settings = item.body(b"av1C", b"hvcC") or b""
        stored.take(item.stored_bytes + len(settings))
        if number not in costs:
            costs[number] = _cost_px(data, item, settings, streams, units)
        total += costs[number]
        if total > room:
            raise ValueError(f"its parts have {total:,} px in all, and it claims {size}")


def _cost_px(data: bytes, item: bmff.Item, settings: bytes, streams: Streams, units: bmff.Count) -> int:
    """The number of pixels that a decoder makes from an item; 0 for a grid, whose tiles are items themselves."""
    size, end = item.size, max((offset + length for offset, length in item.extents), default=0)
    if size is None:
        raise ValueError("a part of it has no size")
    if end > len(data):
        raise ValueError(f"it is cut off: it needs {end:,} bytes, and the file has {len(data):,}")
    if item.kind == b"grid":
        _check_grid(bytes(bmff.stored(data, item)), item, size)
        return 0
    if item.kind not in streams:
        raise bmff.NotRead(f"has a picture of the kind {letters(item.kind)}, which is not supported")
    coded = streams[item.kind](settings, bmff.stored(data, item), units)
    layered = item.body(b"a1op", b"lsel") is not None
    if not coded.sizes or not all(_agrees(each, size, layered=layered) for each in coded.sizes):
        raise ValueError(f"it gives two sizes, {size} and {coded.sizes[-1] if coded.sizes else 'none'}")
    if not coded.frames:
        raise ValueError("a part of it holds no picture")
    return coded.frames * max(each.width * each.height for each in coded.sizes)


def _check_grid(body: bytes, item: bmff.Item, size: Size) -> None:
    """Check a grid's own size, in 16 or 32 bits, and its number of tiles (ISO/IEC 23008-12, 6.6.2.3)."""
    said = Size(*struct.unpack_from(">II" if body[1] & 1 else ">HH", body, 4))
    if said != size:
        raise ValueError(f"it gives two sizes, {size} and {said}")
    if len(item.made_of) != (body[2] + 1) * (body[3] + 1):
        raise ValueError(f"it has {len(item.made_of)} of the {(body[2] + 1) * (body[3] + 1)} tiles of its grid")


def _agrees(coded: Size, claimed: Size, *, layered: bool) -> bool:
    """Whether the coded size fits the claimed one, with up to a block more.

    layered: only one of several layers is shown. The stream gives the size of the largest layer, which may be another.
    """
    return all(
        said <= inside and (layered or inside <= said + _BLOCK_PX) for inside, said in zip(coded, claimed, strict=True)
    )


def _steps(properties: list[tuple[bytes, bytes]], size: Size) -> tuple[tuple[tuple[bytes, Box | int], ...], Size]:
    """The steps that crop and turn the picture, in the file's order, and the final size."""
    steps: list[tuple[bytes, Box | int]] = []
    wanted = [each for each in properties if each[0] in _FOLLOWED]
    if len(wanted) > _MAX_STEPS:
        raise ValueError("it is cropped and turned too often")
    for kind, body in wanted:
        if kind == _CROP:
            box = _clean_aperture(body, size)
            if box is not None:
                steps.append((kind, box))
                size = Size(box.right - box.left, box.bottom - box.top)
        elif kind == _ROTATE and body[0] & 3:
            steps.append((kind, body[0] & 3))  # quarters of a turn, anti-clockwise
            size = Size(size.height, size.width) if body[0] & 1 else size
        elif kind == _MIRROR:
            steps.append((kind, body[0] & 1))  # 0 swaps top and bottom; 1 swaps left and right
    return tuple(steps), size


def _clean_aperture(body: bytes, size: Size) -> Box | None:
    """The part of a picture that clap keeps (ISO/IEC 14496-12, 12.1.4), rounded and cut as in libheif 1.23.

    None if clap is invalid: width or height of 0, a denominator of 0, or no pixel of the picture inside.
    """
    numbers = struct.unpack_from(">iiiiiiii", body)
    pairs = list(zip(numbers[::2], numbers[1::2], strict=True))
    if any(below <= 0 for _, below in pairs):
        return None
    spans = [_span(*each) for each in ((size.width, pairs[0], pairs[2]), (size.height, pairs[1], pairs[3]))]
    (left, right), (top, bottom) = spans
    return Box(left, top, right, bottom) if left < right and top < bottom else None


def _span(side: int, clean: tuple[int, int], offset: tuple[int, int]) -> tuple[int, int]:
    """Start and end of the clean aperture along one side of the picture, from fractions."""
    begin = floor(Fraction(*offset) + (side - Fraction(*clean)) / 2)
    return max(begin, 0), min(begin + floor(Fraction(*clean) + Fraction(1, 2)), side)


def _profile(container: bmff.Container) -> bytes | None:
    """The ICC profile for the main picture's colour numbers; None for sRGB, or if the file has a profile.

    Raises UnsupportedFormat for high dynamic range: such pictures look gray when shown as sRGB.
    """
    said = [body for kind, body in container.items[container.primary].properties if kind == b"colr"]
    numbers = next((body for body in said if body[:4] == b"nclx" and len(body) >= 8), b"")
    if not numbers or any(body[:4] in {b"prof", b"rICC"} for body in said):
        return None
    primaries, transfer = struct.unpack_from(">HH", numbers, 4)
    space = by_number(primaries, transfer)
    return space.profile() if space and primaries not in _NEAR_SRGB else None


def _exif(data: bytes, container: bmff.Container) -> bytes | None:
    item = next((item for item in container.items.values() if item.kind == b"Exif"), None)
    if item is None or not item.extents:
        return None
    offset, length = item.extents[0]
    body = data[offset : offset + length]
    return body[4 + int.from_bytes(body[:4], "big") :] or None
