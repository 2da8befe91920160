"""The way in: bytes to a picture that is upright, in sRGB, and of a size that was checked before it was decoded."""

from __future__ import annotations

import re

from packshot.core.codecs.colour import ADOBE_RGB, to_srgb
from packshot.core.codecs.exif import apply_orientation, is_adobe_rgb, read_orientation, sanitize
from packshot.core.codecs.formats import FORMATS, Header, Raster, sniff
from packshot.core.codecs.limits import LIBRARY_LIMITS, Limits, check_bytes, check_header, unsupported
from packshot.core.picture import Picture

# Kinds of files that are sent instead of pictures, in the words of the error message. Text is looked for in the first
# bytes only.
_REFUSED: tuple[tuple[str, re.Pattern[bytes]], ...] = (
    ("a TIFF of the kind for files over 4 GB", re.compile(rb"II\+\0|MM\0\+")),
    ("a HEIF of an unusual kind", re.compile(rb".{4}ftyp(?:mif1|msf1|miaf|avci|vvic)", re.DOTALL)),
    ("a video", re.compile(rb".{4}ftyp|\x1aE\xdf\xa3|RIFF.{4}AVI ", re.DOTALL)),
    ("a JPEG 2000", re.compile(rb"\0\0\0\x0cjP {2}|\xff\x4f\xff\x51")),
    ("a JPEG XL", re.compile(rb"\xff\x0a|\0\0\0\x0cJXL ")),
    ("a Photoshop document", re.compile(rb"8BPS")),
    ("an icon", re.compile(rb"\0\0[\x01\x02]\0")),
    ("a PDF", re.compile(rb"%PDF")),
    ("a ZIP archive", re.compile(rb"PK\x03\x04")),
    (
        "an SVG drawing",
        re.compile(rb"[\s\xef\xbb\xbf]*(?:<\?xml.{0,900}|<!--.{0,900})?(?:<!DOCTYPE svg|<svg)", re.DOTALL),
    ),
    ("a web page (HTML)", re.compile(rb"[\s\xef\xbb\xbf]*<(?:!doctype html|html|head|body|script)", re.IGNORECASE)),
    ("text", re.compile(rb"[\t\n\r\x20-\x7e]{1,64}\Z|[\t\n\r\x20-\x7e]{64}")),
)


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
        start = data[:1024]
        known = (name for name, magic in _REFUSED if magic.match(start))
        raise unsupported(next(known, "not an image that can be recognised"), limits)
    if kind.name not in limits.formats or not kind.available:
        raise unsupported(kind.noun, limits, format=kind.name)
    header = kind.reader.header(data)
    check_header(header, limits)
    return header


def read(data: bytes, header: Header) -> Picture:
    """The picture in a file that `probe` has let through, with the header that it gave.

    Returns a Picture: upright by EXIF, converted to sRGB by the file's colour profile, or from Adobe RGB where it has
    none and its EXIF says so, 8 bits per channel rounded from the full depth. `alpha` is None where the file has none
    or where it is opaque throughout; `exif` is what of the file's EXIF block may go into another file.

    Raises: UnreadableImage where the pixels are cut or damaged: half a picture is never returned as a whole one.
    """
    return to_picture(FORMATS[header.format].reader.pixels(data, header.stored))


def to_picture(raster: Raster) -> Picture:
    """Pixels as a file stores them, or as a program holds them, to a picture. Returns what `read` returns."""
    orientation = raster.orientation or read_orientation(raster.exif)
    by_exif = raster.icc is None and not raster.says_colours and is_adobe_rgb(raster.exif)
    icc = ADOBE_RGB if by_exif else raster.icc
    rgb = apply_orientation(to_srgb(raster.samples, icc), orientation)
    alpha = raster.alpha
    if alpha is not None:
        alpha = None if int(alpha.min()) == 255 else apply_orientation(alpha, orientation)
    return Picture(rgb, alpha, sanitize(raster.exif))


def decode(data: bytes, limits: Limits = LIBRARY_LIMITS) -> Picture:
    """Check and read a file of any kind in FORMATS that can be read here.

    Of an animation, of several pages or of a phone's multi-picture file, the first picture or the main one.

    Returns what `read` returns. Raises what `probe` and `read` raise.
    """
    return read(data, probe(data, limits))
