"""A client's view: every path, every key header, every return_form, and the download behind the image_url."""

from __future__ import annotations

import io

import httpx
import numpy as np
import pytest
from PIL import Image

from packshot.api.ailab.routes import KEY_HEADERS, PATHS, RESULTS
from tests.contract.envelope import success_path, success_url
from tests.kit.images import good
from tests.kit.server import ENDPOINT, Running

WIDTH, HEIGHT = 160, 120


@pytest.fixture(scope="module")
def downloads(running: Running) -> dict[str | None, httpx.Response]:
    """One download per return_form."""
    photo = good("jpeg", WIDTH, HEIGHT)
    return {
        form: running.http.get(success_url(running.send(photo, return_form=form)))
        for form in (None, "mask", "whiteBK", "crop")
    }


def opened(download: httpx.Response) -> Image.Image:
    assert download.status_code == 200
    return Image.open(io.BytesIO(download.content))


@pytest.mark.parametrize("path", PATHS)
def test_every_path_leads_to_the_same_code(running: Running, path: str) -> None:
    success_url(running.send(good("bmp"), path=path))


@pytest.mark.slow
@pytest.mark.parametrize("header", KEY_HEADERS)
def test_every_key_header_is_read(running: Running, header: str) -> None:
    headers = {header.title(): running.new_key()}
    success_url(running.http.post(ENDPOINT, files={"image": good("png")}, headers=headers))


def test_the_paths_and_headers_are_those_of_the_vendors_shops() -> None:
    assert set(PATHS) == {
        "/api/v1/ailabtools/product-background-removal/cutout/commodity/commodity",
        "/cutout/commodity/commodity",
        "/api/cutout/general/commodity-background-removal",
    }
    assert set(KEY_HEADERS) == {"x-api-market-key", "x-magicapi-key", "x-rapidapi-key", "ailabapi-api-key"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("form", "kind", "mode"),
    [(None, "PNG", "RGBA"), ("mask", "PNG", "L"), ("whiteBK", "JPEG", "RGB"), ("crop", "PNG", "RGBA")],
)
def test_the_kind_of_file(downloads: dict[str | None, httpx.Response], form: str | None, kind: str, mode: str) -> None:
    image = opened(downloads[form])
    assert (image.format, image.mode) == (kind, mode)
    assert downloads[form].headers["content-type"] == f"image/{kind.lower()}"
    if form != "crop":
        assert image.size == (WIDTH, HEIGHT)


def test_the_removed_background_cannot_be_recovered(downloads: dict[str | None, httpx.Response]) -> None:
    cutout = np.asarray(opened(downloads[None]))
    removed = cutout[..., 3] == 0
    assert removed.any()
    assert not cutout[removed][:, :3].any()


def test_the_mask_is_the_alpha_of_the_cutout(downloads: dict[str | None, httpx.Response]) -> None:
    mask, cutout = (np.asarray(opened(downloads[form])) for form in ("mask", None))
    assert np.array_equal(mask, cutout[..., 3])


def test_white_is_white_where_the_background_was(downloads: dict[str | None, httpx.Response]) -> None:
    white = np.asarray(opened(downloads["whiteBK"])).astype(int)
    alpha = np.asarray(opened(downloads["mask"]))
    # JPEG's blocks of 8 px ring a little where they contain product; all others are pure white.
    away = alpha.reshape(HEIGHT // 8, 8, WIDTH // 8, 8).max(axis=(1, 3)) == 0
    blocks = white.reshape(HEIGHT // 8, 8, WIDTH // 8, 8, 3).min(axis=(1, 3, 4))
    assert away.any()
    assert blocks[away].min() == 255


def test_the_crop_is_the_cutout_without_its_empty_margins(downloads: dict[str | None, httpx.Response]) -> None:
    cutout, crop = opened(downloads[None]), opened(downloads["crop"])
    alpha = np.asarray(crop)[..., 3]
    for edge in (alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]):
        assert edge.any()  # a tighter crop would cut the product
    assert crop.width <= WIDTH
    assert crop.height <= HEIGHT
    visible = Image.fromarray(np.asarray(cutout)[..., 3]).point(lambda value: 255 if value > 127 else 0).getbbox()
    assert visible is not None
    assert crop.width >= visible[2] - visible[0]  # the crop cuts nothing off the product
    assert crop.height >= visible[3] - visible[1]


def test_the_headers_of_a_download(downloads: dict[str | None, httpx.Response]) -> None:
    for form, extension in ((None, "png"), ("mask", "png"), ("whiteBK", "jpg"), ("crop", "png")):
        headers = downloads[form].headers
        assert headers["content-disposition"] == f'inline; filename="packshot.{extension}"'
        assert headers["content-security-policy"] == "default-src 'none'; sandbox"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert int(headers["content-length"]) == len(downloads[form].content)
        cache, age, *_ = headers["cache-control"].split(", ")
        assert cache == "private"
        assert 24 * 3600 - 60 < int(age.removeprefix("max-age=")) <= 24 * 3600


def test_head_answers_the_same_headers_and_no_body(running: Running) -> None:
    path = success_path(running.send(good("jpeg")))
    got, asked = running.http.get(path), running.http.head(path)
    assert asked.status_code == 200
    assert asked.content == b""
    for name in ("content-type", "content-length", "content-disposition"):
        assert asked.headers[name] == got.headers[name]
    assert running.http.head(path[:-1]).status_code == 403


def test_links_come_from_the_settings_never_from_the_host_header(running: Running) -> None:
    response = running.send(good("jpeg"), headers={"host": "evil.example", "x-forwarded-host": "evil.example"})
    assert success_url(response).startswith(f"{running.base_url}{RESULTS}/")
