"""Composites: products on solid and graded sweeps, photos and textures, with shadows that are not foreground.

They are made during training from objects with a true matte. The network would learn any statistic that differs between
an object and its new ground. So blur, noise and compression come after compositing (augment.camera), and the objects'
colours are extended beyond their edge (data.clean_colours).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from training.data import (
    CANVAS_PX,
    GROUND_PX,
    SCENES,
    WHITE_SET,
    Folders,
    build_cache,
    build_cutout_cache,
    build_object_cache,
    build_scene_cache,
    build_white_cache,
    set_names,
)
from training.pool import Pool


@dataclass(frozen=True)
class Recipe:
    """Parameters of composites; shares are probabilities."""

    several_share: float = 0.4
    photo_share: float = 0.4  # of the grounds; the rest is solid or graded
    white_share: float = 0.35  # of the solid grounds
    alike_share: float = 0.25  # ... of the object's own mean colour
    black_share: float = 0.08
    shadow_share: float = 0.7
    reflection_share: float = 0.15
    wrap_share: float = 0.2


@dataclass(frozen=True)
class Placed:
    """Objects placed in a frame: colours (N, 3, h, w), alpha (N, 1, h, w), and the bottoms of their boxes (N,)
    in -1..1."""

    colours: Tensor
    alpha: Tensor
    bottom: Tensor


class Compositor:
    """Draws objects and grounds with the batches' generator, so that a resumed run continues the stream."""

    def __init__(self, pool: Pool, grounds: list[np.ndarray], recipe: Recipe, generator: torch.Generator) -> None:
        self.pool, self.recipe, self.generator = pool, recipe, generator
        self.grounds = [torch.tensor(ground, device=pool.device).permute(2, 0, 1) for ground in grounds]

    def make(self, count: int, shape: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Pictures (N, 3, h, w) and mattes (N, 1, h, w), float32 in 0..1."""
        several = self._chance(count, self.recipe.several_share)
        present = (torch.ones(count, dtype=torch.bool), several, several & self._chance(count, 0.4))
        picture = matte = torch.empty(0)
        for slot, chosen in enumerate(present):
            rows = torch.nonzero(chosen).flatten()
            if not len(rows):
                continue
            layer = self._layer(len(rows), shape, slot)
            if slot == 0:
                picture, matte = self._grounds(layer, shape), torch.zeros_like(layer.alpha)
            rows = rows.to(self.pool.device)
            picture[rows] = self._lay(picture[rows], layer, 1 - matte[rows])
            matte[rows] = layer.alpha + matte[rows] * (1 - layer.alpha)
        return picture.clamp_(0, 1), matte

    def _uniform(self, low: float, high: float, *shape: int) -> Tensor:
        return torch.empty(shape).uniform_(low, high, generator=self.generator)

    def _chance(self, count: int, share: float) -> Tensor:
        return torch.rand(count, generator=self.generator) < share

    def _layer(self, count: int, shape: tuple[int, int], slot: int) -> Placed:
        """One object each; the first may fill the frame, the others stand next to it and are smaller."""
        rows = self.pool.draw(count, self.generator)
        maps, bottom = self._place(self.pool.boxes[rows].float(), shape, slot)
        window = self.pool.windows(rows, maps, shape, zeros=True)
        return Placed(window[:, :3], window[:, 3:], bottom.to(self.pool.device))

    def _place(self, boxes: Tensor, shape: tuple[int, int], slot: int) -> tuple[Tensor, Tensor]:
        """(N, 2, 3) maps from the frame's to the canvas's coordinates, both in -1..1, and the boxes' new bottoms."""
        count, (height, width) = len(boxes), shape
        left, top, right, bottom = boxes.unbind(1)
        box_w, box_h = right - left, bottom - top
        fill = self._uniform(0.3, 0.95, count) if slot == 0 else self._uniform(0.2, 0.5, count)
        scale = torch.minimum(width / box_w, height / box_h) * fill
        scale = scale.clamp(max=1.6 * max(shape) / CANVAS_PX)  # blur would reveal enlarged objects
        room_x, room_y = 1 - scale * box_w / width, 1 - scale * box_h / height
        side = (-1.0, 1.0)[slot % 2]
        x = room_x * (self._uniform(-1, 1, count) if slot == 0 else side * self._uniform(0.4, 1, count))
        y = room_y * self._uniform(-0.6, 1, count)
        angle = math.radians(12) * self._uniform(-1, 1, count) * self._chance(count, 0.4)
        mirror = torch.where(self._chance(count, 0.5), -1.0, 1.0)
        cos, sin = angle.cos() / scale, angle.sin() / scale
        across = torch.stack([mirror * cos * width / 2, -mirror * sin * height / 2], 1)
        down = torch.stack([sin * width / 2, cos * height / 2], 1)
        centre = torch.stack([x, y], 1)
        middle = torch.stack([(left + right) / 2, (top + bottom) / 2], 1) - CANVAS_PX / 2
        linear = torch.stack([across, down], 1)
        offset = middle - (linear @ centre[..., None])[..., 0]
        return torch.cat([linear, offset[..., None]], 2) / (CANVAS_PX / 2), y + scale * box_h / height

    def _grounds(self, first: Placed, shape: tuple[int, int]) -> Tensor:
        """(N, 3, h, w): photos and textures, or sweeps of one colour under uneven light."""
        grounds = [
            self._photo(shape) if chosen else self._sweep(colours, alpha, shape)
            for chosen, colours, alpha in zip(
                self._chance(len(first.alpha), self.recipe.photo_share), first.colours, first.alpha, strict=True
            )
        ]
        return torch.stack(grounds)

    def _photo(self, shape: tuple[int, int]) -> Tensor:
        ground = self.grounds[int(torch.randint(len(self.grounds), (), generator=self.generator))]
        scale = float(self._uniform(0.5, 1))
        height, width = (max(8, round(scale * GROUND_PX * side / max(shape))) for side in shape)
        top = int(float(self._uniform(0, 1)) * (ground.shape[1] - height))
        left = int(float(self._uniform(0, 1)) * (ground.shape[2] - width))
        crop = ground[None, :, top : top + height, left : left + width].float() / 255
        crop = F.interpolate(crop, shape, mode="bilinear", antialias=True)
        blur = int(self._uniform(0, 4, 1)) * max(shape) // 160
        return (box_blur(crop, blur, count_include_pad=False) if blur else crop)[0]

    def _sweep(self, colours: Tensor, alpha: Tensor, shape: tuple[int, int]) -> Tensor:
        """A wall and a table of nearly one colour, brighter on one side, with a soft bend between them."""
        recipe, kind = self.recipe, float(self._uniform(0, 1))
        if kind < recipe.white_share:
            colour = self._uniform(0.88, 1, 1) + self._uniform(-0.03, 0.03, 3)
        elif kind < recipe.white_share + recipe.alike_share:
            mean = ((colours * alpha).sum((1, 2)) / alpha.sum().clamp(min=1)).cpu()
            colour = mean + self._uniform(-0.08, 0.08, 1) + self._uniform(-0.03, 0.03, 3)
        elif kind < recipe.white_share + recipe.alike_share + recipe.black_share:
            colour = self._uniform(0, 0.1, 1) + self._uniform(-0.02, 0.02, 3)
        else:
            colour = self._uniform(0, 1, 3) * 0.6 + self._uniform(0, 1, 1) * 0.4
        y = torch.linspace(-1, 1, shape[0])[:, None]
        x = torch.linspace(-1, 1, shape[1])[None]
        strength = float(self._uniform(0, 1)) ** 2 * 0.35
        direction = self._uniform(-1, 1, 2)
        light = 1 + strength * (direction[0] * x + direction[1] * y)
        light -= strength * float(self._uniform(0, 0.5)) * (x * x + y * y)
        bend = float(self._uniform(-0.2, 0.9))
        light *= 1 + float(self._uniform(-0.12, 0.12)) * torch.sigmoid((y - bend) * float(self._uniform(8, 80)))
        if float(self._uniform(0, 1)) < 0.3:
            light = torch.ones_like(light)  # a ground of exactly one colour is common in shops
        return (colour[:, None, None] * light).clamp(0, 1).to(self.pool.device)

    def _lay(self, ground: Tensor, layer: Placed, visible: Tensor) -> Tensor:
        """An object over a ground with its shadow; light wraps round some edges. `visible` marks the visible ground."""
        count = len(ground)
        if len(chosen := torch.nonzero(self._chance(count, self.recipe.reflection_share)).flatten()):
            ground = self._reflected(ground, layer, chosen.to(ground.device), visible)
        shade = self._shadows(layer)
        strength = self._uniform(0.1, 0.75, count) * self._chance(count, self.recipe.shadow_share)
        ground = ground * (1 - strength.to(ground.device)[:, None, None, None] * shade * visible)
        colours = layer.colours
        if len(chosen := torch.nonzero(self._chance(count, self.recipe.wrap_share)).flatten().to(ground.device)):
            colours = colours.clone()
            colours[chosen] = self._wrapped(colours[chosen], layer.alpha[chosen], ground[chosen])
        return layer.alpha * colours + (1 - layer.alpha) * ground

    def _wrapped(self, colours: Tensor, alpha: Tensor, ground: Tensor) -> Tensor:
        """Light of a bright ground that spills over the object's edge."""
        small = box_blur(F.avg_pool2d(torch.cat([ground, 1 - alpha], 1), 4), max(ground.shape[-2:]) // 160)
        around = F.interpolate(small, ground.shape[-2:], mode="bilinear")
        strength = self._uniform(0, 0.4, len(colours), 1, 1, 1).to(ground.device)
        return colours + strength * around[:, 3:] * (around[:, :3] - colours)

    def _shadows(self, layer: Placed) -> Tensor:
        """(N, 1, h, w): the object's alpha, moved, flattened or sheared about its bottom, then blurred."""
        count, (height, width) = len(layer.alpha), layer.alpha.shape[-2:]
        lying = self._chance(count, 0.5)
        squash = torch.where(lying, self._uniform(0.1, 0.6, count), torch.ones(count))
        squash = torch.where(self._chance(count, 0.2), -squash, squash)  # lit from behind: shadow to the front
        shear = torch.where(lying, self._uniform(-1.5, 1.5, count), torch.zeros(count))
        shift = torch.where(lying[:, None], torch.zeros(count, 2), self._uniform(-0.08, 0.08, count, 2))
        bottom = layer.bottom.cpu()
        rows = [
            torch.stack([torch.ones(count), shear, shift[:, 0] - shear * bottom], 1),
            torch.stack([torch.zeros(count), 1 / squash, bottom - bottom / squash - shift[:, 1].abs()], 1),
        ]
        maps = torch.stack(rows, 1).to(layer.alpha.device)
        small = F.avg_pool2d(layer.alpha, 4)
        grid = F.affine_grid(maps, list(small.shape), align_corners=False)
        shade = F.grid_sample(small, grid, padding_mode="zeros", align_corners=False)
        for row in range(count):
            radius = round(float(self._uniform(0, 1)) ** 2 * 0.06 * max(small.shape[-2:]))
            if radius:
                shade[row] = box_blur(box_blur(shade[row], radius), radius)
        return F.interpolate(shade, (height, width), mode="bilinear")

    def _reflected(self, ground: Tensor, layer: Placed, rows: Tensor, visible: Tensor) -> Tensor:
        """A glossy table: the object mirrored below its bottom, faint and fading."""
        bottom = layer.bottom[rows]
        zero, one = torch.zeros_like(bottom), torch.ones_like(bottom)
        maps = torch.stack([torch.stack([one, zero, zero], 1), torch.stack([zero, -one, 2 * bottom], 1)], 1)
        both = torch.cat([layer.colours[rows], layer.alpha[rows]], 1)
        mirrored = F.grid_sample(
            both, F.affine_grid(maps, list(both.shape), align_corners=False), padding_mode="zeros", align_corners=False
        )
        y = torch.linspace(-1, 1, ground.shape[-2], device=ground.device)[None, None, :, None]
        fade = (1 - (y - bottom[:, None, None, None]) / 0.8).clamp(0, 1) * (y > bottom[:, None, None, None])
        strength = self._uniform(0.05, 0.35, len(rows)).to(ground.device)[:, None, None, None]
        share = strength * fade * mirrored[:, 3:] * visible[rows]
        ground = ground.clone()
        ground[rows] = ground[rows] + share * (mirrored[:, :3] - ground[rows])
        return ground


def box_blur(planes: Tensor, radius: int, *, count_include_pad: bool = True) -> Tensor:
    """Mean over (2 radius + 1)^2 px of (..., C, H, W), one axis after the other."""
    side = 2 * radius + 1
    planes = F.avg_pool2d(planes, (side, 1), 1, (radius, 0), count_include_pad=count_include_pad)
    return F.avg_pool2d(planes, (1, side), 1, (0, radius), count_include_pad=count_include_pad)


def object_pool(
    folders: Folders,
    split: str,
    shares: Mapping[str, float],
    device: torch.device,
    excluded: frozenset[str] = frozenset(),
) -> Pool:
    """The objects of a split: whole objects from labelled photos and rendered scenes, cutouts with true alpha, and
    products on white. A set that is not in pairs.csv is a zip of cutouts."""
    data, cache, caches = folders.data, folders.cache, {}
    labelled = set_names(data)
    for name in shares:
        if name == SCENES:
            if folders.scenes:
                scenes = build_scene_cache(folders.scenes, cache, name)
                caches[name] = build_object_cache(scenes, cache, f"{name}.objects", exact=True)
        elif name == WHITE_SET:
            caches[name] = build_white_cache(data / f"{name}.zip", cache, split=split, objects=True)
        elif name in labelled:
            photos = build_cache(data, cache, split=split, name=name)
            caches[name] = build_object_cache(photos, cache, f"{name}.objects.{split}", excluded)
        else:
            caches[name] = build_cutout_cache(data / f"{name}.zip", cache, split=split)
    return Pool(caches, shares, device)
