"""EXIF's orientation: which of eight ways a camera was held."""

from __future__ import annotations

import struct

import cv2
import numpy as np

from packshot.core.codecs.ifd import SHORT, byte_order, entries, first_directory
from packshot.core.picture import UInt8

_ORIENTATION = (0x0112, SHORT)

# What brings a stored picture upright, by the value of the tag (EXIF 2.32, section 4.6.4): whether rows and columns
# are swapped first, then cv2's flip code: 1 left-right, 0 upside down, -1 both.
_UPRIGHT: dict[int, tuple[bool, int | None]] = {
    1: (False, None),
    2: (False, 1),
    3: (False, -1),
    4: (False, 0),
    5: (True, None),
    6: (True, 1),
    7: (True, -1),
    8: (True, 0),
}


def read_orientation(exif: bytes | None) -> int:
    """The orientation, 1 to 8, from an EXIF block that begins with its TIFF header; 1 where it has none or a bad one.

    Only this tag of the first directory is read: whatever else a camera or an editor got wrong in the block is no
    reason to refuse a picture.
    """
    order = byte_order(exif or b"")
    if not exif or order is None:
        return 1
    try:
        found = entries(exif, order, first_directory(exif, order))
        value = next((entry.numbers(order)[0] for entry in found if (entry.tag, entry.kind) == _ORIENTATION), 1)
    except struct.error:  # the block ends before it should
        return 1
    return value if value in _UPRIGHT else 1


def upright(image: UInt8, orientation: int) -> UInt8:
    """Bring a uint8 image, (H, W) or (H, W, 3), upright from EXIF's orientation; 1 gives the image itself."""
    swapped, flip = _UPRIGHT[orientation]
    turned = cv2.transpose(image) if swapped else image
    return np.asarray(turned if flip is None else cv2.flip(turned, flip), np.uint8)
