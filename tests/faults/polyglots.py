"""Pictures that are also web pages, opened by a real browser: no script in them may run."""

from __future__ import annotations

import asyncio

import pytest

from packshot.service.results import new_result_id, result_name
from tests.contract.envelope import success_url
from tests.faults.proof import Place, proof
from tests.kit.browser import CHROMIUM, chromium
from tests.kit.files import png_chunk
from tests.kit.images import as_jpeg, good, photo
from tests.kit.server import Running

SCRIPT = (
    b"<html><script>document.title='owned';new Image().src='/owned'</script><svg onload=\"document.title='owned'\">"
)
SVG = b"<svg xmlns='http://www.w3.org/2000/svg'><script>document.title='owned'</script></svg>"


def polyglots() -> dict[str, bytes]:
    """Honest pictures with a web page in every text field of the format."""
    png = good("png")
    return {
        "page in a JPEG's comment": as_jpeg(photo(160, 120), comment=SCRIPT),
        "page behind a JPEG's end": good("jpeg") + SCRIPT,
        "page in a PNG's text": png[:33] + png_chunk(b"tEXt", b"Comment\0" + SCRIPT) + png[33:],
        "page behind a PNG's end": png + SCRIPT,
    }


def stored_url(running: Running, data: bytes, kind: str = "image/png") -> str:
    """The signed link of bytes that are stored as a result, as if a polyglot had passed the pipeline."""
    name, expires = result_name(new_result_id(), kind), int(running.service.now()) + 3600
    asyncio.run(running.service.store.put(name, data))
    signature = running.service.signer.sign(name, expires)
    return f"{running.base_url}/results/{name}?expires={expires}&signature={signature}"


@proof("abuse", "pictures with a web page inside", "the result holds none of it, nor does any header")
def washed(place: Place) -> str:
    for name, data in polyglots().items():
        for form in (None, "whiteBK"):
            result = place.running.http.get(success_url(place.running.send(data, return_form=form)))
            assert b"script" not in result.content + str(result.headers).encode(), name
    return f"{len(polyglots())} photos, two forms each: washed"


@proof(
    "abuse", "web pages and SVG in the store itself, in Chromium", "no script runs, nothing is fetched", kind="browser"
)
def opened_in_a_browser(place: Place) -> str:
    if not CHROMIUM.exists():
        pytest.skip("no Chromium here")
    results = {"washed": success_url(place.running.send(polyglots()["page in a JPEG's comment"]))}
    for name, data in {"page": SCRIPT, "SVG": SVG, **polyglots()}.items():
        results[f"{name}, as PNG"] = stored_url(place.running, data)
        results[f"{name}, as JPEG"] = stored_url(place.running, data, "image/jpeg")
    urls = list(results.values())
    with chromium() as browser:
        page = browser.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("dialog", lambda dialog: asked.append(f"dialog {dialog.message}"))
        for name, url in results.items():
            page.goto(url)
            page.wait_for_timeout(50)
            assert page.title() != "owned", name
        assert set(asked) <= set(urls), set(asked) - set(urls)
        frame = "".join(f"<iframe src='{url}'></iframe><object data='{url}'></object>" for url in urls)
        page.set_content(frame, wait_until="commit")
        page.wait_for_timeout(300)
        assert "owned" not in page.title()
        assert not [url for url in asked if url.endswith("/owned")]
    return f"{len(results)} links opened, framed and embedded: no script ran"
