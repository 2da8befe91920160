"""The page's own small formats, written in the browser and read by independent software: zip, gray PNG."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Error

from tests.kit.browser import Shop
from tests.kit.browser import shop as open_shop
from tests.kit.server import Running

pytestmark = pytest.mark.browser

LOAD = "async (given) => { const from = (name) => import(`/page/now/${name}.js`); %s }"


@pytest.fixture(scope="module")
def page(browser: Browser, running: Running) -> Iterator[Shop]:
    with open_shop(browser, running.base_url) as visitor:
        visitor.open()
        yield visitor


def run(page: Shop, body: str, given: object = None) -> Any:
    """The return value of a function in the page; `from(name)` in it loads a module."""
    return page.page.evaluate(LOAD % body, given)


def test_a_zip_with_any_names_is_read_by_others(page: Shop) -> None:
    files = {"Tasse blau.png": b"blue" * 1000, "\u676f\u5b50-\u00fc.jpg": b"", "a.webp": bytes(range(256))}
    data = run(
        page,
        """const { zip } = await from("zip");
        const files = given.map(([name, bytes]) => ({ name, blob: new Blob([new Uint8Array(bytes)]) }));
        return [...new Uint8Array(await (await zip(files, new Date(2026, 10, 22, 13, 4, 6))).arrayBuffer())];""",
        [[name, list(content)] for name, content in files.items()],
    )
    with zipfile.ZipFile(io.BytesIO(bytes(data))) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == files
        assert {info.date_time for info in archive.infolist()} == {(2026, 11, 22, 13, 4, 6)}
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}


def test_more_than_a_zip_can_hold_is_said(page: Shop) -> None:
    body = """const { zip } = await from("zip");
        await zip(Array.from({ length: 3 }, () => ({ name: "a", blob: { size: 2 ** 31 } })));"""
    with pytest.raises(Error, match="download them in parts"):
        run(page, body)


def painted(page: Shop, size: tuple[int, int], *strokes: tuple[str, float, list[tuple[float, float]]]) -> Any:
    """The gray picture of strokes, each with brush, radius and points."""
    given = {
        "size": {"width": size[0], "height": size[1]},
        "strokes": [
            {"brush": brush, "radius": radius, "points": [{"x": x, "y": y} for x, y in points]}
            for brush, radius, points in strokes
        ],
    }
    data = run(
        page,
        """const strokes = new (await from("strokes")).Strokes();
        for (const stroke of given.strokes) strokes.add(stroke);
        return [...new Uint8Array(await (await strokes.file(given.size)).arrayBuffer())];""",
        given,
    )
    picture = Image.open(io.BytesIO(bytes(data)))
    assert picture.mode == "L"
    return np.asarray(picture, np.int16)


def test_strokes_become_the_gray_picture_that_the_service_reads(page: Shop) -> None:
    gray = painted(page, (120, 80), ("keep", 6, [(20, 40), (100, 40)]), ("remove", 4, [(60, 20), (60, 60)]))
    assert gray.shape == (80, 120)
    assert gray[40, 30] == 255
    assert gray[40, 60] == 0, "the later stroke is on top"
    assert gray[5, 5] == gray[40, 110] == gray[54, 30] == 128
    y, x = np.mgrid[0:80, 0:120] + 0.5
    keep = np.hypot(np.maximum(0, np.abs(x - 60) - 40), y - 40)
    remove = np.hypot(x - 60, np.maximum(0, np.abs(y - 40) - 20))
    assert (gray[(keep < 5.5) & (remove > 5.5)] == 255).all()
    assert (gray[remove < 3.5] == 0).all()
    assert (gray[(keep > 6.5) & (remove > 4.5)] == 128).all()


def test_a_large_photo_is_painted_at_1500_px(page: Shop) -> None:
    gray = painted(page, (6000, 4000), ("keep", 40, [(5990, 3990)]), ("remove", 40, [(-500, 50)]))
    assert gray.shape == (1000, 1500)
    assert gray[998, 1498] == 255
    assert gray.min() == 128, "a stroke outside the photo has no effect"


def test_nothing_painted_sends_nothing(page: Shop) -> None:
    body = """const strokes = new (await from("strokes")).Strokes();
        strokes.add({ brush: "keep", radius: 3, points: [{ x: 1, y: 1 }] });
        strokes.undo();
        return await strokes.file({ width: 10, height: 10 });"""
    assert run(page, body) is None
