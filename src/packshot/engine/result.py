"""The pipeline's result: an encoded output with its metadata. Importing this module loads no image library."""

from __future__ import annotations

import base64
import contextlib
import errno
import io
import os
from dataclasses import dataclass, field
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packshot.core.codecs.formats import BY_SUFFIX, FORMATS, Format
from packshot.core.geometry import Box, Size
from packshot.core.notes import Note
from packshot.core.rules import Report
from packshot.errors import InvalidOption, StorageFull, StorageRefused

if TYPE_CHECKING:
    from PIL.Image import Image

    from packshot.core.picture import Float32

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


@dataclass(frozen=True, repr=False)
class Result:
    """An encoded output with its metadata.

    `save(path)` writes the file, `image` is the output for PIL, `matte` is an array, and a notebook shows the picture.

    data: the bytes of the file. media_type: of the file, such as "image/png".
    size: of the output, px. photo_size: of the photo, upright and rotated by `rotate`, px.
    box: where the product lies in that photo, px. product: where the same part lies in the output, px.
    confidence: the expected quality of the matte, 0..1: the mean quality of similar mattes. Quality is IoU, halved
        where a part is lost or a hole is torn. None when the network's card has no calibration.
    review: whether a human should check the result.
    notes: options that could not be fully met: `str(note)` is for people, `note.code` and `note.facts` for programs.
    report: the results of the preset's rules; None without a preset.
    timings_ms: milliseconds per step, by its name.
    timings_ms: how long each step took, by its name.
    """

    data: bytes
    media_type: str
    size: Size
    photo_size: Size
    box: Box
    product: Box
    confidence: float | None = None
    review: bool = False
    notes: tuple[Note, ...] = ()
    report: Report | None = None
    timings_ms: dict[str, float] = field(default_factory=dict, compare=False)
    _matte: Any = field(default=None, compare=False)  # Float32 or None; naming Float32 here would import numpy

    @cached_property
    def image(self) -> Image:
        """The output as a PIL image, decoded once: RGBA for a cutout, L for a mask, RGB for a flattened output."""
        from PIL import Image  # noqa: PLC0415 - the service and the batch write results without decoding them

        with Image.open(io.BytesIO(self.data), formats=[self._format.title]) as image:
            image.load()
        return image

    @property
    def matte(self) -> Float32:
        """The matte of the whole photo, rotated like it: float32 (height, width) of photo_size, 1 = product, 0 = not.

        Raises: ValueError for a result from the service or the command line, which keep no matte.
        """
        if self._matte is None:
            raise ValueError("The matte was not kept: only packshot.remove and packshot.remove_many do that.")
        matte: Float32 = self._matte
        return matte

    def save(self, path: str | PathLike[str]) -> Path:
        """Write the output to a file, atomically. Replaces an existing file.

        Parameters
        ----------
        path
            The target. Its suffix must fit the output's format; a missing suffix is added. The folder must exist.

        Returns
        -------
        The path of the file.

        Raises
        ------
        packshot.errors.InvalidOption
            The suffix belongs to another format, or to a format that packshot does not write.
        packshot.errors.StorageRefused
            The file cannot be written (StorageFull: no space is left).
        """
        target = Path(path)
        try:
            if target.is_dir():
                raise StorageRefused(f"{target} is a folder.", hint="Give a file name inside the folder.")
            if not target.suffix:
                target = target.with_name(target.name + self._format.suffix)
            self._check_suffix(target)
            write_whole(target, self.data)
        except OSError as error:
            raise _write_error(target, error) from error
        return target

    def __repr__(self) -> str:
        """One short line."""
        parts = [f"{self._format.title} {self.size} px", _readable(len(self.data))]
        if self.confidence is not None:
            parts.append(f"confidence {self.confidence:.2f}")
        if self.review:
            parts.append("look at it")
        if self.report is not None:
            broken = ", ".join(check.rule for check in self.report.failed)
            parts.append(f"{self.report.preset}: {f'breaks {broken}' if broken else 'passed'}")
        return f"<Result: {', '.join(parts)}>"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        """The picture itself, for a notebook."""
        return {"text/plain": repr(self), self.media_type: base64.b64encode(self.data).decode()}

    @property
    def _format(self) -> Format:
        return next(row for row in FORMATS.values() if row.media_type == self.media_type)

    def _check_suffix(self, target: Path) -> None:
        ours, theirs = self._format, BY_SUFFIX.get(target.suffix.lower())
        if theirs is ours:
            return
        asked = f', or ask for format="{theirs.name}" when you make it' if theirs is not None and theirs.written else ""
        kind = f"of {theirs.article} {theirs.title}" if theirs is not None else "of no format that is written here"
        raise InvalidOption(
            f"{target.name} has the ending {kind}, and this result is {ours.article} {ours.title}.",
            hint=f"Save it as {target.with_suffix(ours.suffix).name}{asked}.",
            field="path",
            value=str(target),
            allowed=ours.suffixes,
        )


def write_whole(target: Path, data: bytes) -> None:
    """Write next to the target, then rename: no reader or killed process leaves half a picture. Raises: OSError."""
    # The temporary name has a fixed length: one derived from the target's name could exceed the limit.
    beside = target.with_name(f".{os.urandom(16).hex()}.part")
    try:
        beside.write_bytes(data)
        beside.replace(target)
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)


def _write_error(target: Path, error: OSError) -> StorageRefused:
    if error.errno in _FULL:
        return StorageFull(f"No space is left for {target}.", hint="Free disk space, or save the file elsewhere.")
    if error.errno == errno.ENOENT and not target.parent.exists():
        return StorageRefused(
            f"{target} cannot be written: the folder {target.parent} does not exist.",
            hint="Create it first: Path(path).parent.mkdir(parents=True, exist_ok=True).",
        )
    return StorageRefused(f"{target} cannot be written: {error.strerror}.", hint="Check its folder's permissions.")


def _readable(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.0f} kB" if count >= 1e3 else f"{count} bytes"
