"""Rendering: turns a picture, its matte and a recipe into the pixels of the output."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, floor

import cv2
import numpy as np

from packshot.core.backdrop import blurred, cover
from packshot.core.compose import BLACK, STRIP_ROWS, Behind, crop, cutout, filled, flatten, visible
from packshot.core.frame import Frame
from packshot.core.geometry import Box, Size
from packshot.core.matte import RESIDUE, bounding_box, in_levels
from packshot.core.notes import NO_SHADOW, Note
from packshot.core.options import BLUR
from packshot.core.photo_shadow import photo_shadow
from packshot.core.picture import Array, Float32, Foreground, Picture, UInt8, to_uint8
from packshot.core.recipe import Recipe, Shadow
from packshot.core.resample import rescale
from packshot.core.shadow import SOLID, contact_shadow, kept_near_edges, soft_shadow

_TINY = np.float32(1e-5)
_AROUND_PX = 4  # beyond the visible part, for the scaling filter
MOST_DARKENING = 3
"""Largest factor by which a photo's own shadow is darkened. Beyond it, uneven light on the ground turns into stains."""


@dataclass(frozen=True, eq=False)
class Rendering:
    """The pixels of an output.

    rgb: uint8 (H, W, 3), or (H, W) for a mask.
    alpha: uint8 (H, W), or None if opaque.
    notes: what could not be done as requested.
    """

    rgb: UInt8
    alpha: UInt8 | None = None
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, eq=False)
class _Layer:
    """The product at its place in the output. Its colours are premultiplied: straight colours must not be resampled.

    coverage: float32 (h, w) in 0..1.
    at: its box in the output.
    foreground, matte, origin: at scale 1, the source of the colours, computed by strips; origin is the layer's corner
    in them.
    scaled: at other scales the colours, float32 (h, w, 3) in 0..255, premultiplied.
    """

    coverage: Float32
    at: Box
    foreground: Foreground
    matte: Float32
    origin: tuple[int, int]
    scaled: Float32 | None = None

    def colours(self, part: Box) -> Float32:
        """Returns the colours of a part of the layer, float32 (h, w, 3) in 0..255, premultiplied."""
        if self.scaled is not None:
            return self.scaled[part.slices]
        return _premultiplied(self.foreground, self.matte, part.moved(*self.origin))


def render(
    recipe: Recipe,
    picture: Picture,
    matte: Float32,
    frame: Frame,
    backdrop: Picture | None = None,
    *,
    foreground: Foreground | None,
) -> Rendering:
    """Returns the output of a recipe.

    Parameters: recipe; picture and its matte, float32 (H, W) in 0..1; frame, the picture's place in the output;
    backdrop, the decoded background picture, if the recipe has one; foreground, the product's colours, None for a mask.
    """
    if foreground is None:
        return Rendering(framed_mask(matte, frame))
    behind = _behind(recipe, picture, matte, frame, backdrop)
    if recipe.shadow is None and frame.scale == 1:
        return _copied(foreground, matte, frame, behind)
    layer = _layer(foreground, matte, frame)
    density = None if recipe.shadow is None else _shadow(recipe.shadow, picture, matte, frame, layer)
    rendering = _blended(layer, density, frame.size, behind)
    return rendering if density is None or density.any() else replace(rendering, notes=(NO_SHADOW,))


def framed_mask(matte: Float32, frame: Frame) -> UInt8:
    """Returns the matte at its place in the output, uint8 (height, width): the alpha of a cutout of the same frame."""
    if frame.is_photo(Size(matte.shape[1], matte.shape[0])):
        return in_levels(matte)
    coverage, at = _coverage(matte, _to_scale(_box(matte), frame), frame)
    return _on_canvas(to_uint8(coverage), BLACK, at, frame.size)


def _behind(recipe: Recipe, picture: Picture, matte: Float32, frame: Frame, backdrop: Picture | None) -> Behind | None:
    """Returns the background: a colour, a picture of the output's size, or None for transparency."""
    if backdrop is not None:
        return cover(visible(backdrop), frame.size)
    if recipe.background == BLUR:
        return _placed(blurred(picture, matte), frame, border=cv2.BORDER_REPLICATE)
    return recipe.background if isinstance(recipe.background, tuple) else None


def _copied(foreground: Foreground, matte: Float32, frame: Frame, behind: Behind | None) -> Rendering:
    """Renders at scale 1, the fast path: copies pixels, and computes only in the transition region."""
    canvas = Box.full(frame.size)
    photo = frame.place(Box(0, 0, matte.shape[1], matte.shape[0]))
    seen = photo.within(canvas)
    if seen != photo:
        foreground, matte = crop(foreground, matte, seen.moved(-photo.left, -photo.top))
    if behind is None:
        rgb, alpha = cutout(foreground)
        return Rendering(_on_canvas(rgb, BLACK, seen, frame.size), _on_canvas(alpha, BLACK, seen, frame.size))
    part = behind[seen.slices] if isinstance(behind, np.ndarray) else behind
    return Rendering(_on_canvas(flatten(foreground, matte, part), behind, seen, frame.size))


def _on_canvas(part: UInt8, around: Behind, at: Box, size: Size) -> UInt8:
    """Returns a part of an output, surrounded by the rest of it. A mask is surrounded by the colour's first value."""
    if at == Box.full(size):
        return part
    if isinstance(around, np.ndarray):
        canvas = around.copy()
    else:
        canvas = filled(size, around) if part.ndim == 3 else np.full((size.height, size.width), around[0], np.uint8)
    canvas[at.slices] = part
    return canvas


def _layer(foreground: Foreground, matte: Float32, frame: Frame) -> _Layer:
    """Returns the product at the output's scale, cropped to the output."""
    box = _to_scale(_box(matte), frame)
    coverage, at = _coverage(matte, box, frame)
    down, across = _part(frame, box)
    layer = _Layer(coverage, at, foreground, matte, (box.left + across.start, box.top + down.start))
    if frame.scale == 1:
        return layer
    colours = np.empty((*box.size[::-1], 3), np.float32)
    for strip in box.strips(STRIP_ROWS):
        colours[strip.moved(-box.left, -box.top).slices] = _premultiplied(foreground, matte, strip)
    colours = rescale(colours, frame.place(box).size)[down, across]
    # Cubic interpolation overshoots.
    return replace(layer, scaled=np.clip(colours, np.float32(0), cv2.merge([255 * coverage] * 3)))


def _premultiplied(foreground: Foreground, matte: Float32, part: Box) -> Float32:
    """Returns the colours of a part of the picture times the matte, float32 (h, w, 3) in 0..255."""
    width = matte.shape[1]
    colours = _times(foreground.rgb[part.slices].astype(np.float32), matte[part.slices])
    first, end = np.searchsorted(foreground.transition, (part.top * width, part.bottom * width))
    y, x = np.divmod(foreground.transition[first:end], width)
    inside = (part.left <= x) & (x < part.right)
    y, x = y[inside], x[inside]
    colours[y - part.top, x - part.left] = foreground.colours[first:end][inside] * matte[y, x, None]
    return colours


def _coverage(matte: Float32, box: Box, frame: Frame) -> tuple[Float32, Box]:
    """Returns a layer's matte, float32 (h, w) in 0..1, and its box in the output."""
    at = frame.place(box)
    matte = matte[box.slices]
    if frame.scale != 1:
        matte = np.clip(rescale(matte, at.size), np.float32(0), np.float32(1))
    return matte[_part(frame, box)], at.within(Box.full(frame.size))


def _to_scale(box: Box, frame: Frame) -> Box:
    """Returns the part of a photo box to scale for the output: all of it, unless the crop removes most of it.

    A photo of 50 MP around a small product has 800 MP at a scale of 4.
    """
    at = frame.place(box).size
    if frame.scale == 1 or at.width * at.height <= 2 * frame.size.width * frame.size.height:
        return box
    left, top = (floor(-each / frame.scale) - _AROUND_PX for each in (frame.left, frame.top))
    right = ceil((frame.size.width - frame.left) / frame.scale) + _AROUND_PX
    bottom = ceil((frame.size.height - frame.top) / frame.scale) + _AROUND_PX
    return Box(left, top, right, bottom).within(box)


def _part(frame: Frame, box: Box) -> tuple[slice, slice]:
    """Returns the visible part of a photo box, as slices at the output's scale."""
    at = frame.place(box)
    return at.within(Box.full(frame.size)).moved(-at.left, -at.top).slices


def _box(matte: Float32) -> Box:
    left, top, width, height = cv2.boundingRect((matte > 0).view(np.uint8))
    return Box(left, top, left + max(1, width), top + max(1, height))


def _shadow(shadow: Shadow, picture: Picture, matte: Float32, frame: Frame, layer: _Layer) -> Float32:
    """Returns the shadow's density on the output, float32 (height, width) in 0..1, opacity included."""
    density = _density(shadow, picture, matte, frame, layer)
    solid = bounding_box(layer.coverage, SOLID)
    product = layer.at if solid is None else solid.moved(layer.at.left, layer.at.top)
    kept = kept_near_edges(density, product)
    if kept is not None:
        rows, columns = kept
        density *= rows[:, None]
        density *= columns
    return density


def _density(shadow: Shadow, picture: Picture, matte: Float32, frame: Frame, layer: _Layer) -> Float32:
    """Returns the same density, which edges of the output may still cut."""
    if shadow.kind == "photo":
        density = _placed(photo_shadow(picture, matte), frame, border=cv2.BORDER_CONSTANT)
        # As in the photo, or scaled so that its darkest part has the requested opacity.
        peak = float(density.max())
        factor = np.float32(1 if shadow.opacity is None or not peak else min(shadow.opacity / peak, MOST_DARKENING))
        return np.multiply(density, factor, out=density)
    coverage = np.zeros((frame.size.height, frame.size.width), np.float32)
    coverage[layer.at.slices] = layer.coverage
    density = contact_shadow(coverage) if shadow.kind == "contact" else soft_shadow(coverage)
    return np.multiply(density, np.float32(shadow.opacity or 0), out=density)


def _blended(layer: _Layer, density: Float32 | None, size: Size, behind: Behind | None) -> Rendering:
    """Composites the product over its shadow over the background, in float. The result is rounded once, here.

    Coverage below RESIDUE, which scaling leaves around an edge, does not change the background.
    """
    if behind is None:
        return _blended_cutout(layer, density, size)
    canvas = filled(size, behind) if isinstance(behind, tuple) else behind.copy()
    changed = layer.at if density is None else layer.at.around(_box(density))
    for strip in changed.strips(STRIP_ROWS):
        under = canvas[strip.slices].astype(np.float32)
        if density is not None:
            under = _times(under, 1 - density[strip.slices])
        over = layer.at.within(strip)
        if not over.is_empty:
            at, part = over.moved(-strip.left, -strip.top).slices, over.moved(-layer.at.left, -layer.at.top)
            coverage = layer.coverage[part.slices]
            laid = cv2.add(_times(under[at], 1 - coverage), layer.colours(part))
            cv2.copyTo(laid, (coverage >= RESIDUE).view(np.uint8), under[at])
        canvas[strip.slices] = _rounded(under)
    return Rendering(canvas)


def _blended_cutout(layer: _Layer, density: Float32 | None, size: Size) -> Rendering:
    """Returns a cutout with a shadow. Straight alpha: product a and black shadow s together cover a + (1 - a)s; only
    the product has colour."""
    rgb = np.zeros((size.height, size.width, 3), np.uint8)
    alpha = np.empty((size.height, size.width), np.uint8)
    for strip in Box.full(size).strips(STRIP_ROWS):
        total = np.zeros(strip.size[::-1], np.float32) if density is None else density[strip.slices].copy()
        over = layer.at.within(strip)
        if not over.is_empty:
            at, part = over.moved(-strip.left, -strip.top).slices, over.moved(-layer.at.left, -layer.at.top)
            coverage = layer.coverage[part.slices]
            total[at] = coverage + (1 - coverage) * total[at]
            rgb[over.slices] = _rounded(_times(layer.colours(part), np.reciprocal(np.maximum(total[at], _TINY))))
        alpha[strip.slices] = to_uint8(total)
        rgb[strip.slices] = cv2.copyTo(rgb[strip.slices], alpha[strip.slices])
    return Rendering(rgb, alpha)


def _times(colours: Float32, plane: Float32) -> Float32:
    """Multiplies colours (h, w, 3) by a plane (h, w). numpy's broadcast over three channels takes five times as
    long."""
    return np.asarray(cv2.multiply(colours, cv2.merge([plane] * 3)), np.float32)


def _placed(image: Array, frame: Frame, *, border: int) -> Array:
    """Returns an image of the photo's size at its place in the output. Beyond the photo it is 0 or repeats its edge."""
    box = _to_scale(Box(0, 0, image.shape[1], image.shape[0]), frame)
    at = frame.place(box)
    seen = at.within(Box.full(frame.size))
    scaled = image if frame.scale == 1 else rescale(image[box.slices], at.size)
    part = scaled[_part(frame, box)]
    around = (seen.top, frame.size.height - seen.bottom, seen.left, frame.size.width - seen.right)
    return cv2.copyMakeBorder(part, *around, border, value=0)  # type: ignore[return-value]


def _rounded(colours: Float32) -> UInt8:
    """Rounds float32 in 0..255 to the nearest uint8."""
    return np.asarray(cv2.convertScaleAbs(np.maximum(colours, np.float32(0))), np.uint8)
