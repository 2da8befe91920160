"""Every error of the form uses the form's own field names, never those of the native API."""

from __future__ import annotations

import base64
import re
import socket
from collections.abc import Callable, Iterator, Mapping

import httpx
import pytest
from starlette.requests import Request

from packshot import errors
from packshot.api.removebg.fields import FIELDS, RENAMED
from packshot.api.removebg.routes import ERRORS, TABLE
from packshot.core.options import OPTIONS, Options
from packshot.core.picture import Float32
from packshot.core.recipe import make_recipe
from packshot.engine.job import make_job
from tests.kit.images import flat_png, good
from tests.kit.server import Running, gated, received, serving

PATH = "/v1.0/removebg"
NATIVE = ("image", *(name for name in OPTIONS if name not in FIELDS))
# A native name: in backquotes, as the subject of a sentence, or, if it is not an English word, anywhere.
SAID = re.compile(
    "|".join(rf"`{name}`|(?:^|but |: |\. ){name} (?:is|cannot|leaves|takes|has)\b" for name in NATIVE)
    + "".join(rf"|\b{name}\b" for name in NATIVE if "_" in name)
)
# The form has no idempotency keys, keeps no results, and names the field in the code.
CANNOT_COME = {"conflict", "gone", "storage_failed", "invalid_parameter"}
# A value that each field rejects. The files and URLs are below.
REFUSED = {
    "size": "vast", "format": "gif", "channels": "rgb", "type_level": "3", "roi": "1 2 3", "crop": "perhaps",
    "crop_margin": "51%", "scale": "9%", "position": "top", "add_shadow": "2", "shadow_type": "long",
    "shadow_opacity": "101", "semitransparency": "maybe", "bg_color": "no such colour",
}  # fmt: skip


def said(answer: httpx.Response) -> tuple[int, str, str]:
    """The status, the code and the message of an error."""
    (found,) = answer.json()["errors"]
    return answer.status_code, found["code"], f"{found['title']} {found.get('detail', '')}"


def provoked(running: Running, strict: Running) -> Iterator[tuple[int, str, str]]:
    """The service's responses to every possible error."""
    key, file = {"X-Api-Key": running.new_key()}, {"image_file": good("jpeg")}

    def send(headers: Mapping[str, str] = key, **request: object) -> tuple[int, str, str]:
        return said(running.http.post(PATH, headers={**key, **headers}, **request))  # type: ignore[arg-type]

    for name, value in REFUSED.items():
        yield send(files=file, data={name: value})
        yield send(json={"image_file_b64": "QQ==", name: [value]})
    yield send(json={"image_file_b64": "QQ==", "type": {}})
    yield send(data={"image_url": "http://"})
    yield send(files=file, data={"bg_image_url": "http://"})
    yield send(files=file, data={"bg_image_file": "text", "bg_color": ""})
    yield send(files={**file, "bg_image_file": b"no picture"})
    yield send(files={**file, "bg_image_file": good("jpeg")[:300]})
    yield send(files={**file, "bg_image_file": good("jpeg")}, data={"bg_color": "red"})
    yield send(files=file, data={"image_file_b64": "QQ=="})
    yield send(files=file, data={"roi": "0px 0px 5px 5px"})
    yield send(files=file, data={"roi": "5% 5% 5% 5%"})
    yield send(files=file, data={"roi": "0% 0% 101% 100%"})
    for source in ({}, {"image_file": ("a.jpg", b"")}, {"image_file": ("", b"")}, {"image": good("jpeg")}):
        yield send(files={"size": (None, "full"), **source})
    yield send(data={"image_file": "text"})
    yield send(data={"image_file_b64": "%%%"})
    yield send(data={"image_file_b64": "data:,"})
    for data in (b"GIF is a word", good("jpeg")[:200], flat_png(20, 64), flat_png(64, 64), b""):
        yield send(files={"image_file": ("a", data)})
        yield send(data={"image_file_b64": base64.b64encode(data).decode()})
    large = {"image_file": flat_png(200, 200)}
    yield said(strict.http.post(PATH, files=large, headers=_key(strict)))
    yield said(strict.http.post(PATH, files={**file, "bg_image_file": large["image_file"]}, headers=_key(strict)))
    yield said(strict.http.post(PATH, files={"image_file": bytes(40_000)}, headers=_key(strict)))
    yield said(strict.http.post(PATH, content=bytes(900_000), headers=_key(strict) | FORM))
    yield said(strict.http.post(PATH, data={"image_url": "http://127.0.0.1:1/a.jpg"}, headers=_key(strict)))
    behind = {"bg_image_url": "http://127.0.0.1:1/a.jpg"}
    yield said(strict.http.post(PATH, files={"image_file": good("jpeg", 64, 64)}, data=behind, headers=_key(strict)))
    for kind, body in ((FORM, b""), (FORM, b"--x\r\n\r\n"), ({"Content-Type": "text/plain"}, b"a"), (JSON, b"[1]"),
                       (JSON, b"{"), ({"Content-Type": "multipart/form-data"}, b"a")):  # fmt: skip
        yield send(headers=kind, content=body)
    yield send(headers=FORM | {"Content-Encoding": "gzip"}, content=b"a")
    yield send(headers={"X-Api-Key": ""}, files=file)
    yield send(headers={"X-Api-Key": "pk_wrong"}, files=file)
    yield send(headers={"X-Api-Key": running.new_key(0)}, files=file)
    yield said(running.http.get(PATH))
    yield said(running.http.get("/v1.0/improve"))
    yield said(running.http.get("/v1.0/account", headers=dict.fromkeys(map("x-{}".format, range(201)), "1")))
    yield from _capacity(strict)


FORM = {"Content-Type": "multipart/form-data; boundary=x"}
JSON = {"Content-Type": "application/json"}


def _key(running: Running, *, rate: str | None = None) -> dict[str, str]:
    return {"X-Api-Key": running.service.accounts.create("test", rate=rate).key}


def _capacity(strict: Running) -> Iterator[tuple[int, str, str]]:
    """A full queue, a deadline, a body that stops, a used-up rate, and an internal error."""

    def send() -> httpx.Response:
        return strict.http.post(PATH, files={"image_file": good("png", 64, 64)}, headers=_key(strict))

    with gated(strict) as gate:
        first = strict.threads.submit(send)
        gate.wait_for_arrival()
        yield said(send())
        yield said(first.result())
    with socket.create_connection(strict.address) as slow:
        lines = [f"POST {PATH} HTTP/1.1", "Host: a", f"X-Api-Key: {_key(strict)['X-Api-Key']}", "Content-Length: 99"]
        slow.sendall("\r\n".join([*lines, f"Content-Type: {FORM['Content-Type']}", "", "--x"]).encode())
        yield said(received(slow))
    slow_key = _key(strict, rate="1/hour")
    strict.http.get("/v1.0/account", headers=slow_key)
    yield said(strict.http.get("/v1.0/account", headers=slow_key))
    with pytest.MonkeyPatch.context() as patch:

        def broken(rgb: Float32) -> Float32:
            raise ZeroDivisionError("max_px is in `image`")

        patch.setattr(strict.service.network, "predict", broken)
        yield said(send())


@pytest.fixture(scope="module")
def answers(running: Running, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[int, str, str]]:
    state = tmp_path_factory.mktemp("strict")
    limits = {"v1_max_file_bytes": 30_000, "v1_max_pixels": 20_000}
    limits |= {"url_input": "http", "url_input_networks": "127.0.0.1/32"}  # no server listens there
    with serving(state, workers=1, queue_limit=0, deadline_s=1, body_deadline_s=1, **limits) as strict:
        return list(provoked(running, strict))


@pytest.mark.slow
def test_every_error_is_provoked(answers: list[tuple[int, str, str]]) -> None:
    found = {(status, code) for status, code, _ in answers}
    texts = set(FIELDS) - {"image_file", "image_file_b64"}
    expected = {(row.status, row.code) for row in TABLE.values() if row.code not in CANNOT_COME}
    expected |= {(400, f"invalid_{name}") for name in texts}
    expected |= {(400, f"{what}_sources") for what in ("multiple", "multiple_bg")}
    expected |= {(400, "roi_region_empty"), (400, "roi_exceeds_bounds"), (400, "failed_bg_download")}
    assert found == expected


def test_no_native_name_is_in_any(answers: list[tuple[int, str, str]]) -> None:
    assert [words for *_, words in answers if SAID.search(words)] == []
    for _, code, words in answers:
        if code.startswith("invalid_") and code.removeprefix("invalid_") in FIELDS:
            assert words.startswith(code.removeprefix("invalid_")), words


def test_each_says_what_to_do(answers: list[tuple[int, str, str]]) -> None:
    assert all(re.search(r"\. \S", words) for *_, words in answers)


def test_the_search_finds_native_names() -> None:
    for words in ("max_px is 3.", "Send it in `image`.", "background cannot be read.", "margin is 9%, but"):
        assert SAID.search(words)
    assert not SAID.search("Nothing in this picture differs from its background.")


def engine_errors() -> dict[str, errors.InvalidOption]:
    """Errors from options, recipes and jobs about the options that the form names differently."""
    causes: dict[str, Callable[[], object]] = {
        "background": lambda: Options(background="no such colour"),
        "background_picture": lambda: make_job(
            good("png"), make_recipe(Options(background_picture=b"no picture", form="flattened"))
        ),
        "margin": lambda: Options(margin="1 2 3"),
        "fill": lambda: Options(fill="900%"),
        "shadow": lambda: make_recipe(Options(shadow="soft", form="mask")),
        "max_px": lambda: Options(max_px=1),
    }
    found = {}
    for name, cause in causes.items():
        with pytest.raises(errors.InvalidOption) as caught:
            cause()
        assert caught.value.fields["field"] == name
        found[name] = caught.value
    return found


ENGINE = engine_errors()


def test_every_renamed_option_has_an_error() -> None:
    assert set(ENGINE) == set(RENAMED)
    assert {own.name for own in RENAMED.values()} <= set(FIELDS)


@pytest.mark.parametrize("option", sorted(RENAMED))
def test_an_error_of_the_engine_is_told_in_the_forms_words(option: str) -> None:
    request = Request({"type": "http", "method": "POST", "path": PATH, "headers": [], "request_id": "A"})
    response = ERRORS.answer(request, ENGINE[option])
    status, code, words = said(httpx.Response(response.status_code, content=bytes(response.body)))
    assert (status, code) == (400, f"invalid_{RENAMED[option].name}")
    assert words.startswith(RENAMED[option].name)
    assert not SAID.search(words)
