"""Mattes of products on pure white; these tests need no torch."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from training.white import unmixed, white_matte

SCALE = 4


def ring(colour: tuple[int, int, int], *, thickness: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """A ring on white and its alpha in 0..1, drawn larger and then reduced for soft edges."""
    alpha = np.zeros((200 * SCALE, 240 * SCALE), np.uint8)
    cv2.circle(alpha, (120 * SCALE, 100 * SCALE), 60 * SCALE, 255, thickness * SCALE)
    alpha = cv2.resize(alpha, (240, 200), interpolation=cv2.INTER_AREA)
    share = alpha[..., None] / 255
    return np.round(share * np.array(colour) + (1 - share) * 255).astype(np.uint8), alpha / 255


@pytest.mark.parametrize("thickness", [4, 20])
@pytest.mark.parametrize("colour", [(20, 20, 20), (180, 140, 90), (250, 40, 250)])
def test_a_product_on_white_gets_its_alpha_and_its_hole_opens(colour: tuple[int, int, int], thickness: int) -> None:
    photo, alpha = ring(colour, thickness=thickness)
    matte = white_matte(photo)
    assert matte is not None
    assert np.abs(matte / 255 - alpha).max() < 0.12
    assert matte[100, 120] == 0
    inside = alpha > 0.3
    assert np.abs(unmixed(photo, matte)[inside].astype(int) - colour).max() < 60
    assert np.abs(photo[inside].astype(int) - colour).max() > 100  # the white would otherwise remain


def shaded(photo: np.ndarray) -> np.ndarray:
    """A soft shadow next to the product."""
    shade = np.zeros(photo.shape[:2], np.float32)
    cv2.ellipse(shade, (120, 180), (90, 12), 0, 0, 360, 1, -1)
    shade = cv2.GaussianBlur(shade, (0, 0), 6)[..., None]
    return np.minimum(photo, np.round(255 - 40 * shade)).astype(np.uint8)


def pale(photo: np.ndarray) -> np.ndarray:
    """The ring's middle is paper: nearly white, but not a hole."""
    photo = photo.copy()
    cv2.circle(photo, (120, 100), 48, (252, 252, 252), -1)
    return photo


def framed(photo: np.ndarray) -> np.ndarray:
    """A photo that is not on white: a gray wall as background."""
    return np.where(photo.min(2, keepdims=True) > 250, np.uint8(225), photo)


@pytest.mark.slow
@pytest.mark.parametrize("change", [shaded, pale, framed])
def test_a_photo_whose_matte_would_be_a_guess_is_left_out(change: object) -> None:
    photo, _ = ring((60, 60, 60))
    assert white_matte(photo) is not None
    assert white_matte(change(photo)) is None  # type: ignore[operator]
