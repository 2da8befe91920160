"""One browser per test file: Playwright's event loop must end before other tests start their own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.kit.browser import Shop
    from tests.kit.server import Running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    pytest.importorskip("playwright", reason="Playwright is not installed")
    from tests.kit.browser import CHROMIUM, chromium

    if not CHROMIUM.exists():
        pytest.skip(f"there is no browser at {CHROMIUM}")
    with chromium() as browser:
        yield browser


@pytest.fixture
def shop(browser: Browser, running: Running) -> Iterator[Shop]:
    """The page of the shared server, open, with its own key."""
    from tests.kit.browser import shop

    with shop(browser, running.base_url) as visitor:
        visitor.open(running.new_key())
        yield visitor
