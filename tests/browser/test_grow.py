"""Region growing and strokes as plain modules: the area of a click and of a rough stroke, and the storage of both."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from playwright.sync_api import Browser

from tests.kit.browser import Shop
from tests.kit.browser import shop as open_shop
from tests.kit.server import Running

pytestmark = pytest.mark.browser

Mask = npt.NDArray[np.bool_]
LOAD = """async (given) => { const from = (name) => import(`/page/now/${name}.js`);
    const read = (text) => text && Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)); %s }"""
CLICK = """const { grow, Look } = await from("grow");
    const { width, height, at: [x, y], keep, reach } = given;
    const mask = grow(new Look(read(given.rgba), width, height), read(given.alpha), { x, y }, keep, reach);
    return mask && mask.join("");"""
STROKE = """const { Look, snap } = await from("grow");
    const { traceOf } = await from("strokes");
    const { painted, line } = traceOf(given.stroke, 1, given.width, given.height);
    return snap(new Look(read(given.rgba), given.width, given.height), painted, line).join("");"""


@pytest.fixture(scope="module")
def page(browser: Browser, running: Running) -> Iterator[Shop]:
    with open_shop(browser, running.base_url) as visitor:
        visitor.open()
        yield visitor


def run(page: Shop, body: str, **given: object) -> Any:
    """The return value of a function in the page; `from(name)` in it loads a module."""
    return page.page.evaluate(LOAD % body, given)


class Scene:
    """A picture in flat colours with grain, for clicks and strokes."""

    def __init__(self, width: int, height: int, ground: tuple[int, int, int], grain: float = 3.0) -> None:
        self.rgb = np.empty((height, width, 3))
        self.rgb[:] = ground
        self.grain = np.random.default_rng(7).normal(0, grain, self.rgb.shape)

    def box(self, left: int, top: int, right: int, bottom: int, colour: tuple[int, int, int]) -> Mask:
        self.rgb[top:bottom, left:right] = colour
        mask = np.zeros(self.rgb.shape[:2], bool)
        mask[top:bottom, left:right] = True
        return mask

    @property
    def given(self) -> dict[str, object]:
        height, width = self.rgb.shape[:2]
        levels = np.full((height, width, 4), 255, np.uint8)
        levels[..., :3] = np.clip(np.rint(self.rgb + self.grain), 0, 255)
        return {"rgba": as_text(levels), "width": width, "height": height}

    def click(
        self, page: Shop, at: tuple[int, int], *, keep: bool, alpha: Mask | None = None, reach: float = 1
    ) -> Mask | None:
        matte = None if alpha is None else as_text(255 * alpha.astype(np.uint8))
        mask = run(page, CLICK, **self.given, alpha=matte, at=at, keep=keep, reach=reach)
        return None if mask is None else self.read(mask)

    def stroke(self, page: Shop, radius: float, *points: tuple[float, float]) -> Mask:
        stroke = {"radius": radius, "points": [{"x": x, "y": y} for x, y in points]}
        return self.read(run(page, STROKE, **self.given, stroke=stroke))

    def read(self, mask: str) -> Mask:
        return np.array([each == "1" for each in mask], bool).reshape(self.rgb.shape[:2])


def as_text(levels: npt.NDArray[np.uint8]) -> str:
    return base64.b64encode(levels.tobytes()).decode()


def overlap(one: Mask, other: Mask) -> float:
    return float((one & other).sum() / (one | other).sum())


def test_a_click_covers_the_patch_and_not_its_neighbour(page: Shop) -> None:
    scene = Scene(160, 120, (200, 170, 130))
    mug = scene.box(30, 20, 130, 100, (40, 70, 120))
    hole = scene.box(60, 40, 100, 80, (200, 170, 130))
    mask = scene.click(page, (80, 60), keep=False, alpha=mug)
    assert mask is not None
    assert overlap(mask, hole) > 0.85
    assert not (mask & ~mug).any()


def test_a_click_to_keep_grows_over_what_is_removed_alone(page: Shop) -> None:
    scene = Scene(160, 120, (220, 220, 215))
    lid = scene.box(60, 20, 110, 45, (150, 30, 30))
    pot = scene.box(40, 45, 130, 100, (150, 30, 30))
    mask = scene.click(page, (80, 30), keep=True, alpha=pot)
    assert mask is not None
    assert overlap(mask, lid) > 0.9
    assert not (mask & pot).any(), "the pot is already kept"


def test_where_nothing_is_left_to_do_a_click_covers_nothing(page: Shop) -> None:
    scene = Scene(80, 60, (220, 220, 215))
    pot = scene.box(20, 20, 60, 50, (150, 30, 30))
    assert scene.click(page, (40, 30), keep=True, alpha=pot) is None
    assert scene.click(page, (5, 5), keep=False, alpha=pot) is None


def test_a_small_part_that_lies_by_itself_is_removed_whole(page: Shop) -> None:
    scene = Scene(200, 100, (220, 220, 215))
    kept = scene.box(10, 20, 120, 90, (150, 30, 30))
    vase = scene.box(150, 30, 180, 60, (20, 60, 150)) | scene.box(150, 60, 180, 80, (230, 200, 40))
    mask = scene.click(page, (165, 40), keep=False, alpha=kept | vase)
    assert mask is not None
    assert np.array_equal(mask, vase), "both of its colours"


def test_what_leaks_through_a_gap_is_left_out_and_holes_are_filled(page: Shop) -> None:
    scene = Scene(160, 120, (200, 170, 130), grain=1.5)
    wall = scene.box(20, 20, 100, 100, (40, 40, 40))
    patch = scene.box(30, 30, 90, 90, (90, 150, 90))
    scene.box(55, 55, 60, 60, (30, 30, 30))  # a speck on it
    scene.box(90, 60, 100, 61, (90, 150, 90))  # one pixel wide, connected to the same colour outside
    beyond = scene.box(100, 20, 150, 100, (90, 150, 90))
    mask = scene.click(page, (45, 45), keep=True)
    assert mask is not None
    assert overlap(mask, patch) > 0.9
    assert mask[57, 57], "the speck belongs to it"
    assert not (mask & beyond).any()
    assert not (mask & wall & ~patch)[:, :88].any()


def test_a_thin_cable_is_followed(page: Shop) -> None:
    scene = Scene(160, 120, (230, 230, 225), grain=1.5)
    cable = scene.box(20, 60, 140, 62, (30, 30, 35)) | scene.box(138, 20, 140, 62, (30, 30, 35))
    mask = scene.click(page, (30, 61), keep=True)
    assert mask is not None
    assert (mask & cable).sum() > 0.7 * cable.sum()
    assert (mask & ~cable).sum() < 0.7 * cable.sum()


def test_a_longer_reach_takes_more(page: Shop) -> None:
    scene = Scene(120, 80, (200, 170, 130))
    scene.box(10, 10, 60, 70, (120, 60, 60))
    scene.box(60, 10, 110, 70, (150, 80, 75))
    areas = []
    for reach in (0.25, 1, 4):
        mask = scene.click(page, (30, 40), keep=True, reach=reach)
        assert mask is not None
        areas.append(mask.sum())
    assert areas[0] <= areas[1] < areas[2]


@settings(max_examples=15, deadline=None)
@given(
    edge=st.integers(40, 80),
    radius=st.floats(6, 25),
    offset=st.floats(2, 10),
    colours=st.sampled_from(
        [((200, 170, 130), (40, 70, 120)), ((240, 240, 240), (90, 90, 95)), ((30, 30, 30), (120, 40, 40))]
    ),
)
def test_a_stroke_along_an_edge_does_not_spill(
    page: Shop, edge: int, radius: float, offset: float, colours: tuple[tuple[int, int, int], tuple[int, int, int]]
) -> None:
    scene = Scene(120, 60, colours[0], grain=2)
    scene.box(edge, 0, 120, 60, colours[1])
    x = edge + offset + 1
    mask = scene.stroke(page, radius, (x, 15), (x, 45))
    assert not mask[:, : edge - 1].any(), "beyond the edge"
    inside = slice(max(edge + 2, int(x - radius + 2)), int(min(118, x + radius - 2)))
    assert mask[20:40, inside].mean() > 0.95, "the area under the brush on this side"
    ys, xs = np.nonzero(mask)
    beside = np.hypot(xs + 0.5 - x, np.maximum(0, np.abs(ys + 0.5 - 30) - 15))
    assert beside.max() <= radius + 0.5, "nothing outside the brush"


def test_a_stroke_on_a_busy_ground_covers_what_is_under_it(page: Shop) -> None:
    scene = Scene(120, 60, (150, 120, 90), grain=25)
    mask = scene.stroke(page, 10, (30, 30), (90, 30))
    assert mask[22:38, 30:90].mean() > 0.9


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_a_mask_is_the_same_after_it_was_packed(page: Shop, data: st.DataObject) -> None:
    width, height = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 12))
    mask = data.draw(st.lists(st.sampled_from([0, 0, 1]), min_size=width * height, max_size=width * height))
    body = """const { pack, unpack } = await from("strokes");
        const packed = JSON.parse(JSON.stringify(pack(Uint8Array.from(given.mask), given.width, given.height)));
        return [...unpack(packed)];"""
    assert run(page, body, mask=mask, width=width, height=height) == mask


def test_strokes_are_the_same_after_they_were_stored(page: Shop) -> None:
    body = """const { pack, Strokes } = await from("strokes");
        const mask = new Uint8Array(40 * 30);
        for (let y = 5; y < 15; y += 1) mask.fill(1, y * 40 + 10, y * 40 + 20);
        const first = new Strokes();
        first.add({ tool: "click", brush: "keep", radius: 3, points: [{ x: 12, y: 8 }], mask: pack(mask, 40, 30) });
        first.add({ tool: "brush", brush: "remove", radius: 2, points: [{ x: 30, y: 20 }] });
        first.add({ tool: "brush", brush: "keep", radius: 2, points: [{ x: 1, y: 1 }] });
        first.undo();
        const state = first.state;
        state.done[1].id += 1000; // as another visit may have counted
        const again = Strokes.from(JSON.parse(JSON.stringify(structuredClone(state))));
        const size = { width: 40, height: 30 };
        const bytes = async (strokes) => new Uint8Array(await (await strokes.file(size)).arrayBuffer()).join();
        const same = await bytes(first) === await bytes(again);
        const key = again.key;
        again.redo();
        const redone = again.done.length;
        again.add({ tool: "brush", brush: "keep", radius: 2, points: [{ x: 1, y: 1 }] });
        const ids = (strokes) => strokes.map(({ id }) => id);
        return { same, keys: [key, ids(state.done).join(".")], redone, ids: ids(again.done) };"""
    found = run(page, body)
    assert found["same"]
    assert found["keys"][0] == found["keys"][1]
    assert found["redone"] == 3
    assert len(set(found["ids"])) == 4


def test_a_mask_changes_its_own_pixels_and_none_beside_them(page: Shop) -> None:
    body = """const { pack, paint } = await from("strokes");
        const mask = Uint8Array.from(given.mask);
        const stroke = { brush: "remove", points: [], radius: 1, mask: pack(mask, 40, 30) };
        return [...paint([stroke], 1, given.width, given.height)];"""
    mask = np.zeros((30, 40), int)
    mask[5:15, 10:20] = 1
    for factor in (1, 2):
        width, height = 40 * factor, 30 * factor
        gray = np.array(run(page, body, mask=mask.ravel().tolist(), width=width, height=height)).reshape(height, width)
        inside = np.kron(mask, np.ones((factor, factor))).astype(bool)
        assert (gray[~inside] == 128).all()
        assert (gray[inside] < 64).all()
        assert gray[10 * factor, 15 * factor] == 0
