"""The link of a local installation: it opens the page ready to work, and leaves no visible key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from packshot.core.codecs import FORMATS
from packshot.service.accounts import new_api_key
from tests.kit.browser import Shop
from tests.kit.browser import shop as open_shop
from tests.kit.server import Running, serving

pytestmark = pytest.mark.browser


def link_of(running: Running) -> str:
    link = running.service.link
    assert link is not None
    return link.url


def with_key(running: Running, key: str) -> str:
    return f"{running.base_url}/#key={key}"


def follow(shop: Shop, url: str) -> None:
    shop.page.goto(url)
    expect(shop.page.locator("#preset legend")).to_be_attached()


def kept(page: Page) -> str | None:
    found: str | None = page.evaluate("sessionStorage.getItem('packshot-key')")
    return found


def works(shop: Shop) -> None:
    """A new photo works without a question, next to the photos of an earlier visit."""
    expect(shop.page.locator("#samples button").first).to_be_attached()  # the photos of an earlier visit are loaded
    before = shop.page.locator(".card").count()
    shop.pick("mug")
    shop.expect_tally(f"{before + 1} of {before + 1} ready.")
    expect(shop.page.get_by_role("dialog")).to_be_hidden()


def test_the_link_opens_the_page_ready_to_work_and_the_address_is_clean(browser: Browser, running: Running) -> None:
    with open_shop(browser, running.base_url) as shop:
        asked: list[str] = []
        shop.page.on("request", lambda request: asked.append(f"{request.url} {request.headers.get('referer', '')}"))
        follow(shop, link_of(running))
        assert shop.page.url == f"{running.base_url}/"
        works(shop)
        key = link_of(running).partition("#key=")[2]
        assert not [each for each in asked if key in each]
        shop.page.reload()
        works(shop)
        shop.page.go_back()
        assert "key" not in shop.page.url


def test_a_second_tab_has_the_key_while_the_first_is_open(browser: Browser, running: Running) -> None:
    with open_shop(browser, running.base_url) as shop:
        follow(shop, link_of(running))
        works(shop)
        second = Shop(shop.page.context.new_page(), running.base_url)
        second.open()
        works(second)
        assert not second.complaints
        for page in (shop.page, second.page):
            page.close()
        third = Shop(shop.page.context.new_page(), running.base_url)
        third.open()
        third.pick("mug")
        expect(third.page.get_by_role("dialog", name="Your access key")).to_be_visible()


def test_a_link_in_a_second_tab_gives_its_key_to_one_that_waits_for_it(browser: Browser, running: Running) -> None:
    with open_shop(browser, running.base_url) as shop:
        shop.open()
        shop.pick("mug")
        expect(shop.page.get_by_role("dialog")).to_be_visible()
        second = Shop(shop.page.context.new_page(), running.base_url)
        follow(second, link_of(running))
        shop.expect_tally("1 of 1 ready.")
        expect(shop.page.get_by_role("dialog")).to_be_hidden()


def test_a_link_that_is_opened_in_the_pages_own_tab_is_followed(browser: Browser, running: Running) -> None:
    with open_shop(browser, running.base_url) as shop:
        shop.open()
        shop.pick("mug")
        expect(shop.page.get_by_role("dialog")).to_be_visible()
        shop.page.goto(link_of(running))  # the same document: only the fragment changes
        shop.expect_tally("1 of 1 ready.")
        assert shop.page.url == f"{running.base_url}/"


@pytest.mark.parametrize("end", ["unknown", "mistyped", "revoked"])
def test_a_link_with_a_bad_key_says_what_to_do_and_replaces_no_working_one(
    browser: Browser, running: Running, end: str
) -> None:
    key = {"unknown": new_api_key(), "mistyped": "pk_1", "revoked": running.new_key()}[end]
    if end == "revoked":
        running.service.accounts.revoke(running.service.accounts.authenticate(key).id)
    with open_shop(browser, running.base_url) as shop:
        follow(shop, with_key(running, key))
        dialog = shop.page.get_by_role("dialog", name="Your access key")
        expect(dialog.get_by_role("alert")).to_contain_text("the link that you opened")
        expect(dialog).to_contain_text("run packshot keys link")
        assert shop.page.url == f"{running.base_url}/"
        assert kept(shop.page) is None
        follow(shop, link_of(running))
        works(shop)
        before = kept(shop.page)
        follow(shop, with_key(running, key))
        banner = shop.page.locator("#banner")
        expect(banner).to_contain_text("The previous key is still in use.")
        expect(banner).to_contain_text("packshot keys link")
        assert kept(shop.page) == before
        shop.pick("bear")
        shop.expect_tally("2 of 2 ready.")
        banner.get_by_role("button", name="Close").click()
        expect(banner).to_be_hidden()


def test_elsewhere_the_question_sends_to_whoever_runs_the_service(browser: Browser, tmp_path: Path) -> None:
    with (
        serving(tmp_path, workers=1, public_base_url="http://shop.example") as running,
        open_shop(browser, f"http://127.0.0.1:{running.service.settings.port}") as shop,
    ):
        assert running.service.link is None
        shop.open()
        shop.pick("mug")
        dialog = shop.page.get_by_role("dialog", name="Your access key")
        expect(dialog).to_contain_text("Ask the person who runs this service for a key.")
        expect(dialog).not_to_contain_text("packshot keys")


def test_a_link_waits_while_the_service_cannot_look_its_key_up(browser: Browser, running: Running) -> None:
    answers = iter([503, 429])

    def busy(route: Any) -> None:
        status = next(answers, None)
        if status is None:
            route.continue_()
        else:
            route.fulfill(
                status=status, headers={"retry-after": "1"}, json={"slug": "rate-limited", "detail": "Later."}
            )

    with open_shop(browser, running.base_url) as shop:
        shop.page.route("**/v1/account", busy)
        follow(shop, link_of(running))
        works(shop)


def test_file_dialogs_offer_what_is_read_here(browser: Browser, running: Running) -> None:
    read = {row.media_type for row in FORMATS.values() if row.available}
    with open_shop(browser, running.base_url) as shop:
        shop.open()
        for name in ("#pick", "#background-picture"):
            said = str(shop.page.locator(name).get_attribute("accept")).split(",")
            assert {each for each in said if "/" in each} == read
            suffixes = {suffix for row in FORMATS.values() if row.available for suffix in row.suffixes}
            assert {each for each in said if "/" not in each} == suffixes
