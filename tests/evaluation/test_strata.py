from __future__ import annotations

import cv2
import numpy as np
import pytest

from evaluation.strata import NO_FOREGROUND, strata
from packshot.core.picture import Float32, UInt8

HEIGHT, WIDTH = 180, 240


def truth(*boxes: tuple[int, int, int, int]) -> Float32:
    """Rectangles: left, top, right, bottom."""
    made = np.zeros((HEIGHT, WIDTH), np.float32)
    for left, top, right, bottom in boxes:
        made[top:bottom, left:right] = 1
    return made


def photo(of: Float32, background: UInt8 | int = 200, product: int = 60) -> UInt8:
    rgb = np.empty((*of.shape, 3), np.uint8)
    rgb[:] = background
    rgb[of >= 0.5] = product
    return rgb


BOX = truth((60, 40, 160, 140))
RING = BOX - truth((90, 70, 130, 110))
WIRES = truth((60, 40, 160, 45), (60, 90, 160, 95), (60, 40, 65, 140))
TWO = truth((20, 40, 90, 140), (130, 40, 200, 140))
NOISE = np.random.default_rng(0).integers(0, 255, (HEIGHT // 6, WIDTH // 6, 3), np.uint8)
WALL = cv2.resize(NOISE, (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST)
RAMP = np.repeat(np.linspace(120, 220, WIDTH).astype(np.uint8)[None, :, None], 3, 2)


def of(made: Float32, background: UInt8 | int = 200, product: int = 60) -> tuple[str, ...]:
    return strata("shoes", photo(made, background, product), made)


def test_what_is_easy() -> None:
    assert of(BOX) == ("set shoes", "foreground 10 to 40 %", "clear of the border", "one object", "solid background")


@pytest.mark.parametrize(
    ("found", "stratum"),
    [
        (of(truth((0, 40, 100, 140))), "touches the border"),
        (of(truth((60, 40, 90, 70))), "foreground under 10 %"),
        (of(truth((10, 10, 230, 170))), "foreground over 40 %"),
        (of(TWO), "several objects"),
        (of(np.maximum(BOX, truth((5, 5, 7, 7)))), "one object"),  # a crumb does not count
        (of(RING), "with holes"),
        (of(WIRES), "thin parts"),
        (of(cv2.GaussianBlur(BOX, (0, 0), 5)), "soft truth"),
        (of(BOX, RAMP), "plain background"),
        (of(BOX, WALL), "busy background"),
        (of(BOX, 200, 190), "colour of the background"),
        (of(np.ones_like(BOX)), "background hidden"),
        (of(np.zeros_like(BOX)), NO_FOREGROUND),
    ],
)
def test_what_is_hard(found: tuple[str, ...], stratum: str) -> None:
    assert stratum in found


@pytest.mark.parametrize("stratum", ["thin parts", "soft truth", "with holes", "colour of the background"])
def test_a_box_is_nothing_of_the_kind(stratum: str) -> None:
    assert stratum not in of(BOX)


def test_noise_and_compression_leave_a_background_solid() -> None:
    noisy = photo(BOX).astype(np.int16) + np.random.default_rng(1).normal(0, 6, (HEIGHT, WIDTH, 3)).astype(np.int16)
    assert "solid background" in strata("shoes", np.clip(noisy, 0, 255).astype(np.uint8), BOX)
