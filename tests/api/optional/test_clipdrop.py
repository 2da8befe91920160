"""Programs that call Clipdrop's background removal get the expected responses."""

from __future__ import annotations

import httpx
import pytest

from tests.api.optional.conftest import Replay, chunked, corner, form, opened
from tests.kit.images import good, padded
from tests.kit.server import Running

PATH = "/remove-background/v1"
PHOTO, SIZE = good("jpeg"), (160, 120)


def send(
    running: Running, photo: bytes = PHOTO, headers: dict[str, str] | None = None, **fields: str
) -> httpx.Response:
    headers = {"x-api-key": running.new_key(), **(headers or {})}
    return running.http.post(PATH, files={"image_file": ("photo.jpg", photo)}, data=fields, headers=headers)


@pytest.mark.slow
def test_axios_with_a_form_that_is_streamed(forms: Running, replay: Replay) -> None:
    boundary = "--------------------------017265483920174658392017"
    part = 'Content-Disposition: form-data; name="image_file"; filename="1718"\nContent-Type: application/octet-stream'
    head = f"""
POST /remove-background/v1 HTTP/1.1
Accept: application/json, text/plain, */*
Content-Type: multipart/form-data; boundary={boundary}
x-api-key: {forms.new_key()}
User-Agent: axios/1.7.9
Accept-Encoding: gzip, compress, deflate, br
Host: {{host}}
Connection: keep-alive
Transfer-Encoding: chunked"""
    assert opened(replay(head, chunked(form(boundary, (part, PHOTO))))).size == SIZE


def test_requests_with_the_fields_of_the_python_client(forms: Running, replay: Replay) -> None:
    """The request as pyclipdrop 1.0.1 writes it."""
    boundary = "b8e7d6c5a4f3e2d1c0b9a8f7e6d5c4b3"
    text = ('Content-Disposition: form-data; name="transparency_handling"', "discard_alpha_layer")
    part = 'Content-Disposition: form-data; name="image_file"; filename="input.jpg"\nContent-Type: image/jpg'
    head = f"""
POST /remove-background/v1 HTTP/1.1
Host: {{host}}
User-Agent: python-requests/2.32.3
Accept-Encoding: gzip, deflate
Accept: image/webp
Connection: keep-alive
x-api-key: {forms.new_key()}
Content-Length: {{length}}
Content-Type: multipart/form-data; boundary={boundary}"""
    assert opened(replay(head, form(boundary, text, (part, PHOTO))), "WEBP").size == SIZE


@pytest.mark.slow
@pytest.mark.parametrize(
    ("accept", "kind"),
    [("image/png", "PNG"), ("image/jpg", "JPEG"), ("text/html", "PNG")],
)
def test_accept_decides_the_kind_of_file(forms: Running, accept: str, kind: str) -> None:
    picture = opened(send(forms, headers={"accept": accept}), kind)
    assert picture.size == SIZE
    assert corner(picture) == (255, 255, 255) if kind == "JPEG" else corner(picture)[3] == 0


def test_credits_are_counted_in_the_headers(forms: Running) -> None:
    key = forms.new_key(1)
    answer = send(forms, headers={"x-api-key": key})
    assert (answer.headers["x-remaining-credits"], answer.headers["x-credits-consumed"]) == ("0", "1")
    answer = send(forms, headers={"x-api-key": key})
    assert answer.status_code == 402
    assert set(answer.json()) == {"error"}


def test_failures_come_in_the_forms_own_body(forms: Running) -> None:
    assert forms.http.post(PATH, files={"image_file": PHOTO}).status_code == 401
    assert send(forms, headers={"x-api-key": "wrong"}).status_code == 403
    answer = send(forms, transparency_handling="keep")
    assert answer.status_code == 400
    assert "transparency_handling" in answer.json()["error"]
    assert (
        "`image_file`"
        in forms.http.post(PATH, files={"file": PHOTO}, headers={"x-api-key": forms.new_key()}).json()["error"]
    )
    assert send(forms, b"no picture at all").status_code == 400
    assert forms.http.get(PATH).json()["error"]


@pytest.mark.slow
def test_the_services_limits_hold_where_they_are_lower(elsewhere: Running) -> None:
    host = "http://{}:{}".format(*elsewhere.address)
    for photo, said in ((padded(PHOTO, 60_000), "50,000"), (good("jpeg", 300, 200), "60,000")):
        answer = elsewhere.http.post(
            host + PATH, files={"image_file": photo}, headers={"x-api-key": elsewhere.new_key()}
        )
        assert answer.status_code == 400
        assert said in answer.json()["error"]
