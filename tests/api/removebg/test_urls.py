"""image_url and bg_image_url over a real socket, with URL input turned on."""

from __future__ import annotations

import base64
import io
import json
import logging
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from packshot.service import url_target
from tests.api.test_logs import logs
from tests.kit.images import flat_png, good, padded
from tests.kit.origins import Ears, names
from tests.kit.scripted import Handler, answers, scripted, silent
from tests.kit.server import Running, serving, wait_until

PATH = "/v1.0/removebg"
PHOTO = good("jpeg")
# Spellings of addresses of this machine and of other non-public ones; {} is a port with a listener.
INSIDE = re.findall(
    r"\S+",
    r"""
127.0.0.1 127.0.0.2 127.1 127.0.1 2130706433 0x7f000001 0x7f.1 0x7F.0x0.0x0.0x1 0177.0.0.1 0177.1 017700000001 0 0x0
127.000.000.001 00127.0.0.1 0.0.0.0 localhost LOCALHOST localhost. 127.0.0.1. 127.0.0.1\ [127.0.0.1] .
127。0。0。1 １２７.0.0.1 ⓛⓞⓒⓐⓛⓗⓞⓢⓣ %31%32%37.0.0.1 127.0.0.1%00.example.com 127.0.0.1%2f 127..1 -127.0.0.1 _ [] [:]
[::1] [::] [0:0:0:0:0:0:0:1] [0000:0000:0000:0000:0000:0000:0000:0001] [::ffff:127.0.0.1] [::ffff:7f00:1] [::127.0.0.1]
[::ffff:0:127.0.0.1] [64:ff9b::127.0.0.1] [64:ff9b:1::7f00:1] [2002:7f00:1::] [2001:0:7f00:1::] [fe80::5efe:127.0.0.1]
[::1%25lo] [::1%lo] [fe80::1%25lo] [fe80::1] [fc00::1] [fd00::1] [fec0::1] [ff02::1] [100::1] [2001:db8::1] [3fff::1]
10.0.0.1 172.16.0.1 172.31.255.254 192.168.0.1 169.254.169.254 100.64.0.1 192.0.0.1 192.0.2.1 198.18.0.1 198.51.100.1
203.0.113.1 224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255 user@127.0.0.1 user:pass@127.0.0.1 @127.0.0.1
example.com@127.0.0.1 127.0.0.1\@example.com example.com\@127.0.0.1 example.com:80@127.0.0.1
inside.example either.example mapped.example zoned.example nowhere.example
""",
)
OTHERS = (
    "//127.0.0.1:{0}/",
    "http:127.0.0.1:{0}",
    "http:/127.0.0.1:{0}/",
    "http:///127.0.0.1:{0}/",
    "http:\\\\127.0.0.1:{0}\\",
    "http://127.0.0.1:{0}\\@example.com/",
    "http://127.0.0.1\t:{0}/",
    "http://127.0.0.1:{0}/a b",
    "http://127.0.0.1:{0}/\r\nHost: example.com",
    "http://127.0.0.1\x00.example.com:{0}/",
    "http://127.0.0.1:+{0}/",
    "http://127.0.0.1:0{0}/",
    "http://127.0.0.1:/",
    "http://127.0.0.1:0/",
    "http://127.0.0.1:99999/",
    "http://[::1:{0}/",
    "http://127.0.0.1#@example.com:{0}/",
    "https://127.0.0.1:{0}/",
    "httpx://127.0.0.1:{0}/",
    "gopher://127.0.0.1:{0}/",
    "ftp://127.0.0.1:{0}/",
    "file:///etc/passwd",
    "file://127.0.0.1:{0}/etc/passwd",
    "javascript:alert(1)",
    "data:image/png;base64,AAAA",
    "127.0.0.1:{0}",
    "photo.jpg",
)
HOSTILE = [f"http://{host}{port}/a.png" for host in INSIDE for port in ("", ":{0}")] + list(OTHERS)
NAMES = {
    "inside.example": [["127.0.0.1"]],
    "either.example": [["93.184.215.14", "127.0.0.1"]],
    "mapped.example": [["::ffff:127.0.0.1"]],
    "zoned.example": [["fe80::1%lo"]],
    "nowhere.example": [[]],
}


def error(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["errors"][0]["code"]


def ask(running: Running, *, key: str | None = None, **fields: object) -> httpx.Response:
    return running.http.post(PATH, json=fields, headers={"X-Api-Key": key or running.new_key()})


@pytest.fixture(scope="module")
def opening(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service that opens URLs of this machine."""
    settings = {"url_input": "http", "url_input_networks": ("127.0.0.1/32",), "workers": 1}
    with serving(tmp_path_factory.mktemp("state"), **settings) as running:
        yield running


def fetches(running: Running) -> dict[str, float]:
    found = (sample for metric in running.service.telemetry.metrics.registry.collect() for sample in metric.samples)
    return {each.labels["outcome"]: each.value for each in found if each.name == "packshot_url_fetches_total"}


@pytest.fixture(scope="module")
def ears() -> Iterator[Ears]:
    ears = Ears()
    yield ears
    ears.close()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, ears: Ears) -> Iterator[Running]:
    """A service that opens every public address. The ears use http's usual port, so only the address decides."""
    with (
        pytest.MonkeyPatch.context() as patch,
        names(NAMES),
        serving(tmp_path_factory.mktemp("state"), url_input="http") as running,
    ):
        patch.setitem(url_target.PORTS, "http", ears.port)
        yield running


@pytest.fixture(scope="module")
def key(guarded: Running) -> str:
    return guarded.new_key()


class TestPictures:
    @pytest.mark.slow
    def test_a_url_gives_what_its_file_gives(self, opening: Running) -> None:
        headers = {"X-Api-Key": opening.new_key()}
        with scripted(*[answers(200, PHOTO)] * 3) as origin:
            url = f"{origin.url}/photo.jpg"
            found = [
                opening.http.post(PATH, files={"image_file": PHOTO}, data={"size": "full"}, headers=headers),
                opening.http.post(PATH, files={"image_url": (None, url), "size": (None, "full")}, headers=headers),
                opening.http.post(PATH, data={"image_url": url, "size": "full"}, headers=headers),
                opening.http.post(PATH, json={"image_url": url, "size": "full"}, headers=headers),
            ]
        assert {answer.status_code for answer in found} == {200}
        assert len({answer.content for answer in found}) == 1

    def test_so_does_one_of_a_picture_behind(self, opening: Running) -> None:
        key = opening.new_key(1)
        with scripted(answers(200, PHOTO), answers(200, flat_png(50, 50, 200))) as origin:
            answer = ask(opening, key=key, image_url=f"{origin.url}/1", bg_image_url=f"{origin.url}/2")
            assert [asked.path for asked in origin.asked] == ["/1", "/2"]
        assert answer.status_code == 200
        picture = np.asarray(Image.open(io.BytesIO(answer.content)))
        assert picture[0, 0] == pytest.approx([200, 200, 200], abs=1)
        assert opening.credits_of(key) == 0


class TestRefusals:
    @pytest.mark.parametrize(
        ("script", "code"),
        [
            (answers(404), "failed_download"),
            (answers(200, b"<html><body>Log in</body></html>"), "invalid_file_type"),
            (answers(200, b"", Content_Length=10**9), "file_too_large"),
            (answers(200, PHOTO[:300]), "failed_to_read_image"),
            (answers(302, Location="http://10.0.0.1/"), "invalid_{}"),
        ],
    )
    @pytest.mark.parametrize("field", ["image_url", "bg_image_url"])
    def test_what_fails_costs_nothing_and_names_its_field(
        self, opening: Running, script: object, code: str, field: str
    ) -> None:
        key = opening.new_key(1)
        with scripted(script) as origin:  # type: ignore[arg-type]
            photo = {"image_file_b64": base64.b64encode(PHOTO).decode()} if field[0] == "b" else {}
            answer = ask(opening, key=key, **{field: origin.url, **photo})
        if field == "image_url" or code != "failed_to_read_image":  # the same error as for a damaged file
            download = {"image_url": "failed_image_download", "bg_image_url": "failed_bg_download"}
            assert error(answer) == (400, download[field] if code == "failed_download" else code.format(field))
        if code != "failed_to_read_image":
            assert field in answer.json()["errors"][0]["title"]
        assert opening.credits_of(key) == 1

    def test_other_fields_and_credits_are_looked_at_first(self, opening: Running) -> None:
        with scripted() as origin:
            assert error(ask(opening, image_url=origin.url, size="vast")) == (400, "invalid_size")
            assert error(ask(opening, image_url=origin.url, key=opening.new_key(0))) == (402, "insufficient_credits")
            assert not origin.asked

    def test_nothing_of_the_url_is_logged_but_its_host(self, opening: Running) -> None:
        for name in ("httpx", "httpcore"):  # the test's own client; the command line silences it too
            logging.getLogger(name).setLevel(logging.WARNING)
        with logs() as (text, _), scripted(answers(404), answers(302, Location="/moved?secret=b")) as origin:
            origin.script.append(answers(500))
            for path in ("/hidden-path?token=hidden-query", "/again"):
                ask(opening, image_url=origin.url + path)
        lines = text.getvalue()
        assert "127.0.0.1 is not used: url-failed" in lines
        assert not [word for word in ("hidden", "moved", "secret=b") if word in lines]


class TestHostile:
    def test_the_ears_hear(self, ears: Ears) -> None:
        for host in ("127.0.0.1", "127.0.0.2", *(["::1"] if socket.has_ipv6 else [])):
            before = ears.heard
            socket.create_connection((host, ears.port)).close()
            wait_until(lambda: ears.heard > before)  # noqa: B023 - called at once

    @pytest.mark.slow
    @pytest.mark.parametrize("url", HOSTILE)
    def test_no_connection_is_made(self, guarded: Running, ears: Ears, key: str, url: str) -> None:
        before, fetched = ears.heard, fetches(guarded)
        answer = ask(guarded, key=key, image_url=url.format(ears.port))
        assert error(answer) == (400, "invalid_image_url")
        assert "image_file" in answer.json()["errors"][0]["detail"]
        assert ears.heard == before
        assert fetches(guarded) == {**fetched, "refused": fetched["refused"] + 1}

    def test_a_url_longer_than_any_text_is_refused_as_one(self, guarded: Running, ears: Ears, key: str) -> None:
        before = ears.heard
        answer = ask(guarded, key=key, image_url=f"http://127.0.0.1:{ears.port}/" + "a" * 5000)
        assert error(answer) == (400, "invalid_image_url")
        assert ears.heard == before

    def test_an_inside_that_answers_is_told_as_one_that_does_not_exist(self, guarded: Running, key: str) -> None:
        hosts = ("127.0.0.1", "10.255.255.1", "inside.example", "either.example", "nowhere.example", "[::1]")
        told = {json.dumps(ask(guarded, key=key, image_url=f"http://{host}/").json()) for host in hosts}
        assert len(told) == 1


class TestBounds:
    def test_a_client_that_leaves_ends_its_fetch(self, opening: Running) -> None:
        before = fetches(opening)["abandoned"]
        with scripted(silent) as origin:
            body = json.dumps({"image_url": origin.url}).encode()
            with socket.create_connection(opening.address) as client:
                head = f"POST {PATH} HTTP/1.1\r\nHost: a\r\nX-Api-Key: {opening.new_key()}\r\n"
                head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
                client.sendall(head.encode() + body)
                wait_until(lambda: origin.asked)
            wait_until(lambda: fetches(opening)["abandoned"] == before + 1)

    @pytest.mark.slow
    def test_what_is_brought_counts_as_an_upload(self, tmp_path: Path) -> None:
        """The budget has room for four pictures of a megabyte. Of five slow ones, the fifth is rejected; then all
        memory is free again.
        """
        size, room = 1_000_000, 3 * 1_000_000 + 1024**2
        photo, rest = padded(PHOTO, size), threading.Event()

        def slowly(asked: Handler) -> None:
            asked.send_response(200)
            asked.send_header("Content-Length", str(size))
            asked.end_headers()
            asked.wfile.write(photo[:-10])
            asked.wfile.flush()
            rest.wait(20)
            asked.wfile.write(photo[-10:])

        settings = {"max_file_bytes": size, "v1_max_file_bytes": size, "upload_memory_bytes": room, "workers": 1}
        settings |= {"url_input": "http", "url_input_networks": ("127.0.0.1/32",)}
        with serving(tmp_path, **settings) as running, scripted(*[slowly] * 4, answers(200, photo)) as origin:
            held = running.service.telemetry.metrics.uploads_bytes
            key = running.new_key()
            waiting = [running.threads.submit(ask, running, key=key, image_url=origin.url) for _ in range(4)]
            wait_until(lambda: held.collect()[0].samples[0].value > 4 * (size - 10))
            answer = ask(running, key=key, image_url=origin.url)
            assert error(answer) == (503, "service_busy")
            assert int(answer.headers["Retry-After"]) >= 1
            rest.set()
            assert [each.result().status_code for each in waiting] == [200] * 4
            wait_until(lambda: held.collect()[0].samples[0].value == 0)
