"""Mattes that are kept beside the outputs, as 8-bit gray PNG files: corrections of people."""

from __future__ import annotations

import numpy as np

from packshot.core import codecs
from packshot.core.codecs import Limits
from packshot.core.geometry import Size
from packshot.core.picture import UInt8, to_unit
from packshot.core.recipe import Recipe
from packshot.core.resample import size_of
from packshot.engine.job import MatteResult
from packshot.errors import InvalidOption


class GivenMatte:
    """The matte of a photo that is known before, as `Mattes` of engine/job.py: no network is asked."""

    def __init__(self, found: MatteResult) -> None:
        self._found = found

    def find(self, recipe: Recipe) -> MatteResult | None:
        return self._found

    def keep(self, recipe: Recipe, matte: MatteResult) -> None:
        raise AssertionError("a matte that was given is not found again")


def read_matte(data: bytes) -> UInt8:
    """A kept matte, uint8 (H, W), from its file. Raises: InputError for what is no picture."""
    picture = codecs.read(data, codecs.probe(data, Limits(min_side_px=1)))
    return np.ascontiguousarray(picture.rgb[..., 0])


def corrected(data: bytes, size: Size) -> GivenMatte:
    """The matte that a person has made of a photo, from its file. Nobody has measured how sure it is.

    size: of the photo. Raises: InputError where it is not that of the matte.
    """
    matte = read_matte(data)
    if size_of(matte) != size:
        raise InvalidOption(
            f"The corrected matte has {size_of(matte)} px, and the photo {size} px.", hint="Correct the photo again."
        )
    return GivenMatte(MatteResult(to_unit(matte), confidence=None))
