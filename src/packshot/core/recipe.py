"""Recipes: options merged with a preset and the defaults, and checked against each other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from packshot.core.codecs.formats import FORMATS, WRITTEN, Format
from packshot.core.options import BLUR, TRANSPARENT, Form, Options, ShadowKind, listed
from packshot.core.values import RGB, WHITE, Canvas, Length, Margins, Position, Region
from packshot.errors import InvalidOption

Mend = Literal["size", "fill", "ground", "quality"]
"""Kinds of repairs. None of them changes an option that the caller set."""

SHADOW_OPACITY = 0.5
WORDS = frozenset({"mask", "picture", "white", "blur", "colour", "crop", "framed"})
"""All values of `Recipe.word` except the names of presets."""
_NO_ROOM = Margins(*[Length(0)] * 4)


@dataclass(frozen=True)
class Framing:
    """The requested part of the photo and its size. core/frame.py makes a Frame of it."""

    crop: bool = False
    margins: Margins = _NO_ROOM
    canvas: Canvas | None = None
    fill: float | None = None
    position: Position | None = None
    max_upscale: float = 1.0
    min_px: int | None = None
    max_px: int | None = None

    @property
    def is_photo(self) -> bool:
        """Whether the output has the photo's own frame and size."""
        return self == Framing(max_upscale=self.max_upscale)

    @property
    def has_margins(self) -> bool:
        """Whether the product gets space around it."""
        return self.margins != _NO_ROOM


@dataclass(frozen=True)
class Shadow:
    """The shadow of an output. kind: never "none". opacity: at its darkest, 0..1; None keeps the photo's own."""

    kind: ShadowKind
    opacity: float | None


@dataclass(frozen=True)
class Recipe:
    """All decisions that are made before a photo is opened.

    background: None for transparency, a colour, "blur", or the bytes of a picture.
    quality: None for a lossless format.
    rotate: degrees clockwise, more than -180 and at most 180. The photo is rotated after its matte is found.
    preset: name of the rules that the output is checked against.
    mends: allowed repairs that make it keep the rules.
    key: Options.key of the source options.
    """

    form: Form = "cutout"
    format: str = "png"
    quality: int | None = None
    background: RGB | str | bytes | None = None
    framing: Framing = Framing()
    shadow: Shadow | None = None
    rotate: float = 0.0
    roi: Region | None = None
    touch_up: bytes | None = None
    keep_metadata: bool = False
    preset: str | None = None
    mends: frozenset[Mend] = frozenset()
    key: str = field(default="", compare=False)

    @property
    def word(self) -> str:
        """Suffix of output names, photo-WORD.jpg: the preset, else the background, else the frame.

        Empty for the plain cutout.
        """
        if self.preset is not None:
            return self.preset
        if self.form == "mask":
            return "mask"
        if self.form == "flattened":
            if isinstance(self.background, bytes):
                return "picture"
            return "white" if self.background == WHITE else "blur" if self.background == BLUR else "colour"
        if self.framing.is_photo:
            return ""
        return "crop" if self.framing.crop and self.framing.canvas is None else "framed"

    @property
    def auxiliary(self) -> dict[str, bytes]:
        """The pictures that came with the photo, by the names of their options."""
        given = {"background_picture": self.background, "touch_up": self.touch_up}
        return {name: picture for name, picture in given.items() if isinstance(picture, bytes)}


def make_recipe(options: Options) -> Recipe:
    """Returns the recipe for these options, with every default filled in.

    Raises
    ------
    InvalidOption
        Two options contradict each other; the message names both.
    """
    background = _background(options)
    opaque = options.format is not None and not FORMATS[options.format].alpha
    form = options.form or ("cutout" if background is None and not opaque else "flattened")
    file_format = FORMATS[options.format or ("jpeg" if form == "flattened" else "png")]
    if form == "flattened" and background is None:
        if options.background == TRANSPARENT:
            raise _conflict("form", "flattened", "background is transparent", "a colour, blur or a background_picture")
        background = WHITE
    _check_form(options, form, file_format, background)
    if file_format.quality is None and options.quality is not None:
        lossy = listed(name for name, row in WRITTEN.items() if row.quality is not None)
        raise _conflict("quality", options.quality, f"format is {file_format.name}, which is lossless", lossy)
    return Recipe(
        form=form,
        format=file_format.name,
        quality=options.quality or file_format.quality,
        background=background,
        framing=_framing(options),
        shadow=_shadow(options, form),
        rotate=options.meaning("rotate") or 0.0,
        roi=options.meaning("roi"),
        touch_up=options.touch_up,
        keep_metadata=options.metadata == "keep",
        preset=_single(options.meaning("preset")),
        key=options.key(),
    )


def _single(names: tuple[str, ...] | None) -> str | None:
    """Returns the preset's name, or None. Raises InvalidOption for several presets."""
    if names is None or len(names) == 1:
        return names[0] if names else None
    raise InvalidOption(
        f"preset lists {len(names)} names: {', '.join(names)}. Only one picture is made here.",
        hint="Give one. For one picture each, use packshot.remove_for in Python or POST /v1/packshots in the API.",
        field="preset",
        value=",".join(names),
    )


def _background(options: Options) -> RGB | str | bytes | None:
    if options.background_picture is not None:
        if options.background is not None:
            raise _conflict("background", options.background, "background_picture is set too", "one of them")
        return options.background_picture
    if options.background in {None, TRANSPARENT}:
        return None
    found: RGB | str = options.meaning("background")
    return found


def _check_form(options: Options, form: Form, file_format: Format, background: object) -> None:
    if form == "cutout" and not file_format.alpha:
        clear = listed(name for name, row in WRITTEN.items() if row.alpha)
        because = f"form is cutout, and {file_format.title} has no transparency"
        raise _conflict("format", file_format.name, because, clear)
    if form != "flattened" and background is not None:
        name = "background" if options.background is not None else "background_picture"
        raise _conflict(
            name, options.background or "a picture", f"form is {form}, which has no background", "form flattened"
        )


def _framing(options: Options) -> Framing:
    framing = Framing(
        crop=bool(options.crop),
        margins=options.meaning("margin") or _NO_ROOM,
        canvas=options.meaning("canvas"),
        fill=options.meaning("fill"),
        position=options.meaning("position"),
        max_upscale=options.max_upscale or 1.0,
        min_px=options.min_px,
        max_px=options.max_px,
    )
    if options.margin is not None and framing.fill is not None:
        raise _conflict("margin", options.margin, f"fill is {options.fill}", "one of them: both set the space around")
    if options.margin is not None and not framing.crop and framing.canvas is None:
        raise _conflict("margin", options.margin, "the frame is the whole photo", "crop or a canvas as well")
    if framing.min_px and framing.max_px and framing.min_px > framing.max_px:
        raise _conflict("min_px", framing.min_px, f"max_px is {framing.max_px}", "a smaller min_px")
    if framing.canvas and framing.canvas.size and (framing.min_px or framing.max_px):
        name = "min_px" if framing.min_px else "max_px"
        raise _conflict(name, getattr(framing, name), f"canvas is {options.canvas}", "an aspect as canvas, such as 1:1")
    return framing


def _shadow(options: Options, form: Form) -> Shadow | None:
    if options.shadow is None or options.shadow == "none":
        if options.shadow_opacity is not None:
            raise _conflict(
                "shadow_opacity", options.shadow_opacity, "there is no shadow", "shadow contact, soft or photo"
            )
        return None
    if form == "mask":
        raise _conflict("shadow", options.shadow, "form is mask, which has no shadow", "form cutout or flattened")
    default = None if options.shadow == "photo" else SHADOW_OPACITY
    return Shadow(options.shadow, options.meaning("shadow_opacity") or default)


def _conflict(name: str, value: object, because: str, instead: str) -> InvalidOption:
    return InvalidOption(
        f"{name} is {value}, but {because}.", hint=f"Use {instead}.", field=name, value=value, allowed=instead
    )
