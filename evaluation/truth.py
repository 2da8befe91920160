"""A true matte from any file format of a data set: 0/255, 0/1, 16 bits, a palette, colours, an alpha channel."""

from __future__ import annotations

import io

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from packshot.core.geometry import Size
from packshot.core.picture import Float32

MOST_SKEW = 1.05  # a truth whose aspect differs by more does not belong to its picture


def read_truth(data: bytes) -> Float32:
    """float32 (H, W) in 0..1, on the scale of the file's type; only masks of 0 and 1 are scaled up.

    The truth is the alpha channel, unless it is uniform. In a palette, every colour but black counts, since palettes
    name objects. Otherwise the brightest colour channel counts. Sixteen bits may hold eight-bit values.
    Raises: ValueError if the file is not an image, or is incomplete.
    """
    image = open_image(data)
    if image.mode == "P":
        return _of_palette(image)
    if "A" in image.getbands():
        low, high = image.getchannel("A").getextrema()
        if low != high:
            return _to_unit(np.asarray(image.getchannel("A")))
        image = image.convert("RGB")
    values = np.asarray(image)
    return _to_unit(values.max(axis=2) if values.ndim == 3 else values)


def open_image(data: bytes) -> Image.Image:
    """An image with its pixels loaded, in any format that Pillow reads.

    Raises: ValueError.
    """
    try:
        image = Image.open(io.BytesIO(data))
        image.load()
    except UnidentifiedImageError as error:
        raise ValueError("the file is not an image") from error
    except (OSError, SyntaxError) as error:  # a broken PNG raises a SyntaxError
        raise ValueError(f"a broken image: {error}") from error
    return image


def _of_palette(image: Image.Image) -> Float32:
    """A gray palette holds gray values; in other palettes each colour but black is an object."""
    rgb = np.asarray(image.convert("RGB"))
    is_gray = bool((rgb == rgb[..., :1]).all())
    brightest = rgb.max(axis=2)
    return _to_unit(brightest) if is_gray else (brightest > 0).astype(np.float32)


def _to_unit(values: npt.NDArray[np.generic]) -> Float32:
    """Values of any type, divided by the greatest value of the type, or of the stored data."""
    if values.dtype == bool:
        return values.astype(np.float32)
    greatest = float(values.max())
    if values.dtype.kind == "f":
        full = 1.0 if greatest <= 1 else 255.0
    else:
        full = 1.0 if greatest <= 1 else 255.0 if greatest <= 255 else 65535.0
    return np.clip(values.astype(np.float32) / np.float32(full), 0, 1)


def fit_truth(truth: Float32, size: Size) -> Float32:
    """The truth, resized to its picture.

    Raises: ValueError if its aspect differs, or its sides are swapped, as in a rotated photo.
    """
    height, width = truth.shape
    if (width, height) == size:
        return truth
    skew = width * size.height / (height * size.width)
    if max(skew, 1 / skew) > MOST_SKEW:
        raise ValueError(f"the picture is {size}, its truth {width}x{height}: a different aspect, or rotated")
    shrinks = width > size.width
    return np.asarray(cv2.resize(truth, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR))
