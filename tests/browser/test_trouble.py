"""The page reports each problem in a sentence, and recovers automatically where it can."""

from __future__ import annotations

import re
from contextlib import nullcontext
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.kit import images
from tests.kit.browser import EXAMPLES, Shop, as_files
from tests.kit.browser import shop as open_shop
from tests.kit.server import Running, gated, serving, wait_until

pytestmark = pytest.mark.browser

MUG = (EXAMPLES / "mug.jpg").read_bytes()


def test_the_key_is_asked_for_once_and_a_wrong_one_is_asked_for_again(browser: Browser, running: Running) -> None:
    with open_shop(browser, running.base_url) as shop:
        shop.open()
        shop.pick("mug", "bear", "stool")
        dialog = shop.page.get_by_role("dialog", name="Your access key")
        field = dialog.get_by_label("Access key", exact=True)
        expect(field).to_be_focused()
        field.fill("pk_wrong")
        shop.page.keyboard.press("Enter")
        expect(dialog.get_by_role("alert")).to_contain_text("does not know this key")
        expect(field).to_have_value("")
        field.fill(running.new_key())
        dialog.get_by_role("button", name="Use this key").click()
        shop.expect_tally("3 of 3 ready.")
        shop.page.reload()
        shop.expect_tally("3 of 3 ready.")
        shop.pick("mug")
        shop.expect_tally("4 of 4 ready.")


def test_photos_wait_when_the_key_is_put_off(browser: Browser, running: Running) -> None:
    with open_shop(browser, running.base_url) as shop:
        shop.open()
        shop.pick("mug")
        expect(shop.page.get_by_role("dialog", name="Your access key")).to_be_visible()
        shop.page.keyboard.press("Escape")
        expect(shop.card("mug.jpg").locator(".state")).to_have_text("Waiting for the access key")
        shop.page.get_by_role("button", name="Enter the key").click()
        shop.page.get_by_label("Access key", exact=True).fill(running.new_key())
        shop.page.keyboard.press("Enter")
        shop.expect_tally("1 of 1 ready.")


def test_a_file_that_is_no_picture_does_not_stop_the_others(shop: Shop) -> None:
    tiny = images.as_jpeg(images.photo(20, 20))
    photos = as_files([("broken.jpg", MUG[:3000]), ("tiny.jpg", tiny), ("mug.jpg", MUG)])
    shop.pick(*photos, *as_files([("notes.txt", b"hello")], "text/plain"))
    shop.expect_tally("1 of 3 ready, 2 did not work.")
    expect(shop.page.locator("#left-out")).to_have_text("1 file left out: not a picture.")
    expect(shop.card("tiny.jpg").locator(".state")).to_contain_text("20")
    expect(shop.card("broken.jpg").get_by_role("button", name="Try again")).to_be_hidden()
    shop.page.get_by_label("Did not work (2)").check()
    expect(shop.page.locator(".card:visible")).to_have_count(2)


def test_a_file_over_the_limit_is_refused_before_it_is_sent(browser: Browser, tmp_path: Path) -> None:
    with (
        serving(tmp_path, workers=1, v1_max_file_bytes=50 * 1024) as running,
        open_shop(browser, running.base_url) as shop,
    ):
        shop.open(running.new_key())
        sent: list[str] = []
        shop.page.on("request", lambda request: sent.append(request.method))
        shop.pick("mug")
        expect(shop.card("mug.jpg").locator(".state")).to_contain_text("the service takes up to 50 kB")
        assert "POST" not in sent


def test_a_photo_without_a_product_says_so_and_can_be_painted_on(shop: Shop) -> None:
    shop.pick(*as_files([("wall.png", images.flat_png(200, 150, 200))], "image/png"))
    shop.expect_tally("0 of 1 ready, 1 did not work.")
    shop.card("wall.png").get_by_role("button", name="Show the product").click()
    expect(shop.page.locator("#busy")).to_contain_text("Paint over the product")


def test_work_goes_on_by_itself_when_the_service_is_back(browser: Browser, tmp_path: Path) -> None:
    with serving(tmp_path, workers=1) as running:
        key, port = running.new_key(), running.service.settings.port
        with open_shop(browser, running.base_url) as shop:
            shop.open(key)
            shop.pick("mug")
            shop.expect_tally("1 of 1 ready.")
            running.server.should_exit = True
            _wait_until_gone(shop)
            shop.pick("bear", "stool")
            banner = shop.page.locator("#banner")
            expect(banner).to_contain_text("does not answer")
            expect(shop.card("bear.jpg").locator(".state")).to_have_text("Waiting for the service")
            with serving(tmp_path, workers=1, port=port):
                shop.expect_tally("3 of 3 ready.")
                expect(banner).to_be_hidden()


@pytest.mark.parametrize(
    "limits",
    [
        pytest.param({"queue_limit": 0}, id="no room in the queue"),
        pytest.param({"rate_limit": "2/second"}, id="too many requests", marks=pytest.mark.slow),
    ],
)
def test_a_busy_service_is_asked_again_when_it_said_so(
    browser: Browser, tmp_path: Path, limits: dict[str, object]
) -> None:
    with serving(tmp_path, workers=1, **limits) as running, open_shop(browser, running.base_url) as shop:
        shop.open(running.new_key())
        with gated(running) if "queue_limit" in limits else nullcontext():
            shop.pick("mug", "bear", "stool", "jars")
            expect(shop.page.locator("#banner")).to_contain_text("busy")
        shop.expect_tally("4 of 4 ready.")


def test_a_key_without_pictures_left_stops_the_work_and_goes_on_when_there_are_more(
    browser: Browser, running: Running
) -> None:
    with open_shop(browser, running.base_url) as shop:
        key = running.new_key(1)
        shop.open(key)
        shop.pick("mug", "bear")
        expect(shop.page.locator("#banner")).to_contain_text("No pictures are left on this key")
        shop.expect_tally("1 of 2 ready.")
        running.service.accounts.add_credits(running.service.accounts.authenticate(key).id, 5)
        shop.page.get_by_role("button", name="Try again").click()
        shop.expect_tally("2 of 2 ready.")


def test_nothing_is_lost_when_settings_change_while_photos_are_made(shop: Shop, running: Running) -> None:
    with gated(running) as gate:
        shop.pick("mug", "bear", "stool", "jars", "teapot")
        gate.wait_for_arrival()
        shop.page.get_by_label("White", exact=True).check()
        shop.page.get_by_label("Square", exact=True).last.check()
    shop.expect_tally("5 of 5 ready.")
    for state in shop.page.locator(".card .state").all_inner_texts():
        assert re.search(r"Ready: (\d+) × \1 px, JPG", state), state


def _wait_until_gone(shop: Shop) -> None:
    def gone() -> bool:
        try:
            httpx.get(shop.base_url, timeout=1)
        except httpx.TransportError:
            return True
        return False

    wait_until(gone)
