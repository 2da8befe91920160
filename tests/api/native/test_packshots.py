"""The responses of POST /v1/packshots: the picture or JSON, for every option and every kind of file."""

from __future__ import annotations

import io
import json
import re
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from PIL import Image

from packshot.core.codecs import BY_SUFFIX, FORMATS, WRITTEN
from packshot.core.options import Options
from packshot.engine.calls import remove
from packshot.engine.presets import find_preset
from tests.contract.envelope import failure
from tests.kit import files
from tests.kit.images import as_png, as_webp, good, photo
from tests.kit.native import ABOUT, CHECKS, JSON, PACKSHOTS, described, problem, send
from tests.kit.server import Running

WIDTH, HEIGHT = 160, 120

ORDERS: list[dict[str, object]] = [
    {},
    {"form": "mask"},
    {"background": "#f4f4f4", "quality": 80},
    {"crop": True, "margin": "10% 4px", "format": "webp"},
    {"canvas": "300x200", "fill": "80%", "position": "bottom", "max_upscale": 1.5, "background": "white"},
    {"preset": "square", "format": "jpeg", "shadow": "soft"},
    {"background_picture": good("jpeg", 64, 64), "roi": "5% 5% 95% 95%"},
    {"touch_up": as_png(np.full((45, 60), 128, np.uint8)), "background": "blur"},
]


def texts(order: dict[str, object]) -> dict[str, str]:
    return {name: str(value) for name, value in order.items() if not isinstance(value, bytes)}


def parts(order: dict[str, object]) -> dict[str, bytes]:
    return {name: value for name, value in order.items() if isinstance(value, bytes)}


@pytest.mark.slow
@pytest.mark.parametrize("order", ORDERS, ids=lambda order: "+".join(order) or "nothing")
def test_what_the_library_makes_the_service_makes_byte_for_byte(running: Running, order: dict[str, object]) -> None:
    data = good("jpeg", WIDTH, HEIGHT)
    made = remove(data, Options.from_fields(order), network=running.service.network)
    as_fields = send(running, data, files=parts(order), **texts(order))
    plain = {name: value for name, value in order.items() if not isinstance(value, bytes)}
    as_json = send(running, data, files={"options": json.dumps(plain).encode(), **parts(order)})
    assert as_fields.headers["content-type"] == as_json.headers["content-type"] == made.media_type
    assert as_fields.content == as_json.content == made.data
    assert as_fields.headers["x-packshot-box"] == ",".join(map(str, made.box))
    assert as_fields.headers["x-packshot-product"] == ",".join(map(str, made.product))
    assert as_fields.headers["x-packshot-notes"] == str(len(made.notes))


class TestThePicture:
    def test_its_headers(self, running: Running) -> None:
        headers = send(running, preset="square").headers
        assert headers["content-disposition"] == 'inline; filename="packshot.jpg"'
        assert headers["cache-control"] == "no-store"
        assert headers["vary"] == "Accept"
        assert headers["x-packshot-preset"] in {"passed", "failed"}
        assert headers["x-packshot-review"] in {"true", "false"}
        assert 0 <= float(headers["x-packshot-confidence"]) <= 1
        steps = re.findall(r"(\w+);dur=[\d.]+", headers["server-timing"])
        assert {"wait", "decode", "matte", "render", "encode"} <= set(steps)

    def test_without_a_preset_nothing_is_said_of_one(self, running: Running) -> None:
        assert "x-packshot-preset" not in send(running).headers

    @pytest.mark.slow
    @pytest.mark.parametrize("accept", ["*/*", "image/*", "image/png", "application/json;q=0.5, image/png", ""])
    def test_it_is_the_answer_to_whoever_takes_pictures(self, running: Running, accept: str) -> None:
        assert send(running, accept=accept).headers["content-type"] == "image/png"

    def test_what_an_html_form_leaves_empty_counts_as_not_said(self, running: Running) -> None:
        begin = "--b\r\nContent-Disposition: form-data; name="
        empty = [f'{begin}"{name}"\r\n\r\n\r\n' for name in ("background", "quality", "preset")]
        unfilled = f'{begin}"touch_up"; filename=""\r\nContent-Type: application/octet-stream\r\n\r\n\r\n'
        photo_part = f'{begin}"image"; filename="a.jpg"\r\n\r\n'.encode() + good("jpeg")
        headers = {"x-api-key": running.new_key(), "content-type": "multipart/form-data; boundary=b"}
        body = "".join([*empty, unfilled]).encode() + photo_part + b"\r\n--b--\r\n"
        assert running.http.post(PACKSHOTS, content=body, headers=headers).content == send(running).content


class TestJson:
    def test_it_says_all_that_is_known_and_leads_to_the_picture(self, running: Running) -> None:
        body = described(send(running, good("jpeg", WIDTH, HEIGHT), accept=JSON, preset="square"))
        picture = running.http.get(body["url"])
        assert len(picture.content) == body["bytes"]
        assert picture.headers["content-type"] == body["media_type"] == "image/jpeg"
        assert Image.open(io.BytesIO(picture.content)).size == (body["width"], body["height"])
        assert body["photo"] == {"width": WIDTH, "height": HEIGHT}
        lives = datetime.fromisoformat(body["expires_at"]) - datetime.now(UTC)
        assert timedelta(hours=23) < lives <= timedelta(hours=24)
        preset = body["preset"]
        required = [check for check in preset["checks"] if check["required"]]
        assert preset["passed"] == all(check["passed"] for check in required)
        assert {"rule", "passed", "measured", "asked", "message", "required", "facts"} == required[0].keys()
        assert body["timings_ms"]["matte"] > 0

    def test_what_cannot_be_done_as_asked_is_said(self, running: Running) -> None:
        body = described(send(running, accept=JSON, canvas="2000x2000", fill="85%", background="white"))
        facts = dict(zip(body["notes"], body["note_facts"], strict=True))
        (told,) = (each for note, each in facts.items() if "enlarging" in note)
        assert (told["code"], told["what"], told["frame"], told["most"]) == (
            "enlarged-less",
            "product",
            [2000, 2000],
            1,
        )
        assert body["preset"] is None

    @pytest.mark.slow
    @pytest.mark.parametrize("name", WRITTEN)
    def test_every_format_can_be_kept_and_fetched(self, running: Running, name: str) -> None:
        body = described(send(running, accept=JSON, format=name))
        picture = running.http.get(body["url"])
        assert picture.headers["content-type"] == body["media_type"] == WRITTEN[name].media_type
        assert picture.headers["content-disposition"] == f'inline; filename="packshot{WRITTEN[name].suffix}"'
        assert Image.open(io.BytesIO(picture.content)).format == name.upper()

    @pytest.mark.slow
    @pytest.mark.parametrize("name", WRITTEN)
    def test_every_format_can_be_the_answer_itself(self, running: Running, name: str) -> None:
        row = WRITTEN[name]
        for form in ("cutout", "mask", "flattened") if row.alpha else ("mask", "flattened"):
            answer = send(running, accept=row.media_type, format=name, form=form)
            assert answer.headers["content-type"] == row.media_type
            assert Image.open(io.BytesIO(answer.content)).format == name.upper()

    @pytest.mark.slow
    @pytest.mark.parametrize("accept", [JSON, "application/json, */*", "image/png;q=0.2, application/*"])
    def test_it_is_the_answer_to_whoever_likes_it_better(self, running: Running, accept: str) -> None:
        described(send(running, accept=accept))


class TestKeys:
    @pytest.mark.slow
    @pytest.mark.parametrize("header", ["X-Api-Key", "x-api-market-key", "x-rapidapi-key", "ailabapi-api-key"])
    def test_a_key_is_read_from_any_of_its_headers(self, running: Running, header: str) -> None:
        answer = running.http.post(PACKSHOTS, files={"image": good("png")}, headers={header: running.new_key()})
        assert answer.status_code == 200

    @pytest.mark.slow
    def test_a_packshot_costs_a_credit_and_a_check_none(self, running: Running) -> None:
        key = running.new_key(1)
        assert send(running, key=key).status_code == 200
        assert running.credits_of(key) == 0
        assert send(running, key=key, path=CHECKS, preset="square").status_code == 200

    def test_no_other_site_may_call_it_from_a_browser(self, running: Running) -> None:
        answer = send(running, headers={"origin": "https://elsewhere.example"})
        assert not [name for name in answer.headers if name.startswith("access-control")]


class TestIdempotency:
    def test_either_answer_is_given_again_and_paid_for_once(self, running: Running) -> None:
        key, named = running.new_key(5), {"idempotency-key": "order 7"}
        order = {"preset": "amazon"}
        first = described(send(running, key=key, accept=JSON, headers=named, **order))
        again = described(send(running, key=key, accept=JSON, headers=named, **order))
        picture = send(running, key=key, headers=named, **order)
        assert {**again, "request_id": ""} == {**first, "request_id": ""}
        assert picture.content == running.http.get(first["url"]).content
        assert picture.headers["x-packshot-preset"] == "failed"
        assert running.credits_of(key) == 4

    def test_a_picture_comes_first_too(self, running: Running) -> None:
        key, named = running.new_key(5), {"idempotency-key": "order 8"}
        first = send(running, key=key, headers=named)
        assert send(running, key=key, headers=named).content == first.content
        assert (
            running.http.get(described(send(running, key=key, accept=JSON, headers=named))["url"]).content
            == first.content
        )
        assert running.credits_of(key) == 4

    def test_what_failed_can_be_tried_again(self, running: Running) -> None:
        named = {"idempotency-key": "order 9"}
        key = running.new_key(5)
        problem(send(running, good("jpeg")[:-500], key=key, headers=named), 400, "unreadable-image")
        assert send(running, key=key, headers=named).status_code == 200


def _png(colour_type: int, bit_depth: int) -> bytes:
    pixels = photo(64, 48)
    channels = files.PNG_CHANNELS[colour_type]
    samples = np.repeat(pixels.mean(axis=2, keepdims=True), channels, axis=2) if channels < 3 else pixels.astype(float)
    samples = (samples * ((1 << bit_depth) - 1) / 255).astype(np.uint16)
    palette = files.png_chunk(b"PLTE", bytes(np.repeat(np.arange(1 << bit_depth), 3).astype(np.uint8)))
    return files.raw_png(samples, colour_type, bit_depth, palette if colour_type == 3 else b"")


def _file(kind: str, **options: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(photo(64, 48)).save(out, kind, **options)
    return out.getvalue()


REFUSED_BY_THE_CONTRACT = {
    "gray": _png(0, 8),
    "gray of 16 bits": _png(0, 16),
    "palette": _png(3, 8),
    "webp": as_webp(photo(64, 48)),
    "tiff": _file("TIFF"),
    "avif": _file("AVIF", speed=10),
    "gif": _file("GIF"),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", REFUSED_BY_THE_CONTRACT)
def test_what_the_contract_refuses_is_welcome_here(running: Running, kind: str) -> None:
    data = REFUSED_BY_THE_CONTRACT[kind]
    code = "ERROR_UNSUPPORTED_GRAYSCALE_IMAGE" if "gray" in kind else "UNSUPPORTED_FILE_TYPES"
    failure(running.send(data), 415, code)
    assert described(send(running, data, accept=JSON))["photo"] == {"width": 64, "height": 48}


def test_a_name_and_a_declared_type_mean_nothing(running: Running) -> None:
    files = {"image": ("photo.heic", good("png"), "text/html")}
    answer = running.http.post(PACKSHOTS, files=files, headers={"x-api-key": running.new_key()})
    assert answer.headers["content-type"] == "image/png"


def test_a_picture_larger_than_the_contract_lets_in(running: Running) -> None:
    data = good("jpeg", 2000, 200)
    failure(running.send(data), 422, "FILE_RESOLUTION_EXCEEDS_LIMITS")
    assert described(send(running, data, accept=JSON, crop="true"))["photo"]["width"] == 2000


class TestChecks:
    def test_a_packshot_of_ours_is_judged_as_when_it_was_made(self, running: Running) -> None:
        made = described(send(running, good("jpeg", 480, 360), accept=JSON, preset="square"))
        picture = running.http.get(made["url"]).content
        answer = send(running, picture, path=CHECKS, preset="square").json()
        assert answer["preset"]["passed"] == made["preset"]["passed"] is True
        assert answer["preset"]["name"] == "square"

    def test_a_picture_made_elsewhere_is_told_what_is_wrong(self, running: Running) -> None:
        report = send(running, good("jpeg"), path=CHECKS, preset="amazon").json()["preset"]
        failed = {check["rule"]: check["message"] for check in report["checks"] if not check["passed"]}
        assert not report["passed"]
        assert "160" in failed["longest-side"]


class TestAbout:
    def test_it_says_what_can_be_asked_without_a_key(self, running: Running) -> None:
        about = running.http.get(ABOUT).json()
        assert about["inputs"]["max_bytes"] == 50 * 1024 * 1024
        assert {"jpeg", "png", "bmp", "webp", "tiff", "avif", "gif"} <= set(about["inputs"]["formats"])
        assert about["model"] == running.service.network.card.name
        options = {option["name"]: option for option in about["options"]}
        assert options["format"]["choices"] == [each["name"] for each in about["formats"] if each["written"]]
        assert [each["name"] for each in about["formats"]] == list(FORMATS)
        assert [suffix for each in about["formats"] for suffix in each["suffixes"]] == list(BY_SUFFIX)
        assert set(options["preset"]["choices"]) == {preset["name"] for preset in about["presets"]}

    def test_every_example_that_it_shows_is_taken(self, running: Running) -> None:
        for option in running.http.get(ABOUT).json()["options"]:
            for example in option["examples"]:
                assert Options.from_fields({option["name"]: example}).given()

    def test_every_preset_has_rules_and_says_where_they_come_from(self, running: Running) -> None:
        for preset in running.http.get(ABOUT).json()["presets"]:
            assert preset["rules"], preset["name"]
            assert preset["source"].startswith("https://") or preset["source"] == ""
            assert datetime.fromisoformat(preset["checked"])
            assert tuple(preset["hints"]) == find_preset(preset["name"]).hints
