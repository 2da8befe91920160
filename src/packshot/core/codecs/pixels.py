"""Converts PIL images and numpy arrays to the same rasters that files give.

Colour profile, orientation and transparency are then treated alike for every kind of input.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from packshot.core.codecs.colour import Space, fits, from_space
from packshot.core.codecs.exif import read_orientation, without_prefix
from packshot.core.codecs.formats import PIXELS, Header, Raster
from packshot.core.codecs.limits import Limits, check_header
from packshot.core.codecs.png_metadata import colours
from packshot.core.codecs.samples import DECODER_ERRORS, split, straight, to_8_bits
from packshot.core.geometry import Size
from packshot.core.picture import UInt8
from packshot.errors import UnreadableImage, UnsupportedFormat

_AS_THEY_ARE = frozenset({"L", "LA", "RGB", "RGBA", "CMYK"})
_PREMULTIPLIED = frozenset({"La", "RGBa"})
_DEEP = frozenset({"I;16", "I;16L", "I;16B", "I;16N"})
# Modes that convert without loss, and their target modes.
_CONVERTED = {"1": "L", "RGBX": "RGB", "YCbCr": "RGB", "HSV": "RGB", "PA": "RGBA"}
_REFUSED = {
    "I": 'It has no fixed white: convert it to 16 bits with image.convert("I;16"), or to 8 with image.convert("L").',
    "F": "It has no fixed white: scale it to 0..255 and convert it to an array of numpy.uint8.",
}
# PIL's names for a PNG's colours, and how to rebuild the chunks that they came from.
_COLOUR_CHUNKS: Mapping[str, tuple[bytes, Callable[[Any], bytes] | None]] = {
    "icc_profile": (b"iCCP", None),
    "srgb": (b"sRGB", lambda intent: bytes([intent])),
    "gamma": (b"gAMA", lambda value: struct.pack(">I", round(100_000 * value))),
    "chromaticity": (b"cHRM", lambda values: struct.pack(">8I", *(round(100_000 * value) for value in values))),
}
# PIL's name for the one transparent colour of a gray or RGB picture.
_KEY_COLOUR = "transparency"


def raster_from_image(image: Image.Image, limits: Limits) -> Raster:
    """The pixels of a PIL image: its current frame, with its colour profile and EXIF block.

    Checks the size, then loads the image and changes nothing else about it.

    Raises ImageTooLarge, ImageTooSmall, UnreadableImage if the image is damaged or closed, UnsupportedFormat for a mode
    without a fixed white.
    """
    check_header(pixels_header(image), limits)
    with _loading():
        image.load()
        samples, alpha = _samples(image)
        exif = _exif(image)
        icc, space = _colours(image.info, samples)
    if space is not None:
        samples = from_space(samples, space)
    return Raster(samples, alpha, icc, exif, says_colours=not _COLOUR_CHUNKS.keys().isdisjoint(image.info))


def raster_from_array(array: npt.NDArray[Any], limits: Limits) -> Raster:
    """The pixels of an array in sRGB.

    array: uint8, uint16 or bool; (H, W) or (H, W, 1) gray, (H, W, 3) RGB, (H, W, 4) RGBA. Raises ImageTooLarge,
    ImageTooSmall; for any other array TypeError, whose message says how to convert it.
    """
    _check_array(array)
    check_header(pixels_header(array), limits)
    values = np.ascontiguousarray(array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array)
    if values.dtype == np.bool_:
        return Raster(*split(values.view(np.uint8) * np.uint8(255)))
    return Raster(*split(to_8_bits(values.astype(values.dtype.newbyteorder("="), copy=False))))


def pixels_header(photo: Image.Image | npt.NDArray[Any] | Raster) -> Header:
    """The header that a file of these pixels would have."""
    if isinstance(photo, Image.Image):
        with _loading():
            return Header(PIXELS, Size(*photo.size)).turned(read_orientation(_exif(photo)))
    if isinstance(photo, Raster):
        return pixels_header(photo.samples).turned(photo.orientation or read_orientation(photo.exif))
    height, width = photo.shape[:2]
    return Header(PIXELS, Size(width, height))


@contextmanager
def _loading() -> Iterator[None]:
    try:
        yield
    except (*DECODER_ERRORS, AssertionError) as error:  # AssertionError: its file was closed
        raise UnreadableImage(
            f"This PIL image cannot be loaded: {str(error) or 'its file is closed'}.",
            hint="It may be damaged or cut off, or its file was closed before it was loaded.",
        ) from error


def _samples(image: Image.Image) -> tuple[UInt8, UInt8 | None]:
    """Samples and alpha, as in Raster."""
    mode = image.mode
    if mode in _REFUSED:
        raise UnsupportedFormat(f"This PIL image has the mode {mode}.", hint=_REFUSED[mode], kind=mode)
    if mode == "P":
        return split(np.asarray(image.convert("RGBA" if image.has_transparency_data else "RGB")))
    if mode in _DEEP:
        values = np.asarray(image)
        gray = to_8_bits(np.ascontiguousarray(values.astype(np.uint16, copy=False)))
        key = image.info.get(_KEY_COLOUR)
        return gray, None if key is None else _where_not(values, key)
    if mode in _PREMULTIPLIED:
        return split(straight(np.asarray(image)))
    image = image.convert(_CONVERTED[mode]) if mode in _CONVERTED else image
    if image.mode in {"L", "RGB"} and _KEY_COLOUR in image.info:
        image = image.convert({"L": "LA", "RGB": "RGBA"}[image.mode])
    if image.mode not in _AS_THEY_ARE:
        raise UnsupportedFormat(
            f"This PIL image has the mode {mode}, which is not supported.", hint='Use image.convert("RGB").', kind=mode
        )
    return split(np.asarray(image)) if image.mode != "CMYK" else (np.asarray(image), None)


def _colours(info: Mapping[Any, Any], samples: UInt8) -> tuple[bytes | None, Space | None]:
    """The image's profile, or the colour space that a PNG gave by numbers."""
    mode = "L" if samples.ndim == 2 else "RGB" if samples.shape[2] == 3 else "CMYK"
    icc = info.get("icc_profile") or None
    if mode == "CMYK" or (icc is not None and fits(icc, mode)):
        return icc, None
    chunks = {chunk: pack(info[name]) for name, (chunk, pack) in _COLOUR_CHUNKS.items() if name in info and pack}
    return None, colours(chunks, gray=mode == "L").space


def _where_not(values: npt.NDArray[Any], key: object) -> UInt8:
    return np.where(values == key, np.uint8(0), np.uint8(255))


def _exif(image: Image.Image) -> bytes | None:
    """The image's EXIF block. PIL keeps it in another place for TIFF, and for the older kind of block in PNG."""
    block = image.info.get("exif")
    if block is None and (hasattr(image, "tag_v2") or "Raw profile type exif" in image.info):
        block = image.getexif().tobytes()
    return without_prefix(block)


def _check_array(array: npt.NDArray[Any]) -> None:
    gray_or_colour = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in {1, 3, 4})
    if not gray_or_colour:
        raise TypeError(
            f"An array of shape {array.shape} is not a photo: pass (height, width), (height, width, 3) in RGB or "
            f"(height, width, 4) in RGBA{_mend_shape(array)}."
        )
    if array.dtype.kind == "f":
        raise TypeError(
            f"An array of {array.dtype} has no fixed white: if white is 1, pass "
            "(255 * array).round().astype(numpy.uint8)."
        )
    if array.dtype.newbyteorder("=") not in {np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.bool_)}:
        raise TypeError(
            f"An array of {array.dtype} is not a photo: pass numpy.uint8 or numpy.uint16, such as "
            "array.astype(numpy.uint8) if white is 255."
        )


def _mend_shape(array: npt.NDArray[Any]) -> str:
    if array.ndim == 3 and array.shape[0] in {1, 3, 4}:
        return ", such as array.transpose(1, 2, 0)"
    return "; for several photos, use packshot.remove_many" if array.ndim == 4 else ""
