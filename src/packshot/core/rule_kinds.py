"""The kinds of marketplace rules. Each kind measures one property of a picture.

Its message has up to three sentences: the demand, the measured value and, if the rule is broken, advice.

Figures of a check in addition to the rule's demand, by kind:

| kind | demand | measured |
|---|---|---|
| `background` | colour, such as "#ffffff"; transparent | share of its pixels that differ; border, traces |
| `longest-side`, `shortest-side` | least, most, in px | needed_px, product_px, if the side is too short |
| `megapixels` | least, most | |
| `fill` | least, most, in 0..1 | percent, rounded away from the missed bound |
| `aspect` | width, height | size, in px |
| `format`, `colour-mode` | allowed | |
| `file-size` | most_mb, in millions of bytes; least_kb, in thousands, if it is set | |
| `bit-depth` | most | |
| `whole-product` | | edges |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil, floor
from typing import ClassVar, Literal

from packshot.core.codecs.formats import FORMATS
from packshot.core.notes import Figures
from packshot.core.options import listed
from packshot.core.rules import Check, Facts, Rule
from packshot.core.values import RGB, WHITE, colour_text

TRACES = ((0.001, 16), (0.005, 5))
"""Tolerated traces, as share of the background and difference of 255. The first is the rest of a soft edge or shadow;
the second is its JPEG block noise in a picture of a few hundred px. Dust is darker; a gray ground is larger."""

COLOURS = {"rgb": "RGB", "gray": "gray", "cmyk": "CMYK"}
"""Display names of a file's colour modes."""


@dataclass(frozen=True, kw_only=True)
class _Rule:
    """Base of all rules. required: False for a recommendation. why: the marketplace's reason, paraphrased.

    sentence: the demand for people. {must} becomes "must", or "should" for a recommendation; {asked} becomes the
    demand.
    """

    name: ClassVar[str]
    sentence: ClassVar[str]
    required: bool = True
    why: str = ""

    @property
    def asked(self) -> str:
        """The demand in words."""
        raise NotImplementedError

    @property
    def demand(self) -> Figures:
        """The demand in figures, without missing bounds."""
        return {}

    def _check(
        self, passed: bool, measured: float | str, said: str, advice: str = "", facts: Figures | None = None
    ) -> Check:
        demanded = self.sentence.format(must="must" if self.required else "should", asked=self.asked)
        message = " ".join(filter(None, (demanded, said, "" if passed else advice)))
        return Check(self.name, passed, measured, self.asked, message, self.required, {**self.demand, **(facts or {})})


@dataclass(frozen=True, kw_only=True)
class Background(_Rule):
    """One colour behind the product. at_most_off: allowed difference of a pixel, of 255. transparent: whether a
    transparent background passes too.

    The border must keep to at_most_off. Elsewhere invisible traces (TRACES) may remain.
    """

    name: ClassVar[str] = "background"
    sentence: ClassVar[str] = "The background {must} be {asked}."
    colour: RGB = WHITE
    at_most_off: int = 0
    transparent: bool = False

    @property
    def asked(self) -> str:
        name = _colour(self.colour)
        return f"{name} or transparent" if self.transparent else name

    @property
    def demand(self) -> Figures:
        return {"colour": colour_text(self.colour), "transparent": self.transparent}

    def check(self, facts: Facts) -> Check:
        ground = facts.ground
        if ground.transparent:
            return self._check(
                self.transparent, "transparent", "It is transparent.", "Put a colour behind the product."
            )
        figures = {"share": round(ground.off_share, 6), "border": ground.border_off > self.at_most_off}
        if ground.off <= self.at_most_off:
            said = f"It is {_colour(self.colour)} in every pixel."
            return self._check(True, ground.off, said, facts={**figures, "traces": False})
        share = "Less than 0.1 %" if ground.off_share < 0.001 else _percent(ground.off_share, up=True)
        differs = f"{share} of it differs by up to {ground.off} of 255"
        is_trace = any(ground.off_share <= share and ground.off <= off for share, off in TRACES)
        if is_trace and not figures["border"]:
            said = f"It is, except for invisible traces next to the product: {differs[0].lower()}{differs[1:]}."
            return self._check(True, ground.off, said, facts={**figures, "traces": True})
        where = ", at the border too" if figures["border"] else ""
        advice = "Remove the background and any shadow."
        return self._check(False, ground.off, f"{differs}{where}.", advice, {**figures, "traces": False})


@dataclass(frozen=True, kw_only=True)
class _Range(_Rule):
    """A value between two bounds; either may be missing."""

    least: float | None = None
    most: float | None = None

    @property
    def demand(self) -> Figures:
        bounds = {"least": self.least, "most": self.most}
        return {name: bound for name, bound in bounds.items() if bound is not None}

    def holds(self, value: float) -> bool:
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)

    def words(self, unit: str, scale: int = 1) -> str:
        least, most = (None if bound is None else f"{scale * bound:g}" for bound in (self.least, self.most))
        if least is None or most is None:
            return f"at {'most' if least is None else 'least'} {least or most} {unit}"
        return f"{least} to {most} {unit}"


@dataclass(frozen=True, kw_only=True)
class _Side(_Range):
    """The length of one side of the picture, px."""

    which: ClassVar[Literal["longest", "shortest"]]

    @property
    def asked(self) -> str:
        return self.words("px")

    def check(self, facts: Facts) -> Check:
        side = max(facts.size) if self.which == "longest" else min(facts.size)
        said = f"It is {side} px."
        if self.least is None or side >= self.least:
            return self._check(self.holds(side), side, said, "Scale the picture down.")
        product = max(facts.product.size)
        needed = ceil(product * self.least / side)
        advice = (
            f"The product is {product} px long, but it needs {needed} px in this frame: "
            "photograph it again from closer or with more pixels."
        )
        figures = {"needed_px": needed, "product_px": product}
        return self._check(False, side, said, advice if self.required else "", figures)


@dataclass(frozen=True, kw_only=True)
class LongestSide(_Side):
    name: ClassVar[str] = "longest-side"
    sentence: ClassVar[str] = "The longest side {must} be {asked}."
    which: ClassVar[Literal["longest", "shortest"]] = "longest"


@dataclass(frozen=True, kw_only=True)
class ShortestSide(_Side):
    name: ClassVar[str] = "shortest-side"
    sentence: ClassVar[str] = "The shortest side {must} be {asked}."
    which: ClassVar[Literal["longest", "shortest"]] = "shortest"


@dataclass(frozen=True, kw_only=True)
class Megapixels(_Range):
    name: ClassVar[str] = "megapixels"
    sentence: ClassVar[str] = "The picture {must} have {asked}."

    @property
    def asked(self) -> str:
        return self.words("megapixels")

    def check(self, facts: Facts) -> Check:
        value = facts.size.width * facts.size.height / 1e6
        return self._check(self.holds(value), value, f"It has {value:.1f} megapixels.", "Scale the picture down.")


@dataclass(frozen=True, kw_only=True)
class Fill(_Range):
    """The product's share of the frame, 0..1, along its tightest side."""

    name: ClassVar[str] = "fill"
    sentence: ClassVar[str] = "The product {must} fill {asked} of the frame."

    @property
    def asked(self) -> str:
        return self.words("%", scale=100)

    def check(self, facts: Facts) -> Check:
        fill = facts.fill
        high = self.most is not None and fill > self.most
        advice = "Leave more room around it." if high else "Cut the frame closer to it."
        said, figures = f"It fills {_percent(fill, up=high)}.", {"percent": _tenths(fill, up=high)}
        return self._check(self.holds(fill), round(fill, 4), said, advice, figures)


@dataclass(frozen=True, kw_only=True)
class Aspect(_Rule):
    """Width to height, to the nearest pixel. tolerance: a share of the height, if the required figures are rounded."""

    name: ClassVar[str] = "aspect"
    sentence: ClassVar[str] = "The picture {must} be {asked}, width to height."
    width: float = 1
    height: float = 1
    tolerance: float = 0

    @property
    def asked(self) -> str:
        return f"{self.width:g}:{self.height:g}"

    @property
    def demand(self) -> Figures:
        return {"width": self.width, "height": self.height}

    def check(self, facts: Facts) -> Check:
        width, height = facts.size
        passed = abs(width * self.height / self.width - height) <= max(1, self.tolerance * height)
        said, advice = f"It is {facts.size} px.", f"Use a canvas of {self.asked}."
        return self._check(passed, round(width / height, 4), said, advice, {"size": facts.size})


@dataclass(frozen=True, kw_only=True)
class FileFormat(_Rule):
    name: ClassVar[str] = "format"
    sentence: ClassVar[str] = "The file format {must} be {asked}."
    allowed: tuple[str, ...] = ()

    @property
    def asked(self) -> str:
        return listed(FORMATS[each].title for each in self.allowed)

    @property
    def demand(self) -> Figures:
        return {"allowed": self.allowed}

    def check(self, facts: Facts) -> Check:
        said, advice = f"It is {FORMATS[facts.format].title}.", f"Save the picture as {self.asked}."
        return self._check(facts.format in self.allowed, facts.format, said, advice)


@dataclass(frozen=True, kw_only=True)
class FileSize(_Rule):
    """Size of the file. most_mb: in millions of bytes. least_kb: in thousands; 0 for no lower bound."""

    name: ClassVar[str] = "file-size"
    sentence: ClassVar[str] = "The file {must} be {asked}."
    most_mb: float
    least_kb: float = 0

    @property
    def asked(self) -> str:
        return f"{self.least_kb:g} KB to {self.most_mb:g} MB" if self.least_kb else f"at most {self.most_mb:g} MB"

    @property
    def demand(self) -> Figures:
        return {"most_mb": self.most_mb} | ({"least_kb": self.least_kb} if self.least_kb else {})

    def check(self, facts: Facts) -> Check:
        size_kb, size_mb = facts.file_bytes / 1e3, facts.file_bytes / 1e6
        if size_kb < self.least_kb:
            said, advice = f"It is {floor(size_kb * 10) / 10:g} KB.", "Save it with a higher quality, or as PNG."
        else:
            said, advice = f"It is {size_mb:.2f} MB.", "Save it with a lower quality."
        return self._check(self.least_kb <= size_kb and size_mb <= self.most_mb, facts.file_bytes, said, advice)


@dataclass(frozen=True, kw_only=True)
class Animation(_Rule):
    """Exactly one picture in the file: no further frames or pages."""

    name: ClassVar[str] = "animation"
    sentence: ClassVar[str] = "The file {must} hold {asked}."
    asked: ClassVar[str] = "a single picture"

    def check(self, facts: Facts) -> Check:
        if not facts.several:
            return self._check(True, "one", "It holds one.")
        said = "It is animated or has several pages."
        return self._check(False, "several", said, "Save only its first picture.")


@dataclass(frozen=True, kw_only=True)
class ColourMode(_Rule):
    """Colour mode of the stored file, independent of its content. allowed: keys of COLOURS."""

    name: ClassVar[str] = "colour-mode"
    sentence: ClassVar[str] = "The file's colours {must} be stored as {asked}."
    allowed: tuple[str, ...] = ("rgb", "gray")

    @property
    def asked(self) -> str:
        return listed(COLOURS[each] for each in self.allowed)

    @property
    def demand(self) -> Figures:
        return {"allowed": self.allowed}

    def check(self, facts: Facts) -> Check:
        said = f"They are stored as {COLOURS[facts.colours]}."
        return self._check(facts.colours in self.allowed, facts.colours, said, "Convert the file to RGB (sRGB).")


@dataclass(frozen=True, kw_only=True)
class BitDepth(_Rule):
    """Bits per channel of the file. most: the upper bound."""

    name: ClassVar[str] = "bit-depth"
    sentence: ClassVar[str] = "The file {must} have {asked}."
    most: int = 8

    @property
    def asked(self) -> str:
        return f"at most {self.most} bits per channel"

    @property
    def demand(self) -> Figures:
        return {"most": self.most}

    def check(self, facts: Facts) -> Check:
        said = f"It has {facts.bits} bit{'s' if facts.bits > 1 else ''} per channel."
        return self._check(facts.bits <= self.most, facts.bits, said, f"Save it with {self.most} bits per channel.")


@dataclass(frozen=True, kw_only=True)
class WholeProduct(_Rule):
    """No edge of the picture cuts the product."""

    name: ClassVar[str] = "whole-product"
    sentence: ClassVar[str] = "The picture {must} show {asked}."
    asked: ClassVar[str] = "the whole product"

    def check(self, facts: Facts) -> Check:
        if not facts.edges:
            return self._check(True, "whole", "The whole product is in the frame.", facts={"edges": ()})
        edges = " and ".join(facts.edges)
        said = f"The product reaches the {edges} edge{'s' if len(facts.edges) > 1 else ''} and may be cut off there."
        advice = "Photograph it again with room around it."
        return self._check(False, edges, said, advice, {"edges": facts.edges})


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
    return f"{_tenths(share, up=up):g} %"


def _tenths(share: float, *, up: bool) -> float:
    """Returns percent, rounded to a tenth away from the missed bound: 84.97 % is not "85 %" of at least 85."""
    return (ceil(share * 1000 - 1e-6) if up else floor(share * 1000 + 1e-6)) / 10


def _colour(colour: RGB) -> str:
    return "pure white" if colour == WHITE else f"rgb{colour}"
