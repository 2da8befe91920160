"""Several marketplaces at once: one picture per photo and marketplace, shown, kept and downloaded."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from playwright.sync_api import Browser, Request, expect

from packshot.engine.presets import find_preset, preset_names
from tests.browser.test_kept import names_its_photo, sent
from tests.browser.test_own_look import made, photo
from tests.kit.browser import Shop, as_files
from tests.kit.browser import shop as open_shop
from tests.kit.server import Running

pytestmark = pytest.mark.browser

GOOD = photo((1400, 1400), (300, 100, 800, 1200))
TINY = photo((300, 300), (90, 40, 120, 200))  # too small for Amazon, even after the service's automatic enlargement


def choose(shop: Shop, *names: str) -> None:
    for name in names:
        shop.page.locator("#preset").get_by_label(name, exact=True).check()
    made(shop)


def chosen(shop: Shop) -> list[str]:
    return shop.page.locator("#preset .pills label:has(:checked)").all_inner_texts()


def preset_in(request: Request) -> str:
    """The field `preset` of a request for packshots."""
    body = request.post_data_buffer or b""
    return body.partition(b'name="preset"\r\n\r\n')[2].partition(b"\r\n")[0].decode()


def test_a_photo_becomes_a_picture_for_each_marketplace_for_one_credit(browser: Browser, running: Running) -> None:
    key = running.new_key(3)
    with open_shop(browser, running.base_url) as shop:
        shop.open(key)
        with sent(shop) as requests:
            shop.page.locator("#preset").get_by_label("Etsy").check()
            shop.page.locator("#preset").get_by_label("Amazon").check()
            shop.pick(*as_files([("good.jpg", GOOD), ("tiny.jpg", TINY)]))
            made(shop)
        assert len(requests) == 2
        assert running.credits_of(key) == 1
        shop.expect_tally("1 of 2 ready for Amazon, 2 for Etsy, 1 does not meet the rules.")
        chips = shop.card("tiny.jpg").locator(".chip")
        expect(chips).to_have_text(["\u2715 Amazon", "\u2713 Etsy"])

        with sent(shop) as requests:
            choose(shop, "eBay")
        assert [(preset_in(request), names_its_photo(request)) for request in requests] == [("ebay", True)] * 2
        expect(chips).to_have_text(["\u2715 Amazon", "\u2715 eBay", "\u2713 Etsy"])
        with sent(shop) as requests:
            shop.page.locator("#preset").get_by_label("Amazon").uncheck()
            made(shop)
        assert not requests, "the remaining one is there"
        expect(chips).to_have_text(["\u2715 eBay", "\u2713 Etsy"])
        assert running.credits_of(key) == 1


def test_a_set_is_taken_back_and_any_use_takes_it_away(shop: Shop) -> None:
    choose(shop, "Amazon")
    shop.page.wait_for_timeout(1100)  # clicks in quick succession are one step
    choose(shop, "Google")
    assert chosen(shop) == ["Amazon", "Google"]
    expect(shop.page.locator("#preset-about li")).to_have_count(2)
    shop.page.keyboard.press("Control+z")
    assert chosen(shop) == ["Amazon"]
    shop.page.keyboard.press("Control+Shift+z")
    assert chosen(shop) == ["Amazon", "Google"]
    expect(shop.page.locator("#curl")).to_contain_text("-F preset=amazon,google")
    expect(shop.page.locator("#curl")).to_contain_text("-o packshots.zip")
    shop.page.locator("#preset").get_by_label("Any use").check()
    assert chosen(shop) == ["Any use"]
    expect(shop.page.locator("#frame")).to_be_visible()
    shop.page.locator("#preset").get_by_label("Any use").click()
    assert chosen(shop) == ["Any use"], "at least one is always chosen"


def test_the_card_and_the_large_view_show_one_marketplace_after_the_other(shop: Shop) -> None:
    shop.pick(*as_files([("good.jpg", GOOD), ("tiny.jpg", TINY)]))
    choose(shop, "Amazon", "Etsy", "Trendyol")
    card = shop.card("tiny.jpg")
    expect(card.locator(".why")).to_contain_text("Photograph it again, from closer or with more pixels")
    expect(card.locator(".state")).not_to_contain_text("Ready")
    card.locator(".chip").filter(has_text="Etsy").click()
    expect(card.locator(".state")).to_contain_text("Ready")
    expect(card.locator(".chip").filter(has_text="Etsy")).to_be_focused()

    dialog = shop.look_at("good.jpg")
    heading = dialog.locator(".rules h3")
    for press, title in (("", "amazon"), ("Down", "etsy"), ("Down", "trendyol"), ("Down", "trendyol"), ("Up", "etsy")):
        if press:
            shop.page.keyboard.press(f"Arrow{press}")
        expect(heading).to_have_text(find_preset(title).title)
    shop.page.keyboard.press("ArrowDown")
    shop.page.keyboard.press("ArrowRight")  # the next photo, for the same marketplace
    expect(shop.page.locator("#viewer-name")).to_have_text("tiny.jpg")
    expect(heading).to_have_text(find_preset("trendyol").title)
    assert dialog.locator(".hints li").all_inner_texts() == list(find_preset("trendyol").hints)
    dialog.get_by_role("button", name="Close").click()

    shop.page.locator("#shown").get_by_role("button", name="Amazon").click()  # for all photos at once
    expect(shop.page.locator("#cards .chip[aria-pressed=true]")).to_have_text(["\u2713 Amazon", "\u2715 Amazon"])


def test_the_zip_has_a_folder_for_each_marketplace(shop: Shop) -> None:
    shop.pick(*as_files([("good.jpg", GOOD), ("tiny.jpg", TINY)]))
    choose(shop, "Etsy", "Trendyol")
    name, data = shop.download(shop.page.get_by_role("button", name="Download all (2)"))
    assert name == "packshots.zip"
    assert sizes_in(data).keys() == {
        f"{folder}/{photo}.jpg" for folder in ("etsy", "trendyol") for photo in ("good", "tiny")
    }

    name, data = shop.download(shop.page.get_by_role("button", name="All as a ZIP: good.jpg"))
    assert name == "good.zip"
    sizes = sizes_in(data)
    assert sizes["trendyol/good.jpg"] == (1200, 1800)
    assert sizes["etsy/good.jpg"][0] == sizes["etsy/good.jpg"][1]
    dialog = shop.look_at("good.jpg")
    shop.page.keyboard.press("ArrowDown")
    name, data = shop.download(dialog.get_by_role("button", name="Download"))
    assert (name, Image.open(io.BytesIO(data)).size) == ("good-trendyol.jpg", (1200, 1800))
    dialog.get_by_label("File name").fill("bottle")
    dialog.get_by_label("File name").press("Tab")
    assert shop.download(dialog.get_by_role("button", name="Download"))[0] == "bottle-trendyol.jpg"
    name, data = shop.download(dialog.get_by_role("button", name="All as a ZIP"))
    assert (name, [*sizes_in(data)]) == ("bottle.zip", ["etsy/bottle.jpg", "trendyol/bottle.jpg"])


def test_one_photo_can_be_for_other_marketplaces_than_all(shop: Shop) -> None:
    shop.pick(*as_files([("one.jpg", GOOD), ("two.jpg", GOOD)]))
    choose(shop, "Amazon", "Etsy")
    dialog = shop.look_at("one.jpg")
    dialog.get_by_text("Only this photo").click()
    with shop.remade():
        dialog.get_by_label("Trendyol", exact=True).check()
    expect(dialog.get_by_label("Trendyol", exact=True)).to_be_checked()
    dialog.get_by_role("button", name="Close").click()
    expect(shop.card("one.jpg").locator(".badge")).to_have_text("\u2713 Ready for Trendyol")
    expect(shop.card("two.jpg").locator(".chip")).to_have_count(2)
    _, data = shop.download(shop.page.get_by_role("button", name="Download all (2)"))
    assert [*sizes_in(data)] == ["trendyol/one.jpg", "amazon/two.jpg", "etsy/two.jpg"]
    dialog = shop.look_at("one.jpg")
    dialog.get_by_label("Trendyol", exact=True).uncheck()  # the last one: as for all photos again
    expect(dialog.get_by_label("As all photos").first).to_be_checked()
    dialog.get_by_role("button", name="Close").click()
    expect(shop.card("one.jpg").locator(".chip")).to_have_count(2)


def test_a_reload_keeps_every_picture_and_which_is_shown(shop: Shop) -> None:
    shop.pick(*as_files([("one.jpg", GOOD)]))
    choose(shop, "Amazon", "Etsy")
    shop.card("one.jpg").locator(".chip").filter(has_text="Etsy").click()
    before = shop.download(shop.page.get_by_role("button", name="Download: one.jpg"))
    shop.page.wait_for_timeout(1000)  # written in the background
    with sent(shop) as requests:
        shop.page.reload()
        shop.expect_tally("1 of 1 ready for Amazon, 1 for Etsy.")
        made(shop)
    assert not requests
    assert chosen(shop) == ["Amazon", "Etsy"]
    expect(shop.page.locator("#cards .chip[aria-pressed=true]")).to_have_text("\u2713 Etsy")
    after = shop.download(shop.page.get_by_role("button", name="Download: one.jpg"))
    assert before == after
    assert after[0] == "one-etsy.jpg"


def test_what_was_put_right_is_said_and_can_be_switched_off(shop: Shop) -> None:
    shop.pick(*as_files([("small.jpg", photo((500, 500), (150, 60, 200, 380)))]))
    choose(shop, "Amazon")
    shop.expect_tally("1 of 1 ready.")
    card = shop.card("small.jpg")
    expect(card.locator(".why")).to_contain_text("Put right: The product was enlarged 1.")
    dialog = shop.look_at("small.jpg")
    expect(dialog.locator(".rules li").filter(has_text="Put right:")).to_contain_text("longest side has 500 px")
    expect(dialog.locator(".hints li")).to_have_count(len(find_preset("amazon").hints))
    dialog.get_by_role("button", name="Close").click()
    with shop.remade():
        shop.page.get_by_label("Put right what breaks a rule").uncheck()
    shop.expect_tally("0 of 1 ready, 1 does not meet the rules.")
    expect(card.locator(".why")).to_contain_text("Photograph it again")
    expect(shop.page.locator("#curl")).to_contain_text("-F repair=false")


def test_a_doubtful_photo_is_marked_for_each_marketplace(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("packshot.engine.pipeline._needs_review", lambda *_: True)
    shop.pick(*as_files([("good.jpg", GOOD)]))
    choose(shop, "Amazon", "Etsy")
    shop.expect_tally("0 of 1 ready for Amazon, 0 for Etsy, 1 to look at.")
    card = shop.card("good.jpg")
    expect(card.locator(".chip")).to_have_text(["! Amazon", "! Etsy"])
    expect(card.locator(".badge")).to_have_text("! Please look")
    dialog = shop.look_at("good.jpg")
    expect(dialog.locator("#facts")).to_contain_text("You have looked at this one.")
    dialog.get_by_role("button", name="Close").click()
    shop.expect_tally("1 of 1 ready for Amazon, 1 for Etsy.")


CLICKS = st.lists(st.sampled_from(["", *preset_names()]), max_size=8)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(clicks=CLICKS)
def test_whatever_is_clicked_the_look_names_what_is_chosen_in_the_services_order(
    shop: Shop, clicks: Sequence[str]
) -> None:
    expected: set[str] = set()
    for name in clicks:
        expected = expected ^ {name} if name else set()
    found = shop.page.evaluate(
        """async (clicks) => {
            globalThis.offer ??= await (await fetch("v1/about")).json();
            const { PresetPills } = await import("/page/now/presets.js");
            const pills = new PresetPills({ name: "tried", offer, others: [["", "none"]] });
            document.body.append(pills.place);
            for (const name of clicks) pills.boxes.find(({ value }) => value === name).click();
            const { value } = pills;
            pills.value = value;
            pills.place.remove();
            return [value, pills.value, pills.boxes.filter(({ checked }) => checked).map(({ value }) => value)];
        }""",
        clicks,
    )
    names = [name for name in preset_names() if name in expected]
    assert found == [",".join(names), ",".join(names), names or [""]]


def sizes_in(data: bytes) -> dict[str, tuple[int, int]]:
    """The sizes of the pictures in a ZIP, by their names."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return {name: Image.open(archive.open(name)).size for name in archive.namelist()}
