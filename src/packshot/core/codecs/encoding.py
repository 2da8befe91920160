"""Encodes uint8 arrays to a file that holds only pixels and, on request, EXIF."""

from __future__ import annotations

from packshot.core.codecs.formats import FORMATS, WRITTEN
from packshot.core.picture import UInt8
from packshot.errors import InvalidOption


def encode(
    rgb: UInt8,
    alpha: UInt8 | None = None,
    *,
    format: str,  # noqa: A002 - the option's name
    quality: int | None = None,
    exif: bytes | None = None,
) -> bytes:
    """Encode a rendering in one of the formats of WRITTEN.

    RGB is set to 0 wherever alpha is 0 (`samples.join`), so that no file holds a removed background. This also halves
    the file's size. Alpha is exact in every format that has it, and so are masks, except in JPEG. The same pixels
    always give the same bytes.

    Parameters
    ----------
    rgb
        uint8 (H, W, 3), sRGB; or a mask, uint8 (H, W), written as gray.
    alpha
        uint8 (H, W), straight; not for a mask, and not for a format without alpha.
    format
        A name in WRITTEN.
    quality
        1 to 100; None for the format's default. Lossless formats ignore it. WebP is lossless at 100; masks in WebP and
        AVIF are always lossless.
    exif
        A block as in Picture.exif, to write too.

    Returns
    -------
    The file.

    Raises
    ------
    InvalidOption
        The picture is larger than the format allows.
    ValueError
        Alpha for a mask, or for a format without alpha: a mistake in the calling code, not the user's.
    """
    kind = FORMATS[format]
    if alpha is not None and (rgb.ndim == 2 or not kind.alpha):
        raise ValueError("a mask has no alpha" if rgb.ndim == 2 else f"{kind.noun} has no alpha")
    _check_side(rgb, format)
    return kind.writer.write(rgb, alpha, quality=quality or kind.quality or 100, exif=exif)


def _check_side(rgb: UInt8, name: str) -> None:
    height, width = rgb.shape[:2]
    longest = max(width, height)
    fitting = [row.name for row in WRITTEN.values() if row.largest_side_px is None or longest <= row.largest_side_px]
    if name not in fitting:
        raise InvalidOption(
            f"format is {name}, whose sides may be at most {FORMATS[name].largest_side_px:,} px; "
            f"the output has {width}x{height} px.",
            hint="Use png, or make the output smaller.",
            field="format",
            value=name,
            allowed=tuple(fitting),
        )
