# ruff: noqa: E402 - what is skipped without torch is imported after the question whether it is there
from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training has an environment of its own: see training/README.md")

from training.augment import Augment, affine, jpeg
from training.data import CANVAS_PX, PairCache, bounding_box
from training.pool import Pool, batch_shape, nearest_aspect
from training.sampling import px_matrices, px_per_px, sample_array, sample_canvas
from training.stream import Batches

CPU = torch.device("cpu")
STILL = Augment(gain=0, gamma=0, gray_share=0, blur_share=0, noise_share=0, jpeg_share=0)


def discs(count: int, *, beyond: int = 127) -> PairCache:
    """White discs on black: the picture is its own mask. Around each picture, its canvas is gray padding."""
    y, x = np.mgrid[:CANVAS_PX, :CANVAS_PX]
    sizes = np.array([[(384, 288), (288, 384), (320, 320)][row % 3] for row in range(count)], np.int32)
    masks = np.full((count, CANVAS_PX, CANVAS_PX), beyond, np.uint8)
    for row, (height, width) in enumerate(sizes):
        disc = (y - height / 2) ** 2 + (x - width / 2) ** 2 < 80**2
        masks[row, :height, :width] = 255 * disc[:height, :width]
    boxes = np.array([bounding_box(mask) for mask in masks])
    stems = np.array([str(row) for row in range(count)])
    return PairCache(np.repeat(masks[..., None], 3, -1), masks, sizes, stems, np.full(count, True), boxes)


def batches(count: int, batch: int, options: Augment = Augment()) -> Batches:  # noqa: B008 - frozen
    pool = Pool({"discs": discs(count)}, {"discs": 1.0}, CPU)
    return Batches(pool, batch, options, torch.Generator().manual_seed(3))


def test_picture_and_mask_move_together_and_stay_in_their_picture() -> None:
    stream = batches(9, 8, STILL)
    for _ in range(6):
        made = stream.next(96)
        picture, mask = made.picture, made.target
        gain = picture.amax((1, 2, 3), keepdim=True)  # afterwards the pictures differ only in their colour gain
        assert (picture.mean(1, keepdim=True) / gain - mask).abs().max() < 0.12
        assert ((mask > 0.4) & (mask < 0.6)).float().mean() < 0.05  # the gray padding never shows


def test_a_stream_is_seeded_and_resumes() -> None:
    one, other = batches(6, 4), batches(6, 4)
    first = one.next(64).picture
    assert torch.equal(first, other.next(64).picture)
    state, ahead = one.generator.get_state(), one.next(64).picture
    other.generator.set_state(state)
    assert torch.equal(ahead, other.next(64).picture)


def test_batches_keep_their_range_and_fit_the_network() -> None:
    made = batches(6, 4).next(96)
    for values in (made.picture, made.target):
        assert values.min() >= 0
        assert values.max() <= 1 + 1e-6  # bilinear weights sum to 1 up to rounding
        assert all(side % 32 == 0 for side in values.shape[-2:])


def test_pictures_are_batched_with_their_like() -> None:
    cache = discs(9)
    for row, bucket in enumerate(nearest_aspect(cache.sizes)):
        height, width = batch_shape(384, bucket)
        assert (height > width) == (cache.sizes[row, 0] > cache.sizes[row, 1])


def test_sets_are_drawn_by_their_shares_and_bad_labels_never() -> None:
    generator = torch.Generator().manual_seed(5)
    pool = Pool({"many": discs(30), "few": discs(6)}, {"many": 0.25, "few": 0.75}, CPU, frozenset({"0"}))
    drawn = pool.draw(4000, generator, 2)  # portrait: rows 0, 3, 6 ... of either set
    assert 0.58 < (drawn >= 30).float().mean() < 0.67  # 0.75 / 6 against 0.25 * 9 / 30
    assert not {0, 30} & set(drawn.tolist())
    assert not {0, 30} & set(pool.draw(500, generator).tolist())


@pytest.mark.parametrize("shape", [(64, 96), (320, 384)])
@pytest.mark.parametrize("zeros", [False, True])
def test_a_gpu_would_see_what_a_processor_sees(shape: tuple[int, int], zeros: bool) -> None:
    generator = torch.Generator().manual_seed(4)
    rough = torch.rand(6, 1, 24, 24, generator=generator)
    canvas = torch.nn.functional.interpolate(rough, (CANVAS_PX, CANVAS_PX), mode="bicubic").clamp(0, 1)
    sizes = torch.tensor([[300, 384], [384, 300], [320, 320]] * 2)
    maps = affine(sizes, Augment(turn_degrees=30), generator)
    device = sample_canvas(canvas, sizes, maps, shape, zeros=zeros)[:, 0].numpy()
    stored = (255 * canvas[:, 0]).round().byte().numpy()
    for row, matrix in enumerate(px_matrices(maps, shape)):
        height, width = sizes[row].tolist()
        own = sample_array(stored[row, :height, :width], matrix, shape, zeros=zeros) / 255
        assert np.abs(own - device[row]).mean() < 0.02


def test_a_fine_pattern_fades_where_a_window_is_smaller_and_is_not_aliased() -> None:
    stripes = np.tile(np.array([[0, 255]], np.uint8), (CANVAS_PX, CANVAS_PX // 2))
    maps = torch.tensor([[[1.0, 0, 0], [0, 1.0, 0]]])
    shape = (96, 96)
    assert px_per_px(maps, shape).item() == pytest.approx(4)
    window = sample_array(stripes, px_matrices(maps, shape)[0], shape, zeros=False)
    assert abs(float(window.mean()) - 127.5) < 3
    assert window.std() < 6


def test_jpeg_loses_more_at_a_lower_quality_and_nothing_that_shows_at_the_highest() -> None:
    blobs = torch.rand(1, 3, 12, 9, generator=torch.Generator().manual_seed(1))
    picture = torch.nn.functional.interpolate(blobs, (96, 64), mode="bicubic")[0].clamp(0, 1)
    losses = [(jpeg(picture, quality) - picture).abs().mean() for quality in (100, 80, 50, 20)]
    assert losses == sorted(losses)
    assert losses[0] < 0.01 < losses[-1]
