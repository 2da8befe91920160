"""The page keeps its work: a reload loses nothing, reopening costs nothing, and no photo is uploaded twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Request, expect

from tests.browser.test_own_look import made, photo
from tests.kit.browser import Shop, as_files
from tests.kit.browser import shop as open_shop
from tests.kit.server import Running, serving

pytestmark = pytest.mark.browser


def test_another_look_costs_no_credit_and_sends_no_photo(browser: Browser, running: Running) -> None:
    key = running.new_key(3)
    with open_shop(browser, running.base_url) as shop:
        shop.open(key)
        shop.pick(*as_files([(f"{name}.jpg", photo()) for name in ("one",)] + [("two.jpg", photo((640, 480)))]))
        made(shop)
        assert running.credits_of(key) == 1
        with sent(shop) as requests:
            for label in ("White", "Blurred surroundings"):
                shop.page.get_by_label(label, exact=True).check()
                made(shop)
            shop.page.get_by_label("eBay").check()
            made(shop)
            dialog = shop.look_at("one.jpg")
            dialog.get_by_label("Touch up").check()
            expect(shop.page.locator("#busy")).to_be_hidden()
        assert running.credits_of(key) == 1
        assert len(requests) == 7
        assert all(map(names_its_photo, requests))


def test_a_photo_that_the_service_has_forgotten_is_sent_again(browser: Browser, tmp_path: Path) -> None:
    with open_shop(browser, "") as shop:
        with serving(tmp_path, workers=1) as running:
            key, port = running.new_key(1), running.service.settings.port
            shop.base_url = running.base_url
            shop.open(key)
            shop.pick(*as_files([("one.jpg", photo())]))
            made(shop)
        with serving(tmp_path, workers=1, port=port) as running, sent(shop) as requests:  # another server process
            shop.page.get_by_label("White", exact=True).check()
            expect(shop.card("one.jpg").locator(".state")).to_contain_text("JPG")
            assert running.credits_of(key) == 0  # paid for a day, for every process
            assert [names_its_photo(request) for request in requests] == [True, False]


def test_without_credits_what_is_paid_for_is_still_made(browser: Browser, running: Running) -> None:
    with open_shop(browser, running.base_url) as shop:
        shop.open(running.new_key(1))
        shop.pick(*as_files([("one.jpg", photo())]))
        made(shop)
        shop.pick(*as_files([("two.jpg", photo((640, 480)))]))
        expect(shop.page.locator("#banner")).to_contain_text("No pictures are left on this key")
        shop.page.get_by_label("White", exact=True).check()
        expect(shop.card("one.jpg").locator(".state")).to_contain_text("JPG")
        expect(shop.card("two.jpg").locator(".state")).to_have_text("Not made")


def test_a_reload_loses_nothing_and_makes_nothing_again(shop: Shop) -> None:
    shop.pick(*as_files([("one.jpg", photo()), ("two.jpg", photo((640, 480)))]))
    shop.page.locator("#frame").get_by_label("Square", exact=True).check()
    shop.page.locator("#view").get_by_label("List").check()
    made(shop)
    dialog = shop.look_at("one.jpg")
    dialog.get_by_text("Only this photo").click()
    with shop.remade():
        dialog.get_by_label("White", exact=True).check()
    dialog.get_by_label("File name").fill("bottle")
    dialog.get_by_label("Touch up").check()
    expect(shop.page.locator("#busy")).to_be_hidden()
    dialog.locator("#stage").click(position={"x": 20, "y": 20})
    with shop.remade():
        dialog.get_by_role("button", name="Close").click()
    before = shop.download(shop.page.get_by_role("button", name="Download: one.jpg"))
    shop.page.wait_for_timeout(1000)  # written in the background
    with sent(shop) as requests:
        shop.page.reload()
        shop.expect_tally("2 of 2 ready.")
        made(shop)
    assert not requests
    expect(shop.page.locator("#frame").get_by_label("Square", exact=True)).to_be_checked()
    expect(shop.page.locator("#view").get_by_label("List")).to_be_checked()
    after = shop.download(shop.page.get_by_role("button", name="Download: one.jpg"))
    assert before == after
    assert after[0] == "bottle.jpg"
    dialog = shop.look_at("one.jpg")
    dialog.get_by_label("Touch up").check()
    expect(dialog.locator("#undo")).to_be_enabled()  # the stroke can still be undone
    dialog.get_by_role("button", name="Close").click()

    shop.page.get_by_role("button", name="Clear all").click()
    shop.page.wait_for_timeout(1000)
    shop.page.reload()
    expect(shop.page.locator("#form legend").first).to_be_attached()
    expect(shop.page.locator(".card")).to_have_count(0)
    expect(shop.page.locator("#photos")).to_be_hidden()


def test_a_sample_photo_is_tried_with_one_click(shop: Shop) -> None:
    shop.page.get_by_role("button", name="Try the mug").click()
    shop.expect_tally("1 of 1 ready.")
    expect(shop.page.locator("#samples")).to_be_hidden()


def test_many_photos_come_as_small_cards_until_somebody_chooses(shop: Shop) -> None:
    data = photo((96, 96), (30, 20, 36, 60))
    shop.pick(*as_files([(f"{number}.jpg", data) for number in range(30)]))
    view = shop.page.locator("#view")
    expect(view.get_by_label("Small")).to_be_checked()
    view.get_by_label("Large").check()
    shop.pick(*as_files([("more.jpg", data)]))
    expect(shop.page.locator(".card")).to_have_count(31)
    expect(view.get_by_label("Large")).to_be_checked()
    shop.page.get_by_role("button", name="Clear all").click()


def test_on_a_phone_a_chosen_preset_brings_the_photos_into_view(browser: Browser, running: Running) -> None:
    with open_shop(browser, running.base_url, width=390, height=700) as shop:
        shop.open(running.new_key())
        shop.pick(*as_files([("one.jpg", photo())]))
        made(shop)
        shop.page.locator("#settings summary").first.click()
        shop.page.locator("#preset").get_by_label("Etsy").check()
        expect(shop.page.locator("#photos")).to_be_in_viewport(ratio=0.5)
        expect(shop.page.locator("#settings")).not_to_have_attribute("open", "")
        expect(shop.card("one.jpg").locator(".badge")).to_contain_text("Etsy")


def names_its_photo(request: Request) -> bool:
    """Whether a request names a photo instead of uploading one."""
    return b'name="photo_id"' in (request.post_data_buffer or b"")


@contextmanager
def sent(shop: Shop) -> Iterator[list[Request]]:
    """The requests for packshots during the block."""
    seen: list[Request] = []

    def note(request: Request) -> None:
        if request.url.endswith("/v1/packshots"):
            seen.append(request)

    shop.page.on("request", note)
    try:
        yield seen
    finally:
        shop.page.remove_listener("request", note)
