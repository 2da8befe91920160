"""The review as people use it: keyboard and mouse, corrections, undo, two users at once, on a phone, and with axe."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image

from packshot.batch.decisions import MATTES
from packshot.core.options import Options
from tests.batch.kit import make

pytestmark = pytest.mark.browser

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.kit.reviewing import Reviewed

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = ("bear", "mug", "teapot")


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("batch")
    (folder / "photos").mkdir()
    for name in NAMES:
        with Image.open(EXAMPLES / f"{name}.jpg") as image:
            image.resize((300, 300)).save(folder / "photos" / f"{name}.jpg")
    make(folder / "photos", folder / "out", Options(preset="amazon"))
    return folder


@pytest.fixture
def reviewed(batch: Path, tmp_path: Path) -> Iterator[Reviewed]:
    from tests.kit.reviewing import reviewing

    work = tmp_path / "work"
    shutil.copytree(batch, work, copy_function=shutil.copy2)
    with reviewing(work / "photos", work / "out") as found:
        yield found


@contextmanager
def opened(
    browser: Browser, reviewed: Reviewed, width: int = 1280, height: int = 800, scheme: str = "light"
) -> Iterator[Page]:
    from playwright.sync_api import expect

    from tests.kit.browser import ANSWERS

    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=scheme,  # type: ignore[arg-type]
        locale="en-US",
        accept_downloads=True,
    )
    complaints: list[str] = []
    page = context.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: None if ANSWERS.match(said.text) else complaints.append(said.text))
    page.on("request", lambda asked: _must_be_here(asked.url, reviewed, complaints))
    try:
        page.goto(reviewed.url)
        expect(page.locator("#pictures figure")).to_have_count(2)
        yield page
        assert complaints == []
    finally:
        context.close()


def _must_be_here(url: str, reviewed: Reviewed, complaints: list[str]) -> None:
    if not url.startswith((reviewed.origin, "blob:", "data:")):
        complaints.append(f"request to {url}")


def decisions(reviewed: Reviewed) -> dict[str, str]:
    return {each.source: each.verdict for each in reviewed.review.decisions.latest()}


def test_a_day_s_work_by_keys(browser: Browser, reviewed: Reviewed) -> None:
    from playwright.sync_api import expect

    with opened(browser, reviewed) as page:
        done = page.locator("#done-words")
        expect(done).to_have_text("0 of 3 looked at")
        first = page.locator("#name").inner_text()
        page.keyboard.press("g")
        expect(done).to_have_text("1 of 3 looked at")
        expect(page.locator("#name")).not_to_have_text(first)
        page.keyboard.press("p")
        expect(done).to_have_text("2 of 3 looked at")
        page.keyboard.press("z")  # the second was good after all
        expect(done).to_have_text("1 of 3 looked at")
        page.keyboard.press("g")
        page.keyboard.press("g")
        expect(page.get_by_role("heading", name="All pictures are checked")).to_be_visible()
        assert set(decisions(reviewed).values()) == {"good"}
        with page.expect_download() as coming:
            page.locator("#finished-csv").click()
        assert coming.value.path().read_text().count(",good,") == len(NAMES)


def test_what_is_painted_is_in_the_picture_and_can_be_taken_back(browser: Browser, reviewed: Reviewed) -> None:
    from playwright.sync_api import expect

    with opened(browser, reviewed) as page:
        source = page.locator("#name").inner_text()
        output = reviewed.out / source
        before = output.read_bytes()
        page.keyboard.press("c")
        expect(page.locator("#stage")).to_have_class("stage knows-matte")
        page.locator("#snap").uncheck(force=True)
        stage = page.locator("#stage").bounding_box()
        assert stage is not None
        middle = stage["x"] + stage["width"] / 2, stage["y"] + stage["height"] / 2
        page.locator("input[name=brush][value=remove]").check(force=True)
        page.mouse.move(*middle)
        page.mouse.down()
        page.mouse.move(middle[0] + 5, middle[1] + 5)
        page.mouse.up()
        page.get_by_role("button", name="Use this correction").click()
        expect(page.locator("#toast-words")).to_have_text("The picture was made again.")
        assert decisions(reviewed) == {source: "corrected"}
        assert output.read_bytes() != before
        with Image.open(reviewed.out / MATTES / source.replace(".jpg", ".png")) as matte:
            assert np.asarray(matte)[148:152, 148:152].max() == 0
        page.keyboard.press("z")
        expect(page.locator("#decision")).to_contain_text("Open again")
        assert output.read_bytes() == before


def test_again_with_other_options_says_what_is_wrong_with_them(browser: Browser, reviewed: Reviewed) -> None:
    from playwright.sync_api import expect

    with opened(browser, reviewed) as page:
        page.keyboard.press("a")
        page.get_by_label("Background").fill("no colour")
        page.get_by_role("button", name="Make it again").click()
        expect(page.locator("#again-why")).to_be_visible()
        page.get_by_label("Background").fill("")
        page.get_by_label("Turn, degrees").fill("90")
        page.get_by_role("button", name="Make it again").click()
        expect(page.locator("#decision")).to_contain_text("rotate 90")
        assert list(decisions(reviewed).values()) == ["again"]


def test_two_people_are_told_of_each_other(browser: Browser, reviewed: Reviewed) -> None:
    from playwright.sync_api import expect

    with opened(browser, reviewed) as anna, opened(browser, reviewed) as ben:
        anna.get_by_label("You are").fill("Anna")
        ben.get_by_label("You are").fill("Ben")
        source = anna.locator("#name").inner_text()
        anna.locator("#photograph").click()
        expect(anna.locator("#done-words")).to_have_text("1 of 3 looked at")
        ben.locator("#good").click()
        expect(ben.locator("#notice-words")).to_contain_text("Anna changed this picture at")
        ben.locator("#notice-button").click()
        expect(ben.locator("#name")).to_have_text(source)
        expect(ben.locator("#decision")).to_contain_text("said Anna")
        assert decisions(reviewed) == {source: "photograph-again"}


@pytest.mark.parametrize(("width", "height", "scheme"), [(1280, 800, "dark"), (390, 844, "light")])
def test_nothing_is_in_the_way_of_anybody(
    browser: Browser, reviewed: Reviewed, width: int, height: int, scheme: str
) -> None:
    from playwright.sync_api import expect

    with opened(browser, reviewed, width, height, scheme) as page:
        for act in ("m", "c", "Escape", "a", "Escape"):
            page.keyboard.press(act)
            if act == "c":
                expect(page.locator("#stage")).to_have_class("stage knows-matte")
            found = Axe().run(page)
            assert found.violations_count == 0, found.generate_report()
            assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
