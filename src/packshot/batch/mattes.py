"""Mattes stored next to the outputs as 8-bit gray PNG files: corrections by people, and mattes of an even catalogue.

An even catalogue stores mattes because all photos must be measured before the first picture is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from packshot.core import codecs
from packshot.core.codecs import Limits
from packshot.core.geometry import Size
from packshot.core.picture import UInt8, to_uint8, to_unit
from packshot.core.plain_ground import GroundColours
from packshot.core.recipe import Recipe
from packshot.core.resample import size_of
from packshot.engine.job import MatteResult
from packshot.errors import FileMissing, InvalidOption
from packshot.storage.base import STATE
from packshot.storage.blocking import BlockingStorage


class GivenMatte:
    """A known matte of a photo, as `Mattes` of engine/job.py. The network does not run."""

    def __init__(self, found: MatteResult) -> None:
        self._found = found

    def find(self, recipe: Recipe) -> MatteResult | None:
        return self._found

    def keep(self, recipe: Recipe, matte: MatteResult) -> None:
        raise AssertionError("a given matte is never computed")


def given(matte: UInt8) -> GivenMatte:
    """A matte made by a person, uint8 (H, W). Its confidence is unknown (None)."""
    return GivenMatte(MatteResult(to_unit(matte), confidence=None))


def read_matte(data: bytes) -> UInt8:
    """Read a stored matte from the bytes of its file: uint8 (H, W). Raises: InputError if they are not a picture."""
    picture = codecs.read(data, codecs.probe(data, Limits(min_side_px=1)))
    return np.ascontiguousarray(picture.rgb[..., 0])


def corrected(data: bytes, size: Size) -> GivenMatte:
    """The matte that a person made of a photo, from the bytes of its file.

    size: of the photo. Raises: InvalidOption if the matte has another size; InputError if `data` is not a picture.
    """
    matte = read_matte(data)
    if size_of(matte) != size:
        raise InvalidOption(
            f"The corrected matte has {size_of(matte)} px, but the photo has {size} px.",
            hint="Correct the photo again.",
        )
    return given(matte)


class KeptMatte:
    """The stored matte of one photo in OUT/.packshot/mattes, as `Mattes` of engine/job.py.

    If its file is missing, the matte is computed again. facts: its data other than pixels, as JSON values; None if
    nothing is stored yet.
    """

    def __init__(self, out: BlockingStorage, name: str, facts: Mapping[str, Any] | None) -> None:
        self._out, self._key, self.facts = out, f"{STATE}/mattes/{name}", facts

    def find(self, recipe: Recipe) -> MatteResult | None:
        if self.facts is None:
            return None
        try:
            matte = read_matte(self._out.get(f"{self._key}.png"))
            ground = self._ground(self.facts["ground"])
        except FileMissing:
            return None
        return MatteResult(to_unit(matte), self.facts["confidence"], self.facts["most"], ground)

    def keep(self, recipe: Recipe, matte: MatteResult) -> None:
        ground = matte.ground
        if ground is not None:
            colours = codecs.encode(np.rint(ground.reduced).clip(0, 255).astype(np.uint8), format="png")
            self._out.put(f"{self._key}-ground.png", colours, "image/png")
        self._out.put(f"{self._key}.png", codecs.encode(to_uint8(matte.matte), format="png"), "image/png")
        self.facts = {
            "confidence": matte.confidence,
            "most": matte.most,
            "ground": None if ground is None else list(ground.size),
        }

    def _ground(self, size: list[int] | None) -> GroundColours | None:
        if size is None:
            return None
        data = self._out.get(f"{self._key}-ground.png")
        picture = codecs.read(data, codecs.probe(data, Limits(min_side_px=1)))
        return GroundColours(picture.rgb.astype(np.float32), Size(*size))
