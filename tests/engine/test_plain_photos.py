"""Products on plain grounds, through the shipped network: whole, clean at the edge, or sent to review."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from evaluation.drawn import labelled, shapes
from evaluation.metrics import count_damage
from packshot import Result, remove
from packshot.core.picture import UInt8
from tests.kit.images import as_jpeg, as_png

EXAMPLES = Path(__file__).parents[2] / "examples"
WHITE, BLUE, SAND = (255, 255, 255), (30, 70, 220), (214, 200, 180)


def on_ground(name: str, ground: tuple[int, int, int], longest: int = 600) -> tuple[UInt8, UInt8]:
    """An example's product on a plain ground: uint8 (H, W, 3), and its true alpha."""
    with Image.open(EXAMPLES / f"{name}.jpg") as image, Image.open(EXAMPLES / "truth" / f"{name}.png") as truth:
        shrink = longest / max(image.size)
        size = (round(image.width * shrink), round(image.height * shrink))
        rgb, alpha = np.asarray(image.convert("RGB").resize(size)), np.asarray(truth.convert("L").resize(size))
    share = alpha[..., None] / np.float32(255)
    return np.rint(share * rgb + (1 - share) * np.array(ground, np.float32)).astype(np.uint8), alpha


def alpha_of(result: Result) -> UInt8:
    return np.asarray(Image.open(io.BytesIO(result.data)))[..., 3]


def iou(alpha: UInt8, truth: UInt8) -> float:
    ours, theirs = alpha >= 128, truth >= 128
    return float((ours & theirs).sum() / (ours | theirs).sum())


def largest_lost(alpha: UInt8, truth: UInt8) -> int:
    """Pixels in the largest missing piece, away from the edge."""
    lost = cv2.erode(((truth >= 200) & (alpha < 128)).astype(np.uint8), np.ones((2, 2), np.uint8))
    return int(cv2.connectedComponentsWithStats(lost)[2][1:, cv2.CC_STAT_AREA].max(initial=0))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["stool", "teapot", "bottle"])
@pytest.mark.parametrize("ground", [WHITE, BLUE, SAND])
def test_a_product_on_a_plain_ground_is_whole(name: str, ground: tuple[int, int, int]) -> None:
    rgb, truth = on_ground(name, ground)
    result = remove(as_jpeg(rgb))
    whole = iou(alpha_of(result), truth) > 0.97 and largest_lost(alpha_of(result), truth) < 200
    assert whole or result.review


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_no_shape_of_several_is_lost(seed: int) -> None:
    rgb, truth = shapes(seed)
    result = remove(as_png(rgb))
    assert largest_lost(alpha_of(result), truth) < 200 or result.review


@pytest.mark.release
def test_no_shape_of_eighty_scenes_is_lost_without_a_review() -> None:
    lost = []
    for seed in range(80):
        rgb, truth = shapes(seed)
        result = remove(as_png(rgb))
        if count_damage(alpha_of(result) >= 128, truth >= 128) != (0, 0) and not result.review:
            lost.append(seed)
    assert not lost


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_a_product_with_a_label_as_white_as_the_ground_is_sent_to_review(seed: int) -> None:
    rgb, truth = labelled(seed)
    result = remove(as_png(rgb))
    assert result.review or iou(alpha_of(result), truth) > 0.97


@pytest.mark.slow
@pytest.mark.parametrize("ground", [WHITE, (250, 248, 243)])
def test_the_loops_of_a_signature_are_open_or_it_is_sent_to_review(ground: tuple[int, int, int]) -> None:
    rgb = np.full((400, 900, 3), ground, np.uint8)
    turns = np.linspace(0, 9 * 2 * np.pi, 900)
    line = np.stack([100 + 11.5 * turns + 45 * np.cos(turns), 200 + 60 * np.sin(turns)], 1).astype(np.int32)
    truth = np.zeros((400, 900), np.uint8)
    cv2.polylines(truth, [line], isClosed=False, color=255, thickness=4, lineType=cv2.LINE_AA)
    share = truth[..., None] / np.float32(255)
    rgb = np.rint(share * np.array((30, 40, 120)) + (1 - share) * rgb).astype(np.uint8)
    result = remove(as_png(rgb))
    assert result.review or iou(alpha_of(result), truth) > 0.8


@pytest.mark.slow
@pytest.mark.parametrize("ground", [BLUE, (20, 150, 60)])
def test_fur_is_free_of_a_strong_ground(ground: tuple[int, int, int]) -> None:
    rgb, truth = on_ground("bear", ground)
    result = remove(as_png(rgb))
    out = np.asarray(Image.open(io.BytesIO(result.data))).astype(np.float32)
    alpha, share = out[..., 3] / 255, truth / np.float32(255)
    behind = np.array(ground, np.float32)
    own = (rgb - (1 - share)[..., None] * behind) / np.maximum(share, 0.01)[..., None]
    soft = (alpha > 0.04) & (alpha < 0.96) & (share > 0.3)
    way = behind - own
    left = ((out[..., :3] - own) * way).sum(axis=2) / (way * way).sum(axis=2)
    assert float((left * alpha)[soft].sum() / alpha[soft].sum()) < 0.04
