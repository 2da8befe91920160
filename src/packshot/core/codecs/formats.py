"""Every file format that packshot supports, one row each.

Options, limits, messages, media types, file suffixes, OpenAPI, the command line, the batch, the client's types and the
page are derived from FORMATS. A new format needs a row here, and a module in this folder with the row's name. This
module imports no image library, so that `packshot --help` starts fast.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from packshot.core.geometry import Size
    from packshot.core.picture import UInt8


PIXELS = "pixels"
"""Used in place of a format for a photo that came as pixels: a PIL image or an array."""


@dataclass(frozen=True)
class Header:
    """The claims of a file about itself, before any pixel is decoded.

    format: a name in FORMATS, or PIXELS for pixels without a file.
    size: of the picture as shown, upright.
    png_depth: (colour type, bit depth) of a PNG, else None.
    coded: the decoded size, if the file turns the picture or shows only a part; None if that is `size`.
    """

    format: str
    size: Size
    png_depth: tuple[int, int] | None = None
    coded: Size | None = None

    @property
    def stored(self) -> Header:
        """The header of the pixels as stored in the file."""
        return self if self.coded is None else replace(self, size=self.coded, coded=None)

    def turned(self, orientation: int) -> Header:
        """The header after EXIF's orientation, 1 to 8, has turned the stored pixels."""
        if orientation < 5:  # the four that do not swap the sides
            return self
        return replace(self, size=type(self.size)(*reversed(self.size)), coded=self.size)


@dataclass(frozen=True, eq=False)
class Raster:
    """Pixels as a file stores them: not upright yet, and in the file's own colours.

    samples: uint8 (H, W) gray, (H, W, 3) RGB or (H, W, 4) CMYK with 255 = full ink.
    alpha: uint8 (H, W), or None if the file has no alpha.
    icc, exif: the file's colour profile and its EXIF block (from the TIFF header on), unchecked.
    orientation: 1 to 8, for formats that declare it outside EXIF and overrule EXIF; else None.
    says_colours: whether the file declares its colours outside EXIF; EXIF's colours then do not count.
    """

    samples: UInt8
    alpha: UInt8 | None = None
    icc: bytes | None = None
    exif: bytes | None = None
    orientation: int | None = None
    says_colours: bool = False


class Reader(Protocol):
    """A module that reads a format."""

    def header(self, data: bytes) -> Header:
        """Read the file's claims about itself, in microseconds. Trusts no byte. Raises UnreadableImage."""
        ...

    def pixels(self, data: bytes, header: Header) -> Raster:
        """Decode a file with the format's own decoder, after its header was checked. Raises UnreadableImage.

        header: of the pixels as stored.
        """
        ...


class Writer(Protocol):
    """A module that writes a format."""

    def write(self, rgb: UInt8, alpha: UInt8 | None, *, quality: int, exif: bytes | None) -> bytes:
        """Encode pixels that `encoding.encode` has checked. quality: 1 to 100; lossless formats ignore it."""
        ...


@dataclass(frozen=True, kw_only=True)
class Format:
    """One file format.

    name: as in the option `format` and in limits; the module of this name is its codec. title: for people.
    article: before the title in messages. remark: behind it. suffixes: of file names; outputs get the first. magic:
    matches the first bytes of a file. module: needed to read the format; None if every build of Pillow and OpenCV
    reads it.
    written: whether it can be an output; the fields below are about outputs only.
    quality: the default, 1 to 100; None for lossless formats. largest_side_px: the most that the format's own fields
    for width and height can hold; None if that exceeds any memory. alpha: whether transparency is kept.
    """

    name: str
    title: str
    article: str = "a"
    remark: str = ""
    media_type: str
    suffixes: tuple[str, ...]
    magic: re.Pattern[bytes]
    module: str | None = None
    written: bool = False
    quality: int | None = None
    largest_side_px: int | None = None
    alpha: bool = False

    @property
    def suffix(self) -> str:
        """The suffix of an output file, such as ".jpg"."""
        return self.suffixes[0]

    @property
    def noun(self) -> str:
        """The format as in "This file is a PNG"."""
        return f"{self.article} {self.title}{self.remark}"

    @property
    def available(self) -> bool:
        """Whether the format can be read here."""
        return self.module is None or _is_installed(self.module)

    @property
    def reader(self) -> Reader:
        """The codec, loaded on first use."""
        return cast("Reader", import_module(f"packshot.core.codecs.{self.name}"))

    @property
    def writer(self) -> Writer:
        """The codec of a format with `written`, loaded on first use."""
        return cast("Writer", import_module(f"packshot.core.codecs.{self.name}"))


@cache
def _is_installed(module: str) -> bool:
    return find_spec(module) is not None


# Messages list the formats in this order: the best known come first.
_ROWS = (
    Format(
        name="jpeg",
        title="JPEG",
        media_type="image/jpeg",
        suffixes=(".jpg", ".jpeg", ".jpe"),
        magic=re.compile(rb"\xff\xd8\xff"),
        written=True,
        quality=95,
        largest_side_px=65_500,
    ),
    Format(
        name="png",
        title="PNG",
        media_type="image/png",
        suffixes=(".png",),
        magic=re.compile(rb"\x89PNG\r\n\x1a\n"),
        written=True,
        alpha=True,
    ),
    Format(
        name="webp",
        title="WebP",
        media_type="image/webp",
        suffixes=(".webp",),
        magic=re.compile(rb"RIFF.{4}WEBP", re.DOTALL),
        module="PIL._webp",
        written=True,
        quality=90,
        largest_side_px=16_383,
        alpha=True,
    ),
    Format(
        name="heic",
        title="HEIC",
        remark=" (the iPhone's own format)",
        media_type="image/heic",
        suffixes=(".heic", ".heif"),
        # Matches the main brand, or one of the following brands in any order. A file with a still and a film may have
        # the film's brand first. With both kinds of brands, the file is an AVIF.
        magic=re.compile(
            rb".{4}ftyp(?:he[iv][cxms]|(?!avi[fs])(?!(?:.{4}){2,}avi[fs])(?:.{4}){2,}he[iv][cxms])", re.DOTALL
        ),
        module="pi_heif",
    ),
    Format(
        name="tiff",
        title="TIFF",
        media_type="image/tiff",
        suffixes=(".tif", ".tiff"),
        magic=re.compile(rb"II\*\0|MM\0\*"),
        written=True,
        alpha=True,
    ),
    Format(
        name="avif",
        title="AVIF",
        article="an",
        media_type="image/avif",
        suffixes=(".avif",),
        magic=re.compile(rb".{4}ftyp(?:avi[fs]|(?!he[iv][cxms])(?:.{4}){2,}avi[fs])", re.DOTALL),
        module="PIL._avif",
        written=True,
        quality=80,
        largest_side_px=65_536,
        alpha=True,
    ),
    Format(
        name="gif",
        title="GIF",
        media_type="image/gif",
        suffixes=(".gif",),
        magic=re.compile(rb"GIF8[79]a"),
    ),
    Format(
        name="bmp",
        title="BMP",
        media_type="image/bmp",
        suffixes=(".bmp",),
        # Many texts begin with "BM". The header size at byte 14 has seven valid values. If it is wrong, but bytes 6 to
        # 9 are 0 as in every BMP, the file counts as a damaged BMP.
        magic=re.compile(rb"BM(?:.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\x00\x00\x00|.{4}\0\0\0\0)", re.DOTALL),
    ),
)

FORMATS: Mapping[str, Format] = {row.name: row for row in _ROWS}
"""Every format by its name."""
WRITTEN: Mapping[str, Format] = {row.name: row for row in _ROWS if row.written}
"""The formats of outputs by their names."""
BY_SUFFIX: Mapping[str, Format] = {suffix: row for row in _ROWS for suffix in row.suffixes}
"""Formats by file suffix, in lower case. Formats that cannot be read here are included, so that a folder's photos fail
with a message and are not skipped."""


def sniff(data: bytes) -> Format | None:
    """The format of `data` by its first bytes alone; None if packshot does not support it."""
    start = data[:64]
    if start[4:8] == b"ftyp":  # a list of brands that gives its own length
        start = data[: min(max(int.from_bytes(start[:4], "big"), 16), 1024)]
    return next((row for row in _ROWS if row.magic.match(start)), None)
