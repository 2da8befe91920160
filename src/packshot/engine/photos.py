"""Converts a library caller's photo (path, file, bytes, PIL image or array) to the pipeline's input."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from packshot.core import codecs
from packshot.core.codecs import Limits, Raster
from packshot.core.codecs.pixels import raster_from_array, raster_from_image
from packshot.errors import EmptyFile, FileMissing, InputError, StorageRefused

TAKEN = "bytes, a path, an open binary file, a PIL image or a numpy array"
_PHOTO = (str, bytes, bytearray, memoryview, os.PathLike, io.IOBase, Image.Image)
_LONGEST_PATH = 4096
_URL, _DATA_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://"), re.compile(r"data:[^,]{0,200},")


def read_photo(photo: object, limits: Limits, name: str = "photo") -> bytes | Raster:
    """The bytes of a file, or the pixels where there is no file.

    Parameters
    ----------
    name
        The name for messages: "photo", or an option's name.

    Raises
    ------
    TypeError
        The type cannot be a photo, or an array has an unsupported shape or type.
    packshot.errors.InputError
        The text is not a path; the image is damaged, or the limits reject its size; the file is at its end.
    packshot.errors.StorageRefused
        The path cannot be read (FileMissing: the file does not exist).
    """
    if isinstance(photo, bytes | bytearray | memoryview):
        return bytes(photo)
    if isinstance(photo, str | os.PathLike):
        return _read_path(photo, name)
    if isinstance(photo, Image.Image):
        return raster_from_image(photo, limits)
    if isinstance(photo, np.ndarray):
        return raster_from_array(photo, limits)
    if hasattr(photo, "read") and not isinstance(photo, type):
        return _read_file(photo, name)
    raise _wrong_type(photo, name)


def as_file(picture: object, limits: Limits, name: str) -> bytes:
    """A picture option as the bytes of a file; pixels without a file are encoded without loss.

    Raises the errors of `read_photo`.
    """
    read = read_photo(picture, limits, name)
    if isinstance(read, bytes):
        return read
    shown = codecs.to_picture(read)
    return codecs.encode(shown.rgb, shown.alpha, format="png")


def check_photos(photos: object) -> None:
    """Raises: TypeError if `photos` is a single photo or not iterable."""
    one = isinstance(photos, _PHOTO) or hasattr(photos, "read") or (isinstance(photos, np.ndarray) and photos.ndim < 4)
    if one or not isinstance(photos, Iterable):
        came = "one photo (use packshot.remove for it)" if one else _named(photos)
        raise TypeError(f"remove_many takes several photos, a list or Path(folder).glob('*.jpg'), not {came}.")


def _read_path(photo: str | os.PathLike[str], name: str) -> bytes:
    if isinstance(photo, str):
        _check_path(photo, name)
    path = Path(photo)
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise FileMissing(f"The file {path} does not exist.", hint=f"The current folder is {Path.cwd()}.") from error
    except IsADirectoryError as error:
        raise StorageRefused(
            f"{path} is a folder.", hint=f"For all its photos: packshot.remove_many(Path({str(path)!r}).glob('*.jpg'))."
        ) from error
    except OSError as error:
        raise StorageRefused(
            f"{path} cannot be read: {error.strerror}.", hint="Check its name and its permissions."
        ) from error


def _check_path(text: str, name: str) -> None:
    """Raises: InputError for a text that is not a path."""
    fault = hint = ""
    if _DATA_URL.match(text):
        fault, hint = "a data URL", "Decode it first: base64.b64decode(text.partition(',')[2])."
    elif _URL.match(text):
        fault, hint = "a URL", "Download it first and pass its bytes: packshot opens no URLs."
    elif len(text) > _LONGEST_PATH:
        fault, hint = f"{len(text):,} characters of text", "If it is base64, decode it first: base64.b64decode(text)."
    elif not text or "\0" in text:
        fault, hint = "a text" if text else "an empty text", "Give the path of a picture file, or its bytes."
    if fault:
        raise InputError(f"The {name} is {fault}, not the path of a file.", hint=hint)


def _read_file(file: object, name: str) -> bytes:
    if isinstance(file, io.TextIOBase):
        raise TypeError(f'The {name} is a file opened in text mode: use open(path, "rb").')
    try:
        data = file.read()  # type: ignore[attr-defined]  # the caller has looked
    except OSError as error:
        raise StorageRefused(f"The {name} cannot be read: {error}.", hint="Open it for reading.") from error
    if isinstance(data, bytearray | memoryview):
        data = bytes(data)
    if not isinstance(data, bytes):
        raise TypeError(f"The {name} is a file whose read() returns {_named(data)}, not bytes.")
    if not data and _stands_behind_its_begin(file):
        raise EmptyFile(f"The {name} is an open file at its end.", hint="Go back first: file.seek(0).")
    return data


def _stands_behind_its_begin(file: object) -> bool:
    try:
        return bool(file.tell())  # type: ignore[attr-defined]
    except (AttributeError, OSError, ValueError):
        return False


def _wrong_type(photo: object, name: str) -> TypeError:
    advice = ""
    if photo is None:
        advice = " (cv2.imread returns None for a file that it cannot read)"
    elif hasattr(photo, "__array__"):
        advice = "; convert it with numpy.asarray"
    elif isinstance(photo, Iterable) and name == "photo":
        advice = "; use packshot.remove_many for several photos"
    return TypeError(f"A {name} is {TAKEN}, not {_named(photo)}{advice}.")


def _named(thing: object) -> str:
    if thing is None:
        return "None"
    kind = type(thing)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
