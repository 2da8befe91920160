# ruff: noqa: E402 - what is skipped without torch is imported after the question whether it is there
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training has an environment of its own: see training/README.md")

from tests.training.test_augment import CPU, discs
from training.composites import Compositor, Recipe
from training.losses import total_loss, trusted
from training.pool import Pool

GRAY = [np.full((512, 640, 3), 128, np.uint8)]
PLAIN = Recipe(photo_share=1, shadow_share=0, reflection_share=0, wrap_share=0)


def compositor(recipe: Recipe) -> Compositor:
    masks = discs(6, beyond=0)
    objects = replace(masks, pictures=np.full_like(masks.pictures, 255))  # colour also outside the edge
    return Compositor(Pool({"discs": objects}, {"discs": 1.0}, CPU), GRAY, recipe, torch.Generator().manual_seed(2))


def test_a_composite_is_its_object_over_its_ground() -> None:
    picture, matte = compositor(PLAIN).make(8, (96, 128))  # white discs over gray
    assert (picture - (matte + (1 - matte) * 128 / 255)).abs().max() < 0.02
    assert 0.01 < matte.mean() < 0.9


def test_shadows_and_reflections_change_the_picture_and_never_the_matte() -> None:
    shaded, matte = compositor(Recipe(photo_share=1, shadow_share=1, reflection_share=0, wrap_share=0)).make(
        8, (96, 128)
    )
    ground = matte == 0
    assert (shaded.mean(1, keepdim=True)[ground] < 0.47).float().mean() > 0.02
    assert shaded[matte.expand_as(shaded) > 0.999].min() > 0.98  # the object itself is not darkened


def test_composites_are_seeded() -> None:
    first, again = (compositor(Recipe()).make(4, (64, 64)) for _ in range(2))
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])


def test_a_coarse_label_teaches_the_region_and_not_the_edge() -> None:
    target = torch.zeros(2, 1, 128, 128)
    target[..., 64:] = 1
    fine = torch.tensor([True, False])
    band = trusted(target, fine)
    assert band[0].min() == 1
    assert band[1, 0, 64, 63:65].max() == 0
    assert band[1, 0, 64, :50].min() == 1
    logits = torch.zeros(2, 1, 128, 128, requires_grad=True)
    total_loss([logits] + [logits[..., ::n, ::n] for n in (4, 8, 16, 32)], target, fine, sharp=True).backward()
    assert logits.grad[0, 0, 64, 64] != 0
    assert logits.grad[1, 0, 65, 63] == 0
    assert logits.grad[1, 0, 64, 20] != 0
