"""One photo can differ from the others: in background, place in the frame, turn. Each change can be undone."""

from __future__ import annotations

import io
import re

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from playwright.sync_api import Locator, expect

from tests.kit import images
from tests.kit.browser import Shop, as_files

pytestmark = pytest.mark.browser

PRODUCT = (260, 180, 200, 260)  # left, top, width and height of the drawn product in a photo of 720 x 540


def photo(size: tuple[int, int] = (720, 540), product: tuple[int, int, int, int] = PRODUCT) -> bytes:
    """A dark bottle on a light ground."""
    drawn = np.full((*size[::-1], 3), 235, np.uint8)
    drawn += np.random.default_rng(0).integers(0, 4, drawn.shape, np.uint8)
    left, top, width, height = product
    cv2.rectangle(drawn, (left, top + height // 3), (left + width, top + height), (40, 60, 70), -1)
    cv2.rectangle(drawn, (left + width // 3, top), (left + 2 * width // 3, top + height // 2), (50, 40, 30), -1)
    return images.as_jpeg(drawn, quality=95)


@pytest.fixture
def placing(shop: Shop) -> Locator:
    """A photo in a square frame on white, open in the placing view."""
    shop.pick(*as_files([("bottle.jpg", photo())]))
    shop.page.get_by_label("White", exact=True).check()
    shop.page.locator("#frame").get_by_label("Square", exact=True).check()
    made(shop)
    dialog = shop.look_at("bottle.jpg")
    dialog.get_by_label("Place", exact=True).check()
    expect(dialog.locator("#placing img")).to_have_attribute("src", re.compile("^blob:"))
    return dialog


def test_a_background_of_its_own_leaves_the_other_photos_alone(shop: Shop) -> None:
    shop.pick(*as_files([("one.jpg", photo()), ("two.jpg", photo())]))
    shop.page.get_by_label("White", exact=True).check()
    made(shop)
    dialog = shop.look_at("one.jpg")
    dialog.get_by_text("Only this photo").click()
    with shop.remade():
        dialog.get_by_label("Colour", exact=True).check()
    code = dialog.get_by_label("Colour as a code")
    with shop.remade():
        code.fill("2a6")
        code.press("Enter")
    expect(dialog.get_by_role("button", name="#22aa66")).to_be_visible()  # kept for the next photo
    dialog.get_by_role("button", name="Close").click()
    assert corner(shop, "one.jpg") == pytest.approx((0x22, 0xAA, 0x66), abs=3)
    assert corner(shop, "two.jpg") == pytest.approx((255, 255, 255), abs=3)

    shop.page.get_by_label("Transparent").check()  # for all photos except the one with its own background
    made(shop)
    assert corner(shop, "one.jpg") == pytest.approx((0x22, 0xAA, 0x66), abs=3)
    dialog = shop.look_at("one.jpg")
    dialog.get_by_role("button", name="As all photos again").click()
    dialog.get_by_role("button", name="Close").click()
    made(shop)
    assert picture(shop, "one.jpg").mode == "RGBA"


def test_a_colour_that_is_none_is_said(shop: Shop) -> None:
    shop.page.get_by_label("Colour", exact=True).check()
    code = shop.page.locator("#form").get_by_label("Colour as a code")
    code.fill("#12345")
    code.press("Enter")
    expect(shop.page.get_by_role("alert").filter(has_text="This is not a colour")).to_be_visible()
    code.fill("rgb(10, 20, 30)")
    code.press("Enter")
    expect(code).to_have_value("#0a141e")
    expect(shop.page.get_by_role("alert").filter(has_text="This is not a colour")).to_have_count(0)


def test_the_product_is_dragged_and_scaled_in_its_frame(shop: Shop, placing: Locator) -> None:
    before = product_box(shop, placing)
    with shop.remade():
        placing.get_by_role("slider", name="Size", exact=True).fill("40")
    smaller = product_box(shop, placing)
    assert max(extent(smaller)) == pytest.approx(0.4, abs=0.02)
    assert centre(smaller) == pytest.approx(centre(before), abs=0.02)
    with shop.remade():
        drag(shop, placing.locator("#handles"), dx=-60, dy=40)
    moved = product_box(shop, placing)
    assert centre(moved)[0] < centre(smaller)[0] - 0.05
    assert centre(moved)[1] > centre(smaller)[1] + 0.03
    assert extent(moved) == pytest.approx(extent(smaller), abs=0.02)
    with shop.remade():
        placing.locator("#stage").focus()
        for _ in range(3):
            shop.page.keyboard.press("Shift+ArrowRight")
    made(shop)  # a late key press makes a separate picture
    assert centre(product_box(shop, placing))[0] == pytest.approx(centre(moved)[0] + 0.15, abs=0.02)

    shop.page.keyboard.press("Control+z")
    shop.page.keyboard.press("Control+z")
    expect(placing.locator("#size")).to_have_value("40")
    assert product_box(shop, placing) == pytest.approx(smaller, abs=0.01)
    placing.get_by_role("button", name="As it was").click()
    expect(placing.get_by_role("button", name="As it was")).to_be_hidden()
    assert product_box(shop, placing) == pytest.approx(before, abs=0.01)


def test_a_photo_is_turned_and_straightened(shop: Shop, placing: Locator) -> None:
    left, top, right, bottom = product_box(shop, placing)
    assert bottom - top > right - left, "the bottle is upright"
    with shop.remade():
        placing.get_by_role("button", name="Turn right").click()
    left, top, right, bottom = product_box(shop, placing)
    assert bottom - top < right - left, "the bottle is on its side"
    with shop.remade():
        placing.get_by_label("Straighten").fill("10")
    expect(placing.locator("#straighten-value")).to_have_text("10\u00b0")
    placing.get_by_label("Compare").check()  # photo and picture overlap, turned alike
    rotated = placing.locator("#before img").evaluate("image => getComputedStyle(image).rotate")
    assert rotated == "100deg"
    placing.get_by_role("button", name="Close").click()
    shop.page.get_by_role("button", name="Undo", exact=True).click()
    shop.page.get_by_role("button", name="Undo", exact=True).click()
    made(shop)
    drawn = np.asarray(picture(shop, "bottle.jpg").convert("L"))
    rows, columns = np.nonzero(drawn < 128)
    assert np.ptp(rows) > np.ptp(columns), "upright again"


def test_what_was_removed_comes_back_where_it_was(shop: Shop) -> None:
    shop.pick(*as_files([(f"{name}.jpg", photo()) for name in ("one", "two", "three")]))
    made(shop)
    asked: list[str] = []
    shop.page.on("request", lambda request: asked.append(request.method))
    shop.page.get_by_role("button", name="Remove: two.jpg").click()
    expect(shop.page.locator("#toast")).to_contain_text("two.jpg removed.")
    names = shop.page.locator(".card .name")
    expect(names).to_have_text(["one.jpg", "three.jpg"])
    shop.page.locator("#toast").get_by_role("button", name="Undo").click()
    expect(names).to_have_text(["one.jpg", "two.jpg", "three.jpg"])
    shop.page.get_by_role("button", name="Clear all").click()
    expect(shop.page.locator("#photos")).to_be_hidden()
    shop.page.keyboard.press("Control+z")
    expect(names).to_have_text(["one.jpg", "two.jpg", "three.jpg"])
    shop.expect_tally("3 of 3 ready.")
    assert "POST" not in asked, "no new picture is made"
    shop.page.keyboard.press("Control+Shift+z")
    expect(shop.page.locator("#photos")).to_be_hidden()


def test_settings_are_taken_back_one_by_one(shop: Shop) -> None:
    undo, redo = (shop.page.get_by_role("button", name=name, exact=True) for name in ("Undo", "Redo"))
    shop.pick(*as_files([("one.jpg", photo())]))
    made(shop)
    shop.page.get_by_label("White", exact=True).check()
    shop.page.get_by_label("Close around the product").check()
    made(shop)
    undo.click()
    expect(shop.page.get_by_label("The whole photo")).to_be_checked()
    expect(shop.page.get_by_label("White", exact=True)).to_be_checked()
    undo.click()
    expect(shop.page.get_by_label("Transparent")).to_be_checked()
    expect(undo).to_be_disabled()
    redo.click()
    expect(shop.page.get_by_label("White", exact=True)).to_be_checked()
    expect(shop.card("one.jpg").locator(".state")).to_contain_text("JPG")


def test_enlarge_stands_on_the_card_that_needs_it(shop: Shop) -> None:
    large, small = photo((1400, 1400), (300, 100, 800, 1200)), photo((500, 500), (180, 100, 140, 230))
    shop.pick(*as_files([("large.jpg", large), ("small.jpg", small)]))
    shop.page.get_by_label("Amazon").check()
    shop.expect_tally("1 of 2 ready, 1 does not meet the rules.")
    expect(shop.card("small.jpg").locator(".state")).not_to_contain_text("Ready")
    expect(shop.page.get_by_role("button", name="Enlarge: large.jpg")).to_be_hidden()
    with shop.remade():
        shop.page.get_by_role("button", name="Enlarge: small.jpg").click()
    shop.expect_tally("2 of 2 ready.")
    assert max(picture(shop, "small.jpg").size) >= 500
    expect(shop.page.get_by_role("button", name="Enlarge: small.jpg")).to_be_hidden()


def test_a_picture_is_downloaded_under_the_name_that_it_was_given(shop: Shop) -> None:
    shop.pick(*as_files([("IMG_0001.jpg", photo())]))
    shop.page.get_by_label("White", exact=True).check()
    made(shop)
    dialog = shop.look_at("IMG_0001.jpg")
    field = dialog.get_by_label("File name")
    expect(field).to_have_value("IMG_0001-white")  # the command line's name
    field.fill("brown-bottle-0.5l")
    field.press("Tab")
    name, _ = shop.download(dialog.get_by_role("button", name="Download"))
    assert name == "brown-bottle-0.5l.jpg"
    field.focus()
    shop.page.keyboard.press("Shift+Tab")
    shop.page.keyboard.press("Control+z")
    expect(field).to_have_value("IMG_0001-white")


def test_arrow_keys_change_the_photo_at_once(shop: Shop) -> None:
    shop.pick(*as_files([(f"{name}.jpg", photo()) for name in ("one", "two", "three")]))
    made(shop)
    shop.look_at("one.jpg")
    title = shop.page.locator("#viewer-name")
    steps = ["ArrowRight", "two"], ["ArrowRight", "three"], ["ArrowRight", "three"], ["ArrowLeft", "two"]
    for key, name in steps:
        shop.page.keyboard.press(key)
        expect(title).to_have_text(f"{name}.jpg")
    shop.page.locator("#stage").focus()
    shop.page.keyboard.press("ArrowLeft")
    expect(title).to_have_text("one.jpg")
    expect(shop.page.locator("#stage")).to_be_focused()


def made(shop: Shop) -> None:
    """Returns when every photo has the requested picture."""
    shop.page.wait_for_timeout(600)  # longer than the page waits for further changes
    expect(shop.page.locator(".card progress:not([hidden])")).to_have_count(0)


def picture(shop: Shop, name: str) -> Image.Image:
    _, data = shop.download(shop.page.get_by_role("button", name=f"Download: {name}"))
    return Image.open(io.BytesIO(data))


def corner(shop: Shop, name: str) -> tuple[int, ...]:
    pixel = picture(shop, name).convert("RGB").getpixel((3, 3))
    assert isinstance(pixel, tuple)
    return pixel


def product_box(shop: Shop, dialog: Locator) -> tuple[float, float, float, float]:
    """The product's box in the dialog's picture, as shares of its frame: left, top, right, bottom."""
    _, data = shop.download(dialog.get_by_role("button", name="Download"))
    gray: npt.NDArray[np.uint8] = np.asarray(Image.open(io.BytesIO(data)).convert("L"))
    rows, columns = np.nonzero(gray < 128)
    height, width = gray.shape
    return (columns.min() / width, rows.min() / height, columns.max() / width, rows.max() / height)


def extent(box: tuple[float, float, float, float]) -> tuple[float, float]:
    return box[2] - box[0], box[3] - box[1]


def centre(box: tuple[float, float, float, float]) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def drag(shop: Shop, what: Locator, *, dx: float, dy: float) -> None:
    where = what.bounding_box()
    assert where
    x, y = where["x"] + where["width"] / 2, where["y"] + where["height"] / 2
    shop.page.mouse.move(x, y)
    shop.page.mouse.down()
    shop.page.mouse.move(x + dx, y + dy, steps=4)
    shop.page.mouse.up()
