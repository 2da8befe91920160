"""The way in: bytes to a picture that is upright, in sRGB, and of a size that was checked before it was decoded."""

from __future__ import annotations

from packshot.core.codecs import avif, bmp, gif, heic, jpeg, png, tiff, webp
from packshot.core.codecs.colour import to_srgb
from packshot.core.codecs.exif import tidy
from packshot.core.codecs.limits import (
    LIBRARY_LIMITS,
    Codec,
    Format,
    Header,
    Limits,
    check_bytes,
    check_header,
    unsupported,
    with_article,
)
from packshot.core.codecs.orientation import read_orientation, upright
from packshot.core.codecs.sniff import describe, sniff
from packshot.core.picture import Picture, UInt8

_CODECS: dict[Format, Codec] = {
    "jpeg": jpeg.CODEC,
    "png": png.CODEC,
    "bmp": bmp.CODEC,
    "webp": webp.CODEC,
    "tiff": tiff.CODEC,
    "gif": gif.CODEC,
    "avif": avif.CODEC,
    "heic": heic.CODEC,
}
READABLE: frozenset[str] = frozenset(_CODECS) - (frozenset() if heic.installed() else {"heic"})
"""The formats that can be read here: those of Limits.formats, less HEIC where its extra is not installed."""
SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".avif", ".heic", ".heif"}
)
"""The endings, in lower case, of photos' names. HEIC is among them also where its extra is missing: a folder's photos
should fail with words, and not be passed over."""


def probe(data: bytes, limits: Limits) -> Header:
    """Check a file by its first bytes: its kind, its pixel depth, its size. Microseconds, and no pixel is decoded.

    The header is read here rather than by an image library, so that a file which lies about itself has not met any
    decoder when it is refused.

    Raises: EmptyFile, FileTooLarge, UnsupportedFormat (UnsupportedDepth, UnsupportedGrayscale), UnreadableImage,
    ImageTooLarge, ImageTooSmall.
    """
    check_bytes(data, limits)
    kind = sniff(data)
    if kind is None:
        raise unsupported(describe(data), limits)
    if kind not in limits.formats:
        raise unsupported(with_article(kind), limits)
    header = _CODECS[kind].header(data)
    check_header(header, limits)
    return header


def decode(data: bytes, limits: Limits = LIBRARY_LIMITS) -> Picture:
    """Check and read a JPEG, PNG, BMP, WebP, TIFF, GIF, AVIF, or, with packshot[heic] installed, a HEIC.

    Of an animation, of several pages or of a phone's multi-picture file, the first picture or the main one.

    Returns a Picture: upright by EXIF, converted to sRGB by the file's colour profile, 8 bits per channel rounded
    from the full depth. `alpha` is None where the file has none or where it is opaque throughout; `exif` is what of
    the file's EXIF block may go into another file.

    Raises: what probe raises; UnreadableImage also where the pixels are cut or damaged: half a picture is never
    returned as a whole one.
    """
    return read(data, probe(data, limits))


def read(data: bytes, header: Header) -> Picture:
    """The pixels of a file whose header was probed. Returns what `decode` does. Raises: UnreadableImage."""
    raster = _CODECS[header.format].pixels(data, header)
    orientation = raster.orientation or read_orientation(raster.exif)
    rgb = upright(to_srgb(raster.samples, raster.icc), orientation)
    alpha = None if _is_opaque(raster.alpha) else raster.alpha
    return Picture(rgb, None if alpha is None else upright(alpha, orientation), tidy(raster.exif))


def _is_opaque(alpha: UInt8 | None) -> bool:
    return alpha is None or int(alpha.min()) == 255
