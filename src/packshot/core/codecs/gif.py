"""GIF (89a): reads the blocks before the first frame; Pillow decodes only that frame's pixels."""

from __future__ import annotations

import struct
from typing import NamedTuple

import numpy as np

from packshot.core.codecs.formats import Header, Raster
from packshot.core.codecs.limits import damaged
from packshot.core.codecs.samples import opened, split
from packshot.core.geometry import Size

_SCREEN_BYTES, _IMAGE_BYTES = 13, 10
_IMAGE, _EXTENSION, _END, _CONTROL = b",", b"!", b";", 0xF9
# A block has at most 255 bytes, so this allows 2.5 MB of profiles or texts before the first frame.
_MAX_BLOCKS = 10_000
_LARGEST_PX = 65_535


class _Frame(NamedTuple):
    """The first frame. start: offset of its descriptor. transparent: index of the transparent colour, or None."""

    start: int
    left: int
    top: int
    size: Size
    transparent: int | None


def header(data: bytes) -> Header:
    """Read the size: that of the screen, or larger if the first frame needs more, as in browsers.

    Raises UnreadableImage.
    """
    return Header("gif", _canvas(data, _first_frame(data)))


def pixels(data: bytes, header: Header) -> Raster:
    """Decode the first frame. Raises UnreadableImage."""
    frame = _first_frame(data)
    screen = data[:6] + struct.pack("<HH", *header.size) + data[10 : _palette_end(data)]
    place = _IMAGE + struct.pack("<HHHH", frame.left, frame.top, *frame.size)
    control = b"" if frame.transparent is None else bytes([0x21, _CONTROL, 4, 1, 0, 0, frame.transparent, 0])
    stream = b"".join([screen, control, place, data[frame.start + _IMAGE_BYTES - 1 :]])
    with opened(stream, header) as image:
        return Raster(*split(np.asarray(image.convert("RGBA"))))


def _screen(data: bytes) -> Size:
    if len(data) < _SCREEN_BYTES:
        raise damaged("GIF", f"ends after {len(data)} bytes, inside its header")
    return Size(*struct.unpack_from("<HH", data, 6))


def _canvas(data: bytes, frame: _Frame) -> Size:
    """The screen, enlarged to fit the first frame. Screens of 0x0 or 1x1 px are common; programs show that frame."""
    screen = _screen(data)
    size = Size(
        max(screen.width, frame.left + frame.size.width),
        max(screen.height, frame.top + frame.size.height),
    )
    if size.longest > _LARGEST_PX:
        raise damaged("GIF", f"has a first frame that reaches to {size} px")
    return size


def palette_bytes(packed: int) -> int:
    """The length of the palette in bytes, from the packed field of a screen or frame."""
    return 3 << (packed & 7) + 1 if packed & 0x80 else 0


def _palette_end(data: bytes) -> int:
    return _SCREEN_BYTES + palette_bytes(data[10])


def _first_frame(data: bytes) -> _Frame:
    _screen(data)
    position, transparent, room = _palette_end(data), None, _MAX_BLOCKS
    while room > 0:
        kind = data[position : position + 1]
        if kind == _IMAGE and position + _IMAGE_BYTES < len(data):
            return _frame(data, position, transparent)
        if kind in {b"", _IMAGE, _END}:
            raise damaged("GIF", f"has no picture in its {len(data):,} bytes")
        if kind == _EXTENSION:
            if data[position + 1 : position + 3] == bytes([_CONTROL, 4]) and position + 6 < len(data):
                transparent = data[position + 6] if data[position + 3] & 1 else None
            position, room = _extension_end(data, position + 2, room)
        else:  # a byte between blocks, which most programs skip
            position, room = position + 1, room - 1
    raise damaged("GIF", f"has more than {_MAX_BLOCKS:,} blocks before its first frame")


def _frame(data: bytes, position: int, transparent: int | None) -> _Frame:
    left, top, *sides = struct.unpack_from("<HHHH", data, position + 1)
    # Browsers give a frame with a side of 0 the screen's size.
    size = _screen(data) if 0 in sides else Size(*sides)
    if 0 in size:
        raise damaged("GIF", f"has a first frame of {size} px")
    return _Frame(position, left, top, size, transparent)


def _extension_end(data: bytes, position: int, room: int) -> tuple[int, int]:
    """The end of the blocks that start at `position`, and the number of blocks still allowed."""
    while room > 0:
        length = data[position] if position < len(data) else 0
        position, room = position + 1 + length, room - 1
        if length == 0:
            break
    return position, room
