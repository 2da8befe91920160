"""The form over a real socket: bodies of each kind, their responses and their errors."""

from __future__ import annotations

import base64
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.kit.images import as_jpeg, as_png, flat_png, good, photo
from tests.kit.server import Running, serving

Call = Callable[..., httpx.Response]
PATH = "/v1.0/removebg"


def picture(answer: httpx.Response) -> Image.Image:
    assert answer.status_code == 200, answer.text
    return Image.open(io.BytesIO(answer.content))


def error(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["errors"][0]["code"]


class TestBodies:
    @pytest.mark.slow
    def test_each_kind_of_body_gets_the_same_picture(self, running: Running, call: Call) -> None:
        data = good("jpeg")
        text = base64.b64encode(data).decode()
        headers = {"X-Api-Key": running.new_key()}
        answers = [
            call(data, size="full"),
            running.http.post(PATH, files={"image_file_b64": (None, text), "size": (None, "full")}, headers=headers),
            running.http.post(PATH, data={"image_file_b64": text, "size": "full"}, headers=headers),
            running.http.post(PATH, json={"image_file_b64": text, "size": "full", "crop": False}, headers=headers),
        ]
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.content for answer in answers}) == 1
        assert picture(answers[0]).mode == "RGBA"

    def test_base64_that_nobody_escaped_is_read_too(self, running: Running) -> None:
        text = base64.b64encode(good("jpeg")).decode()
        assert "+" in text
        headers = {"X-Api-Key": running.new_key(), "Content-Type": "application/x-www-form-urlencoded"}
        answer = running.http.post(PATH, content=f"image_file_b64={text}&size=full", headers=headers)
        assert picture(answer).size == (160, 120)

    @pytest.mark.parametrize(
        ("kind", "body"),
        [
            ("text/plain", b"a"),
            ("application/json", b"{"),
            ("application/json", b"[1]"),
            ("application/json", b"[" * 100_000),
            ("application/json", b"\xff"),
            pytest.param("application/json", b'{"a": [' + b"{}," * 1_000_000 + b"{}]}", id="a million objects"),
            ("application/x-www-form-urlencoded", b"a=\xff"),
            ("application/x-www-form-urlencoded", b"&".join([b"a=1"] * 100)),
            ("multipart/form-data", b""),
        ],
    )
    def test_a_body_that_cannot_be_read_is_the_callers_fault(self, running: Running, kind: str, body: bytes) -> None:
        headers = {"X-Api-Key": running.new_key(), "Content-Type": kind}
        assert error(running.http.post(PATH, content=body, headers=headers)) == (400, "invalid_request")

    @pytest.mark.slow
    def test_a_body_that_is_too_large_is_not_read(self, tmp_path: Path) -> None:
        with serving(tmp_path, v1_max_file_bytes=4096) as small:
            headers = {"X-Api-Key": small.new_key()}
            sent = {"image_file_b64": base64.b64encode(b"\0" * 100_000).decode()}
            assert error(small.http.post(PATH, json=sent, headers=headers)) == (400, "file_too_large")
            assert error(small.http.post(PATH, files={"image_file": bytes(5000)}, headers=headers)) == (
                400,
                "file_too_large",
            )
            assert error(small.http.post(PATH, data=sent, headers=headers)) == (400, "file_too_large")


class TestPictures:
    @pytest.mark.slow
    def test_by_default_a_preview_with_what_is_known_of_it(self, call: Call) -> None:
        answer = call(as_jpeg(photo(1000, 750)))
        size = picture(answer).size
        headers = answer.headers
        assert 240_000 < size[0] * size[1] <= 250_000
        assert (int(headers["X-Width"]), int(headers["X-Height"])) == size
        assert (headers["X-Max-Width"], headers["X-Max-Height"]) == ("1000", "750")
        assert (headers["X-Credits-Charged"], headers["X-Type"]) == ("1", "product")
        assert not any(name.startswith("x-ratelimit") for name in headers)

    def test_the_foregrounds_place_is_where_the_crop_was(self, call: Call) -> None:
        data = as_jpeg(photo(400, 300))
        whole, cropped = call(data, size="full"), call(data, size="full", crop="true")
        left, top, width, height = (
            int(cropped.headers[f"X-Foreground-{name}"]) for name in ("Left", "Top", "Width", "Height")
        )
        assert picture(cropped).size == (width, height)
        part = np.asarray(picture(whole))[top : top + height, left : left + width]
        assert np.array_equal(part, np.asarray(picture(cropped)))

    def test_json_for_who_takes_nothing_else(self, call: Call) -> None:
        answer = call(size="full", headers={"Accept": "application/json"})
        found = answer.json()["data"]
        assert base64.b64decode(found["result_b64"]) == call(size="full").content
        assert found["foreground_width"] == int(answer.headers["X-Foreground-Width"])
        assert {f"foreground_{name}" for name in ("left", "top", "width", "height")} < set(found)

    @pytest.mark.slow
    @pytest.mark.parametrize(
        "accept",
        [
            "*/*",
            "image/*",
            "application/json, text/plain, */*",
            "image/png;q=0.1",
            "image/png, application/json",
            "application/zip, application/json",
            "application/octet-stream, */*",
            "text/html",
        ],
    )
    def test_a_picture_for_everybody_else(self, call: Call, accept: str) -> None:
        answer = call(headers={"Accept": accept})
        assert picture(answer).format == "PNG"
        assert answer.headers["Content-Type"] == "image/png"

    @pytest.mark.parametrize("accept", ["application/octet-stream", "application/json, application/octet-stream;q=0.5"])
    def test_bytes_for_who_takes_no_picture(self, call: Call, accept: str) -> None:
        answer = call(headers={"Accept": accept}, bg_color="red")
        assert picture(answer).format == "JPEG"
        assert answer.headers["Content-Type"] == "application/octet-stream"

    def test_a_long_strip_is_made_to_fit(self, call: Call) -> None:
        assert picture(call(as_png(photo(16_000, 32)))).size == (10_000, 20)

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("fields", "kind", "mode"),
        [
            ({"format": "png"}, "PNG", "RGBA"),
            ({"format": "jpg"}, "JPEG", "RGB"),
            ({"format": "webp"}, "WEBP", "RGBA"),
            ({"bg_color": "00ff00"}, "JPEG", "RGB"),
            ({"bg_color": "00ff00", "format": "png"}, "PNG", "RGB"),
            ({"channels": "alpha"}, "PNG", "L"),
            ({"bg_color": "00ff0080", "format": "webp"}, "WEBP", "RGBA"),
            ({"add_shadow": "true", "shadow_opacity": "60"}, "PNG", "RGBA"),
            ({"roi": "10% 10% 90% 90%", "scale": "60%", "position": "50% 100%"}, "PNG", "RGBA"),
        ],
    )
    def test_formats_and_fields(self, call: Call, fields: dict[str, str], kind: str, mode: str) -> None:
        found = picture(call(size="full", **fields))
        assert (found.format, found.mode) == (kind, mode)

    def test_a_background_picture_lies_behind(self, running: Running) -> None:
        files = {"image_file": good("jpeg"), "bg_image_file": flat_png(50, 50, 200)}
        answer = running.http.post(PATH, files=files, headers={"X-Api-Key": running.new_key()})
        assert answer.headers["Content-Type"] == "image/jpeg"
        assert np.asarray(picture(answer))[0, 0] == pytest.approx([200, 200, 200], abs=1)

    def test_a_half_transparent_colour_shines_through(self, call: Call) -> None:
        assert np.asarray(picture(call(bg_color="0000ff80")))[0, 0].tolist() == [0, 0, 255, 128]

    @pytest.mark.slow
    @pytest.mark.parametrize("fields", [{}, {"channels": "alpha"}])
    def test_a_zip_has_colours_and_matte_that_make_the_cutout(self, call: Call, fields: dict[str, str]) -> None:
        data = as_jpeg(photo(400, 300))
        answer = call(data, size="full", format="zip", **fields)
        assert answer.headers["Content-Type"] == "application/zip"
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            assert archive.namelist() == ["color.jpg", "alpha.png"]
            colours = np.asarray(Image.open(archive.open("color.jpg"))).astype(int)
            alpha = np.asarray(Image.open(archive.open("alpha.png")))
        cutout = np.asarray(picture(call(data, size="full"))).astype(int)
        assert np.array_equal(alpha, cutout[..., 3])
        seen = alpha > 127
        assert np.abs(colours - cutout[..., :3])[seen].mean() < 4

    def test_a_flattened_zip_is_opaque(self, call: Call) -> None:
        with zipfile.ZipFile(io.BytesIO(call(format="zip", bg_color="white").content)) as archive:
            assert np.asarray(Image.open(archive.open("alpha.png"))).min() == 255


class TestRefusals:
    def test_keys(self, running: Running, call: Call) -> None:
        assert error(running.http.post(PATH, files={"image_file": good("jpeg")})) == (403, "auth_failed")
        assert error(call(key="pk_wrong")) == (403, "auth_failed")
        assert error(running.http.get("/v1.0/account")) == (403, "auth_failed")

    def test_no_credits(self, running: Running, call: Call) -> None:
        assert error(call(key=running.new_key(0))) == (402, "insufficient_credits")

    def test_what_fails_costs_nothing(self, running: Running, call: Call) -> None:
        key = running.new_key(1)
        assert error(call(flat_png(64, 64), key=key)) == (400, "unknown_foreground")
        assert error(call(key=key, size="vast")) == (400, "invalid_size")
        assert error(call(key=key, roi="0px 0px 5px 5px")) == (400, "invalid_roi")
        assert running.credits_of(key) == 1

    @pytest.mark.slow
    def test_nor_does_a_file_that_cannot_be_made_of_the_lines(self, running: Running, call: Call) -> None:
        key = running.new_key(1)
        wide = as_png(photo(16_400, 64))  # WebP ends at 16,383
        assert error(call(wide, key=key, size="full", format="webp", bg_color="81d4fa77")) == (400, "invalid_format")
        assert running.credits_of(key) == 1

    @pytest.mark.parametrize(
        ("data", "code"),
        [
            (b"GIF is a word", "invalid_file_type"),
            (good("jpeg")[:200], "failed_to_read_image"),
            (flat_png(20, 64), "invalid_dimensions"),
        ],
    )
    def test_photos_that_cannot_be_used(self, call: Call, data: bytes, code: str) -> None:
        assert error(call(data)) == (400, code)

    def test_an_address_is_refused_with_words(self, running: Running) -> None:
        answer = running.http.post(
            PATH, data={"image_url": "http://127.0.0.1:1/a.jpg"}, headers={"X-Api-Key": running.new_key()}
        )
        assert error(answer) == (400, "invalid_image_url")
        detail = answer.json()["errors"][0]["detail"]
        assert "image_file" in detail
        assert "PACKSHOT_URL_INPUT" in detail

    def test_other_paths_and_methods_answer_in_the_same_words(self, running: Running) -> None:
        assert error(running.http.get(PATH)) == (405, "method_not_allowed")
        assert running.http.get(PATH).headers["Allow"] == "POST"
        assert running.http.put("/v1.0/account").headers["Allow"] == "GET, HEAD"
        assert error(running.http.post("/v1.0/improve")) == (404, "not_found")


def test_the_account_shows_credits_and_nothing_is_spent_by_asking(running: Running, call: Call) -> None:
    key = running.new_key(7)
    call(key=key)
    attributes = running.http.get("/v1.0/account", headers={"X-Api-Key": key}).json()["data"]["attributes"]
    assert attributes == {
        "credits": {"total": 6, "subscription": 0, "payg": 6, "enterprise": 0},
        "api": {"free_calls": 0, "sizes": "all"},
    }
    endless = running.http.get("/v1.0/account", headers={"X-Api-Key": running.new_key()}).json()
    assert endless["data"]["attributes"]["credits"]["total"] > 0


@pytest.mark.slow
def test_the_rate_limit_is_told_and_kept(tmp_path: Path) -> None:
    with serving(tmp_path, rate_limit="2/hour") as slow:
        headers = {"X-Api-Key": slow.new_key()}
        first = slow.http.get("/v1.0/account", headers=headers)
        second = slow.http.get("/v1.0/account", headers=headers)
        assert [each.headers["X-RateLimit-Remaining"] for each in (first, second)] == ["1", "0"]
        assert first.headers["X-RateLimit-Limit"] == "2"
        assert int(second.headers["X-RateLimit-Reset"]) == pytest.approx(slow.service.now() + 3600, abs=5)
        third = slow.http.get("/v1.0/account", headers=headers)
        assert error(third) == (429, "rate_limit_exceeded")
        assert 3590 < int(third.headers["Retry-After"]) <= 3600
