"""The way out: uint8 arrays to a file, with nothing in it but pixels and, if asked, EXIF."""

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
    """Write a rendering in one of the formats of WRITTEN.

    RGB is cleared wherever alpha is 0 before anything is written (`samples.join`), so that no file holds a removed
    background; the file also becomes about half as large. Alpha is exact in every format that has it, and so are
    masks, except in JPEG. The same pixels always make the same bytes.

    Parameters
    ----------
    rgb
        uint8 (H, W, 3), sRGB; or a mask, uint8 (H, W), which is written as gray.
    alpha
        uint8 (H, W), straight; not for a mask, and not for a format without alpha.
    format
        A name in WRITTEN.
    quality
        1 to 100; None for the format's default. Formats that lose nothing ignore it. WebP loses nothing at 100; masks
        in WebP and AVIF never do.
    exif
        A block as in Picture.exif, to be written too.

    Returns
    -------
    The file.

    Raises
    ------
    InvalidOption
        The picture is larger than the format can be.
    ValueError
        Alpha for a mask or for a format without it: the caller's mistake, not a user's.
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
            f"format is {name}, whose sides have at most {FORMATS[name].largest_side_px:,} px; "
            f"the output has {width}x{height}.",
            hint="Use png, or make the output smaller.",
            field="format",
            value=name,
            allowed=tuple(fitting),
        )
