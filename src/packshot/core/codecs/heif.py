"""AVIF and HEIC in common: a container whose every claim is checked before a decoder sees the file."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from packshot.core.codecs import bmff
from packshot.core.codecs.colour import by_number
from packshot.core.codecs.limits import damaged
from packshot.core.geometry import Size

# Encoders round up to whole blocks, of 64 px at most, and the tiles of a phone's photo reach over its border.
_BLOCK_PX, _SPARE_PX = 64, 4_000_000

# BT.601's primaries and its neighbours: phones write these numbers on pictures that are sRGB.
_NEAR_SRGB = frozenset({5, 6, 7})

Streams = Mapping[bytes, Callable[[bytes, bytes], Iterator[Size]]]


@dataclass(frozen=True)
class Still:
    """A file's main picture.

    size: as stored, before it is turned. icc: the profile that its colour numbers mean, for a file without one. exif:
    from the TIFF header on. clean: the file with nothing in it that a decoder would read beside that picture.
    """

    size: Size
    icc: bytes | None
    exif: bytes | None
    clean: bytes


def read(name: str, data: bytes, coded: Streams) -> Still:
    """The main picture, after comparing its size by the container with that by the streams.

    Parameters: name, for the message; coded, by the kind of an item: the sizes in its stream, from the body of its
    decoder settings and the stream. Raises: UnreadableImage.
    """
    try:
        container = bmff.read(data)
        size = container.items[container.primary].size
        if size is None or 0 in size:
            raise ValueError("its main picture has no size")
        _check_streams(data, container, size, coded)
        return Still(size, _profile(container), _exif(data, container), _clean(data, container))
    except (ValueError, LookupError, struct.error, OverflowError) as error:
        raise damaged(name, f"is damaged: {error}") from error


def _check_streams(data: bytes, container: bmff.Container, size: Size, coded: Streams) -> None:
    room, total, shown = 2 * size.width * size.height + _SPARE_PX, 0, container.shown()
    if not any(item.kind in coded for item in shown):
        raise ValueError("its main picture is of a kind that is not read")
    for item in shown:
        if item.size is None:
            raise ValueError("a part of it has no size")
        if item.kind in coded:
            _check_stream(data, item, item.size, coded)
            # Alpha and depth are as large as the picture at most, and are decoded beside it.
            pixels = item.size.width * item.size.height
            total += 0 if item.aux_of else pixels
            if max(total, pixels) > room:
                raise ValueError(f"its parts have {total:,} px in all, and it claims {size}")
        elif item.kind == b"grid":
            _check_grid(data, item, item.size)
        elif item.kind != b"iden":
            raise ValueError(f"a part of it is of the kind {item.kind!r}, which is not read")


def _check_stream(data: bytes, item: bmff.Item, size: Size, coded: Streams) -> None:
    settings = next((body for kind, body in item.properties if kind in {b"av1C", b"hvcC"}), b"")
    sizes = list(coded[item.kind](settings, _body(data, item)))
    if not sizes or not all(_agrees(each, size) for each in sizes):
        raise ValueError(f"it gives two sizes, {size} and {sizes[-1] if sizes else 'none'}")


def _check_grid(data: bytes, item: bmff.Item, size: Size) -> None:
    """A grid says its size once more, in 16 or 32 bits (ISO/IEC 23008-12, 6.6.2.3)."""
    body = _body(data, item)
    said = Size(*struct.unpack_from(">II" if body[1] & 1 else ">HH", body, 4))
    if said != size:
        raise ValueError(f"it gives two sizes, {size} and {said}")


def _body(data: bytes, item: bmff.Item) -> bytes:
    return b"".join(data[offset : offset + length] for offset, length in item.extents)


def _agrees(coded: Size, claimed: Size) -> bool:
    return all(said <= inside <= said + _BLOCK_PX for inside, said in zip(coded, claimed, strict=True))


def _profile(container: bmff.Container) -> bytes | None:
    """The ICC profile that the main picture's colour numbers mean; None for sRGB, and where a profile stands instead.

    Raises: UnsupportedFormat for pictures made for a screen brighter than white: shown as sRGB they look gray.
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


def _clean(data: bytes, container: bmff.Container) -> bytes:
    """The file with its metadata and its film, if it is one too, called something that decoders skip."""
    clean = bytearray(data)
    for atom in container.atoms:
        if atom.kind == b"moov":
            clean[atom.head + 4 : atom.head + 8] = b"free"
        if atom.kind == b"ftyp":
            clean[atom.start : atom.end] = clean[atom.start : atom.end].replace(b"avis", b"avif")
    for item in container.items.values():
        if item.kind in {b"Exif", b"mime"}:
            clean[item.kind_at : item.kind_at + 4] = b"skip"
    return bytes(clean)
