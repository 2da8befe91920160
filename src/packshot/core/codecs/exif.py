"""A photo's EXIF block (EXIF 2.32): its orientation, and the part that may go into another file.

That part gives the author, the date, the place and the camera.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping

import cv2
import numpy as np

from packshot.core.codecs.ifd import LONG, SHORT, TEXT, Entry, byte_order, directory, entries
from packshot.core.picture import UInt8

_PREFIX = b"Exif\0\0"  # of a JPEG's segment
_ORIENTATION, _SOFTWARE = 0x0112, 0x0131
# Steps that turn a stored picture upright, by the tag's value (EXIF 2.32, section 4.6.4). The first tells whether to
# swap rows and columns. The second is cv2's flip code: 1 left-right, 0 upside down, -1 both.
_TURNS: dict[int, tuple[bool, int | None]] = {
    1: (False, None),
    2: (False, 1),
    3: (False, -1),
    4: (False, 0),
    5: (True, None),
    6: (True, 1),
    7: (True, -1),
    8: (True, 0),
}

# Description, make, model, resolution (three tags), software, date, artist, host, copyright, and Windows' five.
_KEPT = frozenset(
    {0x10E, 0x10F, 0x110, 0x11A, 0x11B, 0x128, 0x131, 0x132, 0x13B, 0x13C, 0x8298, *range(0x9C9B, 0x9CA0)}
)
# Wrong for a packshot, or impossible to move: the maker's note (its offsets count from the file's start), the size in
# pixels, and nested directories. Only broken blocks have nested ones other than 0xA005.
_DROPPED = frozenset({0x927C, 0xA002, 0xA003, 0xA005, 0x8769, 0x8825})
_LAST_PLACE_TAG = 0x1F
_CAMERA, _PLACE, _COLOUR_SPACE, _SRGB = 0x8769, 0x8825, 0xA001, 1
# Adobe RGB: a number that many files use although the standard lacks it, or the mark of DCF 2.0, section 3.2.1.
_ADOBE_RGB, _INTEROPERABILITY, _INDEX, _R03 = 2, 0xA005, 1, b"R03"
# Real values are texts and fractions. Longer values are previews, padding, or maker's notes under another name.
_MAX_VALUE_BYTES = 4096
_MAX_BLOCK_BYTES = 60_000  # a JPEG's segment holds 65,533


def without_prefix(block: bytes | None) -> bytes | None:
    """A block from its TIFF header on. Some programs write JPEG's six-byte prefix in other formats too."""
    return (block or b"").removeprefix(_PREFIX) or None


def read_orientation(exif: bytes | None) -> int:
    """The orientation, 1 to 8, from an EXIF block that begins with its TIFF header; 1 if it is missing or invalid.

    Reads only this tag of the first directory, so that other faults in the block do not reject a picture. The tag is a
    SHORT, but editors also write every other kind of whole number.
    """
    order = byte_order(exif or b"")
    if not exif or order is None:
        return 1
    try:
        found = (entry.whole(order) for entry in entries(exif, order) if entry.tag == _ORIENTATION)
        value = next((number for number in found if number is not None), 1)
    except struct.error:  # the block ends before it should
        return 1
    return value if value in _TURNS else 1


def is_adobe_rgb(exif: bytes | None) -> bool:
    """Whether an EXIF block that begins with its TIFF header declares Adobe RGB."""
    order = byte_order(exif or b"")
    if not exif or order is None:
        return False
    try:
        camera = _directory_at(exif, order, _CAMERA, entries(exif, order))
        space = next((entry.numbers(order) for entry in camera if entry.tag == _COLOUR_SPACE), ())
        if space in {(_ADOBE_RGB,), (_SRGB,)}:
            return space == (_ADOBE_RGB,)
        rules = _directory_at(exif, order, _INTEROPERABILITY, camera)
    except struct.error:
        return False
    return any(entry.tag == _INDEX and entry.value[:3] == _R03 for entry in rules)


def apply_orientation(image: UInt8, orientation: int) -> UInt8:
    """Turn a uint8 image, (H, W) or (H, W, 3), upright by EXIF's orientation; 1 returns the image itself."""
    swapped, flip = _TURNS[orientation]
    turned = cv2.transpose(image) if swapped else image
    return np.asarray(turned if flip is None else cv2.flip(turned, flip), np.uint8)


def sanitize(exif: bytes | None) -> bytes | None:
    """A new block with camera, exposure, date, place and author, for use in another picture.

    Leaves out the thumbnail, the maker's note and the size in pixels. Also leaves out the orientation, because a
    picture is upright. Sets the colour space to sRGB.

    exif: from the TIFF header on, as stored in a file. Returns None if the block is empty or cannot be read.
    """
    order = byte_order(exif or b"")
    if not exif or order is None:
        return None
    try:
        main = {entry.tag: entry for entry in entries(exif, order)}
    except struct.error:
        return None
    camera, place = (_pointed(exif, order, main.get(tag)) for tag in (_CAMERA, _PLACE))
    if _COLOUR_SPACE in camera:
        camera[_COLOUR_SPACE] = _number(order, _COLOUR_SPACE, SHORT, _SRGB)
    kept = _small(entry for entry in main.values() if entry.tag in _KEPT)
    block = head(order, 8) + _directories(order, 8, kept, {_CAMERA: camera, _PLACE: place})
    return block if (kept or camera or place) and len(block) <= _MAX_BLOCK_BYTES else None


def head(order: str, first: int) -> bytes:
    """A TIFF header: the byte order, and the offset of the first directory."""
    return (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", first)


def with_software(exif: bytes | None, name: str) -> bytes:
    """A block from `sanitize` (None: an empty block) with the tag Software, which names the program."""
    order = (exif and byte_order(exif)) or "<"
    value = name.encode("ascii") + b"\0"
    tags = {_SOFTWARE: Entry(_SOFTWARE, TEXT, len(value), value)}
    return head(order, 8) + (merge(exif, order, tags, 8) if exif else directory(tags, order, 8))


def merge(exif: bytes, order: str, tags: Mapping[int, Entry], start: int) -> bytes:
    """A TIFF file's directories, for offset `start`, merged with a block from `sanitize`.

    exif: the block, in byte order `order`. tags: of the file itself, in the same order; they take precedence.
    """
    main = {entry.tag: entry for entry in entries(exif, order)}
    others = {tag: _pointed(exif, order, main.pop(tag, None)) for tag in (_CAMERA, _PLACE)}
    return _directories(order, start, main | dict(tags), others)


def _directory_at(exif: bytes, order: str, pointer: int, found: Iterable[Entry]) -> list[Entry]:
    """The directory that the tag `pointer` in `found` points to; empty without that tag. Raises struct.error."""
    places = (entry.numbers(order) for entry in found if entry.tag == pointer)
    place = next(places, ())
    return list(entries(exif, order, place[0])) if len(place) == 1 else []


def _pointed(exif: bytes, order: str, pointer: Entry | None) -> dict[int, Entry]:
    """The tags to keep from the directory that a tag points to; empty if it is broken."""
    if pointer is None or (pointer.kind, pointer.count) != (LONG, 1):
        return {}
    try:
        found = list(entries(exif, order, *pointer.numbers(order)))
    except struct.error:
        return {}
    if pointer.tag == _PLACE:
        return _small(entry for entry in found if entry.tag <= _LAST_PLACE_TAG)
    return _small(entry for entry in found if entry.tag not in _DROPPED)


def _small(found: Iterable[Entry]) -> dict[int, Entry]:
    return {entry.tag: entry for entry in found if len(entry.value) <= _MAX_VALUE_BYTES}


def _number(order: str, tag: int, kind: int, value: int) -> Entry:
    return Entry(tag, kind, 1, struct.pack(order + ("H" if kind == SHORT else "I"), value))


def _directories(order: str, start: int, main: dict[int, Entry], others: dict[int, dict[int, Entry]]) -> bytes:
    """The first directory, for offset `start`, with pointers to the other non-empty directories, which follow it."""
    pointers = {tag: _number(order, tag, LONG, 0) for tag, found in others.items() if found}
    end, behind = start + len(directory(main | pointers, order, start)), b""
    for tag in pointers:
        pointers[tag] = _number(order, tag, LONG, end + len(behind))
        behind += directory(others[tag], order, end + len(behind))
    return directory(main | pointers, order, start) + behind
