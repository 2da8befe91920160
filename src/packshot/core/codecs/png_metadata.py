"""Reads a PNG's colours and its EXIF block from the chunks without pixels (PNG specification, third edition)."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from packshot.core.codecs.colour import D65, MAX_PROFILE_BYTES, SRGB, Primaries, Space, by_number, fits
from packshot.core.codecs.exif import without_prefix
from packshot.core.codecs.ifd import byte_order

COLOUR_CHUNKS = frozenset({b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM"})
# ImageMagick and others write "Raw profile type exif" and "... APP1": a name, a number of bytes, and the bytes in hex.
_RAW_PROFILE = re.compile(rb"\s{0,9}[^\n]{1,80}\n\s{0,20}\d{1,10}\n")
_RAW_EXIF = frozenset({b"raw profile type exif", b"raw profile type app1"})
_TEXTS = frozenset({b"tEXt", b"zTXt", b"iTXt"})
EXIF_CHUNKS = _TEXTS | {b"eXIf"}
_MOST_INFLATED = 1032  # the most bytes that deflate can make from one byte
_MAX_TEXT_BYTES = 4 << 20  # of all such texts of a file together; a camera's block in hex has 130 kB
# The exponent for sRGB (100,000 / 2.2), and how far programs deviate from it. Displays range from 1 to 2.8.
_SRGB_GAMA, _NEAR_SRGB_GAMA = 45_455, 909
_LEAST_GAMA, _MOST_GAMA = 20_000, 400_000
_SAME_XY = 0.003


class Colours(NamedTuple):
    """The colours that a file declares; with neither space nor profile: sRGB.

    space: to convert from. narrow: its black and white are 16 and 235 of 256. icc: a profile, in place of a space.
    """

    space: Space | None = None
    narrow: bool = False
    icc: bytes | None = None


def colours(chunks: Mapping[bytes, bytes], *, gray: bool) -> Colours:
    """The colours from the first valid source: cICP, iCCP, sRGB, or gAMA with cHRM (section 4.3); else sRGB.

    chunks: the bodies of a file's chunks by name. gray: whether the file is gray. Raises UnsupportedFormat for high
    dynamic range.
    """
    numbers = chunks.get(b"cICP", b"")
    # The third number is the matrix: 0 is RGB, the only one in a PNG. The fourth says whether black is 0.
    space = by_number(numbers[0], numbers[1]) if len(numbers) == 4 and numbers[2] == 0 else None
    if space is not None:
        return _without_srgb(space, narrow=numbers[3] == 0, gray=gray)
    profile = _profile(chunks.get(b"iCCP", b""))
    if profile is not None and fits(profile, "L" if gray else "RGB"):
        return Colours(icc=profile)
    intent = chunks.get(b"sRGB", b"")
    if len(intent) == 1 and intent[0] < 4:
        return Colours()
    return _without_srgb(_space(chunks.get(b"gAMA", b""), chunks.get(b"cHRM", b"")), narrow=False, gray=gray)


def _without_srgb(space: Space, *, narrow: bool, gray: bool) -> Colours:
    same = not narrow and space.gamma is None and (gray or space.has_srgb_primaries)
    return Colours() if same else Colours(space, narrow)


def _profile(iccp: bytes) -> bytes | None:
    """The profile of an iCCP chunk: a name, 0, the method 0, and a zlib stream that may inflate to gigabytes."""
    _name, found, stream = iccp.partition(b"\0\0")
    profile, whole = _inflated(stream, MAX_PROFILE_BYTES) if found else (b"", False)
    return profile if whole else None


def _inflated(stream: bytes, most: int) -> tuple[bytes, bool]:
    """The first `most` bytes of a zlib stream's content, and whether they are all."""
    inflate = zlib.decompressobj()
    try:
        return inflate.decompress(stream, most), inflate.eof
    except zlib.error:
        return b"", False


def _space(gama: bytes, chrm: bytes) -> Space:
    """The colour space from gAMA and cHRM, which count independently. Skips invalid values."""
    primaries, white = _primaries(chrm)
    value = int.from_bytes(gama, "big") if len(gama) == 4 else 0
    space = Space("gAMA and cHRM", primaries, white, 100_000 / value if _LEAST_GAMA <= value <= _MOST_GAMA else None)
    # Programs have always written 1/2.2 with sRGB's primaries, or without primaries, for sRGB itself.
    near = abs(value - _SRGB_GAMA) <= _NEAR_SRGB_GAMA and space.has_srgb_primaries
    return space._replace(gamma=None) if near else space


def _primaries(chrm: bytes) -> tuple[Primaries, tuple[float, float]]:
    if len(chrm) != 32:
        return SRGB, D65
    values = [value / 100_000 for value in struct.unpack(">8I", chrm)]
    white, red, green, blue = zip(values[::2], values[1::2], strict=True)
    space = Space("cHRM", (red, green, blue), white)
    pairs = zip((white, red, green, blue), (D65, *SRGB), strict=True)
    same = all(abs(said - known) <= _SAME_XY for one, other in pairs for said, known in zip(one, other, strict=True))
    return (SRGB, D65) if same or not space.is_sensible() else (space.primaries, white)


def exif(chunks: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    """The EXIF block, from its TIFF header on, in eXIf or in a text of older programs; else None.

    chunks: names and bodies of a file's chunks, in the file's order.
    """
    found = list(chunks)
    blocks = [without_prefix(body) for name, body in found if name == b"eXIf"]
    whole = next((block for block in blocks if block and byte_order(block)), None)
    return whole or next(_raw_profiles(found), None)


def _raw_profiles(chunks: Iterable[tuple[bytes, bytes]]) -> Iterator[bytes]:
    room = _MAX_TEXT_BYTES
    for name, body in chunks:
        keyword, _, rest = body.partition(b"\0") if name in _TEXTS else (b"", b"", b"")
        if keyword.lower() in _RAW_EXIF and room > 0:
            text = _text(name, rest, room)
            # A broken stream gives no text, but has cost the work.
            room -= len(text) or min(room, _MOST_INFLATED * len(rest))
            start = _RAW_PROFILE.match(text)
            block = _from_hex(text[start.end() :]) if start else None
            if block and byte_order(block):
                yield block


def _text(name: bytes, body: bytes, most: int) -> bytes:
    """The first `most` bytes of the text behind the keyword in a tEXt, zTXt or iTXt chunk (section 11.3.3)."""
    packed = name == b"zTXt"
    if name == b"iTXt":
        packed = body[:1] == b"\1"
        _language, _, translated = body[2:].partition(b"\0")
        body = translated.partition(b"\0")[2]
    elif packed:
        body = body[1:]
    return _inflated(body, most)[0] if packed else body[:most]


def _from_hex(text: bytes) -> bytes | None:
    try:
        return without_prefix(bytes.fromhex(text.decode("ascii")))
    except ValueError:
        return None
