"""Every file format that packshot knows, one row each.

Options, limits, messages, media types, endings of file names, OpenAPI, the command line, the batch, the client's types
and the page are derived from FORMATS. A new format is a row here and a module beside this one that is called as the
row is. This module imports no image library, so that `packshot --help` need not wait for one.
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
"""Stands for a format in the header of a photo that came as pixels: a PIL image or an array."""


@dataclass(frozen=True)
class Header:
    """The claims of a file about itself, before any pixel is decoded.

    format: a name in FORMATS, or PIXELS for what came without a file. size: as the picture is shown: upright, as its
    owner knows it.
    png_depth: (colour type, bit depth) of a PNG, else None.
    coded: what is decoded, where the file turns the picture or shows a part of it only; None where that is `size`.
    """

    format: str
    size: Size
    png_depth: tuple[int, int] | None = None
    coded: Size | None = None

    @property
    def stored(self) -> Header:
        """The header of the pixels as the file has them."""
        return self if self.coded is None else replace(self, size=self.coded, coded=None)

    def turned(self, orientation: int) -> Header:
        """The header of pixels as stored, with the size that EXIF's orientation, 1 to 8, makes of them."""
        if orientation < 5:  # the four that leave sides as they are
            return self
        return replace(self, size=type(self.size)(*reversed(self.size)), coded=self.size)


@dataclass(frozen=True, eq=False)
class Raster:
    """Pixels as a file stores them: not upright yet, and in the file's own colours.

    samples: uint8 (H, W) gray, (H, W, 3) RGB or (H, W, 4) CMYK with 255 = full ink.
    alpha: uint8 (H, W), or None where the file has none.
    icc, exif: the file's colour profile and its EXIF block (from the TIFF header on), unchecked.
    orientation: 1 to 8, of formats that say it outside of EXIF and overrule it; else None.
    says_colours: whether the file says outside of EXIF what its colours are, which then does not count there.
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
        """The claims of the file about itself, in microseconds. Trusts no byte of it. Raises UnreadableImage."""
        ...

    def pixels(self, data: bytes, header: Header) -> Raster:
        """Decode a file whose header was checked, by the format's own decoder. Raises UnreadableImage.

        header: that of the pixels as stored.
        """
        ...


class Writer(Protocol):
    """A module that writes a format."""

    def write(self, rgb: UInt8, alpha: UInt8 | None, *, quality: int, exif: bytes | None) -> bytes:
        """Encode what `encoding.encode` has checked. quality: 1 to 100; a format that loses nothing ignores it."""
        ...


@dataclass(frozen=True, kw_only=True)
class Format:
    """One file format.

    name: as the option `format` and limits have it; its codec is the module of this name. title: for people.
    article: before the title. remark: behind it in messages. suffixes: endings of file names, the first is the one
    that is written. magic: matches the first bytes of a file. module: without it the format cannot be read; None for
    what every build of Pillow and OpenCV reads.
    written: whether it can be an output; the fields below say something of outputs only.
    quality: the default, 1 to 100; None where nothing is lost. largest_side_px: what the format's own fields for width
    and height can hold; None where that is beyond anything that fits in memory. alpha: whether transparency is kept.
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
        """The ending of a file that is written, such as ".jpg"."""
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
        """The codec, loaded when it is first asked for."""
        return cast("Reader", import_module(f"packshot.core.codecs.{self.name}"))

    @property
    def writer(self) -> Writer:
        """The codec of a format with `written`, loaded when it is first asked for."""
        return cast("Writer", import_module(f"packshot.core.codecs.{self.name}"))


@cache
def _is_installed(module: str) -> bool:
    return find_spec(module) is not None


# The order is the one in which people are told of the formats: those that they know come first.
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
        # The main brand, or another one with the right one among those that follow, in any order: a still beside a
        # film may have the film's brand first. With both, it is an AVIF.
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
        # "BM" alone begins many a text. The header size at byte 14 is one of seven; where it is wrong, but bytes 6 to
        # 9 are 0 as in every BMP, the file is a damaged BMP and no other kind of file.
        magic=re.compile(rb"BM(?:.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\x00\x00\x00|.{4}\0\0\0\0)", re.DOTALL),
    ),
)

FORMATS: Mapping[str, Format] = {row.name: row for row in _ROWS}
"""Every format by its name."""
WRITTEN: Mapping[str, Format] = {row.name: row for row in _ROWS if row.written}
"""The formats of outputs by their names."""
BY_SUFFIX: Mapping[str, Format] = {suffix: row for row in _ROWS for suffix in row.suffixes}
"""Formats by the endings, in lower case, of picture files' names. Those that cannot be read here are among them: a
folder's photos should fail with words, and not be passed over."""


def sniff(data: bytes) -> Format | None:
    """The format that `data` begins like, by content alone; None for what packshot does not read."""
    start = data[:64]
    if start[4:8] == b"ftyp":  # a list of brands, as long as it says
        start = data[: min(max(int.from_bytes(start[:4], "big"), 16), 1024)]
    return next((row for row in _ROWS if row.magic.match(start)), None)
