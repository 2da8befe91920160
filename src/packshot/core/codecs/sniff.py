"""What kind of file some bytes are, by their content: names and media types that callers send are not looked at."""

from __future__ import annotations

import re

from packshot.core.codecs.limits import Format

_READ: tuple[tuple[Format, re.Pattern[bytes]], ...] = (
    ("jpeg", re.compile(rb"\xff\xd8\xff")),
    ("png", re.compile(rb"\x89PNG\r\n\x1a\n")),
    # "BM" alone begins many a text; the header size that follows at byte 14 is one of seven.
    ("bmp", re.compile(rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\x00\x00\x00", re.DOTALL)),
    ("webp", re.compile(rb"RIFF.{4}WEBP", re.DOTALL)),
    ("tiff", re.compile(rb"II\*\0|MM\0\*")),
    ("gif", re.compile(rb"GIF8[79]a")),
    # The main brand, or a general one with the right one among those that follow.
    ("avif", re.compile(rb".{4}ftyp(?:avi[fs]|(?:mif1|msf1|miaf)(?:.{4})*avi[fs])", re.DOTALL)),
    ("heic", re.compile(rb".{4}ftyp(?:hei[cxms]|hev[cxms]|(?:mif1|msf1|miaf)(?:.{4})*hei[cx])", re.DOTALL)),
)

# What people send instead, in the words of the error message. Text is looked for in the first bytes only.
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

_BMP_BROKEN = re.compile(rb"BM.{4}\0\0\0\0", re.DOTALL)


def sniff(data: bytes) -> Format | None:
    """The format that `data` begins like, or None where packshot reads none of the kind."""
    start = data[:64]
    found = next((name for name, magic in _READ if magic.match(start)), None)
    # A BMP whose header size is wrong is still a BMP, and "damaged" is the better word for it than "unsupported".
    return found or ("bmp" if _BMP_BROKEN.match(start) else None)


def describe(data: bytes) -> str:
    """What a file that is not read here is, to complete the sentence "This file is ..."."""
    start = data[:1024]
    return next((name for name, magic in _REFUSED if magic.match(start)), "not an image that can be recognised")
