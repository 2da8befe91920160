"""The answers that no option is for, made of the PNG that the line gives: two files in a zip, and a veil behind."""

from __future__ import annotations

import io
import zipfile

import numpy as np

from packshot.api.removebg.form import FileKind, Order
from packshot.core import codecs
from packshot.core.layers import spread_colours, veil
from packshot.core.picture import UInt8
from packshot.core.recipe import QUALITIES

MEDIA_TYPES: dict[FileKind, str] = {
    "png": "image/png",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "zip": "application/zip",
}
_OWN = codecs.Limits(min_side_px=1, max_pixels=2**31)  # what the line wrote, the line may read


def finish(order: Order, data: bytes) -> bytes:
    """The file that was ordered, from the one that the line made."""
    if order.file != "zip" and order.veil is None:
        return data
    picture = codecs.decode(data, _OWN)
    rgb, alpha = picture.rgb, picture.alpha
    if order.veil is not None and alpha is not None:
        *colour, opaque = order.veil
        rgb, alpha = veil(rgb, alpha, (colour[0], colour[1], colour[2]), opaque / 255)
    if order.file == "zip":
        return _zipped(rgb, np.full(rgb.shape[:2], 255, np.uint8) if alpha is None else alpha)
    return codecs.encode(rgb, alpha, format=order.file, quality=QUALITIES.get(order.file))


def _zipped(rgb: UInt8, alpha: UInt8) -> bytes:
    """color.jpg and alpha.png, which clients put together; both are compressed already."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(
            "color.jpg", codecs.encode(spread_colours(rgb, alpha), format="jpeg", quality=QUALITIES["jpeg"])
        )
        archive.writestr("alpha.png", codecs.encode(alpha, format="png"))
    return packed.getvalue()
