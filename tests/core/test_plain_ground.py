"""Plain grounds: their detection, and the resulting findings on lost parts, holes and shadows."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packshot.core.geometry import Size
from packshot.core.picture import Float32, UInt8
from packshot.core.plain_ground import PlainGround, find_plain_ground, settle

HEIGHT, WIDTH = 288, 384
WHITE, BLUE, GRAY = (255, 255, 255), (40, 80, 220), (150, 148, 146)
Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Scene:
    """seen, float32 (h, w, 3) in 0..255; alpha, float32 (h, w), of the product; ground, float32 (h, w, 3)."""

    seen: Float32
    alpha: Float32
    ground: Float32


def scene(
    mask: UInt8, product: Colour, ground: Colour, *, light: float = 0, noise: float = 1.5, seed: int = 0
) -> Scene:
    """A mask in one colour on a ground of another, lit from the left, with soft edges and noise."""
    random = np.random.default_rng(seed)
    lit = 1 - light * np.linspace(0, 1, WIDTH, dtype=np.float32)[None, :, None]
    behind = np.array(ground, np.float32) * lit * np.ones((HEIGHT, 1, 1), np.float32)
    alpha = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.7)
    seen = alpha[..., None] * np.array(product, np.float32) + (1 - alpha[..., None]) * behind
    seen = np.clip(seen + random.normal(0, noise, seen.shape), 0, 255).astype(np.float32)
    return Scene(seen, alpha, behind)


def stool() -> tuple[UInt8, UInt8]:
    """A seat on two legs, and the rung between them: uint8 (h, w) each, 1 or 0."""
    body, rung = np.zeros((HEIGHT, WIDTH), np.uint8), np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.rectangle(body, (110, 60), (270, 85), 1, -1)
    cv2.rectangle(body, (125, 85), (137, 240), 1, -1)
    cv2.rectangle(body, (243, 85), (255, 240), 1, -1)
    cv2.rectangle(rung, (138, 170), (242, 174), 1, -1)
    return body, rung


def ring() -> tuple[UInt8, UInt8]:
    """A ring and its hole: uint8 (h, w) each, 1 or 0."""
    whole, hole = np.zeros((HEIGHT, WIDTH), np.uint8), np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.circle(whole, (190, 145), 90, 1, -1)
    cv2.circle(hole, (190, 145), 45, 1, -1)
    return whole - hole, hole


def answer_of(mask: UInt8, sure: float = 0.99) -> Float32:
    """A network's matte for a mask, slightly soft."""
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 1.2)
    return np.asarray(0.004 + (sure - 0.004) * soft, np.float32)


def ground_of(made: Scene, answer: Float32) -> PlainGround:
    found = find_plain_ground(made.seen, answer)
    assert found is not None
    return found


@pytest.mark.slow
@given(
    colour=st.tuples(*[st.integers(0, 255)] * 3),
    light=st.floats(0, 0.35),
    noise=st.floats(0, 3),
    seed=st.integers(0, 99),
)
@settings(max_examples=30)
def test_the_ground_is_known_behind_the_product_too(colour: Colour, light: float, noise: float, seed: int) -> None:
    body, _ = stool()
    made = scene(body, (120, 60, 30), colour, light=light, noise=noise, seed=seed)
    found = ground_of(made, answer_of(body))
    assert np.abs(found.smooth.at(Size(WIDTH, HEIGHT)) - made.ground).mean() < 3


@pytest.mark.parametrize("seed", range(4))
def test_a_scene_is_no_plain_ground(seed: int) -> None:
    random = np.random.default_rng(seed)
    texture = cv2.GaussianBlur(random.normal(128, 255, (HEIGHT, WIDTH, 3)), (0, 0), 3).astype(np.float32)
    body, _ = stool()
    assert find_plain_ground(np.clip(texture, 0, 255), answer_of(body)) is None


def test_a_picture_that_its_product_fills_has_no_ground_to_know() -> None:
    everywhere = np.ones((HEIGHT, WIDTH), np.uint8)
    assert find_plain_ground(np.full((HEIGHT, WIDTH, 3), 200, np.float32), answer_of(everywhere)) is None


@pytest.mark.parametrize("ground", [WHITE, BLUE, GRAY])
@pytest.mark.parametrize("light", [0, 0.2])
def test_a_rung_that_the_network_nearly_lost_is_found(ground: Colour, light: float) -> None:
    body, rung = stool()
    made = scene(body | rung, (130, 50, 30), ground, light=light)
    answer = answer_of(body)
    answer[rung > 0] = 0.1
    settled = settle(ground_of(made, answer), made.seen, answer, answer).coarse
    assert (settled[rung > 0] > 0.5).mean() > 0.9
    assert np.abs((settled >= 0.5) ^ (body | rung > 0)).mean() < 0.005


@pytest.mark.parametrize("ground", [WHITE, BLUE, GRAY])
def test_a_soft_shadow_is_not_product(ground: Colour) -> None:
    body, _ = stool()
    made = scene(body, (130, 50, 30), ground)
    shade = np.zeros((HEIGHT, WIDTH), np.float32)
    cv2.ellipse(shade, (190, 245), (90, 14), 0, 0, 360, 0.45, -1)
    shade = cv2.GaussianBlur(shade, (0, 0), 6) * (1 - made.alpha)
    seen = made.seen * (1 - shade[..., None])
    answer = answer_of(body)
    answer[shade > 0.1] = np.maximum(answer, 0.03)[shade > 0.1]
    settled = settle(ground_of(Scene(seen, made.alpha, made.ground), answer), seen, answer, answer).coarse
    assert (settled[(shade > 0.1) & (made.alpha < 0.05)] < 0.5).mean() > 0.99


@pytest.mark.parametrize("ground", [WHITE, BLUE, GRAY])
@pytest.mark.parametrize("said", [0.6, 0.8])
def test_a_hole_that_the_network_took_for_product_is_opened(ground: Colour, said: float) -> None:
    band, hole = ring()
    made = scene(band, (130, 50, 30), ground)
    answer = np.maximum(answer_of(band), answer_of(hole, said))
    settled = settle(ground_of(made, answer), made.seen, answer, answer).coarse
    assert (settled[cv2.erode(hole, np.ones((5, 5))) > 0] == 0).all()
    assert (settled[cv2.erode(band, np.ones((5, 5))) > 0] > 0.9).all()


def test_what_the_network_is_sure_of_stays_even_in_the_colour_of_the_ground() -> None:
    band, dial = ring()  # a watch with a dial as white as the paper under it
    made = scene(band, (130, 50, 30), WHITE)
    answer = answer_of(band | dial)
    settled = settle(ground_of(made, answer), made.seen, answer, answer).coarse
    assert (settled[dial > 0] > 0.9).all()


def test_a_product_of_the_colour_of_the_ground_is_left_to_the_network() -> None:
    band, hole = ring()
    made = scene(band | hole, (249, 249, 250), WHITE)
    answer = answer_of(band | hole) * (1 - np.float32(0.2) * answer_of(hole))
    settled = settle(ground_of(made, answer), made.seen, answer, answer).coarse
    assert (settled[cv2.erode(band | hole, np.ones((7, 7))) > 0] > 0.5).all()


@pytest.mark.slow
@given(seed=st.integers(0, 10_000), light=st.floats(0, 0.3))
@settings(max_examples=30)
def test_an_answer_that_is_right_stays_as_it_is(seed: int, light: float) -> None:
    random = np.random.default_rng(seed)
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    for _ in range(int(random.integers(1, 4))):
        centre = int(random.integers(80, WIDTH - 80)), int(random.integers(80, HEIGHT - 80))
        axes = int(random.integers(20, 70)), int(random.integers(20, 60))
        cv2.ellipse(mask, centre, axes, float(random.integers(0, 180)), 0, 360, 1, -1)
    colours = [tuple(int(each) for each in random.integers(0, 256, 3)) for _ in range(2)]
    made = scene(mask, colours[0], colours[1], light=light, seed=seed)  # type: ignore[arg-type]
    answer = answer_of(mask)
    ground = find_plain_ground(made.seen, answer)
    if ground is not None:
        assert ((settle(ground, made.seen, answer, answer).coarse >= 0.5) != (answer >= 0.5)).mean() < 0.004
