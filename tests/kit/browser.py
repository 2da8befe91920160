"""A shop owner at the page, in a real Chromium: the actions and the views."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
EXAMPLES = Path(__file__).parents[2] / "examples"
PATIENCE_MS = 20_000
# A name for this machine that browsers do not trust as they trust localhost, as on a shop's own network.
PLAIN_HOST = "shop.test"
# Chromium itself logs every error response, also those that the page expects.
ANSWERS = re.compile(r"Failed to load resource: ")


@contextmanager
def chromium() -> Iterator[Browser]:
    """One browser. Playwright keeps an event loop running, so close it before tests that start their own loop."""
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", f"--host-resolver-rules=MAP {PLAIN_HOST} 127.0.0.1"]
        )
        try:
            yield browser
        finally:
            browser.close()


class Shop:
    """The page in its own tab. `complaints`: everything seen during use that the page must never do."""

    def __init__(self, page: Page, base_url: str) -> None:
        self.page = page
        self.base_url = base_url
        self.complaints: list[str] = []
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("request", lambda request: self._check_origin(request.url))

    def open(self, key: str | None = None) -> None:
        """Load the page; with a key, as if the user had already entered the key in this tab."""
        if key:
            self.page.add_init_script(f"sessionStorage.setItem('packshot-key', '{key}')")
        self.page.goto(self.base_url)
        expect(self.page.locator("#preset legend")).to_be_attached()

    def pick(self, *photos: str | dict[str, object]) -> None:
        """Choose photos: names of examples, or files in Playwright's form."""
        files = [EXAMPLES / f"{photo}.jpg" if isinstance(photo, str) else photo for photo in photos]
        self.page.set_input_files("#pick", files)  # type: ignore[arg-type]

    def expect_tally(self, words: str) -> None:
        expect(self.page.locator("#tally")).to_have_text(words)

    @contextmanager
    def remade(self) -> Iterator[None]:
        """The block makes the page request one photo again; the context ends when the list is complete."""
        with self.page.expect_response("**/v1/packshots"):
            yield
        expect(self.page.locator(".card progress:not([hidden])")).to_have_count(0)

    def card(self, name: str) -> Locator:
        return self.page.locator(".card").filter(has_text=name)

    def look_at(self, name: str) -> Locator:
        """Open a photo; returns the dialog."""
        self.page.get_by_role("button", name=f"Open {name}").click()
        return self.page.get_by_role("dialog")

    def download(self, button: Locator) -> tuple[str, bytes]:
        """The name and the bytes of the file that a click downloads."""
        return self.download_by(button.click)

    def download_by(self, act: Callable[[], None]) -> tuple[str, bytes]:
        with self.page.expect_download() as coming:
            act()
        return coming.value.suggested_filename, coming.value.path().read_bytes()

    def alpha(self, name: str) -> npt.NDArray[np.int16]:
        """The alpha channel of a photo's cutout, (height, width)."""
        _, data = self.download(self.page.get_by_role("button", name=f"Download: {name}"))
        return np.asarray(Image.open(io.BytesIO(data)).getchannel("A"), np.int16)

    def scrolls_sideways(self) -> bool:
        root = self.page.locator("html")
        return bool(root.evaluate("root => root.scrollWidth > root.clientWidth"))

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not ANSWERS.match(message.text):
            self.complaints.append(f"{message.type}: {message.text}")

    def _check_origin(self, url: str) -> None:
        if not url.startswith((self.base_url, "blob:", "data:")):
            self.complaints.append(f"request to {url}")


@contextmanager
def shop(
    browser: Browser,
    base_url: str,
    *,
    width: int = 1280,
    height: int = 800,
    scheme: str = "light",
    locale: str = "en-US",
) -> Iterator[Shop]:
    """A new tab without stored state; fails if the page did anything forbidden (`Shop.complaints`)."""
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=scheme,  # type: ignore[arg-type]
        locale=locale,
        accept_downloads=True,
    )
    try:
        visitor = Shop(context.new_page(), base_url)
        yield visitor
        assert not visitor.complaints
    finally:
        context.close()


def as_files(photos: Iterable[tuple[str, bytes]], media_type: str = "image/jpeg") -> list[dict[str, object]]:
    return [{"name": name, "mimeType": media_type, "buffer": data} for name, data in photos]
