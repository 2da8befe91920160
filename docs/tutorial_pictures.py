"""Make the tutorial's pictures of the page, in Chromium: `python -m docs.tutorial_pictures`. It takes a minute."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from packshot.core.options import Options
from tests.batch.kit import make
from tests.kit.browser import EXAMPLES, Shop, chromium, shop
from tests.kit.reviewing import reviewing
from tests.kit.server import serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PICTURES = Path(__file__).parent / "pictures"
WIDTH, HEIGHT = 1200, 760
QUALITY = 82  # WebP: text stays sharp, and a picture takes about 40 KB


def keep(page: Page, name: str, folder: Path) -> None:
    """A picture of what is in sight, once its animations have ended."""
    data = page.screenshot(animations="disabled")
    Image.open(io.BytesIO(data)).convert("RGB").save(folder / f"tutorial-{name}.webp", quality=QUALITY, method=6)


def the_page(visitor: Shop, folder: Path) -> None:
    """The steps of docs/tutorial.md in the browser."""
    page = visitor.page
    page.wait_for_load_state("networkidle")
    keep(page, "start", folder)

    visitor.pick("mug", "teapot", "bear")
    visitor.expect_tally("3 of 3 ready.")
    page.locator("#photos").scroll_into_view_if_needed()
    page.mouse.move(0, 0)
    keep(page, "cutouts", folder)

    with visitor.remade():
        page.locator("#preset").get_by_label("Amazon", exact=True).check()
    page.locator("#photos").scroll_into_view_if_needed()
    keep(page, "amazon", folder)

    dialog = visitor.look_at("mug.jpg")
    page.wait_for_timeout(500)  # the dialog's own animation
    keep(page, "compare", folder)

    with page.expect_response("**/v1/packshots"):
        dialog.get_by_label("Touch up").check()
    dialog.get_by_text("Violet: removed.").wait_for()
    page.wait_for_timeout(500)
    keep(page, "touch-up", folder)


@contextmanager
def a_batch(folder: Path) -> Iterator[str]:
    """A batch of three examples in `folder`; gives the address of its review."""
    (folder / "photos").mkdir()
    for name in ("mug", "teapot", "bear"):
        shutil.copy(EXAMPLES / f"{name}.jpg", folder / "photos")
    make(folder / "photos", folder / "shop", Options(preset="amazon"))
    os.environ["LOGNAME"] = "Kim"  # the review shows who decides
    with reviewing(folder / "photos", folder / "shop", name="shop") as reviewed:
        yield reviewed.url


def the_review(browser: Browser, url: str, folder: Path) -> None:
    context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}, locale="en-US")
    page = context.new_page()
    page.goto(url)
    page.wait_for_load_state("networkidle")
    keep(page, "review", folder)
    context.close()


def main(folder: Path = PICTURES) -> None:
    with tempfile.TemporaryDirectory() as work, a_batch(Path(work)) as url, chromium() as browser:
        the_review(browser, url, folder)
        with (
            serving(Path(work) / "state") as running,
            shop(browser, running.base_url, width=WIDTH, height=HEIGHT) as visitor,
        ):
            visitor.open(running.new_key())
            the_page(visitor, folder)


if __name__ == "__main__":
    main()
