"""Small pictures for the report."""

from __future__ import annotations

import io

from PIL import Image, ImageOps

SIDE_PX = 240
QUALITY = 70


def thumbnail(data: bytes) -> bytes | None:
    """The bytes of a picture file as a small WebP, upright; None where Pillow cannot read it.

    Only for files that core/codecs has read before: it is what refuses bombs and damaged files.
    """
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.draft("RGB", (SIDE_PX, SIDE_PX))  # a JPEG is decoded at an eighth of its size
            upright = ImageOps.exif_transpose(image)
            small = upright if upright.mode in {"RGB", "RGBA", "L"} else upright.convert("RGBA")
            small.thumbnail((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS, reducing_gap=2.0)
            out = io.BytesIO()
            small.save(out, "WEBP", quality=QUALITY, method=2)
            return out.getvalue()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
