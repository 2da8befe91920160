"""The limits of an entry point, and the checks that need only the header."""

from __future__ import annotations

from dataclasses import dataclass

from packshot.core.codecs.formats import FORMATS, Header
from packshot.core.geometry import Size
from packshot.errors import (
    EmptyFile,
    FileTooLarge,
    ImageTooLarge,
    ImageTooSmall,
    UnreadableImage,
    UnsupportedDepth,
    UnsupportedFormat,
    UnsupportedGrayscale,
)

# PNG colour types (PNG specification, third edition, table 9) and their names in messages.
PNG_COLOUR_TYPES = {0: "gray", 2: "RGB", 3: "palette", 4: "gray with alpha", 6: "RGBA"}
PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


@dataclass(frozen=True)
class Limits:
    """The limits of an entry point, checked on header bytes before any pixel is decoded. Figures are inclusive.

    max_bytes: size of the file. None: no limit.
    max_side_px: longest side allowed. None: no limit.
    min_side_px: shortest side allowed. A network sees nothing in less than 32 px.
    max_pixels: width x height allowed. 50 million pixels decode to 150 MB.
    formats: names in FORMATS.
    png_depths: allowed (colour type, bit depth) pairs of a PNG. None: every pair that the PNG specification allows.
    """

    max_bytes: int | None = None
    max_side_px: int | None = None
    min_side_px: int = 32
    max_pixels: int = 50_000_000
    formats: frozenset[str] = frozenset(FORMATS)
    png_depths: frozenset[tuple[int, int]] | None = None


LIBRARY_LIMITS = Limits()


def damaged(name: str, fault: str) -> UnreadableImage:
    """The error for a file of the right format that cannot be read. `fault` completes "This JPEG ..."."""
    return UnreadableImage(
        f"This {name} {fault}.", hint="Export the picture again from its source and send the new file.", format=name
    )


def letters(kind: bytes) -> str:
    """The four-letter name of a part of a file, for messages; unprintable bytes in hex."""
    return "".join(chr(byte) if 32 < byte < 127 else f"\\x{byte:02x}" for byte in kind)


def check_bytes(data: bytes, limits: Limits) -> None:
    """Reject an empty file, and a file over max_bytes. Raises EmptyFile, FileTooLarge."""
    if not data:
        raise EmptyFile("The file is empty: 0 bytes arrived.", hint="Choose the picture again and send the whole file.")
    if limits.max_bytes is not None and len(data) > limits.max_bytes:
        raise FileTooLarge(
            f"The file has {len(data):,} bytes; at most {limits.max_bytes:,} are accepted.",
            hint="Save it as a JPEG, or scale it down.",
            bytes=len(data),
            max_bytes=limits.max_bytes,
        )


def unsupported(kind: str, limits: Limits, **fields: str) -> UnsupportedFormat:
    """The error for a file whose kind is not accepted. `kind` completes "This file is ..."."""
    accepted = [row.title for name, row in FORMATS.items() if name in limits.formats and row.available]
    return UnsupportedFormat(
        f"This file is {kind}; accepted are {', '.join(accepted)}.",
        hint=f"Save it as {' or '.join(accepted[:2])} and send it again.",
        kind=kind,
        **fields,
    )


def check_header(header: Header, limits: Limits) -> None:
    """Check a header. Raises UnsupportedDepth, UnsupportedGrayscale, ImageTooLarge, ImageTooSmall."""
    if header.png_depth is not None and limits.png_depths is not None and header.png_depth not in limits.png_depths:
        raise _refused_depth(*header.png_depth)
    _check_size(header.size, limits)
    if header.coded is not None:
        _check_pixels(header.coded, limits)


def _refused_depth(colour_type: int, bit_depth: int) -> UnsupportedFormat:
    gray = colour_type in {0, 4}
    bits = bit_depth * PNG_CHANNELS[colour_type]
    return (UnsupportedGrayscale if gray else UnsupportedDepth)(
        f"This PNG is {PNG_COLOUR_TYPES[colour_type]} with {bit_depth} bits per channel, {bits} bits per pixel.",
        hint="Save it as RGB or RGBA with 8 bits per channel (24 or 32 bits per pixel), or as a JPEG.",
        colour_type=colour_type,
        bit_depth=bit_depth,
    )


def _check_size(size: Size, limits: Limits) -> None:
    figures: dict[str, object] = {"width": size.width, "height": size.height}
    if limits.max_side_px is not None and size.longest > limits.max_side_px:
        raise ImageTooLarge(
            f"The picture is {size} px; its longest side may be at most {limits.max_side_px} px.",
            hint=f"Scale it down so that both sides are at most {limits.max_side_px} px.",
            max_side_px=limits.max_side_px,
            **figures,
        )
    _check_pixels(size, limits)
    if min(size) < limits.min_side_px:
        raise ImageTooSmall(
            f"The picture is {size} px; both sides must be at least {limits.min_side_px} px.",
            hint="Send the original or a larger version.",
            min_side_px=limits.min_side_px,
            **figures,
        )


def _check_pixels(size: Size, limits: Limits) -> None:
    pixels = size.width * size.height
    if pixels > limits.max_pixels:
        raise ImageTooLarge(
            f"The picture is {size} px, {pixels:,} in all; at most {limits.max_pixels:,} are accepted.",
            hint="Scale it down and send it again.",
            max_pixels=limits.max_pixels,
            width=size.width,
            height=size.height,
        )
