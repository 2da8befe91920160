"""TIFF (revision 6.0): reads the first page, through a new directory that holds only checked values.

Pillow and libtiff see no other tag and no other page. The file's own directory may name a thousand pages, tiles of
gigabytes, or kinds of compression that were never fuzzed. This module also writes TIFFs, without any library.
"""

from __future__ import annotations

import re
import struct
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import accumulate, islice
from typing import Any

import numpy as np
import numpy.typing as npt

from packshot.core.codecs import exif as exif_block
from packshot.core.codecs.colour import SRGB, make_profile
from packshot.core.codecs.formats import Header, Raster
from packshot.core.codecs.ifd import LONG, SHORT, UNDEFINED, Entry, byte_order, directory, entries
from packshot.core.codecs.limits import damaged
from packshot.core.codecs.samples import deflate, join, opened, split, straight, to_8_bits
from packshot.core.geometry import Size
from packshot.core.picture import UInt8
from packshot.errors import UnsupportedDepth, UnsupportedFormat

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_OFFSETS, _SAMPLES, _ROWS, _COUNTS, _PLANAR, _PREDICTOR, _PALETTE = 273, 277, 278, 279, 284, 317, 320
_TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_COUNTS = 322, 323, 324, 325
_EXTRAS, _SAMPLE_FORMAT, _JPEG_TABLES, _SUBSAMPLING, _ICC = 338, 339, 347, 530, 34675
_SUBFILE, _FILL_ORDER, _DNG_VERSION = 254, 266, 50706

_NONE, _JPEG, _DEFLATE = 1, 7, 8
_WITH_PREDICTOR = frozenset({5, _DEFLATE, 32946})
_COMPRESSIONS = frozenset({_NONE, 5, _JPEG, _DEFLATE, 32773, 32946})  # LZW; PackBits, Deflate's old number
_WHITE_IS_ZERO, _GRAY, _RGB, _PALETTE_KIND, _CMYK, _YCBCR = 0, 1, 2, 3, 5, 6
# Bit depths by photometric kind.
_DEPTHS = {0: (1, 2, 4, 8, 16), _GRAY: (1, 2, 4, 8, 16), _RGB: (8, 16), _PALETTE_KIND: (1, 2, 4, 8), _CMYK: (8, 16)}
_DEPTHS[_YCBCR] = (8,)
_CHANNELS = {0: 1, _GRAY: 1, _RGB: 3, _PALETTE_KIND: 1, _CMYK: 4, _YCBCR: 3}
_MAX_EXTRAS = 3  # samples besides the colours
_MAX_TILE_PX = 4096
_MAX_PIECES = 1_000_000
_MAX_VALUES = 16  # of tags with one value per channel
# Identical pieces may share their bytes. These are read, and counted here, once per piece.
_SPARE_BYTES = 4_000_000
# A progressive JPEG is decoded once per scan. Encoders write ten scans.
_MAX_SCANS, _MAX_SCANS_OF_ALL_PAGES, _SCAN = 16, 200_000, re.compile(rb"\xff\xda")
# Pillow's byte orders, swapped: they read a sample's lower byte as its upper byte.
_OTHER_BYTE = {"L": "B", "B": "L", "N": "B" if sys.byteorder == "little" else "L"}

_HEADER_BYTES, _HORIZONTAL, _STRAIGHT = 8, 2, 2
_STRIP_BYTES = 256 << 10  # before compression; readers hold a whole strip, and larger strips compress no better


_Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Tags:
    """The first directory's tags, read as numbers."""

    order: str
    found: dict[int, Entry]

    def all(self, tag: int) -> tuple[int, ...]:
        """The values of a tag, at most _MAX_VALUES of them."""
        if tag not in self.found:
            return ()
        entry = self.found[tag]
        count = min(entry.count, _MAX_VALUES)
        return replace(entry, count=count, value=entry.value[: len(entry.value) // entry.count * count]).numbers(
            self.order
        )

    def one(self, tag: int, default: int) -> int:
        return next(iter(self.all(tag)), default)

    def many(self, tag: int) -> _Places:
        """The values of a tag that may have one per piece; empty if the tag is missing or has too many."""
        entry = self.found.get(tag)
        kind = {SHORT: "u2", LONG: "u4"}.get(entry.kind) if entry else None
        if entry is None or kind is None or entry.count > _MAX_PIECES:
            return np.empty(0, np.int64)
        return np.frombuffer(entry.value, self.order + kind).astype(np.int64)


@dataclass(frozen=True, eq=False)
class _Layout:
    """The checked layout of the samples in a file.

    kind: photometric number. alpha: None, "straight" or "premultiplied". size: of the picture, in px. piece: size of a
    strip or tile, in px. offsets, counts: position and length of each piece, in bytes.
    """

    kind: int
    bits: int
    channels: int
    alpha: str | None
    compression: int
    predictor: int
    planar: bool
    size: Size
    piece: Size
    tiled: bool
    offsets: _Places
    counts: _Places

    @property
    def shown(self) -> int:
        """The number of samples per pixel that hold its colour and alpha."""
        return _CHANNELS[self.kind] + (self.alpha is not None)


def header(data: bytes) -> Header:
    """Read the size; check that no pixels are missing. Raises UnreadableImage, UnsupportedFormat, UnsupportedDepth."""
    return Header("tiff", _layout(data, _tags(data)).size).turned(exif_block.read_orientation(data))


def pixels(data: bytes, header: Header) -> Raster:
    """Decode the first page. Raises UnreadableImage."""
    tags = _tags(data)
    layout = _layout(data, tags)
    unpack = _deep if layout.bits == 16 else _shallow
    # Pillow converts palette indices to colours, but not if each index comes with another sample.
    indexed = layout.kind == _PALETTE_KIND and layout.channels > 1
    stored = replace(layout, kind=_GRAY) if indexed else layout
    if _is_known(stored):
        planes = [unpack(_stream(data, tags, plane), header) for plane in _planes(stored)]
        read = planes[0] if len(planes) == 1 else np.dstack(planes)
    else:
        row = _in_a_row(stored)
        read = _by_pixel(unpack(_stream(data, tags, row), replace(header, size=row.size)), stored)
    samples, alpha = _finish(_in_colour(read, tags) if indexed else read, layout)
    profile = tags.found.get(_ICC)
    # A TIFF has the structure of an EXIF block.
    return Raster(samples, alpha, icc=profile.value if profile else None, exif=data)


def write(rgb: UInt8, alpha: UInt8 | None, *, quality: int, exif: bytes | None) -> bytes:
    """Encode as gray, RGB or straight-alpha RGBA, 8 bits per channel, with an sRGB profile unless gray.

    Compresses differences along the rows with ISA-L's Deflate. On three cutouts of 2000 px it takes 15 to 32 ms and
    makes 1.0 to 3.1 MB. LZW by libtiff takes 61 to 104 ms and makes 1.1 to 3.5 MB. Deflate by libtiff takes 146 to
    278 ms.
    """
    samples = join(rgb, alpha)
    height, width = samples.shape[:2]
    rows = samples.reshape(height, -1)
    channels = rows.shape[1] // width
    strip_rows = max(1, _STRIP_BYTES // rows.shape[1])
    differences = rows.copy()
    differences[:, channels:] -= rows[:, :-channels]
    strips = [deflate(differences[top : top + strip_rows]) for top in range(0, height, strip_rows)]
    counts = [len(strip) for strip in strips]
    end = _HEADER_BYTES + sum(counts)
    numbers: dict[int, list[int]] = {
        _WIDTH: [width],
        _HEIGHT: [height],
        _BITS: [8] * channels,
        _COMPRESSION: [_DEFLATE],
        _PHOTOMETRIC: [_GRAY if channels == 1 else _RGB],
        _OFFSETS: [_HEADER_BYTES, *(_HEADER_BYTES + done for done in accumulate(counts[:-1]))],
        _SAMPLES: [channels],
        _ROWS: [strip_rows],
        _COUNTS: counts,
        _PREDICTOR: [_HORIZONTAL],
        _EXTRAS: [_STRAIGHT] if channels == 4 else [],
    }
    order = (exif and byte_order(exif)) or "<"
    tags = {tag: _entry(tag, values, order) for tag, values in numbers.items() if values}
    if channels > 1:
        profile = make_profile(SRGB, "sRGB")
        tags[_ICC] = Entry(_ICC, UNDEFINED, len(profile), profile)
    start = end + end % 2
    directories = exif_block.merge(exif, order, tags, start) if exif else directory(tags, order, start)
    return b"".join([exif_block.head(order, start), *strips, bytes(start - end), directories])


def _tags(data: bytes) -> _Tags:
    order = byte_order(data)
    assert order is not None  # noqa: S101 - for the type checker: sniff found one of the two
    try:
        found = {entry.tag: entry for entry in entries(data, order)}
    except struct.error as error:
        raise damaged("TIFF", f"ends after {len(data):,} bytes, inside its header") from error
    tags = _Tags(order, found)
    if _DNG_VERSION in found or tags.one(_SUBFILE, 0) & 1 or data[8:10] == b"CR":
        raise UnsupportedFormat(
            "This TIFF is a camera's raw file.", hint="Develop it and save it as JPEG, PNG or a usual TIFF."
        )
    return tags


def _layout(data: bytes, tags: _Tags) -> _Layout:
    size = Size(tags.one(_WIDTH, 0), tags.one(_HEIGHT, 0))
    if 0 in size:
        raise damaged("TIFF", f"claims {size} px")
    kind, compression = tags.one(_PHOTOMETRIC, -1), tags.one(_COMPRESSION, _NONE)
    _check_kind(kind, compression, tags)
    bits, channels = _depth(kind, tags)
    # As in libtiff: the offsets of tiles may be stored under the tags of strips.
    tiled = _TILE_WIDTH in tags.found or _TILE_OFFSETS in tags.found
    planar = tags.one(_PLANAR, 1) == 2 and channels > 1
    piece = _piece(size, tags, tiled)
    none = np.empty(0, np.int64)
    alpha = _alpha(kind, channels, tags)
    predictor = tags.one(_PREDICTOR, 1) if compression in _WITH_PREDICTOR else 1
    layout = _Layout(kind, bits, channels, alpha, compression, predictor, planar, size, piece, tiled, none, none)
    return _with_pieces(layout, data, tags)


def _check_kind(kind: int, compression: int, tags: _Tags) -> None:
    rare = None
    if kind not in _CHANNELS or (kind == _YCBCR and (compression != _JPEG or tags.one(_PLANAR, 1) != 1)):
        rare = f"colours of kind {kind}"
    elif compression not in _COMPRESSIONS:
        rare = f"compression of kind {compression}"
    elif tags.one(_FILL_ORDER, 1) != 1 or tags.one(_PREDICTOR, 1) not in {1, 2}:
        rare = "bits in an unusual order"
    if rare:
        raise UnsupportedFormat(
            f"This TIFF has {rare}.", hint="Save it as RGB with LZW or no compression, or as a PNG.", kind=rare
        )


def _depth(kind: int, tags: _Tags) -> tuple[int, int]:
    """Bits per sample and samples per pixel."""
    channels = tags.one(_SAMPLES, 1)
    each = set(tags.all(_BITS)[: max(channels, 1)] or (1,))  # some writers give one value too many
    extra = channels - _CHANNELS[kind]
    if not 0 <= extra <= _MAX_EXTRAS:
        raise damaged("TIFF", f"claims {channels} samples for each pixel")
    bits = max(each)
    most = _known_extras(kind, bits) if tags.one(_COMPRESSION, _NONE) == _JPEG else _MAX_EXTRAS if bits >= 8 else 0
    readable = len(each) == 1 and bits in _DEPTHS[kind] and extra <= (0 if kind == _YCBCR else most)
    if not readable or set(tags.all(_SAMPLE_FORMAT)) - {1}:
        raise UnsupportedDepth(
            f"This TIFF has {channels} samples of {bits} bits for each pixel, a layout that is not supported.",
            hint="Save it as RGB with 8 or 16 bits per channel, or as a PNG.",
        )
    return bits, channels


def _alpha(kind: int, channels: int, tags: _Tags) -> str | None:
    if kind not in {0, _GRAY, _RGB, _PALETTE_KIND} or channels == _CHANNELS[kind]:
        return None
    # Programs that write an unexplained fourth sample mean alpha.
    return {0: None, 1: "premultiplied"}.get(tags.one(_EXTRAS, 2), "straight")


def _piece(size: Size, tags: _Tags, tiled: bool) -> Size:
    if not tiled:
        rows = min(tags.one(_ROWS, size.height), size.height)
        if rows < 1:
            raise damaged("TIFF", "claims strips without rows")
        return Size(size.width, rows)
    piece = Size(tags.one(_TILE_WIDTH, 0), tags.one(_TILE_HEIGHT, 0))
    if not all(0 < side <= _MAX_TILE_PX and side % 16 == 0 for side in piece):
        raise damaged("TIFF", f"claims tiles of {piece} px")
    return piece


def _with_pieces(layout: _Layout, data: bytes, tags: _Tags) -> _Layout:
    offsets = tags.many(_TILE_OFFSETS if layout.tiled and _TILE_OFFSETS in tags.found else _OFFSETS)
    across, down = -(-layout.size.width // layout.piece.width), -(-layout.size.height // layout.piece.height)
    needed = across * down * (layout.channels if layout.planar else 1)
    if needed > min(len(offsets), _MAX_PIECES):
        raise damaged("TIFF", f"has {len(offsets):,} of the {needed:,} pieces that its size requires")
    counts = tags.many(_TILE_COUNTS if layout.tiled and _TILE_COUNTS in tags.found else _COUNTS)
    if not len(counts):
        counts = np.array([len(data) - offsets[0]])
    if len(counts) < needed:
        raise damaged("TIFF", f"gives the length of {len(counts):,} of its {needed:,} pieces")
    offsets, counts, least = offsets[:needed], counts[:needed], _least_bytes(layout, across, down, needed)
    ends = offsets + np.maximum(counts, least)
    if (counts < least).any() or ends.max() > len(data):
        raise damaged("TIFF", f"is cut off: it needs {ends.max():,} bytes, and the file has {len(data):,}")
    counts = least if layout.compression == _NONE else counts
    if counts.sum() > len(data) + _SPARE_BYTES:
        raise damaged("TIFF", f"claims {counts.sum():,} bytes of pixels in a file of {len(data):,}")
    if layout.compression == _JPEG:
        _check_scans(data, offsets, counts)
    return replace(layout, offsets=offsets, counts=counts)


def _least_bytes(layout: _Layout, across: int, down: int, needed: int) -> _Places:
    """The minimum length of each piece, in bytes."""
    if layout.compression != _NONE:
        return np.ones(needed, np.int64)
    rows = np.full(down, layout.piece.height, np.int64)
    if not layout.tiled:
        rows[-1] = layout.size.height - (down - 1) * layout.piece.height
    row_bytes = (layout.piece.width * layout.bits * (1 if layout.planar else layout.channels) + 7) // 8
    return np.tile(np.repeat(rows * row_bytes, across), needed // (across * down))


def _check_scans(data: bytes, offsets: _Places, counts: _Places) -> None:
    """Reject JPEGs whose many scans cost more than a picture. Scan markers occur in no other data."""
    matches = islice(_SCAN.finditer(data), _MAX_SCANS_OF_ALL_PAGES + 1)
    found = np.fromiter((match.start() for match in matches), np.int64)
    scans = np.searchsorted(found, offsets + counts) - np.searchsorted(found, offsets)
    if len(found) > _MAX_SCANS_OF_ALL_PAGES or scans.max() > _MAX_SCANS:
        raise damaged("TIFF", "contains a JPEG with too many scans")


def _planes(layout: _Layout) -> list[_Layout]:
    """The layout itself; if channels are stored separately, one gray layout per colour or alpha channel."""
    if not layout.planar:
        return [layout]
    gray = replace(layout, kind=_GRAY, channels=1, alpha=None, planar=False)
    offsets, counts = (np.split(each, layout.channels)[: layout.shown] for each in (layout.offsets, layout.counts))
    return [replace(gray, offsets=each, counts=lengths) for each, lengths in zip(offsets, counts, strict=True)]


def _is_known(layout: _Layout) -> bool:
    """Whether Pillow supports pixels with this number of samples."""
    extras = layout.channels - _CHANNELS[layout.kind]
    return layout.planar or layout.compression == _JPEG or extras <= _known_extras(layout.kind, layout.bits)


def _known_extras(kind: int, bits: int) -> int:
    """The number of samples besides the colours that Pillow supports."""
    return {_RGB: 3 if bits == 8 else 1, _CMYK: 2 if bits == 8 else 0}.get(kind, 1 if bits == 8 else 0)


def _in_a_row(layout: _Layout) -> _Layout:
    """A layout of the same bytes as gray pixels, one per sample: `channels` times as wide."""
    size, piece = (Size(each.width * layout.channels, each.height) for each in (layout.size, layout.piece))
    return replace(layout, kind=_GRAY, channels=1, alpha=None, predictor=1, size=size, piece=piece)


def _by_pixel(row: npt.NDArray[Any], layout: _Layout) -> npt.NDArray[Any]:
    """Colour and alpha, (H, W) or (H, W, samples), from rows of `_in_a_row`, (H, W * channels)."""
    samples = row.reshape(layout.size.height, layout.size.width, layout.channels)[..., : layout.shown].copy()
    if layout.predictor == _HORIZONTAL:
        for left in range(0, layout.size.width, layout.piece.width):
            differences = samples[:, left : left + layout.piece.width]
            np.cumsum(differences, axis=1, dtype=samples.dtype, out=differences)
    return samples[..., 0] if layout.shown == 1 else samples


def _stream(data: bytes, tags: _Tags, layout: _Layout) -> bytes:
    """The file with a new first directory at its end."""
    start = len(data) + len(data) % 2
    clean = data[:4] + struct.pack(tags.order + "I", start) + data[8:].ljust(start - 8, b"\0")
    return clean + directory(_clean(tags, layout), tags.order, start)


def _clean(tags: _Tags, layout: _Layout) -> dict[int, Entry]:
    """A directory that describes `layout`, but declares alpha as straight and gray as black-is-zero."""
    extras = layout.channels - _CHANNELS[layout.kind]
    places = (_TILE_OFFSETS, _TILE_COUNTS) if layout.tiled else (_OFFSETS, _COUNTS)
    plain: dict[int, Iterable[int]] = {
        _WIDTH: [layout.size.width],
        _HEIGHT: [layout.size.height],
        _BITS: [layout.bits] * layout.channels,
        _COMPRESSION: [layout.compression],
        _PHOTOMETRIC: [layout.kind or _GRAY],
        _SAMPLES: [layout.channels],
        _PREDICTOR: [layout.predictor],
        _EXTRAS: [2 if layout.alpha else 0, 0, 0][:extras],
        places[0]: layout.offsets.tolist(),
        places[1]: layout.counts.tolist(),
        _SUBSAMPLING: tags.all(_SUBSAMPLING) if layout.kind == _YCBCR else (),
        _ROWS: [] if layout.tiled else [layout.piece.height],
        _TILE_WIDTH: [layout.piece.width] if layout.tiled else [],
        _TILE_HEIGHT: [layout.piece.height] if layout.tiled else [],
    }
    written = {tag: _entry(tag, list(values), tags.order) for tag, values in plain.items() if values}
    as_they_are = (
        {_PALETTE} if layout.kind == _PALETTE_KIND else {_JPEG_TABLES} if layout.compression == _JPEG else set()
    )
    return written | {tag: tags.found[tag] for tag in as_they_are & set(tags.found)}


def _entry(tag: int, values: list[int], order: str) -> Entry:
    short = tag in {_BITS, _COMPRESSION, _PHOTOMETRIC, _SAMPLES, _PREDICTOR, _EXTRAS, _SUBSAMPLING}
    letter = "H" if short else "I"
    return Entry(tag, SHORT if short else LONG, len(values), struct.pack(f"{order}{len(values)}{letter}", *values))


def _in_colour(indices: npt.NDArray[Any], tags: _Tags) -> UInt8:
    """Apply the palette: indices (H, W) become RGB (H, W, 3); indices with alpha (H, W, 2) become (H, W, 4)."""
    palette = tags.many(_PALETTE)
    if len(palette) != 3 << 8:
        raise damaged("TIFF", f"has a palette of {len(palette):,} numbers")
    colours = (palette.reshape(3, -1).T >> 8).astype(np.uint8)
    if indices.ndim == 2:
        return np.asarray(colours[indices], np.uint8)
    return np.dstack([colours[indices[..., 0]], indices[..., 1]])


def _finish(samples: npt.NDArray[Any], layout: _Layout) -> tuple[UInt8, UInt8 | None]:
    """Convert decoded samples to uint8: colour, (H, W), (H, W, 3) or CMYK (H, W, 4), and alpha."""
    if layout.kind == _WHITE_IS_ZERO:
        colours = slice(None) if samples.ndim == 2 else (..., slice(0, -1))
        samples = samples.copy()
        samples[colours] = np.bitwise_not(samples[colours])
    if layout.alpha == "premultiplied":
        return split(straight(samples))
    whole = to_8_bits(samples)
    return split(whole) if layout.alpha else (whole, None)


def _shallow(stream: bytes, header: Header) -> UInt8:
    """All samples, of up to 8 bits, of a TIFF with a clean directory. Raises UnreadableImage."""
    with opened(stream, header) as image:
        plain = {"1": "L", "P": "RGB"}.get(image.mode, image.mode)
        return np.asarray(image if plain == image.mode else image.convert(plain))


def _deep(stream: bytes, header: Header) -> npt.NDArray[Any]:
    """All 16 bits of each sample, as uint16.

    Pillow supports 16 bits in gray only. Colours are read twice: first the upper bytes, then the lower bytes.
    """
    upper = _unpacked(stream, header, lower=False)
    if upper.dtype != np.uint8:
        return upper.astype(np.uint16)  # in native byte order
    return np.asarray(upper.astype(np.uint16) << 8 | _unpacked(stream, header, lower=True), np.uint16)


def _unpacked(stream: bytes, header: Header, *, lower: bool) -> npt.NDArray[Any]:
    with opened(stream, header) as image:
        if lower:
            image.tile = [tile._replace(args=_lower_bytes(tile.args)) for tile in image.tile]
        return np.asarray(image)


def _lower_bytes(args: Any) -> tuple[Any, ...]:
    mode, *rest = args
    return (mode[:-1] + _OTHER_BYTE[mode[-1]], *rest)
