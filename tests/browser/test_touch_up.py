"""The brush: what is painted changes the matte there, and nowhere far away."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.sync_api import Locator, expect

from tests.kit import images
from tests.kit.browser import Shop, as_files

pytestmark = pytest.mark.browser

MIDDLE = (0.42, 0.55)  # of the photo: inside the mug
CORNER = (0.95, 0.1)  # far from it


@pytest.fixture
def painting(shop: Shop) -> Locator:
    """The mug, ready, and opened with the brush."""
    shop.pick("mug")
    shop.expect_tally("1 of 1 ready.")
    dialog = shop.look_at("mug.jpg")
    with shop.page.expect_response("**/v1/packshots"):
        dialog.get_by_label("Touch up").check()
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
    assert np.array_equal(shop.alpha("mug.jpg"), before), "undo brings the picture from before back"


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
    shop.page.wait_for_timeout(500)  # longer than the brush waits before it asks for a preview
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


def _paint(shop: Shop, at: tuple[float, float]) -> None:
    """A short stroke around a point of the photo, by shares of its width and height."""
    box = shop.page.locator("#world").bounding_box()
    assert box
    x, y = box["x"] + at[0] * box["width"], box["y"] + at[1] * box["height"]
    shop.page.mouse.move(x - 5, y)
    shop.page.mouse.down()
    shop.page.mouse.move(x + 5, y, steps=3)
    shop.page.mouse.up()


def _reopen(shop: Shop) -> Locator:
    dialog = shop.look_at("mug.jpg")
    dialog.get_by_label("Touch up").check()
    return dialog


def _close(shop: Shop, dialog: Locator) -> None:
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_be_hidden()
