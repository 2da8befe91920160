"""A batch's report.html in a browser, from the disk: pictures load, filters and sorting work, axe finds nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe

from packshot.batch.catalogue import Counts, Summary
from packshot.batch.report.page import RunFacts, Tally, page
from tests.kit.images import as_webp, photo

pytestmark = pytest.mark.browser

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

COUNT = 600
"""More rows than the page shows at once."""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    (folder / "thumbnails").mkdir()
    for kind in ("photo", "output"):
        (folder / "thumbnails" / f"f-{kind}.webp").write_bytes(as_webp(photo(64, 64)))
    error = {"slug": "no-foreground", "message": "Nothing stands out.", "hint": "Send another."}
    message = "The product must fill at least 85 % of the frame. It fills 80 %."
    check = {"rule": "fill", "passed": False, "required": True, "message": message}
    preset = {"title": "Amazon", "passed": False, "checks": [check]}
    common = {"width": 9, "height": 9, "bytes": 9, "notes": [], "preset": None}
    rows = [{"source": "bad.jpg", "output": "bad.png", "ok": False, "error": error, "thumbnails": []}]
    for number in range(1, COUNT):
        kind = {"preset": preset} if number <= 5 else {"review": True} if number <= 8 else {}
        small = [f"thumbnails/f-{which}.webp" for which in ("photo", "output")]
        name = f"shoe {COUNT - number}.jpg"
        row = {"source": name, "output": f"{name}.png", "ok": True, "confidence": number / COUNT, "thumbnails": small}
        rows.append({**row, **common, **kind})
    summary = Summary(Counts(COUNT, COUNT - 1, 1, 3, 5), COUNT, COUNT - 1, 60.0)
    facts = {"options": {}, "network": "n", "packshot": "1", "at": "2026-01-01T10:20:30"}
    path = folder / "report.html"
    text = page(rows, RunFacts("in", "out", facts, summary), Tally.of(rows), ("../in/", "../out/"))
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def opened(browser: Browser, report: Path) -> Iterator[Page]:
    with browser.new_page(viewport={"width": 360, "height": 800}) as opened:
        opened.said = []  # type: ignore[attr-defined]
        opened.on("console", lambda message: opened.said.append(message.text))  # type: ignore[attr-defined]
        opened.goto(report.as_uri())
        yield opened
        assert opened.said == []  # type: ignore[attr-defined]


def names(opened: Page) -> list[str]:
    return opened.locator("#photos > li:visible h2").all_inner_texts()


def test_what_needs_a_look_is_found(opened: Page) -> None:
    assert names(opened)[0] == "bad.jpg"
    assert opened.locator("output").inner_text() == f"240 of {COUNT} shown"
    opened.get_by_role("button", name="Show more").click()
    assert len(names(opened)) == 480
    opened.get_by_label("To look at").check()
    assert names(opened) == [f"shoe {COUNT - number}.jpg" for number in (6, 7, 8)]
    opened.get_by_label("All").check()
    opened.get_by_label("Sort by").select_option("name")
    assert names(opened)[:3] == ["bad.jpg", "shoe 1.jpg", "shoe 2.jpg"]
    opened.get_by_role("searchbox", name="Name").fill("shoe 59")
    assert names(opened) == [f"shoe {number}.jpg" for number in (59, *range(590, 600))]


def test_every_picture_in_sight_shows_and_nothing_sticks_out(opened: Page) -> None:
    opened.get_by_label("To look at").check()
    opened.wait_for_function(
        "[...document.images].filter(i => i.checkVisibility() && i.naturalWidth == 64).length == 6"
    )
    assert opened.evaluate("document.documentElement.scrollWidth") == 360


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(opened: Page, scheme: str) -> None:
    opened.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    opened.get_by_label("Break a rule").check()
    assert names(opened)
    found = Axe().run(opened)
    assert found.violations_count == 0, found.generate_report()
