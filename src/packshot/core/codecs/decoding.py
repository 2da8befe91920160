"""Decodes bytes to a picture that is upright and in sRGB. The size is checked before decoding."""

from __future__ import annotations

import re

from packshot.core.codecs.colour import ADOBE_RGB, to_srgb
from packshot.core.codecs.exif import apply_orientation, is_adobe_rgb, read_orientation, sanitize
from packshot.core.codecs.formats import FORMATS, Header, Raster, sniff
from packshot.core.codecs.limits import LIBRARY_LIMITS, Limits, check_bytes, check_header, unsupported
from packshot.core.picture import Picture

# Kinds of files that people send instead of pictures, as named in the error message. Only the first bytes are tested
# for text.
_REFUSED: tuple[tuple[str, re.Pattern[bytes]], ...] = (
    ("a BigTIFF (the TIFF for files over 4 GB)", re.compile(rb"II\+\0|MM\0\+")),
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
    """Check a file's kind, pixel depth and size from its header. Takes microseconds, and decodes no pixel.

    packshot reads the header without an image library. A file with false claims is rejected before it reaches any
    decoder.

    Raises EmptyFile, FileTooLarge, UnsupportedFormat (UnsupportedDepth, UnsupportedGrayscale), UnreadableImage,
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
    """Decode a file that `probe` has accepted. header: the result of `probe`.

    Returns a Picture: upright by EXIF, in sRGB, with 8 bits per channel rounded from the full depth. Colours are
    converted by the file's profile; without one, from Adobe RGB if EXIF says so. `alpha` is None if the file has no
    alpha or is fully opaque. `exif` is the part of the file's EXIF block that may go into another file.

    Raises UnreadableImage if the pixels are cut or damaged. Half a picture is never returned as a whole one.
    """
    return to_picture(FORMATS[header.format].reader.pixels(data, header.stored))


def to_picture(raster: Raster) -> Picture:
    """Convert pixels from a file or a program to a picture. Returns what `read` returns."""
    orientation = raster.orientation or read_orientation(raster.exif)
    by_exif = raster.icc is None and not raster.says_colours and is_adobe_rgb(raster.exif)
    icc = ADOBE_RGB if by_exif else raster.icc
    rgb = apply_orientation(to_srgb(raster.samples, icc), orientation)
    alpha = raster.alpha
    if alpha is not None:
        alpha = None if int(alpha.min()) == 255 else apply_orientation(alpha, orientation)
    return Picture(rgb, alpha, sanitize(raster.exif))


def decode(data: bytes, limits: Limits = LIBRARY_LIMITS) -> Picture:
    """Check and decode a file of any format in FORMATS that can be read here.

    From an animation, a file with several pages or a phone's multi-picture file, returns the first or main picture.

    Returns what `read` returns. Raises what `probe` and `read` raise.
    """
    return read(data, probe(data, limits))
