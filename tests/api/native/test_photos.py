"""Rendering a photo again: by id or by file, without a new matte, for one credit a day, only with the same key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from packshot.service.photos import ENTRY_BYTES
from tests.kit.images import as_jpeg, as_png, good, photo
from tests.kit.native import ABOUT, JSON, PACKSHOTS, described, problem, send
from tests.kit.server import Clock, Running, gated, serving, wait_until

NOBODY = "0" * 32
DAY_S = 86_400


@pytest.fixture
def data() -> bytes:
    return as_jpeg(photo(120, 90, 5))


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def timed(tmp_path_factory: pytest.TempPathFactory, clock: Clock) -> Iterator[Running]:
    """A service with a clock that tests advance, and results that live for two days."""
    with serving(tmp_path_factory.mktemp("timed"), now=clock, result_ttl_s=2 * DAY_S) as running:
        yield running


class Shop:
    """A key and its calls: each call counts the computed mattes."""

    def __init__(self, running: Running, credit_count: int | None = None) -> None:
        self.running = running
        self.key = running.new_key(credit_count)

    def send(self, photo: bytes | None = None, **options: Any) -> httpx.Response:
        files = {name: value for name, value in options.items() if isinstance(value, bytes)}
        fields = {name: value for name, value in options.items() if name not in files}
        return send(self.running, photo, key=self.key, files=files, **fields)

    def made(self, photo: bytes | None = None, **options: Any) -> tuple[dict[str, Any], bytes]:
        """The response as JSON, and the picture."""
        body = described(self.send(photo, accept=JSON, **options))
        return body, self.running.http.get(body["url"]).content

    @property
    def credits(self) -> int | None:
        return self.running.credits_of(self.key)


def looks(running: Running) -> tuple[float, float]:
    """The numbers of matte look-ups that hit and missed the cache."""
    value = running.service.telemetry.metrics.registry.get_sample_value
    name = "packshot_mattes_looked_up_total"
    return tuple(value(name, {"found": found}) or 0.0 for found in ("hit", "miss"))  # type: ignore[return-value]


def stroke(level: int) -> bytes:
    """A touch-up that marks a corner: 0 for the ground, 255 for the product."""
    return as_png(np.pad(np.full((12, 12), level, np.uint8), ((0, 33), (0, 48)), constant_values=128))


class TestNaming:
    def test_a_photo_that_is_named_gives_what_it_gives_itself(self, running: Running, data: bytes) -> None:
        shop = Shop(running, 1)
        first, picture = shop.made(data)
        hits, misses = looks(running)
        again, same = shop.made(photo_id=first["photo_id"])
        assert same == picture
        assert (first["credits"], again["credits"]) == (1, 0)
        assert again["photo_id"] == first["photo_id"]
        assert looks(running) == (hits + 1, misses)

    @pytest.mark.slow
    @pytest.mark.parametrize(
        "order",
        [
            {"preset": "amazon"},
            {"background": "#f4f4f4", "crop": "true", "shadow": "soft"},
            {"form": "mask"},
            {"background_picture": good("jpeg", 64, 64), "canvas": "90x90", "format": "webp"},
            {"touch_up": as_png(np.full((45, 60), 128, np.uint8)), "background": "blur"},
            {"roi": "5% 5% 95% 95%"},
        ],
    )
    def test_so_it_does_with_other_options(self, running: Running, data: bytes, order: dict[str, Any]) -> None:
        shop = Shop(running, 1)
        photo_id = shop.made(data)[0]["photo_id"]
        _, picture = shop.made(photo_id=photo_id, **order)
        assert picture == Shop(running).made(data, **order)[1]
        assert picture == shop.made(photo_id=photo_id, **order)[1]
        assert shop.credits == 0

    def test_a_photo_that_is_sent_again_finds_its_matte_too(self, running: Running, data: bytes) -> None:
        shop = Shop(running)
        shop.send(data)
        hits, misses = looks(running)
        assert shop.send(data, background="white").status_code == 200
        assert looks(running) == (hits + 1, misses)

    @pytest.mark.slow
    def test_a_touch_up_is_computed_once_and_another_one_anew(self, running: Running, data: bytes) -> None:
        shop = Shop(running)
        photo_id = shop.made(data)[0]["photo_id"]
        strokes = [stroke(level) for level in (0, 255)]
        hits, misses = looks(running)
        pictures = [shop.made(photo_id=photo_id, touch_up=painted, form="mask")[1] for painted in strokes * 2]
        assert looks(running) == (hits + 2, misses + 2)
        assert pictures[:2] == pictures[2:]
        assert pictures[0] != pictures[1]

    def test_the_picture_answers_headers_say_the_same(self, running: Running, data: bytes) -> None:
        shop = Shop(running)
        first = shop.send(data)
        assert first.headers["x-packshot-credits"] == "1"
        again = shop.send(photo_id=first.headers["x-packshot-photo"])
        assert again.headers["x-packshot-credits"] == "0"
        assert again.headers["x-packshot-photo"] == first.headers["x-packshot-photo"]
        assert again.content == first.content

    @pytest.mark.slow
    def test_an_idempotency_key_stands_for_the_photo_however_it_came(self, running: Running, data: bytes) -> None:
        shop, named = Shop(running, 2), {"idempotency-key": "order 1"}
        first = described(send(running, data, key=shop.key, accept=JSON, headers=named))
        again = described(send(running, key=shop.key, accept=JSON, headers=named, photo_id=first["photo_id"]))
        assert {**again, "request_id": ""} == {**first, "request_id": ""}
        other = Shop(running).made(good("jpeg"))[0]["photo_id"]
        shop.send(good("jpeg"))
        problem(send(running, key=shop.key, headers=named, photo_id=other), 409, "conflict")


class TestRefusals:
    def test_neither_and_both(self, running: Running, data: bytes) -> None:
        shop = Shop(running, 1)
        problem(send(running, key=shop.key, photo_id=""), 400, "missing-image")
        photo_id = shop.made(data)[0]["photo_id"]
        both = problem(shop.send(data, photo_id=photo_id), 400, "malformed-request")
        assert both["field"] == "photo_id"

    @pytest.mark.parametrize("name", [NOBODY, "x", "../../etc/passwd", "\N{SNOWMAN}", "'; DROP TABLE keys; --"])
    def test_a_name_that_nobody_gave(self, running: Running, name: str) -> None:
        shop = Shop(running, 1)
        said = problem(shop.send(photo_id=name), 404, "photo-unknown")
        assert "image" in said["hint"]
        assert name not in str(said)
        assert shop.credits == 1

    def test_names_that_are_no_text(self, running: Running) -> None:
        key = {"authorization": f"Bearer {running.new_key()}"}
        for parts in ([("photo_id", ("a.txt", b"x"))], [("photo_id", (None, "x")), ("photo_id", (None, "y"))]):
            problem(running.http.post(PACKSHOTS, files=parts, headers=key), 400, "malformed-request")


class TestTwoKeys:
    def test_a_key_cannot_name_the_photo_of_another(self, running: Running, data: bytes) -> None:
        one, other = Shop(running), Shop(running, 5)
        photo_id = one.made(data)[0]["photo_id"]
        theirs, nobodys = (problem(other.send(photo_id=name), 404, "photo-unknown") for name in (photo_id, NOBODY))
        assert {**theirs, "request_id": ""} == {**nobodys, "request_id": ""}
        assert other.credits == 5

    @pytest.mark.slow
    def test_who_sends_the_photo_of_another_pays_and_waits_for_it(self, running: Running, data: bytes) -> None:
        one, other = Shop(running, 1), Shop(running, 1)
        mine, _ = one.made(data)
        hits, misses = looks(running)
        theirs, _ = other.made(data)
        assert looks(running) == (hits, misses + 1)
        assert (mine["credits"], theirs["credits"]) == (1, 1)
        assert (one.credits, other.credits) == (0, 0)
        assert other.made(photo_id=theirs["photo_id"], form="mask")[0]["credits"] == 0

    @pytest.mark.slow
    def test_a_touch_up_of_one_is_not_seen_by_the_other(self, running: Running, data: bytes) -> None:
        one, other = Shop(running), Shop(running)
        painted = stroke(0)
        for shop in (one, other):
            shop.made(data)
        one.made(data, touch_up=painted)
        hits, misses = looks(running)
        other.made(data, touch_up=painted)
        assert looks(running) == (hits, misses + 1)


class TestPrice:
    @pytest.mark.slow
    def test_a_photo_costs_one_credit_a_day_whatever_is_made_of_it(
        self, timed: Running, clock: Clock, data: bytes
    ) -> None:
        shop = Shop(timed, 2)
        photo_id = shop.made(data)[0]["photo_id"]
        for options in ({}, {"preset": "amazon"}, {"form": "mask"}, {"roi": "5% 5% 95% 95%"}):
            assert shop.made(data, **options)[0]["credits"] == 0
            assert shop.made(photo_id=photo_id, **options)[0]["credits"] == 0
        assert shop.credits == 1
        clock.ahead_s += DAY_S + 1
        assert shop.made(photo_id=photo_id)[0]["credits"] == 1
        assert shop.credits == 0

    def test_a_key_without_credits_renders_what_it_has_paid_for_and_nothing_else(
        self, running: Running, data: bytes
    ) -> None:
        shop = Shop(running, 1)
        shop.made(data)
        assert shop.made(data, preset="amazon")[0]["credits"] == 0
        problem(shop.send(good("jpeg")), 402, "out-of-credits")

    def test_a_failure_pays_for_nothing(self, running: Running) -> None:
        shop, damaged = Shop(running, 1), good("jpeg")[:-500]
        for _ in range(2):
            problem(shop.send(damaged), 400, "unreadable-image")
        assert shop.credits == 1
        usage = running.http.get("/v1/account", headers={"x-api-key": shop.key}).json()["usage"]
        assert [(day["succeeded"], day["failed"], day["credits"]) for day in usage] == [(0, 2, 0)]

    def test_two_that_are_at_work_at_once_cost_one(self, running: Running, data: bytes) -> None:
        shop = Shop(running, 5)
        with gated(running) as gate:
            both = [running.threads.submit(shop.made, data) for _ in range(2)]
            gate.wait_for_arrival()
            wait_until(lambda: shop.credits == 3)
            gate.open()
            costs = sorted(each.result()[0]["credits"] for each in both)
        assert costs == [0, 1]
        assert shop.credits == 4
        account = running.http.get("/v1/account", headers={"x-api-key": shop.key}).json()
        assert (account["used"], account["usage"][0]["succeeded"], account["usage"][0]["credits"]) == (1, 2, 1)

    @pytest.mark.slow
    def test_it_stays_paid_for_on_another_replica_and_after_a_restart(self, tmp_path: Path, data: bytes) -> None:
        with serving(tmp_path) as first:
            shop = Shop(first, 1)
            photo_id = shop.made(data)[0]["photo_id"]
        with serving(tmp_path) as second:
            shop.running = second
            problem(shop.send(photo_id=photo_id), 404, "photo-unknown")
            assert shop.made(data, preset="amazon")[0]["credits"] == 0
            assert shop.made(photo_id=photo_id)[0]["credits"] == 0


class TestTheBudget:
    @pytest.mark.slow
    def test_with_0_nothing_is_kept_and_a_photo_still_costs_one(self, tmp_path: Path, data: bytes) -> None:
        with serving(tmp_path, photo_cache_bytes=0) as running:
            shop = Shop(running, 1)
            answers = [shop.made(data, format=name)[0] for name in ("png", "webp")]
            assert [(each["photo_id"], each["credits"]) for each in answers] == [(None, 1), (None, 0)]
            assert "x-packshot-photo" not in shop.send(data).headers
            assert running.service.photos.held_bytes == 0
            assert running.http.get(ABOUT).status_code == 200

    @pytest.mark.slow
    def test_the_least_lately_used_gives_way_and_one_that_is_too_large_is_not_kept(self, tmp_path: Path) -> None:
        several = [as_jpeg(photo(100, 75, seed)) for seed in range(3)]
        room = sum(map(len, several)) - 1 + 3 * ENTRY_BYTES
        with serving(tmp_path, photo_cache_bytes=2 * room) as running:
            shop = Shop(running)
            names = [shop.made(each)[0]["photo_id"] for each in several]
            assert running.service.photos.held_bytes <= 2 * room
            problem(shop.send(photo_id=names[0]), 404, "photo-unknown")
            assert [shop.send(photo_id=name).status_code for name in names[1:]] == [200, 200]
            large = np.random.default_rng(1).integers(0, 256, (90, 120, 3), np.uint8)
            assert len(as_png(large)) > room
            answer = shop.send(as_png(large), touch_up=as_png(np.full((45, 60), 255, np.uint8)))
            assert (answer.status_code, "x-packshot-photo" in answer.headers) == (200, False)
            assert [shop.send(photo_id=name).status_code for name in names[1:]] == [200, 200]

    def test_a_photo_is_gone_after_the_life_of_results_without_use(
        self, timed: Running, clock: Clock, data: bytes
    ) -> None:
        shop = Shop(timed)
        photo_id = shop.made(data)[0]["photo_id"]
        for _ in range(2):
            clock.ahead_s += 1.5 * DAY_S
            assert shop.send(photo_id=photo_id).status_code == 200
        clock.ahead_s += 2 * DAY_S + 1
        problem(shop.send(photo_id=photo_id), 404, "photo-unknown")


@pytest.mark.slow
def test_the_vendors_endpoints_keep_nothing_and_take_their_credit_each_time(running: Running, data: bytes) -> None:
    shop = Shop(running, 7)
    photo_id = shop.made(data)[0]["photo_id"]
    seen, held = looks(running), running.service.photos.held_bytes
    for _ in range(2):
        assert running.send(data, key=shop.key).status_code == 200
        files, headers = {"image_file": ("photo.jpg", data)}, {"x-api-key": shop.key}
        assert running.http.post("/v1.0/removebg", files=files, headers=headers).status_code == 200
    assert shop.credits == 2
    assert (looks(running), running.service.photos.held_bytes) == (seen, held)
    named = {"data": {"photo_id": photo_id}, "headers": {"x-api-key": shop.key, "x-api-market-key": shop.key}}
    for path in ("/cutout/commodity/commodity", "/v1.0/removebg"):
        answer = running.http.post(path, files={"other": b"x"}, **named)  # type: ignore[arg-type]
        assert 400 <= answer.status_code < 500, path
    assert shop.credits == 2
