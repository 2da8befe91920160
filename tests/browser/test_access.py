"""Access for everyone: keyboard, screen readers, small and large screens, light and dark."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from tests.kit.browser import EXAMPLES, Shop, as_files
from tests.kit.browser import shop as open_shop
from tests.kit.server import Running

pytestmark = pytest.mark.browser


def complaints(shop: Shop) -> list[str]:
    """axe-core's findings on the current view."""
    found = Axe().run(shop.page).response["violations"]
    return [f"{each['id']}: {node['html'][:200]}" for each in found for node in each["nodes"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_anywhere(browser: Browser, running: Running, scheme: str) -> None:
    with open_shop(browser, running.base_url, scheme=scheme) as shop:
        shop.open()
        assert not complaints(shop), "empty"
        shop.pick("mug")
        expect(shop.page.get_by_role("dialog")).to_be_visible()
        assert not complaints(shop), "key"
        shop.page.get_by_label("Access key", exact=True).fill(running.new_key())
        shop.page.keyboard.press("Enter")
        shop.pick(*as_files([("broken.jpg", (EXAMPLES / "mug.jpg").read_bytes()[:3000])]))
        for name in ("Amazon", "Etsy"):
            shop.page.get_by_label(name, exact=True).check()
        expect(shop.page.locator(".card .chip")).to_have_count(2)
        shop.expect_tally("1 of 2 ready for Amazon, 1 for Etsy, 1 did not work.")
        shop.page.get_by_text("The same from a command line").click()
        assert not complaints(shop), "list"
        dialog = shop.look_at("mug.jpg")
        expect(dialog.locator(".rules li").first).to_be_visible()
        assert not complaints(shop), "viewer"
        dialog.get_by_label("Touch up").check()
        expect(shop.page.locator("#busy")).to_be_hidden()
        assert not complaints(shop), "brush"


@pytest.mark.parametrize(
    "width", [360, 2560, pytest.param(320, marks=pytest.mark.slow), pytest.param(768, marks=pytest.mark.slow)]
)
def test_nothing_scrolls_sideways(browser: Browser, running: Running, width: int) -> None:
    with open_shop(browser, running.base_url, width=width, height=800) as shop:
        shop.open(running.new_key())
        assert not shop.scrolls_sideways()
        photo = (EXAMPLES / "mug.jpg").read_bytes()
        shop.pick(*as_files([("a-very-long-name-without-any-space-as-cameras-and-shops-make-them-0001.jpg", photo)]))
        shop.expect_tally("1 of 1 ready.")
        settings = shop.page.locator("#settings")
        if settings.get_attribute("open") is None:
            settings.locator("summary").first.click()
        shop.page.get_by_label("Walmart").check()
        expect(shop.page.locator(".card .badge").first).to_be_visible()
        assert not shop.scrolls_sideways()
        dialog = shop.page.get_by_role("dialog")
        shop.page.locator(".card .open").click()
        dialog.get_by_label("Touch up").check()
        for button in dialog.locator("button:visible").all():
            box = button.bounding_box()
            assert box
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width + 1
        stage = dialog.locator("#stage").bounding_box()
        assert stage
        assert stage["height"] > 250, "there is room for the picture"


def test_the_whole_path_with_keys_alone(browser: Browser, running: Running) -> None:
    with open_shop(browser, running.base_url) as shop:
        keys = shop.page.keyboard
        shop.open()
        _tab_to(shop, "#pick")
        shop.pick("mug", "bear")  # the system's own file dialog
        expect(shop.page.locator("#key-text")).to_be_focused()
        keys.insert_text(running.new_key())
        keys.press("Enter")
        shop.expect_tally("2 of 2 ready.")
        expect(shop.page.locator("#pick")).to_be_focused()
        _tab_to(shop, "[name=preset][value=amazon]")
        keys.press("Space")
        expect(shop.page.get_by_label("Amazon", exact=True)).to_be_checked()
        expect(shop.page.locator(".card .badge")).to_have_count(2)
        _tab_to(shop, ".card .open")
        keys.press("Enter")
        expect(shop.page.locator("#viewer-name")).to_be_focused()
        expect(shop.page.locator("#viewer-name")).to_have_text("mug.jpg")
        _tab_to(shop, "#split")
        keys.press("ArrowRight")
        expect(shop.page.locator("#split")).to_have_attribute("aria-valuetext", "51% before, 49% after")
        keys.press("Escape")
        expect(shop.page.get_by_role("button", name="Open mug.jpg")).to_be_focused()
        _tab_to(shop, "#download-all", backwards=True)
        name, data = shop.download_by(lambda: keys.press("Enter"))
        assert name == "packshots-amazon.zip"
        assert len(data) > 10_000


def test_progress_is_spoken(shop: Shop) -> None:
    said = shop.page.locator("#said")
    shop.page.evaluate(
        """() => {
            const said = document.getElementById("said");
            window.heard = [];
            new MutationObserver(() => heard.push(said.textContent)).observe(said, { childList: true });
        }"""
    )
    shop.pick("mug", "bear")
    shop.expect_tally("2 of 2 ready.")
    expect(said).to_have_text("All done: 2 of 2 ready.")
    assert "2 photos added." in shop.page.evaluate("() => heard")


def test_focus_goes_to_the_neighbour_when_a_photo_is_removed(shop: Shop) -> None:
    shop.pick("mug", "bear")
    shop.expect_tally("2 of 2 ready.")
    shop.page.get_by_role("button", name="Remove: mug.jpg").click()
    expect(shop.page.get_by_role("button", name="Remove: bear.jpg")).to_be_focused()


def _tab_to(shop: Shop, selector: str, *, backwards: bool = False) -> None:
    """Press Tab until an element of the selector has the focus, as a user without a mouse does."""
    for _ in range(60):
        shop.page.keyboard.press("Shift+Tab" if backwards else "Tab")
        if shop.page.locator(":focus").and_(shop.page.locator(selector)).count():
            return
    raise AssertionError(f"Tab never reaches {selector}")
