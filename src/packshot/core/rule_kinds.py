"""The kinds of rules: each measures one thing and writes the sentence about it, with what to do where it is broken."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil, floor
from typing import ClassVar

from packshot.core.codecs.formats import FORMATS
from packshot.core.options import listed
from packshot.core.rules import Check, Facts, Rule
from packshot.core.values import RGB

TRACES = ((0.001, 16), (0.005, 5))
"""Shares of the background and of 255: the last of a soft edge or of a shadow, and what a JPEG's blocks make of it in
a picture of a few hundred px. Dust is darker, a gray ground larger."""

COLOURS = {"rgb": "RGB", "gray": "gray", "cmyk": "CMYK"}
"""Names of the colours of a file, for people."""

AGAIN = "photograph it again from nearer or with more pixels"


@dataclass(frozen=True, kw_only=True)
class _Rule:
    """Whether the marketplace requires it or recommends it, and why, in its own words' sense."""

    name: ClassVar[str]
    required: bool = True
    why: str = ""

    @property
    def asked(self) -> str:
        """The demand in words."""
        raise NotImplementedError

    def _check(self, passed: bool, measured: float | str, said: str, advice: str = "") -> Check:
        asked, verb = self.asked, "asked" if self.required else "recommended"
        message = f"{said}; {asked} {'are' if asked.endswith(('px', 'MB', 'megapixels', 'channel')) else 'is'} {verb}."
        if not passed and advice:
            message += f" {advice}"
        return Check(self.name, passed, measured, asked, message, self.required)


@dataclass(frozen=True, kw_only=True)
class Background(_Rule):
    """One colour behind the product. at_most_off: how far a pixel may differ. transparent: whether nothing will do.

    The border must keep to it exactly; elsewhere traces that no eye sees may remain.
    """

    name: ClassVar[str] = "background"
    colour: RGB = (255, 255, 255)
    at_most_off: int = 0
    transparent: bool = False

    @property
    def asked(self) -> str:
        name = _colour(self.colour)
        return f"{name} or transparent" if self.transparent else name

    def check(self, facts: Facts) -> Check:
        ground = facts.ground
        if ground.transparent:
            return self._check(self.transparent, "transparent", "The background is transparent")
        if ground.off <= self.at_most_off:
            return self._check(True, ground.off, f"The background is {_colour(self.colour)} in every pixel")
        share = "less than 0.1 %" if ground.off_share < 0.001 else _percent(ground.off_share, up=True)
        differs = f"{share} of it by up to {ground.off} of 255"
        is_trace = any(ground.off_share <= share and ground.off <= off for share, off in TRACES)
        if is_trace and ground.border_off <= self.at_most_off:
            said = f"The background is {_colour(self.colour)} but for traces beside the product, {differs}"
            return self._check(True, ground.off, said)
        where = ", at the border too" if ground.border_off > self.at_most_off else ""
        said = f"The background differs, {differs}{where}"
        return self._check(False, ground.off, said, "Remove it, and add no shadow.")


@dataclass(frozen=True, kw_only=True)
class _Range(_Rule):
    """A figure between two bounds, either of which may be missing."""

    least: float | None = None
    most: float | None = None

    def holds(self, value: float) -> bool:
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)

    def words(self, unit: str, scale: int = 1) -> str:
        least, most = (None if bound is None else f"{scale * bound:g}" for bound in (self.least, self.most))
        if least is None or most is None:
            return f"at {'most' if least is None else 'least'} {least or most} {unit}"
        return f"{least} to {most} {unit}"


@dataclass(frozen=True, kw_only=True)
class _Side(_Range):
    """A side of the picture in px."""

    which: ClassVar[str]

    @property
    def asked(self) -> str:
        return self.words("px")

    def check(self, facts: Facts) -> Check:
        side = max(facts.size) if self.which == "longest" else min(facts.size)
        said = f"The {self.which} side has {side} px"
        return self._check(self.holds(side), side, said, self._advice(side, facts))

    def _advice(self, side: int, facts: Facts) -> str:
        if self.most is not None and side > self.most:
            return "Scale it down."
        if not self.required:
            return ""
        there, needed = max(facts.product.size), ceil(max(facts.product.size) * (self.least or 0) / side)
        return f"The product is {there} px long, and framed like this {needed} px are needed: {AGAIN}."


@dataclass(frozen=True, kw_only=True)
class LongestSide(_Side):
    name: ClassVar[str] = "longest-side"
    which: ClassVar[str] = "longest"


@dataclass(frozen=True, kw_only=True)
class ShortestSide(_Side):
    name: ClassVar[str] = "shortest-side"
    which: ClassVar[str] = "shortest"


@dataclass(frozen=True, kw_only=True)
class Megapixels(_Range):
    name: ClassVar[str] = "megapixels"

    @property
    def asked(self) -> str:
        return self.words("megapixels")

    def check(self, facts: Facts) -> Check:
        value = facts.size.width * facts.size.height / 1e6
        return self._check(self.holds(value), value, f"The picture has {value:.1f} megapixels", "Scale it down.")


@dataclass(frozen=True, kw_only=True)
class Fill(_Range):
    """The product's share of the frame, 0..1, along the side where it is tightest."""

    name: ClassVar[str] = "fill"

    @property
    def asked(self) -> str:
        return self.words("%", scale=100)

    def check(self, facts: Facts) -> Check:
        fill = facts.fill
        high = self.most is not None and fill > self.most
        said = f"The product fills {_percent(fill, up=high)} of the frame"
        advice = "Leave more room around it." if high else "Cut the frame closer to it."
        return self._check(self.holds(fill), round(fill, 4), said, advice)


@dataclass(frozen=True, kw_only=True)
class Aspect(_Rule):
    """Width by height, to the nearest pixel."""

    name: ClassVar[str] = "aspect"
    width: int = 1
    height: int = 1

    @property
    def asked(self) -> str:
        return f"{self.width}:{self.height}"

    def check(self, facts: Facts) -> Check:
        width, height = facts.size
        passed = abs(width * self.height / self.width - height) <= 1
        said = f"The picture is {facts.size} px"
        return self._check(passed, round(width / height, 4), said, "Use a canvas of this aspect.")


@dataclass(frozen=True, kw_only=True)
class FileFormat(_Rule):
    name: ClassVar[str] = "format"
    allowed: tuple[str, ...] = ()

    @property
    def asked(self) -> str:
        return listed(FORMATS[each].title for each in self.allowed)

    def check(self, facts: Facts) -> Check:
        said = f"The file's format is {FORMATS[facts.format].title}"
        return self._check(facts.format in self.allowed, facts.format, said, "Save it in another format.")


@dataclass(frozen=True, kw_only=True)
class FileSize(_Rule):
    """most_mb: in millions of bytes."""

    name: ClassVar[str] = "file-size"
    most_mb: float

    @property
    def asked(self) -> str:
        return f"at most {self.most_mb:g} MB"

    def check(self, facts: Facts) -> Check:
        size_mb = facts.file_bytes / 1e6
        said = f"The file has {size_mb:.2f} MB"
        return self._check(size_mb <= self.most_mb, facts.file_bytes, said, "Use a lower quality.")


@dataclass(frozen=True, kw_only=True)
class Animation(_Rule):
    """One picture in the file: no further frame, no further page."""

    name: ClassVar[str] = "animation"
    asked: ClassVar[str] = "a single picture"

    def check(self, facts: Facts) -> Check:
        if not facts.several:
            return self._check(True, "one", "The file holds one picture")
        said = "The file is animated or has several pages"
        return self._check(False, "several", said, "Save its first picture alone.")


@dataclass(frozen=True, kw_only=True)
class ColourMode(_Rule):
    """How the file stores colours, whatever they look like. allowed: of COLOURS."""

    name: ClassVar[str] = "colour-mode"
    allowed: tuple[str, ...] = ("rgb", "gray")

    @property
    def asked(self) -> str:
        return listed(COLOURS[each] for each in self.allowed)

    def check(self, facts: Facts) -> Check:
        said = f"The file's colours are stored as {COLOURS[facts.colours]}"
        return self._check(facts.colours in self.allowed, facts.colours, said, "Convert it to RGB (sRGB).")


@dataclass(frozen=True, kw_only=True)
class BitDepth(_Rule):
    """most: bits of each channel of the file."""

    name: ClassVar[str] = "bit-depth"
    most: int = 8

    @property
    def asked(self) -> str:
        return f"at most {self.most} bits per channel"

    def check(self, facts: Facts) -> Check:
        said = f"The file has {facts.bits} bit{'s' if facts.bits > 1 else ''} per channel"
        return self._check(facts.bits <= self.most, facts.bits, said, f"Save it with {self.most} bits per channel.")


@dataclass(frozen=True, kw_only=True)
class WholeProduct(_Rule):
    """The product is cut by no edge."""

    name: ClassVar[str] = "whole-product"
    asked: ClassVar[str] = "the whole product"

    def check(self, facts: Facts) -> Check:
        if not facts.edges:
            return self._check(True, "whole", "The product lies wholly in the frame")
        edges = " and ".join(facts.edges)
        said = f"The product reaches the {edges} edge{'s' if len(facts.edges) > 1 else ''} and may be cut off there"
        return self._check(False, edges, said, "Photograph it again with room around it.")


KINDS: Mapping[str, Callable[..., Rule]] = {
    kind.name: kind
    for kind in (
        Background,
        LongestSide,
        ShortestSide,
        Megapixels,
        Fill,
        Aspect,
        FileFormat,
        FileSize,
        Animation,
        ColourMode,
        BitDepth,
        WholeProduct,
    )
}


def _percent(share: float, *, up: bool) -> str:
    """To a tenth, rounded away from the bound that it misses: 84.97 % is not "85 %" of at least 85."""
    tenths = ceil(share * 1000 - 1e-6) if up else floor(share * 1000 + 1e-6)
    return f"{tenths / 10:g} %"


def _colour(colour: RGB) -> str:
    return "pure white" if colour == (255, 255, 255) else f"rgb{colour}"
