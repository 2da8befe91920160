"""Colours under zero alpha, and a background that shines through."""

from __future__ import annotations

import numpy as np

from packshot.core.compose import blend_background, spread_colours


def disc(side: int = 64, radius: int = 20) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    """An orange disc as a cutout: black where alpha is 0."""
    y, x = np.mgrid[:side, :side] - side // 2
    alpha = np.where(x**2 + y**2 < radius**2, 255, 0).astype(np.uint8)
    rgb = np.where(alpha[..., None] > 0, np.array([250, 120, 10]), 0).astype(np.uint8)
    return rgb, alpha


def test_colours_go_on_beyond_the_edge_and_stay_within_it() -> None:
    rgb, alpha = disc()
    rgb[alpha > 0] += np.arange((alpha > 0).sum(), dtype=np.uint8)[:, None] % 5
    spread = spread_colours(rgb, alpha)
    assert (spread[alpha > 0] == rgb[alpha > 0]).all()
    assert (np.abs(spread.astype(int) - [252, 122, 12]) <= 8).all()  # never the original black


def test_what_is_opaque_or_empty_stays_as_it_is() -> None:
    rgb, alpha = disc()
    assert spread_colours(rgb, np.full_like(alpha, 255)) is rgb
    assert spread_colours(rgb, np.zeros_like(alpha)) is rgb


def test_a_veil_shows_through_where_the_product_is_not() -> None:
    rgb, alpha = disc()
    alpha[32, 32] = 128
    colours, opaque = blend_background(rgb, alpha, (0, 0, 255), 0.25)
    assert opaque[0, 0] == 64
    assert (colours[0, 0] == (0, 0, 255)).all()
    assert opaque[30, 30] == 255
    assert (colours[30, 30] == rgb[30, 30]).all()
    # a + (1-a)v = 0.502 + 0.498 * 0.25 = 0.626; the product's share is 0.502 / 0.626 = 80 %.
    assert opaque[32, 32] == round(255 * (128 + 127 * 0.25) / 255)
    assert abs(int(colours[32, 32, 0]) - round(250 * 128 / (128 + 127 * 0.25))) <= 1
