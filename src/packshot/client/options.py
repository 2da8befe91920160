"""The options of a packshot, as types for editors and type checkers.

`python -m docs.generate` writes them from packshot.core.options, because the client imports nothing of the service.
docs/reference/options.md and `client.about().options` describe the options. Only the service checks values. So an older
client works with the presets and choices of a newer service.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, Literal, TypedDict

Photo = bytes | str | os.PathLike[str] | BinaryIO
"""The bytes of a file, its path, or a binary file open for reading."""

Part = tuple[str | None, bytes]
"""File name and content of a form part; None as file name for a text field."""


# Generated: from here
class OptionFields(TypedDict, total=False):
    """Every option of a packshot. All may be left out; a preset, and then a default, decides."""

    preset: str
    repair: bool
    form: Literal["cutout", "mask", "flattened"]
    format: Literal["jpeg", "png", "webp", "tiff", "avif"]
    quality: int
    background: str
    background_picture: Photo
    rotate: float
    crop: bool
    margin: str
    canvas: str
    fill: str
    position: str
    max_upscale: float
    min_px: int
    max_px: int
    shadow: Literal["none", "contact", "soft", "photo"]
    shadow_opacity: str
    roi: str
    touch_up: Photo
    metadata: Literal["drop", "keep"]


FILE_OPTIONS = frozenset({"background_picture", "touch_up"})
# Generated: to here


def as_part(photo: Photo) -> Part:
    """A file as a form part. Reads the file once, so that retries can send it again."""
    if isinstance(photo, bytes):
        return "photo", photo
    if isinstance(photo, str | os.PathLike):
        path = Path(photo)
        return path.name, path.read_bytes()
    name = getattr(photo, "name", "photo")
    return Path(name).name if isinstance(name, str) else "photo", photo.read()


def as_form(options: Mapping[str, object]) -> tuple[dict[str, str], dict[str, Part]]:
    """Options as form fields and file parts. None means "not said"."""
    said = {name: value for name, value in options.items() if value is not None}
    files = {name: as_part(said.pop(name)) for name in FILE_OPTIONS & said.keys()}  # type: ignore[arg-type]
    return {name: _text(value) for name, value in said.items()}, files


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
