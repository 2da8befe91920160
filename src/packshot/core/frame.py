"""Framing: the visible part of the photo, its scale, and its place in the output."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from packshot.core.geometry import Box, Size, reached_edges
from packshot.core.notes import Note, What, enlarged_less, reaches_edge, too_small
from packshot.core.recipe import Framing
from packshot.core.values import LARGEST_PX, MOST_PIXELS, Margins, Position

_SAME = 1e-6


@dataclass(frozen=True)
class Frame:
    """A photo's place in an output: a point x of the photo is at left + scale * x.

    size: of the output, px.
    scale: output px per photo px; exactly 1 if pixels are copied unchanged.
    left, top: of the photo's corner in the output; whole px at scale 1; negative if the frame cuts the photo.
    notes: what could not be done as requested.
    """

    size: Size
    scale: float = 1.0
    left: float = 0.0
    top: float = 0.0
    notes: tuple[Note, ...] = ()

    def place(self, box: Box) -> Box:
        """Returns the place of a photo box in the output, in whole px. It may extend beyond the output."""
        left, top = round(self.left + self.scale * box.left), round(self.top + self.scale * box.top)
        width, height = (max(1, round(self.scale * length)) for length in box.size)
        return Box(left, top, left + width, top + height)

    def shown(self, box: Box) -> Box:
        """Returns the visible part of a photo box, px of the output."""
        return self.place(box).within(Box.full(self.size))

    def is_photo(self, photo: Size) -> bool:
        """Whether the output is the photo's own frame, pixel by pixel."""
        return self == Frame(photo, notes=self.notes)


def make_frame(framing: Framing, photo: Size, box: Box, edges: tuple[str, ...] | None = None) -> Frame:
    """Returns the frame for a framing, around a photo with its product in `box`.

    The frame's size comes first: exact, or as large as the content needs, then within min_px and max_px. The scale
    follows from it, at most max_upscale. Margins in px are px of the output.

    Parameters: framing; photo, its size; box, the product in the photo, px, not empty; edges of the photo that the
    product reaches, if the box does not show them because the photo was rotated.
    """
    if framing.is_photo:
        return Frame(photo)
    content = _content(framing, photo, box)
    natural = _natural_size(framing, photo, content)
    size = _bounded(framing, natural, content)
    wanted = _wanted_scale(framing, size, natural, content)
    scale = min(wanted, framing.max_upscale)
    width, height = content.at(scale)
    position = framing.position or Position()
    left = round((size.width - width) * position.x + content.left_px(scale)) - scale * content.box.left
    top = round((size.height - height) * position.y + content.top_px(scale)) - scale * content.box.top
    reached = reached_edges(box, photo) if edges is None else edges
    cut = (reaches_edge(reached),) if content.is_product and reached else ()
    notes = (*_size_notes(framing, size, content, scale, wanted), *cut)
    return Frame(size, scale, left, top, notes)


@dataclass(frozen=True)
class _Content:
    """Content that must fit in the frame: a box of the photo, and margins of which only a part grows with the scale."""

    box: Box
    margins: Margins
    is_product: bool

    def at(self, scale: float) -> tuple[float, float]:
        """Returns width and height with margins, px of the output."""
        fixed_x, fixed_y = self.fixed
        share_x, share_y = self.shares
        return scale * self.box.size.width * share_x + fixed_x, scale * self.box.size.height * share_y + fixed_y

    @property
    def fixed(self) -> tuple[float, float]:
        top, right, bottom, left = (0.0 if each.is_share else each.value for each in self.margins)
        return left + right, top + bottom

    @property
    def shares(self) -> tuple[float, float]:
        top, right, bottom, left = (each.value if each.is_share else 0.0 for each in self.margins)
        return 1 + left + right, 1 + top + bottom

    def left_px(self, scale: float) -> float:
        return self.margins.left.px(scale * self.box.size.width)

    def top_px(self, scale: float) -> float:
        return self.margins.top.px(scale * self.box.size.height)


def _content(framing: Framing, photo: Size, box: Box) -> _Content:
    """Returns the product with its margins if an option refers to the product, else the whole photo."""
    moved = framing.position is not None and framing.canvas is None
    is_product = framing.crop or framing.fill is not None or framing.has_margins or moved
    return _Content(box if is_product else Box.full(photo), framing.margins, is_product)


def _keeps_the_photos_size(framing: Framing) -> bool:
    """Whether the product is only moved or scaled within the photo's own frame."""
    return framing.canvas is None and not framing.crop


def _wanted_scale(framing: Framing, size: Size, natural: Size, content: _Content) -> float:
    """Returns the scale that the frame needs; 1 if its size follows from the content or the product is only moved."""
    exact = framing.canvas is not None and framing.canvas.size is not None
    given = exact or (_keeps_the_photos_size(framing) and framing.fill is not None)
    if size == natural and not given:
        return 1.0
    if _keeps_the_photos_size(framing) and framing.fill is None and content.is_product:
        return size.longest / natural.longest
    return _fitting(framing, size, content)


def _natural_size(framing: Framing, photo: Size, content: _Content) -> Size:
    """Returns the frame's size at scale 1."""
    if framing.canvas is not None and framing.canvas.size is not None:
        return framing.canvas.size
    if _keeps_the_photos_size(framing) and content.is_product:
        return photo
    width, height = (length / (framing.fill or 1) for length in content.at(1.0))
    if framing.canvas is not None and framing.canvas.aspect is not None:
        width = max(width, framing.canvas.aspect * height)
        height = width / framing.canvas.aspect
    return _whole(width, height)


def _bounded(framing: Framing, size: Size, content: _Content) -> Size:
    """Returns the size within min_px and max_px, with its aspect, and no larger than the content can fill at
    max_upscale."""
    longest: float = size.longest
    most = min(framing.max_px or LARGEST_PX, longest * (MOST_PIXELS / (size.width * size.height)) ** 0.5)
    if longest > most:
        return Size(*(max(1, int(length * most / longest + 1e-4)) for length in size))
    if framing.min_px and longest < framing.min_px:
        grown = size.longest * framing.max_upscale
        if not any(content.fixed):
            longest = min(framing.min_px, grown)
        else:  # px margins stay fixed; only the content grows
            longest = min(framing.min_px, longest + max(content.at(framing.max_upscale)) - max(content.at(1.0)))
        return _whole(*(length * longest / size.longest for length in size))
    return size


def _fitting(framing: Framing, size: Size, content: _Content) -> float:
    """Returns the scale at which the content just fits the frame, or takes `fill` of it."""
    width, height = content.box.size
    if framing.fill is not None:
        return min(framing.fill * size.width / width, framing.fill * size.height / height)
    (fixed_x, fixed_y), (share_x, share_y) = content.fixed, content.shares
    room_x, room_y = max(1.0, size.width - fixed_x), max(1.0, size.height - fixed_y)
    return min(room_x / (width * share_x), room_y / (height * share_y))


def _whole(width: float, height: float) -> Size:
    return Size(max(1, ceil(width - 1e-4)), max(1, ceil(height - 1e-4)))


def _size_notes(framing: Framing, size: Size, content: _Content, scale: float, wanted: float) -> list[Note]:
    what: What = "product" if content.is_product else "photo"
    notes = []
    if scale < wanted - _SAME and wanted > 1:
        notes.append(enlarged_less(what, content.box.size, size, wanted=wanted, most=scale))
    if framing.min_px and size.longest < framing.min_px:
        notes.append(too_small(what, content.box.size, size, asked_px=framing.min_px))
    return notes
