"""Touching up: a stroke or a click changes the matte there, and nowhere far away."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from playwright.sync_api import Locator, Route, expect

from tests.kit import images
from tests.kit.browser import EXAMPLES, Shop, as_files

pytestmark = pytest.mark.browser

MIDDLE = (0.42, 0.55)  # of the photo: inside the mug
CORNER = (0.95, 0.1)  # far from it


@pytest.fixture
def painting(shop: Shop) -> Locator:
    """The mug's photo, ready, and open with the brush."""
    shop.pick("mug")
    shop.expect_tally("1 of 1 ready.")
    dialog = shop.look_at("mug.jpg")
    with shop.page.expect_response("**/v1/packshots"):
        dialog.get_by_label("Touch up").check()
    expect(dialog.get_by_text("Violet: removed.")).to_be_visible()
    return dialog


def test_a_stroke_changes_the_matte_where_it_was_painted_only(shop: Shop, painting: Locator) -> None:
    _close(shop, painting)
    before = shop.alpha("mug.jpg")
    painting = _reopen(shop)
    painting.get_by_label("Remove").check()
    _paint(shop, MIDDLE)
    painting.get_by_label("Keep").check()
    _paint(shop, CORNER)
    with shop.remade():
        _close(shop, painting)
    after = shop.alpha("mug.jpg")
    height, width = before.shape
    removed, kept = (after[int(y * height), int(x * width)] for x, y in (MIDDLE, CORNER))
    assert before[int(MIDDLE[1] * height), int(MIDDLE[0] * width)] == 255
    assert (removed, kept) == (0, 255)
    y, x = np.mgrid[0:height, 0:width]
    far = np.ones(before.shape, bool)
    for across, down in (MIDDLE, CORNER):
        far &= np.hypot(x - across * width, y - down * height) > 0.2 * width
    assert np.abs(after - before)[far].mean() < 0.5
    assert np.percentile(np.abs(after - before)[far], 99) < 12

    painting = _reopen(shop)
    for _ in range(2):
        painting.get_by_role("button", name="Undo").click()
    expect(painting.get_by_role("button", name="Undo")).to_be_disabled()
    _close(shop, painting)
    shop.expect_tally("1 of 1 ready.")
    assert np.array_equal(shop.alpha("mug.jpg"), before), "undo restores the earlier picture"


def test_redo_brings_a_stroke_back_and_the_keys_do_the_same(shop: Shop, painting: Locator) -> None:
    undo, redo = painting.get_by_role("button", name="Undo"), painting.get_by_role("button", name="Redo")
    _paint(shop, MIDDLE)
    expect(undo).to_be_enabled()
    undo.click()
    expect(redo).to_be_enabled()
    redo.click()
    expect(undo).to_be_enabled()
    shop.page.keyboard.press("Control+z")
    expect(redo).to_be_enabled()
    shop.page.keyboard.press("Control+Shift+z")
    expect(redo).to_be_disabled()


def test_a_stroke_can_be_painted_with_keys_alone(shop: Shop, painting: Locator) -> None:
    painting.locator("#stage").focus()
    said = painting.locator("#viewer-said")
    shop.page.keyboard.press("Space")
    expect(said).to_have_text("Brush down")
    for _ in range(3):
        shop.page.keyboard.press("ArrowRight")
    with shop.page.expect_response("**/v1/packshots") as answer:
        shop.page.keyboard.press("Space")
    expect(said).to_have_text("Brush up")
    assert answer.value.ok
    expect(painting.get_by_role("button", name="Undo")).to_be_enabled()


def test_a_stroke_that_is_not_lifted_counts_when_the_photo_is_left(shop: Shop, painting: Locator) -> None:
    painting.locator("#stage").focus()
    shop.page.keyboard.press("Space")
    shop.page.keyboard.press("ArrowRight")
    with shop.remade():
        shop.page.keyboard.press("Escape")
    shop.page.wait_for_timeout(500)  # longer than the brush's delay before a preview
    shop.expect_tally("1 of 1 ready.")


def test_a_product_that_was_not_found_is_found_where_it_is_painted(shop: Shop) -> None:
    shop.pick(*as_files([("wall.png", images.flat_png(300, 200, 200))], "image/png"))
    shop.expect_tally("0 of 1 ready, 1 did not work.")
    shop.card("wall.png").get_by_role("button", name="Show the product").click()
    expect(shop.page.locator("#busy")).to_contain_text("Paint over")
    _paint(shop, (0.5, 0.5))
    expect(shop.page.locator("#busy")).to_be_hidden()
    shop.page.get_by_role("button", name="Close").click()
    shop.expect_tally("1 of 1 ready.")


def test_a_click_removes_the_part_and_not_its_neighbours_and_undo_brings_it_back(shop: Shop) -> None:
    shop.pick("jars")
    shop.expect_tally("1 of 1 ready.")
    before = shop.alpha("jars.jpg")
    jar, others = _jars(before.shape)
    painting = _open(shop, "jars.jpg")
    painting.get_by_label("Click").check()
    painting.get_by_label("Remove").check()
    _click(shop, _middle(jar))
    with shop.remade():
        _close(shop, painting)
    after = shop.alpha("jars.jpg")
    assert before[jar].mean() > 240
    assert after[jar].mean() < 25
    assert after[others].mean() > 0.97 * before[others].mean()

    painting = _open(shop, "jars.jpg")
    painting.get_by_role("button", name="Undo").click()
    expect(painting.get_by_role("button", name="Undo")).to_be_disabled()
    shop.page.keyboard.press("Control+y")
    expect(painting.get_by_role("button", name="Redo")).to_be_disabled()
    shop.page.keyboard.press("Control+z")
    _close(shop, painting)
    shop.expect_tally("1 of 1 ready.")
    assert np.array_equal(shop.alpha("jars.jpg"), before)


def test_a_click_where_nothing_is_left_to_do_says_so(shop: Shop, painting: Locator) -> None:
    painting.get_by_label("Click").check()
    _click(shop, MIDDLE)
    expect(painting.locator("#busy")).to_contain_text("kept already")
    expect(painting.get_by_role("button", name="Undo")).to_be_disabled()


def test_a_click_reaches_further_when_that_is_asked_for(shop: Shop, painting: Locator) -> None:
    painting.get_by_label("Click").check()
    _click(shop, CORNER)
    expect(painting.get_by_role("button", name="Undo")).to_be_enabled()
    tinted = _tinted(shop)
    for end, compared in (("Home", np.less), ("End", np.greater)):
        painting.get_by_label("Reach").press(end)
        expect(painting.get_by_role("button", name="Undo")).to_be_enabled()
        assert compared(_tinted(shop), tinted)
    painting.get_by_role("button", name="Undo").click()
    expect(painting.get_by_role("button", name="Undo")).to_be_disabled()


def test_a_part_can_be_clicked_with_keys_alone(shop: Shop, painting: Locator) -> None:
    painting.get_by_label("Brush").focus()
    shop.page.keyboard.press("ArrowRight")
    expect(painting.get_by_label("Click")).to_be_checked()
    expect(painting.get_by_label("Snap to edges")).to_be_hidden()
    painting.get_by_label("Keep").focus()
    shop.page.keyboard.press("ArrowRight")
    painting.locator("#stage").focus()
    with shop.page.expect_response("**/v1/packshots") as answer:
        shop.page.keyboard.press("ArrowLeft")
        shop.page.keyboard.press("Enter")
    assert answer.value.ok
    expect(painting.get_by_role("button", name="Undo")).to_be_enabled()


@pytest.mark.parametrize("snaps", [True, False])
def test_a_rough_stroke_spills_over_an_edge_unless_it_snaps(shop: Shop, painting: Locator, snaps: bool) -> None:
    painting.get_by_label("Snap to edges").set_checked(snaps)
    painting.get_by_label("Remove").check()
    painting.locator("#brush-size").fill("75")
    diameter = shop.page.locator("#ring").evaluate("ring => ring.style.width")
    box = shop.page.locator("#world").bounding_box()
    assert box
    mug = _truth("mug") > 127
    height, width = mug.shape
    down = 0.6
    edge = np.flatnonzero(mug[int(down * height)])[0] / width
    radius = float(diameter.removesuffix("px")) / 2 / box["width"]
    _drag(shop, (edge - 0.4 * radius, down - 0.05), (edge - 0.4 * radius, down + 0.05))
    expect(painting.get_by_role("button", name="Undo")).to_be_enabled()
    with shop.remade():
        _close(shop, painting)
    alpha = shop.alpha("mug.jpg")
    inside = alpha[int(down * height), int((edge + 0.3 * radius) * width)]
    assert inside == (255 if snaps else 0)
    assert alpha[int(down * height), int((edge - 0.4 * radius) * width)] == 0


def test_the_photo_is_plain_until_the_matte_is_known_and_then_it_is_known(shop: Shop) -> None:
    shop.pick("mug")
    shop.expect_tally("1 of 1 ready.")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    shop.page.route("**/v1/packshots", hold)
    painting = shop.look_at("mug.jpg")
    painting.get_by_label("Touch up").check()
    expect(painting.locator("#busy")).to_have_text("Working on it")
    violet = painting.get_by_text("Violet: removed.")
    photo = painting.locator("#before img")
    expect(violet).to_be_hidden()
    expect(photo).to_have_css("opacity", "1")
    held[0].continue_()
    expect(violet).to_be_visible()
    expect(photo).to_have_css("opacity", "0.5")
    _close(shop, painting)

    painting = shop.look_at("mug.jpg")
    painting.get_by_label("Touch up").check()
    expect(violet).to_be_visible()
    assert len(held) == 1, "a matte that was shown before appears at once"
    shop.page.unroute("**/v1/packshots")


def _paint(shop: Shop, at: tuple[float, float]) -> None:
    """A short stroke around a point of the photo, in shares of its width and height."""
    box = shop.page.locator("#world").bounding_box()
    assert box
    x, y = box["x"] + at[0] * box["width"], box["y"] + at[1] * box["height"]
    shop.page.mouse.move(x - 5, y)
    shop.page.mouse.down()
    shop.page.mouse.move(x + 5, y, steps=3)
    shop.page.mouse.up()


def _drag(shop: Shop, start: tuple[float, float], end: tuple[float, float]) -> None:
    box = shop.page.locator("#world").bounding_box()
    assert box
    for index, (across, down) in enumerate((start, end)):
        shop.page.mouse.move(box["x"] + across * box["width"], box["y"] + down * box["height"], steps=5)
        if not index:
            shop.page.mouse.down()
    shop.page.mouse.up()


def _click(shop: Shop, at: tuple[float, float]) -> None:
    _drag(shop, at, at)


def _tinted(shop: Shop) -> int:
    """The number of tinted pixels: strokes that the preview does not include yet."""
    count = """canvas => {
        const { width, height } = canvas;
        const copy = Object.assign(document.createElement("canvas"), { width, height }).getContext("2d");
        copy.drawImage(canvas, 0, 0);
        const levels = copy.getImageData(0, 0, width, height).data;
        return levels.reduce((sum, level, at) => sum + (at % 4 === 3 && level > 0), 0);
    }"""
    return int(shop.page.locator("#strokes").evaluate(count))


def _truth(name: str) -> npt.NDArray[np.uint8]:
    return np.asarray(Image.open(EXAMPLES / "truth" / f"{name}.png").convert("L"))


def _jars(shape: tuple[int, ...]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Masks of the smallest jar, and of the other two; without their rims."""
    truth = cv2.erode((_truth("jars") > 250).astype(np.uint8), np.ones((9, 9), np.uint8))
    assert truth.shape == shape
    _, labels, stats, _ = cv2.connectedComponentsWithStats(truth)
    jar = labels == 1 + int(np.argmin(np.where(stats[1:, 4] > 500, stats[1:, 4], truth.size)))
    return jar, (truth > 0) & ~jar


def _middle(mask: npt.NDArray[np.bool_]) -> tuple[float, float]:
    away = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5)
    y, x = np.unravel_index(int(away.argmax()), away.shape)
    return float(x) / mask.shape[1], float(y) / mask.shape[0]


def _open(shop: Shop, name: str) -> Locator:
    """A photo in touch-up, once its matte is ready."""
    dialog = shop.look_at(name)
    dialog.get_by_label("Touch up").check()
    expect(dialog.get_by_text("Violet: removed.")).to_be_visible()
    return dialog


def _reopen(shop: Shop) -> Locator:
    return _open(shop, "mug.jpg")


def _close(shop: Shop, dialog: Locator) -> None:
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_be_hidden()
