"""What a caller may ask for, as the service names it, for editors and type checkers.

The options are those of packshot.core.options, from which `python -m docs.generate` writes them here: the client
imports nothing of the service. What they mean is in docs/options.md, and in `client.about().options`. Values are not
checked here: the service does, and says what it allows. So an older client works with a newer service's presets and
choices.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, Literal, TypedDict

Photo = bytes | str | os.PathLike[str] | BinaryIO
"""The bytes of a file, its path, or a file that is open for reading."""

Part = tuple[str | None, bytes]
"""File name and content of a part of the form; no file name makes it a text."""


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
    """A file as it is sent; read once, for it may have to be sent again."""
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
