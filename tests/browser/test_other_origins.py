"""A page of another origin in a real Chromium: it can call the service only where the operator allows it."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from tests.kit.images import good
from tests.kit.server import Running, serving

pytestmark = pytest.mark.browser

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

# The page calls the API as docs/how-to/http.md does, and draws the response on a canvas. A browser hides a canvas's
# pixels if it holds a picture from an origin that has not allowed the page.
CALLS = """
async ({service, key, photo}) => {
  const file = new Blob([Uint8Array.from(atob(photo), sign => sign.charCodeAt(0))], {type: 'image/jpeg'});
  const form = name => { const data = new FormData(); data.append(name, file, 'photo.jpg'); return data; };
  const pixels = async blob => {
    const bitmap = await createImageBitmap(blob);
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height), context = canvas.getContext('2d');
    context.drawImage(bitmap, 0, 0);
    const {data} = context.getImageData(0, 0, canvas.width, canvas.height);
    return [canvas.width, canvas.height, Math.max(...data.filter((_, index) => index % 4 === 3))];
  };
  const seen = async call => { try { return await call(); } catch (error) { return String(error); } };
  return {
    contract: await seen(async () => {
      const headers = {'x-api-market-key': key, 'cache-control': 'no-cache', 'x-requested-with': 'XMLHttpRequest'};
      const path = '/cutout/commodity/commodity';
      const answer = await fetch(service + path, {method: 'POST', headers, body: form('image')});
      const url = (await answer.json()).data.image_url;
      // Shown first, for which a browser sends no Origin: what it keeps must not be taken for the answer to fetch().
      await new Promise(done => { const image = new Image(); image.onload = image.onerror = done; image.src = url; });
      return await pixels(await (await fetch(url)).blob());
    }),
    native: await seen(async () => {
      const headers = {Authorization: `Bearer ${key}`};
      const answer = await fetch(`${service}/v1/packshots`, {method: 'POST', headers, body: form('image')});
      return [Number(answer.headers.get('X-Packshot-Confidence')), await pixels(await answer.blob())];
    }),
    refused: await seen(async () => {
      const answer = await fetch(`${service}/v1.0/removebg`, {method: 'POST', body: form('image_file')});
      return [answer.status, (await answer.json()).errors[0].code, !!answer.headers.get('X-Request-Id')];
    }),
  };
}
"""


class _Shop(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b"<!doctype html><title>A shop</title>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of another origin: the same machine, another port."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Shop) as shop:
        thread = threading.Thread(target=shop.serve_forever, args=(0.05,))
        thread.start()
        context = browser.new_context()
        try:
            page = context.new_page()
            page.goto(f"http://127.0.0.1:{shop.server_port}/")
            yield page
        finally:
            context.close()
            shop.shutdown()
            thread.join()


def called(page: Page, running: Running, key: str) -> dict[str, object]:
    photo = base64.b64encode(good("jpeg")).decode()
    found: dict[str, object] = page.evaluate(CALLS, {"service": running.base_url, "key": key, "photo": photo})
    return found


@pytest.mark.parametrize("everyone", [False, True])
def test_a_page_that_is_let_in_works(page: Page, tmp_path_factory: pytest.TempPathFactory, everyone: bool) -> None:
    origin = "*" if everyone else page.evaluate("location.origin")
    with serving(tmp_path_factory.mktemp("open"), cors_origins=origin) as running:
        found = called(page, running, running.new_key())
    assert found["refused"] == [403, "auth_failed", True]
    width, height, opaque = found["contract"]  # type: ignore[misc]
    assert (width > 31, height > 31, opaque) == (True, True, 255)
    confidence, size = found["native"]  # type: ignore[misc]
    assert 0 < confidence <= 1
    assert size == [width, height, 255]


def test_a_page_that_is_not_let_in_sees_nothing_and_spends_nothing(page: Page, running: Running) -> None:
    key = running.new_key(5)
    assert set(called(page, running, key).values()) == {"TypeError: Failed to fetch"}
    assert running.credits_of(key) == 5
