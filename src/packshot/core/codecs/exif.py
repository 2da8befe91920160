"""What of a photo's EXIF block (EXIF 2.32) may go on into a packshot: who took it, when, where and with what."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from packshot.core.codecs.ifd import LONG, SHORT, Entry, byte_order, directory, entries, first_directory

# Description, make, model, resolution (three tags), software, date, artist, host, copyright, and Windows' five.
_KEPT = frozenset(
    {0x10E, 0x10F, 0x110, 0x11A, 0x11B, 0x128, 0x131, 0x132, 0x13B, 0x13C, 0x8298, *range(0x9C9B, 0x9CA0)}
)
# What is no longer true of a packshot, or cannot be moved: the maker's note (its offsets count from the file's
# beginning), the size in pixels, and directories inside this one, of which only broken blocks have others.
_DROPPED = frozenset({0x927C, 0xA002, 0xA003, 0xA005, 0x8769, 0x8825})
_LAST_PLACE_TAG = 0x1F
_CAMERA, _PLACE, _COLOUR_SPACE, _SRGB = 0x8769, 0x8825, 0xA001, 1
# Real ones are texts and fractions. What is longer is a preview, padding, or a maker's note by another name.
_MAX_VALUE_BYTES = 4096
_MAX_BLOCK_BYTES = 60_000  # a JPEG's segment holds 65,533


def tidy(exif: bytes | None) -> bytes | None:
    """The block with camera, exposure, date, place and author, and nothing that is wrong for another picture.

    Without its orientation (a picture is upright, which is what a block without one says), thumbnail, maker's note and
    size in pixels; its colour space says sRGB.

    Parameters: exif, from the TIFF header on, as a file has it. Returns: a new block; None where it holds nothing, or
    cannot be read.
    """
    order = byte_order(exif or b"")
    if not exif or order is None:
        return None
    try:
        main = {entry.tag: entry for entry in entries(exif, order, first_directory(exif, order))}
    except struct.error:
        return None
    camera, place = (_pointed(exif, order, main.get(tag)) for tag in (_CAMERA, _PLACE))
    if _COLOUR_SPACE in camera:
        camera[_COLOUR_SPACE] = _number(order, _COLOUR_SPACE, SHORT, _SRGB)
    kept = _small(entry for entry in main.values() if entry.tag in _KEPT)
    block = _block(order, kept, {tag: found for tag, found in ((_CAMERA, camera), (_PLACE, place)) if found})
    return block if (kept or camera or place) and len(block) <= _MAX_BLOCK_BYTES else None


def _pointed(exif: bytes, order: str, pointer: Entry | None) -> dict[int, Entry]:
    """The tags to keep of the directory that a tag points to; none where it is broken."""
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


def _block(order: str, main: dict[int, Entry], others: dict[int, dict[int, Entry]]) -> bytes:
    """A whole block: the header, the first directory with its pointers to the others, and the others."""
    pointers = {tag: _number(order, tag, LONG, 0) for tag in others}
    end, behind = 8 + len(directory(main | pointers, order, 8)), b""
    for tag, found in others.items():
        pointers[tag] = _number(order, tag, LONG, end + len(behind))
        behind += directory(found, order, end + len(behind))
    head = b"II*\0" if order == "<" else b"MM\0*"
    return head + struct.pack(order + "I", 8) + directory(main | pointers, order, 8) + behind
