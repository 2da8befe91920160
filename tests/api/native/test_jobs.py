"""Jobs over a socket: from the request to the pictures, also when a replica stops in the middle."""

from __future__ import annotations

import base64
import hmac
import json
import time
import uuid
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import httpx
import pytest

from packshot.api.native.jobs import Job, JobList, JobSummary
from packshot.core.options import Options
from packshot.engine.calls import remove
from packshot.errors import StoreUnavailable
from packshot.service.results import INPUTS, ResultStore
from packshot.service.webhooks import PAUSES_S
from packshot.storage.folder import FolderStorage
from tests.kit.images import as_jpeg, good, photo
from tests.kit.native import problem, send
from tests.kit.scripted import Handler, Script, Scripted, scripted
from tests.kit.server import Clock, Running, gated, serving, wait_until

JOBS = "/v1/jobs"
PHOTOS = [as_jpeg(photo(200, 150, seed)) for seed in (1, 2)]
HERE = {"url_input": "http", "url_input_networks": "127.0.0.0/8", "webhooks": "http", "webhook_networks": "127.0.0.0/8"}


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory, clock: Clock) -> Iterator[Running]:
    """A service that opens URLs on this machine, with a clock that tests can advance."""
    with serving(tmp_path_factory.mktemp("state"), workers=1, now=clock, job_photos=6, job_bytes=200_000, **HERE) as it:
        it.service.worker.poll_s = 0.05  # the only way to notice the advanced clock
        yield it


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def begin(
    running: Running, key: str, *photos: bytes, urls: tuple[str, ...] = (), named: str | None = None, **fields: str
) -> httpx.Response:
    parts: list[tuple[str, Any]] = [("image", (f"{at}.jpg", data)) for at, data in enumerate(photos)]
    parts += [("image_url", (None, url)) for url in urls]
    parts += [(name, (None, value)) for name, value in fields.items()]
    headers = bearer(key) | ({} if named is None else {"idempotency-key": named})
    return running.http.post(JOBS, files=parts, headers=headers)


def begun(answer: httpx.Response) -> Job:
    assert answer.status_code == 202, answer.text
    job = Job.model_validate(answer.json())
    assert answer.headers["location"] == job.url
    return job


def look(running: Running, key: str, job: JobSummary) -> Job:
    answer = running.http.get(f"{JOBS}/{job.id}", headers=bearer(key))
    assert answer.status_code == 200, answer.text
    return Job.model_validate(answer.json())


def finished(running: Running, key: str, job: JobSummary) -> Job:
    wait_until(lambda: look(running, key, job).finished_at is not None)
    return look(running, key, job)


def inputs(running: Running) -> list[Path]:
    return list((running.service.settings.state_dir / "results" / INPUTS).glob("*"))


@pytest.mark.slow
def test_each_photo_comes_out_as_a_direct_request_makes_it(here: Running) -> None:
    key = here.new_key(5)
    job = finished(here, key, begun(begin(here, key, *PHOTOS, b"no picture", preset="google", shadow="contact")))
    assert (job.status, job.counts.done, job.counts.failed) == ("done", 2, 1)
    assert [photo.name for photo in job.photos] == ["0.jpg", "1.jpg", "2.jpg"]
    for data, made in zip(PHOTOS, job.photos, strict=False):
        picture = here.http.get(made.packshots[0].url).content
        wanted = Options(preset="google", shadow="contact")
        assert picture == remove(data, wanted, network=here.service.network).data
        assert made.credits == 1
    broken = job.photos[2]
    assert broken.error is not None
    assert (broken.error.slug, broken.packshots, broken.credits) == ("unsupported-format", [], None)
    assert here.credits_of(key) == 3, "failed photos cost nothing"
    assert not inputs(here), "photos are not kept"


@pytest.mark.slow
def test_several_presets_and_a_picture_behind_the_product(here: Running) -> None:
    key = here.new_key()
    behind = {"background_picture": good("png")}
    parts = [("image", ("a.jpg", PHOTOS[0])), ("background_picture", ("b.png", behind["background_picture"]))]
    answer = here.http.post(JOBS, files=parts, data={"canvas": "300x300"}, headers=bearer(key))
    job = finished(here, key, begun(answer))
    wanted = Options(canvas="300x300", **behind)
    picture = here.http.get(job.photos[0].packshots[0].url).content
    assert picture == remove(PHOTOS[0], wanted, network=here.service.network).data
    several = finished(here, key, begun(begin(here, key, PHOTOS[0], preset="amazon,etsy")))
    assert [each.preset.name for each in several.photos[0].packshots if each.preset] == ["amazon", "etsy"]
    assert not inputs(here)


@pytest.mark.slow
def test_photos_by_url_in_a_form_and_in_json_with_names(here: Running) -> None:
    key = here.new_key(4)
    with scripted(*(serves(data) for data in (*PHOTOS, *PHOTOS)), answers(404)) as origin:
        urls = [f"{origin.url}/{number}.jpg?token=secret" for number in (0, 1)]
        form = finished(here, key, begun(begin(here, key, urls=tuple(urls))))
        body = {"images": [urls[0], {"url": urls[1], "name": "SKU 7"}, f"{origin.url}/none"], "options": {"crop": True}}
        job = finished(here, key, begun(here.http.post(JOBS, json=body, headers=bearer(key))))
    assert form.counts.done == 2
    assert "secret" not in form.model_dump_json()
    assert [each.name for each in job.photos] == [f"{origin.url}/0.jpg", "SKU 7", f"{origin.url}/none"]
    assert [each.status for each in job.photos] == ["done", "done", "failed"]
    assert job.photos[2].error is not None
    assert job.photos[2].error.slug == "url-failed"
    assert here.credits_of(key) == 2, "a photo costs one credit a day, in whatever form it comes"


def test_a_job_that_cannot_be_begun_says_why_and_leaves_nothing(here: Running, running: Running) -> None:
    key = here.new_key(1)
    problem(begin(here, key, preset="amazon"), 400, "missing-image")
    problem(begin(here, key, PHOTOS[0], b"", preset="amazon"), 400, "empty-file")
    problem(begin(here, key, PHOTOS[0], preset="nosuch"), 422, "invalid-option")
    problem(begin(here, key, PHOTOS[0], fill="0.5", margin="5%"), 422, "invalid-option")
    assert problem(begin(here, key, *[PHOTOS[0]] * 7), 422, "invalid-option")["field"] == "image"
    problem(begin(here, key, *[b"x" * 60_000] * 4), 413, "file-too-large")
    problem(begin(here, key, urls=("ftp://127.0.0.1/a",)), 422, "url-refused")
    problem(begin(here, key, PHOTOS[0], webhook="http://user@127.0.0.1/"), 422, "url-refused")
    for body in ([], {}, {"images": []}, {"images": [3]}, {"images": ["x"], "extra": 1}, {"images": "x"}):
        assert here.http.post(JOBS, json=body, headers=bearer(key)).status_code in {400, 422}, body
    assert JobList.model_validate(here.http.get(JOBS, headers=bearer(key)).json()).jobs == []
    assert not inputs(here)
    other = running.new_key()
    assert (
        "PACKSHOT_URL_INPUT"
        in problem(begin(running, other, urls=("https://a.example/b",)), 422, "url-refused")["hint"]
    )
    refused = problem(begin(running, other, PHOTOS[0], webhook="https://a.example/b"), 422, "url-refused")
    assert "PACKSHOT_WEBHOOKS" in refused["hint"]
    assert running.http.get("/v1/account", headers=bearer(other)).json()["webhook_secret"] is None


@pytest.mark.slow
def test_the_same_idempotency_key_is_the_same_job(here: Running) -> None:
    key, named = here.new_key(1), str(uuid.uuid4())
    jobs = [begun(begin(here, key, PHOTOS[0], named=named)) for _ in range(2)]
    assert jobs[0].id == jobs[1].id
    problem(begin(here, key, PHOTOS[1], named=named), 409, "conflict")
    problem(begin(here, key, PHOTOS[0], named=named, preset="amazon"), 409, "conflict")
    assert begun(begin(here, here.new_key(1), PHOTOS[0], named=named)).id != jobs[0].id, "keys are separate"
    finished(here, key, jobs[0])
    assert here.credits_of(key) == 0
    wait_until(lambda: not inputs(here))


def test_a_key_sees_its_own_jobs_newest_first(here: Running) -> None:
    key, other = here.new_key(), here.new_key()
    jobs = [begun(begin(here, key, PHOTOS[0])) for _ in range(3)]
    pages = []
    before = ""
    while before is not None:
        answer = here.http.get(JOBS, params={"limit": 2, "before": before}, headers=bearer(key))
        page = JobList.model_validate(answer.json())
        pages.append([each.id for each in page.jobs])
        before = page.next
    assert [len(page) for page in pages] == [2, 1]
    assert sorted(chain(*pages)) == sorted(job.id for job in jobs)
    for method, path in (("GET", ""), ("POST", "/cancel")):
        answer = here.http.request(method, f"{JOBS}/{jobs[0].id}{path}", headers=bearer(other))
        problem(answer, 404, "job-unknown")
    problem(here.http.get(JOBS, params={"before": jobs[0].id}, headers=bearer(other)), 404, "job-unknown")
    for name in ("x" * 5000, "%00", "%F0%9F%90%BB", "..%2F..", "-" * 22):
        answer = here.http.get(f"{JOBS}/{name}", headers=bearer(key))
        assert answer.status_code == 404, name
    for limit in ("0", "101", "x", "-1", ""):
        problem(here.http.get(JOBS, params={"limit": limit}, headers=bearer(key)), 422, "invalid-option")


@pytest.mark.slow
def test_what_is_cancelled_is_not_made_and_costs_nothing(here: Running) -> None:
    key = here.new_key(6)
    with gated(here) as gate, scripted(answers(204)) as receiver:
        job = begun(begin(here, key, *[as_jpeg(photo(64, 64, seed)) for seed in range(5)], webhook=receiver.url))
        gate.wait_for_arrival()
        cancelled = Job.model_validate(here.http.post(f"{JOBS}/{job.id}/cancel", headers=bearer(key)).json())
        assert (cancelled.status, cancelled.counts.cancelled) == ("cancelled", 5)
        wait_until(lambda: here.credits_of(key) == 6)
        wait_until(lambda: receiver.asked)
    assert json.loads(receiver.asked[0].body)["data"]["status"] == "cancelled"
    again = here.http.post(f"{JOBS}/{job.id}/cancel", headers=bearer(key))
    assert Job.model_validate(again.json()).counts == cancelled.counts
    wait_until(lambda: not inputs(here))
    assert here.credits_of(key) == 6


@pytest.mark.slow
def test_photos_without_credits_fail_and_the_rest_of_them_can_be_sent_again(here: Running) -> None:
    key = here.new_key(1)
    job = finished(here, key, begun(begin(here, key, *PHOTOS)))
    assert [each.status for each in job.photos] == ["done", "failed"]
    assert job.photos[1].error is not None
    assert job.photos[1].error.slug == "out-of-credits"
    here.service.accounts.set_credits(here.service.accounts.authenticate(key).id, 1)
    assert finished(here, key, begun(begin(here, key, *PHOTOS))).counts.done == 2
    assert here.credits_of(key) == 0, "the first photo was paid for"


@pytest.mark.slow
def test_a_direct_request_does_not_wait_for_a_job(here: Running) -> None:
    key = here.new_key()
    job = begun(begin(here, key, *[as_jpeg(photo(64, 64, seed)) for seed in range(6)]))
    assert send(here, PHOTOS[0]).status_code == 200
    assert look(here, key, job).counts.done < 6
    finished(here, key, job)


@pytest.mark.slow
def test_a_replica_that_stops_leaves_its_photos_to_the_next(tmp_path: Path) -> None:
    with serving(tmp_path, workers=1, drain_s=0.1) as first:
        key = first.new_key(3)
        with gated(first) as gate:
            job = begun(begin(first, key, *PHOTOS))
            gate.wait_for_arrival()
            first.server.should_exit = True
            wait_until(lambda: first.service.admission.draining)
    with serving(tmp_path, workers=1) as second:
        done = finished(second, key, job)
        assert done.counts.done == 2
        assert second.credits_of(key) == 1


# Webhooks


def serves(data: bytes) -> Script:
    return lambda ask: respond(ask, 200, data)


def answers(status: int, **headers: str) -> Script:
    return lambda ask: respond(ask, status, b"", **headers)


def respond(ask: Handler, status: int, body: bytes, **headers: str) -> None:
    ask.send_response(status)
    for name, value in headers.items():
        ask.send_header(name, value)
    ask.send_header("Content-Length", str(len(body)))
    ask.end_headers()
    ask.wfile.write(body)


def state(running: Running, key: str, job: JobSummary) -> tuple[str, int]:
    told = look(running, key, job).webhook
    assert told is not None
    return told.status, told.attempts


def check_signature(receiver: Scripted, secret: str, at: int = 0) -> dict[str, Any]:
    """The body, after a check of its signature against Standard Webhooks."""
    asked = receiver.asked[at]
    headers = {name.lower(): value for name, value in asked.headers.items()}
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + asked.body
    mine = hmac.digest(base64.b64decode(secret.removeprefix("whsec_")), signed, "sha256")
    assert f"v1,{base64.b64encode(mine).decode()}" in headers["webhook-signature"].split()
    assert headers["content-type"] == "application/json"
    body: dict[str, Any] = json.loads(asked.body)
    return body


@pytest.mark.slow
def test_a_webhook_tells_of_the_end_and_is_signed(here: Running) -> None:
    key = here.new_key()
    secret = here.http.get("/v1/account", headers=bearer(key)).json()["webhook_secret"]
    other = here.http.get("/v1/account", headers=bearer(here.new_key())).json()["webhook_secret"]
    assert secret != other
    with scripted(answers(204)) as receiver:
        job = begun(begin(here, key, *PHOTOS, webhook=f"{receiver.url}/hook?x=1"))
        wait_until(lambda: state(here, key, job) == ("delivered", 1))
    assert receiver.asked[0].path == "/hook?x=1"
    body = check_signature(receiver, secret)
    assert body["type"] == "job.finished"
    assert here.http.get(body["data"]["photos"][0]["packshots"][0]["url"]).status_code == 200
    assert Job.model_validate(body["data"]).counts.done == 2


@pytest.mark.slow
def test_a_webhook_that_fails_is_sent_again_under_the_same_name(here: Running, clock: Clock) -> None:
    key = here.new_key()
    with scripted(answers(500), answers(302, Location="/elsewhere"), answers(200)) as receiver:
        job = begun(begin(here, key, PHOTOS[0], webhook=receiver.url))
        wait_until(lambda: state(here, key, job) == ("waiting", 1))
        assert len(receiver.asked) == 1, "not before its time"
        clock.ahead_s += PAUSES_S[0]
        wait_until(lambda: state(here, key, job) == ("waiting", 2))
        told = look(here, key, job).webhook
        assert told is not None
        assert "302" in told.problem
        clock.ahead_s += PAUSES_S[1]
        wait_until(lambda: state(here, key, job) == ("delivered", 3))
    assert len({asked.headers["webhook-id"] for asked in receiver.asked}) == 1
    assert {asked.path for asked in receiver.asked} == {"/"}, "no redirect is followed"


@pytest.mark.slow
def test_a_webhook_ends_when_its_receiver_says_so_or_after_the_last_try(here: Running, clock: Clock) -> None:
    key = here.new_key()
    with scripted(answers(410), *[answers(503)] * (len(PAUSES_S) + 1)) as receiver:
        gone = begun(begin(here, key, PHOTOS[0], webhook=receiver.url))
        wait_until(lambda: state(here, key, gone) == ("failed", 1))
        job = begun(begin(here, key, PHOTOS[0], webhook=receiver.url))
        for attempt, pause_s in enumerate(PAUSES_S, 1):
            wait_until(lambda attempt=attempt: state(here, key, job) == ("waiting", attempt))
            clock.ahead_s += pause_s
        wait_until(lambda: state(here, key, job) == ("failed", len(PAUSES_S) + 1))
    assert finished(here, key, job).counts.done == 1, "the job itself is done"


@pytest.mark.slow
@pytest.mark.parametrize("url", ["http://10.1.2.3/", "http://169.254.169.254/", "http://[::1]:9/"])
def test_no_webhook_goes_to_an_address_that_is_not_public(here: Running, url: str) -> None:
    key = here.new_key()
    job = begun(begin(here, key, PHOTOS[0], webhook=url))
    wait_until(lambda: state(here, key, job) == ("waiting", 1))
    told = look(here, key, job).webhook
    assert told is not None
    assert "public" in told.problem


def test_jobs_are_forgotten_after_their_life(here: Running, clock: Clock) -> None:
    key = here.new_key()
    job = finished(here, key, begun(begin(here, key, PHOTOS[0])))
    clock.ahead_s += job.expires_at.timestamp() - clock() + 1
    here.service.background.forget_old()
    problem(here.http.get(f"{JOBS}/{job.id}", headers=bearer(key)), 404, "job-unknown")
    assert time.time() < job.expires_at.timestamp()


@pytest.mark.slow
def test_a_key_cannot_fill_the_disk(here: Running) -> None:
    key = here.new_key()
    with gated(here):
        for _ in range(10):
            begun(begin(here, key, *[PHOTOS[0]] * 6))
        refused = begin(here, key, PHOTOS[0])
        problem(refused, 503, "queue-full")
        assert refused.headers["retry-after"]
        begun(begin(here, here.new_key(), PHOTOS[0]))
        for job in JobList.model_validate(here.http.get(JOBS, headers=bearer(key)).json()).jobs:
            here.http.post(f"{JOBS}/{job.id}/cancel", headers=bearer(key))
    begun(begin(here, key, PHOTOS[0]))


@pytest.mark.slow
def test_a_job_of_which_nothing_came_begins_again_under_its_idempotency_key(here: Running) -> None:
    key, named = here.new_key(0), str(uuid.uuid4())
    job = finished(here, key, begun(begin(here, key, *PHOTOS, named=named)))
    assert job.counts.failed == 2
    here.service.accounts.set_credits(here.service.accounts.authenticate(key).id, 2)
    again = finished(here, key, begun(begin(here, key, *PHOTOS, named=named)))
    assert (again.id, again.counts.done) == (job.id, 2)


class Flaky(ResultStore):
    """Stores no result until it is repaired."""

    is_away = True
    asked = 0

    async def put(self, name: str, data: bytes) -> None:
        self.asked += 1
        if self.is_away:
            raise StoreUnavailable("away")
        await super().put(name, data)


@pytest.mark.slow
def test_what_passes_by_itself_is_tried_again_until_it_does(tmp_path: Path) -> None:
    store, clock = Flaky(FolderStorage(tmp_path / "results", private=True)), Clock()
    with serving(tmp_path, workers=1, now=clock, store=store) as running:
        running.service.worker.poll_s = 0.05
        key = running.new_key(1)
        job = begun(begin(running, key, PHOTOS[0]))
        for attempt in range(1, 5):  # more tries than a failing photo gets
            wait_until(lambda attempt=attempt: store.asked == attempt)
            wait_until(lambda: look(running, key, job).counts.waiting == 1)
            assert running.credits_of(key) == 1
            clock.ahead_s += 300
        store.is_away = False
        clock.ahead_s += 300
        assert finished(running, key, job).counts.done == 1
        assert running.credits_of(key) == 0


@pytest.mark.slow
def test_a_photo_that_is_never_done_in_time_fails_after_three_tries(tmp_path: Path) -> None:
    clock = Clock()
    with serving(tmp_path, workers=1, now=clock, deadline_s=0.2) as running:
        running.service.worker.poll_s = 0.05
        key = running.new_key(1)
        with gated(running) as gate:
            job = begun(begin(running, key, PHOTOS[0]))
            gate.wait_for_arrival()
            for _ in range(4):
                wait_until(lambda: not running.service.worker.running)
                clock.ahead_s += 300
                time.sleep(0.5)  # one more try, or none
            failed = look(running, key, job).photos[0]
        assert failed.error is not None
        assert failed.error.slug == "deadline-exceeded"
        assert running.credits_of(key) == 1
