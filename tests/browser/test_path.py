"""From photos to pictures, the way of a shop owner."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, expect

from packshot.batch.listing import _NO_PHOTOS_IN, is_photo
from tests.kit import images
from tests.kit.browser import EXAMPLES, PLAIN_HOST, Shop
from tests.kit.browser import shop as open_shop
from tests.kit.server import Running

pytestmark = pytest.mark.browser


def test_photos_become_pictures_for_a_marketplace_in_one_zip(shop: Shop) -> None:
    shop.pick("mug", "teapot")
    shop.pick("mug")  # the same name again
    shop.expect_tally("3 of 3 ready.")

    shop.page.get_by_label("Amazon").check()
    expect(shop.page.locator(".card .badge")).to_have_count(3)
    shop.expect_tally("3 of 3 ready.")

    dialog = shop.look_at("teapot.jpg")
    expect(dialog.get_by_role("heading", name="Amazon main image")).to_be_visible()
    dialog.get_by_text("rules met").click()
    rules = dialog.locator(".rules li:has(.mark)")
    expect(rules.filter(has_text="The product must fill")).to_contain_text("%")
    # Colour alone would not be enough.
    for words in rules.all_inner_texts():
        assert any(word in words for word in ("Met:", "Not met:", "Could be better:", "Put right:"))
    dialog.get_by_role("button", name="Close").click()

    name, data = shop.download(shop.page.get_by_role("button", name="Download all (3)"))
    assert name == "packshots-amazon.zip"
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["mug-amazon.jpg", "teapot-amazon.jpg", "mug-amazon-2.jpg"]
        for member in archive.namelist():
            picture = Image.open(archive.open(member))
            assert picture.format == "JPEG"
            assert picture.size[0] == picture.size[1]
            assert picture.getpixel((2, 2)) == (255, 255, 255)


def test_before_and_after_lie_on_each_other(shop: Shop) -> None:
    shop.pick("mug")
    shop.expect_tally("1 of 1 ready.")
    with shop.remade():
        shop.page.get_by_label("Close around the product").check()
    dialog = shop.look_at("mug.jpg")
    slider = dialog.get_by_role("slider", name="Before and after")
    stage = dialog.locator("#stage")
    where = stage.bounding_box()
    assert where

    def seen(share: int) -> Image.Image:
        slider.fill(str(share))
        return Image.open(io.BytesIO(stage.screenshot())).convert("RGB")

    # Inside the product, left and right of the middle, photo and picture show the same.
    before, after = seen(100), seen(0)
    middle = (int(where["width"] * 0.45), int(where["height"] * 0.5))
    for x in (middle[0] - 40, middle[0], middle[0] + 40):
        pixels = [np.asarray(each, np.int16)[middle[1], x] for each in (before, after)]
        assert np.abs(pixels[0] - pixels[1]).max() < 24
    assert before.tobytes() != after.tobytes()


def test_zoom_by_keys_wheel_and_buttons(shop: Shop) -> None:
    shop.pick("mug")
    shop.expect_tally("1 of 1 ready.")
    dialog = shop.look_at("mug.jpg")
    zoom = dialog.locator("#zoom")
    dialog.get_by_role("button", name="Full size").click()
    expect(zoom).to_have_text("100%")
    dialog.locator("#stage").focus()
    shop.page.keyboard.press("+")
    expect(zoom).to_have_text("125%")
    dialog.locator("#stage").hover()
    shop.page.mouse.wheel(0, -400)
    expect(zoom).not_to_have_text("125%")
    shop.page.keyboard.press("1")
    expect(zoom).to_have_text("100%")


def test_an_earlier_look_comes_back_without_being_made_again(shop: Shop) -> None:
    shop.pick("mug")
    shop.expect_tally("1 of 1 ready.")
    with shop.remade():
        shop.page.get_by_label("White", exact=True).check()
    state = shop.card("mug.jpg").locator(".state")
    expect(state).to_contain_text("JPG")
    asked: list[str] = []
    shop.page.on("request", lambda request: asked.append(request.method))
    shop.page.get_by_label("Transparent").check()
    expect(state).to_contain_text("PNG")
    assert not asked


def test_what_contradicts_itself_is_said_once_and_mended_by_the_next_choice(shop: Shop) -> None:
    shop.page.get_by_label("Amazon").check()
    shop.page.get_by_label("Transparent").check()
    shop.page.get_by_label("File type").select_option("jpeg")
    shop.pick("mug", "bear")
    complaint = shop.page.locator("#complaint")
    expect(complaint).to_have_text("A JPEG cannot be transparent: choose another file type, or a background.")
    shop.page.get_by_role("radio", name="As Amazon asks").check()
    shop.expect_tally("2 of 2 ready.")
    expect(complaint).to_be_hidden()


def test_what_the_service_refuses_for_all_photos_is_said_beside_the_settings(shop: Shop) -> None:
    shop.page.get_by_label("Picture", exact=True).check()
    complaint = shop.page.locator("#complaint")
    expect(complaint).to_have_text("Please choose the picture for the background.")
    shop.page.locator("#background-picture").set_input_files(
        {"name": "half.jpg", "mimeType": "image/jpeg", "buffer": (EXAMPLES / "mug.jpg").read_bytes()[:3000]}
    )
    shop.pick("mug", "bear", "stool", "jars")
    expect(complaint).to_contain_text("The background picture cannot be read")
    expect(shop.page.locator(".card.failed")).to_have_count(0)
    shop.page.get_by_label("White", exact=True).check()
    shop.expect_tally("4 of 4 ready.")
    expect(complaint).to_be_hidden()


def test_a_picture_of_ones_own_lies_behind_the_product(shop: Shop) -> None:
    behind = io.BytesIO()
    Image.new("RGB", (64, 64), (10, 60, 200)).save(behind, "PNG")
    shop.pick("teapot")
    shop.expect_tally("1 of 1 ready.")
    shop.page.get_by_label("Picture", exact=True).check()
    shop.page.locator("#background-picture").set_input_files(
        {"name": "blue.png", "mimeType": "image/png", "buffer": behind.getvalue()}
    )
    expect(shop.card("teapot.jpg").locator(".state")).to_contain_text("JPG")
    _, data = shop.download(shop.page.get_by_role("button", name="Download: teapot.jpg"))
    red, _, blue = Image.open(io.BytesIO(data)).convert("RGB").getpixel((5, 5))  # type: ignore[misc]
    assert blue > red + 120


def test_a_photo_that_the_browser_cannot_show_is_made_all_the_same(shop: Shop) -> None:
    tiff = io.BytesIO()
    Image.open(EXAMPLES / "mug.jpg").save(tiff, "TIFF")
    shop.pick({"name": "mug.tiff", "mimeType": "image/tiff", "buffer": tiff.getvalue()})
    shop.expect_tally("1 of 1 ready.")
    dialog = shop.look_at("mug.tiff")
    expect(dialog.locator("#tag-before")).to_have_text("Before: cannot be shown here")
    expect(dialog.locator("#after img")).to_be_visible()


def test_an_output_that_the_browser_cannot_show_is_made_and_downloaded(shop: Shop) -> None:
    shop.page.get_by_label("File type").select_option(label="TIFF")
    shop.pick("mug")
    expect(shop.card("mug.jpg").locator(".state")).to_contain_text("TIF")
    expect(shop.page.locator("#curl")).to_contain_text("packshot.tif")
    name, data = shop.download(shop.page.get_by_role("button", name="Download: mug.jpg"))
    assert name == "mug.tif"
    assert Image.open(io.BytesIO(data)).format == "TIFF"
    dialog = shop.look_at("mug.jpg")
    expect(dialog.locator("#tag-after")).to_have_text("After: cannot be shown here")
    expect(dialog.locator("#before img")).to_be_visible()


def test_a_doubtful_picture_is_marked_until_somebody_looked(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("packshot.engine.pipeline._needs_review", lambda *_: True)
    shop.pick("mug", "bear")
    shop.expect_tally("0 of 2 ready, 2 to look at.")
    expect(shop.page.locator("#all")).to_be_hidden()  # no picture is in work any more
    shop.page.get_by_label("Please look (2)").check()
    dialog = shop.look_at("mug.jpg")
    expect(dialog.locator("#facts")).to_contain_text("You have looked at this one.")
    dialog.get_by_role("button", name="Close").click()
    shop.expect_tally("1 of 2 ready, 1 to look at.")
    expect(shop.page.locator(".card:visible .name")).to_have_text("bear.jpg")


@pytest.mark.parametrize("width", [390, 1280])
def test_a_doubtful_picture_is_never_called_ready_whatever_rules_it_keeps(
    browser: Browser, running: Running, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setattr("packshot.engine.pipeline._needs_review", lambda *_: True)
    with open_shop(browser, running.base_url, width=width) as shop:
        shop.open(running.new_key())
        shop.page.evaluate("() => { document.getElementById('settings').open = true; }")
        shop.page.get_by_label("eBay").check()
        shop.pick("mug")
        shop.expect_tally("0 of 1 ready, 1 to look at.")
        card = shop.card("mug.jpg")
        expect(card.locator(".state")).to_contain_text("Look at it before you use it")
        expect(card.locator(".badge")).to_have_text(["! Please look", "eBay: all rules met"])
        expect(card).not_to_contain_text("Ready")
        assert not shop.scrolls_sideways()

        dialog = shop.look_at("mug.jpg")
        panel = dialog.locator("#facts")
        expect(panel).to_contain_text("Look at it before you use it")
        expect(panel).to_contain_text("You have looked at this one.")
        expect(panel.locator(".badge")).to_have_text("\u2713 Ready for eBay")
        dialog.get_by_role("button", name="Close").click()
        shop.expect_tally("1 of 1 ready.")
        expect(card.locator(".state")).to_contain_text("Ready:")
        expect(card.locator(".badge")).to_have_text("\u2713 Ready for eBay")


def test_the_line_for_the_terminal_says_what_the_page_does(shop: Shop) -> None:
    shop.page.get_by_label("Etsy").check()
    shop.page.get_by_text("The same from a command line").click()
    line = shop.page.locator("#curl")
    expect(line).to_contain_text("-F preset=etsy")
    expect(line).to_contain_text(f"{shop.base_url}/v1/packshots")
    shop.page.get_by_role("button", name="Copy").click()
    expect(shop.page.locator("#copied")).to_have_text("Copied")


def test_it_works_by_another_address_over_plain_http(browser: Browser, running: Running) -> None:
    address = f"http://{PLAIN_HOST}:{running.service.settings.port}"
    with open_shop(browser, address) as shop:
        shop.open(running.new_key())
        assert not shop.page.evaluate("() => isSecureContext")
        shop.pick("mug")
        shop.expect_tally("1 of 1 ready.")
        dialog = shop.look_at("mug.jpg")
        dialog.get_by_label("Touch up").check()
        expect(shop.page.locator("#busy")).to_be_hidden()
        with shop.page.expect_response("**/v1/packshots") as answer:
            dialog.locator("#stage").click()
        assert answer.value.ok
        dialog.get_by_role("button", name="Close").click()
        shop.page.get_by_text("The same from a command line").click()
        shop.page.get_by_role("button", name="Copy").click()
        expect(shop.page.locator("#copied")).to_have_text("Copied")


def test_a_dropped_folder_gives_the_photos_that_the_command_line_sees_in_it(shop: Shop) -> None:
    names = [
        f"{place}{number}.jpg" for number, place in enumerate(["", "deep/", ".", "._", "deep/._", "deep/.hidden/"])
    ]
    names += [f"{folder}/{number}.jpg" for number, folder in enumerate(sorted(_NO_PHOTOS_IN), len(names))]
    names += [f"deep/{folder.upper()}/{number}.jpg" for number, folder in enumerate(sorted(_NO_PHOTOS_IN), len(names))]
    shop.page.evaluate(
        """([names, bytes]) => {
            const file = (name) => ({ name, isFile: true,
                file: (done) => done(new File([new Uint8Array(bytes)], name, { type: "image/jpeg" })) });
            const folder = (name, paths) => {
                const below = new Map();
                for (const [first, ...rest] of paths) {
                    if (rest.length) below.set(first, [...(below.get(first) ?? []), rest]);
                    else below.set(first, null);
                }
                const parts = [[...below].map(([each, rest]) => rest ? folder(each, rest) : file(each)), []];
                return { name, isFile: false, createReader: () => ({ readEntries: (done) => done(parts.shift()) }) };
            };
            const event = new DragEvent("drop", { bubbles: true });
            const root = folder("photos", names.map((name) => name.split("/")));
            Object.defineProperty(event, "dataTransfer",
                { value: { types: ["Files"], items: [{ webkitGetAsEntry: () => root }], files: [] } });
            document.body.dispatchEvent(event);
        }""",
        [names, list(images.good("jpeg"))],
    )
    seen = [name for name in names if is_photo(name)]
    assert seen == ["0.jpg", "deep/1.jpg"]
    for name in seen:
        expect(shop.card(name.rsplit("/", 1)[-1]).locator(".state")).to_contain_text("Ready")
    expect(shop.page.locator(".state")).to_have_count(len(seen))


def test_photos_can_be_dropped_and_pasted(shop: Shop) -> None:
    data = images.good("jpeg")
    for kind in ("drop", "paste"):
        shop.page.evaluate(
            """([kind, bytes]) => {
                const carried = new DataTransfer();
                carried.items.add(new File([new Uint8Array(bytes)], `${kind}.jpg`, { type: "image/jpeg" }));
                const event = kind === "drop" ? new DragEvent(kind, { dataTransfer: carried, bubbles: true })
                    : new ClipboardEvent(kind, { clipboardData: carried, bubbles: true });
                document.body.dispatchEvent(event);
            }""",
            [kind, list(data)],
        )
        expect(shop.card(f"{kind}.jpg").locator(".state")).to_contain_text("Ready")
