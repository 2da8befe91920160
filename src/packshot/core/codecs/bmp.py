"""BMP: checks the header, which is wrong more often than in other formats, before Pillow reads the file."""

from __future__ import annotations

import struct
from typing import NamedTuple

import numpy as np

from packshot.core.codecs.formats import Header, Raster
from packshot.core.codecs.limits import damaged
from packshot.core.codecs.samples import opened, split
from packshot.core.geometry import Size
from packshot.core.picture import UInt8
from packshot.errors import UnsupportedFormat

_FILE_HEADER_BYTES = 14
_CORE_HEADER_BYTES = 12
_HEADER_BYTES = frozenset({12, 40, 52, 56, 64, 108, 124})
_BITS = frozenset({1, 4, 8, 16, 24, 32})
_PLAIN, _BITFIELDS = 0, 3
_ROW_STEP_BYTES = 4


class _Layout(NamedTuple):
    """bits: per pixel. start: offset of the pixels. palette: RGB, (256, 3); None if pixels are colours themselves."""

    size: Size
    bits: int
    start: int
    row_bytes: int
    from_the_top: bool
    palette: UInt8 | None


def header(data: bytes) -> Header:
    """Read the size; check that the file is long enough. Raises UnreadableImage, UnsupportedFormat."""
    return Header("bmp", _layout(data).size)


def pixels(data: bytes, header: Header) -> Raster:
    """Decode. Raises UnreadableImage."""
    layout = _layout(data)
    if layout.palette is not None:
        return Raster(_by_palette(data, layout, layout.palette))
    with opened(data + bytes(_ROW_STEP_BYTES - 1), header) as image:
        samples, alpha = split(np.asarray(image if image.mode == "RGBA" else image.convert("RGB")))
    # Many programs declare an alpha channel and fill it with 0. They mean "opaque", and viewers show it so.
    return Raster(samples, alpha if alpha is not None and alpha.any() else None)


def _layout(data: bytes) -> _Layout:
    if len(data) < 26:
        raise damaged("BMP", f"ends after {len(data)} bytes, inside its header")
    offset, header_bytes = struct.unpack_from("<II", data, 10)
    if header_bytes not in _HEADER_BYTES or len(data) < _FILE_HEADER_BYTES + header_bytes:
        raise damaged("BMP", f"claims a header of {header_bytes:,} bytes")
    width, height, planes, bits, compression, said = _fields(data, header_bytes)
    _check_compression(compression, bits)
    if width < 1 or height == 0 or planes != 1 or bits not in _BITS:
        raise damaged("BMP", f"claims {width}x{height} px in {planes} planes of {bits} bits per pixel")
    end, colours = _FILE_HEADER_BYTES + header_bytes, _colours(bits, said)
    entry_bytes = 3 if header_bytes == _CORE_HEADER_BYTES else 4
    start = _pixels_start(offset, end, colours, entry_bytes)
    size, row_bytes = Size(width, abs(height)), (width * bits + 31) // 32 * _ROW_STEP_BYTES
    # Each row is padded to a multiple of four bytes. The padding of the last row may be missing.
    needed = start + row_bytes * (size.height - 1) + (width * bits + 7) // 8
    if needed > len(data):
        raise damaged("BMP", f"is cut off: its header requires {needed:,} bytes, and the file has {len(data):,}")
    palette = _palette(data[end : min(start, end + entry_bytes * colours)], entry_bytes) if colours else None
    return _Layout(size, bits, start, row_bytes, height < 0, palette)


def _palette(entries: bytes, entry_bytes: int) -> UInt8:
    """256 colours, black where the file has none."""
    count = len(entries) // entry_bytes
    palette = np.zeros((256, 3), np.uint8)
    palette[:count] = np.frombuffer(entries, np.uint8, count * entry_bytes).reshape(count, -1)[:, 2::-1]
    return palette


def _by_palette(data: bytes, layout: _Layout, palette: UInt8) -> UInt8:
    """RGB, (H, W, 3). Not by Pillow, which mistakes some palettes for grays of 8 bits or 1 bit."""
    width, height = layout.size
    stored = data[layout.start : layout.start + layout.row_bytes * height].ljust(layout.row_bytes * height, b"\0")
    rows = np.frombuffer(stored, np.uint8).reshape(height, -1)
    if layout.bits < 8:
        shifts = range(8 - layout.bits, -1, -layout.bits)
        mask = (1 << layout.bits) - 1
        rows = np.stack([rows >> shift & mask for shift in shifts], axis=-1).reshape(height, -1)
    indices = rows[:, :width] if layout.from_the_top else rows[::-1, :width]
    return np.take(palette, indices, axis=0)


def _fields(data: bytes, header_bytes: int) -> tuple[int, int, int, int, int, int]:
    """Width, height (negative: rows from the top), planes, bits per pixel, compression, colours in the palette."""
    if header_bytes == _CORE_HEADER_BYTES:
        width, height, planes, bits = struct.unpack_from("<HHHH", data, 18)
        return width, height, planes, bits, _PLAIN, 0
    width, height, planes, bits, compression, colours = struct.unpack_from("<iiHHI12xI", data, 18)
    return width, height, planes, bits, compression, colours


def _check_compression(compression: int, bits: int) -> None:
    if compression == _PLAIN or (compression == _BITFIELDS and bits in {16, 24, 32}):
        return
    # Pillow decodes run-length coded BMPs in Python: a 3 MB file would block a worker for seconds.
    raise UnsupportedFormat(
        f"This BMP is compressed (kind {compression}, {bits} bits per pixel); only uncompressed ones are read.",
        hint="Save it as JPEG or PNG and send it again.",
    )


def _colours(bits: int, colours: int) -> int:
    """The number of colours that the palette declares; 0 without a palette. Raises UnreadableImage."""
    if bits > 8:
        return 0
    if colours > 1 << bits:
        raise damaged("BMP", f"claims {colours:,} colours in {bits} bits per pixel")
    return colours or 1 << bits


def _pixels_start(offset: int, header_end: int, colours: int, entry_bytes: int) -> int:
    """The offset of the pixels. The file may hold fewer colours than the palette declares.

    Old programs did not count the palette: if the offset is the palette's, the pixels begin behind the palette.
    """
    if colours and offset == header_end:
        return header_end + entry_bytes * colours
    earliest = header_end + (entry_bytes if colours else 0)
    if offset < earliest:
        raise damaged(
            "BMP", f"claims that its pixels start at byte {offset:,}, inside its header of {earliest:,} bytes"
        )
    return offset
