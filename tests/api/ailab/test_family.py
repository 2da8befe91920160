"""The vendor's endpoints next to the product one: paths, photos, forms and responses, as clients use them."""

from __future__ import annotations

import io
from typing import Any

import httpx
import pytest
from PIL import Image

from packshot.api.ailab.cutouts import CUTOUTS, Cutout
from packshot.core import codecs
from tests.contract.envelope import failure
from tests.kit.images import as_png, good, padded, photo
from tests.kit.server import Running

API = "/api/cutout"
UNIVERSAL = ("/cutout/universal/common-image", f"{API}/general/universal-background-removal")
PORTRAIT = ("/cutout/portrait/body", f"{API}/portrait/portrait-background-removal")
FOOD, APPAREL = f"{API}/general/food-background-removal", f"{API}/general/apparel-background-removal"
HD_PORTRAIT, HD = f"{API}/portrait/hd-portrait-background-removal", f"{API}/general/hd-universal-background-removal"
MIB = 1024 * 1024
MODES = {None: ("PNG", "RGBA"), "mask": ("PNG", "L"), "whiteBK": ("JPEG", "RGB"), "crop": ("PNG", "RGBA")}


def url_in(response: httpx.Response, *, listed: bool) -> str:
    assert response.status_code == 200, response.text
    body = response.json()
    assert body["error_code"] == 0
    assert body["request_id"] == body["log_id"] == response.headers["x-request-id"]
    data: dict[str, Any] = body["data"]
    (found,) = data["elements"] if listed else (data,)
    url: str = found["image_url"]
    return url


def picture(url: str) -> Image.Image:
    return Image.open(io.BytesIO(httpx.get(url).content))


@pytest.mark.slow
@pytest.mark.parametrize("cutout", CUTOUTS, ids=lambda each: each.operation_id)
def test_every_path_and_every_form_is_answered(running: Running, cutout: Cutout) -> None:
    calls = [(cutout.paths[0], form) for form in (None, *cutout.forms)] + [(path, None) for path in cutout.paths[1:]]
    for path, form in calls:
        answer = running.send(good("jpeg", 160, 120), path=path, return_form=form)
        made = picture(url_in(answer, listed=cutout.in_elements))
        assert (made.format, made.mode) == MODES[form]
        assert form == "crop" or made.size == (160, 120)


def test_the_vendors_paths_are_there() -> None:
    paths = {path for cutout in CUTOUTS for path in cutout.paths}
    assert {*UNIVERSAL, *PORTRAIT, FOOD, APPAREL, HD_PORTRAIT} < paths


@pytest.mark.slow
@pytest.mark.parametrize("path", [*UNIVERSAL, *PORTRAIT])
def test_webp_is_taken_where_the_vendor_takes_it(running: Running, path: str) -> None:
    webp = codecs.encode(photo(100, 80), format="webp")
    assert picture(url_in(running.send(webp, path=path), listed=False)).size == (100, 80)
    failure(running.send(webp), 415, "UNSUPPORTED_FILE_TYPES")  # the product endpoint
    failure(running.send(webp, path=FOOD), 415, "UNSUPPORTED_FILE_TYPES")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "most_bytes", "sides"),
    [
        (UNIVERSAL[0], 3 * MIB, (32, 1999)),
        (PORTRAIT[0], 3 * MIB, (32, 1999)),
        (FOOD, 4 * MIB, (40, 1999)),
        (APPAREL, 5 * MIB, (50, 3000)),
        (HD_PORTRAIT, 40 * MIB, (32, 10_000)),
        (HD, 40 * MIB, (32, 10_000)),
    ],
)
def test_each_has_the_vendors_own_limits(running: Running, path: str, most_bytes: int, sides: tuple[int, int]) -> None:
    key = running.new_key(0)  # the photo is not inspected; FILE_SIZE_EXCEEDS_LIMIT comes before the credit
    failure(running.send(padded(good("jpeg"), most_bytes), path=path, key=key), 429, "ERROR_NOT_ENOUGH_CREDITS")
    message = failure(running.send(bytes(most_bytes + 1), path=path, key=key), 413, "FILE_SIZE_EXCEEDS_LIMIT")
    assert f"{most_bytes:,}" in message
    low, high = sides
    for width, height in ((low - 1, 100), (100, low - 1)):
        failure(running.send(good("jpeg", width, height), path=path), 422, "ERROR_LOW_RESOLUTION")
    for width, height in ((high + 1, 100), (100, high + 1)):
        failure(running.send(good("jpeg", width, height), path=path), 422, "FILE_RESOLUTION_EXCEEDS_LIMITS")
    for width, height in ((low, 60), (high, 60)):
        assert running.send(good("jpeg", width, height), path=path).status_code == 200


@pytest.mark.slow
@pytest.mark.parametrize("path", [FOOD, APPAREL])
def test_gray_pictures_are_taken_where_the_vendor_names_no_depth(running: Running, path: str) -> None:
    assert running.send(as_png(photo(100, 80)[..., 0]), path=path).status_code == 200
    message = failure(running.send(good("jpeg"), path=path, return_form="crop"), 422, "UNSUPPORTED_PARAMETER_VALUES")
    assert "mask, whiteBK" in message
    assert "crop," not in message


@pytest.mark.parametrize(("field", "value"), [("cloth_class", "tops,coat"), ("out_mode", "1")])
def test_pieces_of_clothing_are_refused_in_words(running: Running, field: str, value: str) -> None:
    answer = running.http.post(
        APPAREL, files={"image": good("jpeg")}, data={field: value}, headers={"ailabapi-api-key": running.new_key(5)}
    )
    assert field in failure(answer, 422, "UNSUPPORTED_PARAMETER_VALUES")


def test_the_default_of_clothing_is_taken(running: Running) -> None:
    headers = {"ailabapi-api-key": running.new_key(5)}
    answer = running.http.post(
        APPAREL, files={"image": good("jpeg")}, data={"out_mode": "0", "cloth_class": ""}, headers=headers
    )
    assert url_in(answer, listed=True)


def test_wrong_methods_and_unknown_relatives_are_answered_in_the_envelope(running: Running) -> None:
    failure(running.http.get(UNIVERSAL[0]), 405, "ERROR_ILLEGAL_OPERATION")
    failure(running.send(good("jpeg"), path=f"{API}/portrait/hairstyle-extraction"), 404, "ERROR_AI_NOT_EXISTS")


class TestLenientForms:
    """Public clients send these forms; the service once rejected each of them."""

    @pytest.mark.slow
    @pytest.mark.parametrize(
        "value",
        [
            ("return_form", b"mask"),
            (None, b"mask"),
            ("return_form", b'"mask"'),
            ("blob", b" mask\r\n"),
        ],
    )
    def test_return_form_as_a_file_or_in_quotes(self, running: Running, value: tuple[str | None, bytes]) -> None:
        answer = self._send(running, [("image", ("a.jpg", good("jpeg"))), ("return_form", value)])
        assert picture(url_in(answer, listed=False)).mode == "L"

    @pytest.mark.slow
    @pytest.mark.parametrize("value", [(None, b""), ("", b""), ("empty.txt", b""), (None, b"  "), (None, b'""')])
    def test_an_empty_return_form_is_none(self, running: Running, value: tuple[str | None, bytes]) -> None:
        answer = self._send(running, [("return_form", value), ("image", ("a.jpg", good("jpeg")))])
        assert picture(url_in(answer, listed=False)).mode == "RGBA"

    @pytest.mark.slow
    @pytest.mark.parametrize("name", ["image", "file", "background"])
    @pytest.mark.parametrize("first", [True, False])
    def test_an_empty_file_input_beside_the_photo(self, running: Running, name: str, first: bool) -> None:
        parts: list[tuple[str, tuple[str | None, bytes]]] = [(name, ("", b"")), ("image", ("a.jpg", good("jpeg")))]
        answer = self._send(running, parts if first else parts[::-1])
        assert picture(url_in(answer, listed=False)).mode == "RGBA"

    def test_the_last_that_says_anything_counts(self, running: Running) -> None:
        forms = [("return_form", (None, value)) for value in (b"crop", b"mask", b"")]
        answer = self._send(running, [("image", ("a.jpg", good("jpeg"))), *forms])
        assert picture(url_in(answer, listed=False)).mode == "L"

    def test_two_photos_are_still_too_many(self, running: Running) -> None:
        parts = [("image", ("a.jpg", good("jpeg"))), ("image", ("b.jpg", good("png")))]
        failure(self._send(running, parts), 400, "ERROR_PARAMETERS")

    def _send(self, running: Running, parts: list[tuple[str, tuple[str | None, bytes]]]) -> httpx.Response:
        body = b""
        for name, (file_name, content) in parts:
            file = "" if file_name is None else f'; filename="{file_name}"'
            body += f'--XX\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode() + content + b"\r\n"
        headers = {"content-type": "multipart/form-data; boundary=XX", "x-rapidapi-key": running.new_key()}
        return running.http.post("/cutout/commodity/commodity", content=body + b"--XX--\r\n", headers=headers)


def test_the_credits_have_the_vendors_signs(running: Running) -> None:
    key = running.new_key(7)
    body = running.http.get("/api/common/query-credits", headers={"ailabapi-api-key": key}).json()
    balances = {pool["unique_sign"]: pool["balance"] for pool in body["data"]}
    assert balances == {"common": 7, "cutout_product_background_removal": 0}
