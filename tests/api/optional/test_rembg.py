"""Programs that call rembg's server get the expected responses: by file or URL, options in form or query."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import numpy as np
import pytest
import requests
from PIL import Image

from tests.api.optional.conftest import Replay, corner, form, opened
from tests.kit.images import good, photo
from tests.kit.server import Running

PATH = "/api/remove"
PHOTO, SIZE = good("jpeg"), (160, 120)


def send(running: Running, query: str = "", photo: bytes = PHOTO, **fields: str) -> httpx.Response:
    return running.http.post(f"{PATH}{query}", files={"file": ("photo.jpg", photo)}, data=fields)


class _Picture(BaseHTTPRequestHandler):
    """Serves the photo to every client."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "image/jpeg")
        self.send_header("Content-Length", str(len(PHOTO)))
        self.end_headers()
        self.wfile.write(PHOTO)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Picture) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/photo.jpg"
        server.shutdown()
        thread.join()


class TestWrittenBy:
    """Requests, byte by byte, as the libraries of public callers sent them."""

    def test_curl_with_the_model_in_the_query(self, replay: Replay) -> None:
        boundary = "------------------------d74496d66958873e"
        part = 'Content-Disposition: form-data; name="file"; filename="input.jpg"\nContent-Type: image/jpeg'
        head = f"""
POST /api/remove?model=birefnet-general HTTP/1.1
Host: {{host}}
User-Agent: curl/8.5.0
Accept: */*
Content-Length: {{length}}
Content-Type: multipart/form-data; boundary={boundary}"""
        assert opened(replay(head, form(boundary, (part, PHOTO)))).size == SIZE

    def test_requests_with_switches_as_python_writes_them(self, replay: Replay) -> None:
        boundary = "2c0a4f9bd7a44d2b8a0e1c7d3f5b6e9a"
        fields = [(f'Content-Disposition: form-data; name="{name}"', text) for name, text in SWITCHES.items()]
        part = 'Content-Disposition: form-data; name="file"; filename="image.png"\nContent-Type: image/png'
        head = f"""
POST /api/remove HTTP/1.1
Host: {{host}}
User-Agent: python-requests/2.32.3
Accept-Encoding: gzip, deflate
Accept: */*
Connection: keep-alive
Content-Length: {{length}}
Content-Type: multipart/form-data; boundary={boundary}"""
        mask = opened(replay(head, form(boundary, *fields, (part, good("png")))))
        assert (mask.mode, mask.size) == ("L", SIZE)

    def test_node_by_url(self, replay: Replay, url: str) -> None:
        head = f"GET /api/remove?url={url} HTTP/1.1\nHost: {{host}}\nConnection: close"
        assert opened(replay(head)).size == SIZE


SWITCHES = {"model": "u2net", "om": "True", "ppm": "True", "a": "true", "af": "240", "ab": "10", "ae": "10"}


def test_a_published_caller_written_as_it_is(forms: Running) -> None:
    """Calls the server and reads its response as napari-rembg 0.0.7 does."""
    buffer = io.BytesIO()
    Image.fromarray(photo(*SIZE)).save(buffer, format="PNG")
    buffer.seek(0)
    answer = requests.post(
        f"{forms.base_url}{PATH}",
        files={"file": ("image.png", buffer, "image/png")},
        data={"model": "u2net", "om": True, "ppm": True},
        params={"extras": '{"sam_prompt": []}'},
        timeout=20,
    )
    assert answer.status_code == 200
    found = np.asarray(Image.open(io.BytesIO(answer.content))) == 255
    assert found.shape == SIZE[::-1]
    assert found[60, 80]
    assert not found[0, 0]


def test_a_colour_goes_behind_whether_opaque_or_not(forms: Running) -> None:
    red = opened(send(forms, "?bgc=255,0,0,255"))
    assert corner(red)[:3] == (255, 0, 0)
    assert red.mode == "RGB" or corner(red)[3] == 255
    assert corner(opened(send(forms, bgc="0,0,255,128"))) == (0, 0, 255, 128)


def test_the_form_says_more_than_the_query_and_unknown_names_say_nothing(forms: Running) -> None:
    assert opened(send(forms, "?om=true&vm=1", om="false", dc="4", extras="no json")).mode == "RGBA"
    assert opened(send(forms, "?om=1&bgc=1,2,3,255", om="")).mode == "L"


@pytest.mark.parametrize("option", [
    "om=perhaps", "a=2", "ppm=x", "af=256", "af=-1", "ab=ten", "ae=-1", "bgc=red", "bgc=1,2", "bgc=1,2,3,256",
    "bgc=1,2,3,4,5", "bgc=-1,2,3,4", "bgc=1.5,2,3,4", "ae=1.5", f"af={'9' * 5000}",
])  # fmt: skip
def test_values_of_a_wrong_kind_are_422_and_named(forms: Running, url: str, option: str) -> None:
    name, _, text = option.partition("=")
    by_file = send(forms, "", **{name: text[:4000]})
    by_url = forms.http.get(PATH, params={"url": url, name: text})
    for answer in (by_file, by_url):
        assert answer.status_code == 422
        assert name in answer.json()["detail"]


def test_what_is_missing_or_no_picture_is_told(forms: Running, url: str) -> None:
    for answer in (forms.http.get(PATH), forms.http.post(PATH, files={"image": ("photo.jpg", PHOTO)})):
        assert answer.status_code == 422, answer.text
    assert "`file`" in forms.http.post(PATH, files={"image": ("photo.jpg", PHOTO)}).json()["detail"]
    assert send(forms, photo=b"no picture at all").status_code == 415
    assert forms.http.get(PATH, params={"url": "http://10.0.0.1/a.png"}).status_code == 400
    assert set(forms.http.get(PATH).json()) == {"detail"}


def test_a_head_does_no_work(forms: Running, url: str) -> None:
    answer = forms.http.head(PATH, params={"url": url})
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == {"GET", "POST"}


def test_programs_that_look_whether_the_server_is_up_are_told_so(forms: Running) -> None:
    answer = forms.http.get("/api", follow_redirects=True)
    assert answer.status_code == 200
    assert PATH in answer.text


def test_an_error_beside_the_path_is_the_contracts(forms: Running) -> None:
    assert "error_code" in forms.http.get("/api/nothing").json()
