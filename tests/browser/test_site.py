"""The documentation site as readers use it: questions find their page, phones show it, nothing comes from elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).parents[2]
LOOKED_AT = 4  # results that a reader sees without scrolling
QUESTIONS = {
    "remove the shadow": "troubleshooting",
    "where is my key": "troubleshooting",
    "reverse proxy": "how-to/deploy",
    "white background": "reference/options",
    "Amazon rules": "reference/presets",
    "photo is too large": "troubleshooting",
    "resume a batch": "how-to/catalogue",
    "remove.bg": "how-to/from-removebg",
    "rembg server": "how-to/from-rembg",
    "GPU": "how-to/networks",
    "how much memory": "how-to/deploy",
    "rate limit": "how-to/deploy",
    "back up": "how-to/databases",
    "update without losing requests": "how-to/replicas",
    "webhook signature": "how-to/jobs",
    "results in S3": "how-to/object-storage",
    "own network": "how-to/networks",
    "HEIC": "troubleshooting",
    "better than rembg": "explanation/quality",
    "confidence": "explanation/quality",
    "PACKSHOT_PORT": "reference/settings",
    "Docker": "how-to/compose",
    "handle filled hole": "troubleshooting",
    "Claude MCP": "how-to/agents",
}


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the site, built as `make docs` builds it."""
    pytest.importorskip("mkdocs", reason="needs `uv sync --group docs`")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    subprocess.run(command, cwd=ROOT, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, check=True)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.fixture
def reader(browser: Browser, site: str) -> Iterator[Page]:
    """A page at the start of the site; fails when something came from elsewhere, or a script failed."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "request", lambda request: None if request.url.startswith((site, "data:")) else complaints.append(request.url)
    )
    page.goto(site)
    yield page
    context.close()
    assert not complaints


def test_a_search_finds_the_page_that_answers(reader: Page) -> None:
    from playwright.sync_api import expect

    missed = {}
    field, state = reader.locator(".md-search__input"), reader.locator(".md-search-result__meta")
    for words, expected in QUESTIONS.items():
        for typed, said in (("", "Type to start searching"), (words, "match")):
            field.fill(typed)
            field.press("End")  # the search listens to keys
            expect(state).to_contain_text(said)
        links = reader.locator(".md-search-result__link").evaluate_all("links => links.map(link => link.href)")
        pages = list(dict.fromkeys(link.partition(".html")[0].split("/", 3)[3] for link in links))
        if expected not in pages[:LOOKED_AT]:
            missed[words] = pages[:LOOKED_AT]
    assert not missed, "\n".join(f"{words}: {pages}" for words, pages in missed.items())


def test_no_page_is_wider_than_a_phone(reader: Page, site: str) -> None:
    reader.set_viewport_size({"width": 390, "height": 844})
    pages = [
        path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md") if path.parent.name != "decisions"
    ]
    wide = []
    for path in pages:
        reader.goto(f"{site}{path.with_suffix('.html')}", wait_until="domcontentloaded")
        if reader.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
            wide.append(str(path))
    assert wide == []
