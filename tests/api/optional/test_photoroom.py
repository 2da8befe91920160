"""Programs that call Photoroom's basic endpoint get the expected responses."""

from __future__ import annotations

import base64
import io

import httpx
import pytest
from PIL import Image

from packshot.api.optional.photoroom import uncertainty
from tests.api.optional.conftest import Replay, chunked, corner, form, opened
from tests.kit.images import as_jpeg, good, photo
from tests.kit.server import Running

PATH = "/v1/segment"
PHOTO, SIZE = good("jpeg"), (160, 120)


def send(
    running: Running, photo: bytes = PHOTO, headers: dict[str, str] | None = None, **fields: str
) -> httpx.Response:
    headers = {"x-api-key": running.new_key(), **(headers or {})}
    return running.http.post(PATH, files={"image_file": ("photo.jpg", photo)}, data=fields, headers=headers)


class TestWrittenBy:
    """Requests, byte by byte, as the libraries of public callers send them."""

    def test_axios_with_a_form_that_is_streamed(self, forms: Running, replay: Replay) -> None:
        boundary = "--------------------------830452709387421568732190"
        part = 'Content-Disposition: form-data; name="image_file"; filename="photo.jpg"\nContent-Type: image/jpeg'
        size = ('Content-Disposition: form-data; name="size"', "preview")
        head = f"""
POST /v1/segment HTTP/1.1
Accept: application/json, text/plain, */*
Content-Type: multipart/form-data; boundary={boundary}
x-api-key: {forms.new_key()}
User-Agent: axios/1.7.2
Accept-Encoding: gzip, compress, deflate, br
Host: {{host}}
Connection: keep-alive
Transfer-Encoding: chunked"""
        assert opened(replay(head, chunked(form(boundary, (part, PHOTO), size)))).size == SIZE

    def test_fetch_of_node_with_a_blob(self, forms: Running, replay: Replay) -> None:
        boundary = "----formdata-undici-046374829106"
        part = 'Content-Disposition: form-data; name="image_file"; filename="blob"\nContent-Type: image/jpeg'
        fields = {"format": "png", "channels": "rgba", "size": "hd", "crop": "false"}
        parts = [(f'Content-Disposition: form-data; name="{name}"', text) for name, text in fields.items()]
        head = f"""
POST /v1/segment HTTP/1.1
host: {{host}}
connection: keep-alive
x-api-key: {forms.new_key()}
Accept: image/png, application/json
content-type: multipart/form-data; boundary={boundary}
accept-language: *
sec-fetch-mode: cors
user-agent: node
accept-encoding: gzip, deflate
content-length: {{length}}"""
        answer = replay(head, form(boundary, (part, PHOTO), *parts))
        assert opened(answer).mode == "RGBA"
        assert 0 <= float(answer.headers["x-uncertainty-score"]) <= 1

    def test_go_with_a_part_of_octets(self, forms: Running, replay: Replay) -> None:
        boundary = "5f9a1c3e7b2d8f4a6c0e9b1d3f5a7c2e4b6d8f0a1c3e5b7d9f1a3c5e7b9d"
        part = 'Content-Disposition: form-data; name="image_file"; filename="photo.jpg"\n'
        head = f"""
POST /v1/segment HTTP/1.1
Host: {{host}}
User-Agent: Go-http-client/1.1
Content-Length: {{length}}
Content-Type: multipart/form-data; boundary={boundary}
X-Api-Key: {forms.new_key()}
Accept-Encoding: gzip"""
        assert (
            opened(replay(head, form(boundary, (part + "Content-Type: application/octet-stream", PHOTO)))).size == SIZE
        )


@pytest.mark.slow
def test_the_fields(forms: Running) -> None:
    small = opened(send(forms, as_jpeg(photo(800, 600)), size="preview", format="JPG"), "JPEG")
    assert 240_000 < small.width * small.height <= 250_000
    assert corner(small) == (255, 255, 255)
    assert corner(opened(send(forms, bg_color="ff000080", format="webp"), "WEBP"))[3] == 128
    assert corner(opened(send(forms, bg_color="#FF00FF", despill="true")))[:3] == (255, 0, 255)
    cropped = opened(send(forms, channels="alpha", crop="true"))
    assert cropped.mode == "L"
    assert cropped.width < SIZE[0]
    assert cropped.height < SIZE[1]


def test_json_for_those_who_take_nothing_else(forms: Running) -> None:
    answer = send(forms, headers={"accept": "application/json"})
    assert answer.headers["content-type"] == "application/json"
    picture = Image.open(io.BytesIO(base64.b64decode(answer.json()["base64img"])))
    assert (picture.format, picture.size) == ("PNG", SIZE)
    assert "x-uncertainty-score" in answer.headers


def test_a_picture_without_a_confidence_has_the_forms_word_for_it() -> None:
    assert uncertainty(type("Result", (), {"confidence": None})()) == "-1"


@pytest.mark.parametrize("name", ["format", "channels", "size", "crop", "despill", "bg_color"])
def test_values_that_a_field_does_not_take_are_400_and_named(forms: Running, name: str) -> None:
    answer = send(forms, **{name: "no such thing"})
    body = answer.json()
    assert (answer.status_code, body["status_code"], body["type"]) == (400, 400, "invalid_option")
    assert name in body["detail"]


def test_failures_come_in_the_forms_own_body(forms: Running) -> None:
    key = {"x-api-key": forms.new_key()}
    missing = forms.http.post(PATH, files={"file": ("photo.jpg", PHOTO)}, headers=key)
    assert (missing.status_code, missing.json()["type"]) == (400, "missing_image")
    assert send(forms, b"no picture at all").status_code == 400
    for headers in ({}, {"x-api-key": "sandbox_" + forms.new_key()}):
        assert forms.http.post(PATH, files={"image_file": PHOTO}, headers=headers).status_code == 403
    assert send(forms, headers={"x-api-key": forms.new_key(0)}).status_code == 402
    assert set(forms.http.get(PATH).json()) == {"detail", "status_code", "type"}
    assert "slug" in forms.http.get("/v1/segments").json()
