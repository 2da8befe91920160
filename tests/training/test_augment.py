# ruff: noqa: E402 - what is skipped without torch is imported after the question whether it is there
from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training has an environment of its own: see training/README.md")

from training.augment import Augment, Batches, batch_shape, buckets
from training.data import CANVAS_PX, PairCache

STILL = Augment(gain=0, gamma=0, gray_share=0, blur_share=0, noise_share=0)


def discs(count: int) -> PairCache:
    """White discs on black: the picture is its own mask. Beyond each picture its canvas is gray, which is no data."""
    y, x = np.mgrid[:CANVAS_PX, :CANVAS_PX]
    sizes = np.array([[(384, 288), (288, 384), (320, 320)][row % 3] for row in range(count)], np.int32)
    masks = np.full((count, CANVAS_PX, CANVAS_PX), 128, np.uint8)
    for row, (height, width) in enumerate(sizes):
        disc = (y - height / 2) ** 2 + (x - width / 2) ** 2 < 80**2
        masks[row, :height, :width] = 255 * disc[:height, :width]
    return PairCache(np.repeat(masks[..., None], 3, -1), masks, sizes, [str(row) for row in range(count)])


def test_picture_and_mask_move_together_and_stay_in_their_picture() -> None:
    batches = Batches(discs(9), 8, torch.device("cpu"), 3, STILL)
    for _ in range(6):
        picture, mask = batches.next(96)
        gain = picture.amax((1, 2, 3), keepdim=True)  # the colour gain of a picture is all that is left to differ
        assert (picture.mean(1, keepdim=True) / gain - mask).abs().max() < 0.12
        assert ((mask > 0.4) & (mask < 0.6)).float().mean() < 0.05  # the gray beyond a picture is never shown


def test_a_stream_is_seeded_and_resumes() -> None:
    one, other = (Batches(discs(6), 4, torch.device("cpu"), 3, Augment()) for _ in range(2))
    first = one.next(64)[0]
    assert torch.equal(first, other.next(64)[0])
    state, ahead = one.generator.get_state(), one.next(64)[0]
    other.generator.set_state(state)
    assert torch.equal(ahead, other.next(64)[0])


def test_batches_keep_their_range_and_fit_the_network() -> None:
    picture, mask = Batches(discs(6), 4, torch.device("cpu"), 3, Augment()).next(96)
    for values in (picture, mask):
        assert values.min() >= 0
        assert values.max() <= 1 + 1e-6  # bilinear weights sum to 1 up to rounding
        assert all(side % 32 == 0 for side in values.shape[-2:])


def test_pictures_are_batched_with_their_like() -> None:
    cache = discs(9)
    for bucket, rows in enumerate(buckets(cache)):
        height, width = batch_shape(384, bucket)
        for row in rows:
            assert (height > width) == (cache.sizes[row, 0] > cache.sizes[row, 1])
