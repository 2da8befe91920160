"""Jobs by both clients: started, awaited, fetched, cancelled and listed at a real service."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from packshot.client import BadInput, Busy, Job, NoAccess, NotFinished, NotReached, calls, conversation
from tests.client.kit import KEY, Call, on_asyncio, waiting
from tests.kit import images
from tests.kit.faultproxy import Faults, fault_proxy
from tests.kit.scripted import answers, hangs_up, says, scripted
from tests.kit.server import Running, gated, serving, wait_until

JPEG, PNG = images.good("jpeg"), images.good("png")
DEAD = {"retries": 0}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service that opens URLs of this machine."""
    state = tmp_path_factory.mktemp("jobs")
    with serving(state, workers=1, url_input="http", url_input_networks=("127.0.0.0/8",)) as running:
        yield running


class Asking:
    """A client of one kind with one key, at a service's address."""

    def __init__(self, call: Call, url: str, key: str) -> None:
        self.call, self.url, self.key = call, url, key

    def __call__(self, method: str, *args: Any, **options: Any) -> Any:
        return self.call(self.url, method, *args, key=self.key, **options)


@pytest.fixture(params=[waiting, on_asyncio], ids=["Client", "AsyncClient"])
def call(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Call:
    monkeypatch.setattr(conversation, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(calls, "FIRST_LOOK_PAUSE_S", 0.02)
    chosen: Call = request.param
    return chosen


@pytest.fixture
def ask(call: Call, service: Running) -> Iterator[Asking]:
    asking = Asking(call, service.base_url, service.new_key(10))
    yield asking
    for job in asking("jobs").jobs:
        asking("cancel_job", job)


@pytest.mark.slow
def test_files_and_urls_are_made_in_their_order_and_fetched(ask: Asking, tmp_path: Path) -> None:
    file = tmp_path / "mug.jpg"
    file.write_bytes(JPEG)
    behind, wishes = images.flat_png(64, 64, 40), {"preset": "amazon", "form": "flattened"}
    with scripted(answers(200, PNG, Content_Type="image/png")) as origin:
        url = f"{origin.url}/pot.png?size=large".replace("http:", "HTTP:")
        photos = [file, url, io.BytesIO(b"no picture")]
        begun = ask("begin_job", photos, wishes, preset="square,etsy", background_picture=behind)
        job = ask("wait_for_job", begun.id)
        assert ask("wait_for_job", begun, timeout_s=0).id == job.id

    assert (job.id, job.status, job.has_finished, job.webhook) == (begun.id, "done", True, None)
    assert job.finished_at is not None and job.created_at <= job.finished_at < job.expires_at
    names = [(0, "mug.jpg"), (1, url.partition("?")[0]), (2, "photo")]
    assert [(photo.number, photo.name) for photo in job.photos] == names
    assert (job.counts.done, job.counts.failed, job.counts.total) == (2, 1, 3)

    *made, bad = job.photos
    for photo in made:
        assert (photo.status, photo.failure, photo.credits) == ("done", None, 1)
        assert [link.report.preset for link in photo.packshots if link.report] == ["square", "etsy"]
    shot = ask("fetch", made[1].packshots[0])
    assert len(shot.data) == shot.size_bytes and (shot.photo_size.width, shot.photo_size.height) == (160, 120)
    assert shot.save(tmp_path / "pot").suffix == ".jpg"
    assert bad.failure is not None and bad.failure.slug == "unsupported-format" and bad.failure.hint
    assert (bad.status, bad.packshots, bad.credits) == ("failed", (), None)
    account = ask("account")
    assert (account.used, account.credits) == (2, 8)


@pytest.mark.slow
def test_one_photo_needs_no_list(ask: Asking, tmp_path: Path) -> None:
    file = tmp_path / "mug.jpg"
    file.write_bytes(JPEG)
    for photo in (file, str(file), JPEG, io.BytesIO(JPEG)):
        assert ask("begin_job", photo, crop=True).counts.total == 1


def test_a_call_whose_answer_is_lost_begins_one_job(ask: Asking, service: Running) -> None:
    with fault_proxy(service.base_url) as proxy:
        proxy.faults = Faults(cut_down_after_bytes=0)
        over_it = Asking(ask.call, proxy.url, ask.key)
        begun = service.threads.submit(over_it, "begin_job", [JPEG], patience={"retries": 50})
        wait_until(lambda: ask("jobs").jobs)
        proxy.faults = Faults()
        job = begun.result()
    assert [each.id for each in ask("jobs").jobs] == [job.id]


def test_a_job_by_name_is_begun_once(ask: Asking) -> None:
    first, again = (ask("begin_job", [JPEG], idempotency_key="import 7") for _ in range(2))
    assert first.id == again.id


@pytest.mark.slow
def test_a_cancelled_job_costs_nothing_for_what_was_not_done(ask: Asking, service: Running) -> None:
    photos = [images.as_jpeg(images.photo(320, 240, seed)) for seed in (71, 72, 73)]
    with gated(service):
        job = ask("begin_job", photos)
        wait_until(lambda: ask("job", job.id).counts.working == 1)
        cancelled = ask("cancel_job", job)
        assert (cancelled.status, cancelled.has_finished) == ("cancelled", True)
        assert {photo.status for photo in cancelled.photos} == {"cancelled"}
        assert ask("wait_for_job", job).status == "cancelled"
    wait_until(lambda: ask("account").used == 0)


@pytest.mark.slow
def test_jobs_are_listed_by_pages(ask: Asking) -> None:
    begun = [ask("begin_job", [JPEG], idempotency_key=f"{number}").id for number in range(5)]
    pages, before = [], None
    while not pages or before:
        pages.append(ask("jobs", limit=2, before=before))
        before = pages[-1].next
    assert [job.id for page in pages for job in page.jobs] == begun[::-1]
    assert [len(page.jobs) for page in pages] == [2, 2, 1]
    assert all(job.photos == () and job.counts.total == 1 for page in pages for job in page.jobs)
    assert len(ask("jobs").jobs) == 5


@pytest.mark.slow
def test_when_the_time_is_over_the_job_is_told_as_it_stood(ask: Asking, service: Running) -> None:
    with gated(service):
        job = ask("begin_job", [images.as_jpeg(images.photo(320, 240, 81))])
        wait_until(lambda: ask("job", job.id).counts.working == 1)
        with pytest.raises(NotFinished, match="0 of 1 photos") as caught:
            ask("wait_for_job", job, timeout_s=0.1)
        assert caught.value.job.id == job.id and caught.value.job.counts.working == 1
    assert ask("wait_for_job", job).status == "done"


def test_refusals(ask: Asking, service: Running) -> None:
    for method, args in (("job", ("no job?",)), ("cancel_job", ("none",)), ("wait_for_job", ("none",))):
        with pytest.raises(BadInput) as caught:
            ask(method, *args)
        assert (caught.value.status, caught.value.slug) == (404, "job-unknown")
    with pytest.raises(BadInput, match="webhooks"):
        ask("begin_job", [JPEG], webhook="https://shop.example.com/hook")
    with pytest.raises(FileNotFoundError):  # not a URL that a service opens, so a path
        ask("begin_job", ["ftp://127.0.0.1/mug.jpg"])
    with pytest.raises(BadInput):
        ask("begin_job", [])
    with pytest.raises(NoAccess):
        Asking(ask.call, service.base_url, "pk_unknown")("account")


@pytest.mark.slow
def test_an_account_tells_its_limits_and_not_its_secret(ask: Asking, service: Running) -> None:
    ask("packshot", JPEG)
    account = ask("account")
    assert (account.name, account.credits, account.used, account.expires_at) == ("test", 9, 1, None)
    assert account.webhook_secret is None  # this service sends no webhooks
    assert [(day.succeeded, day.failed, day.credits) for day in account.usage] == [(1, 0, 1)]
    endless = Asking(ask.call, service.base_url, service.new_key())("account")
    assert (endless.credits, endless.usage) == (None, ())


def job_said(status: str) -> dict[str, object]:
    """The response of GET /v1/jobs/ID from a newer service than this client."""
    return {
        "id": "J1",
        "status": status,
        "created_at": "2026-03-01T12:00:00Z",
        "finished_at": "2026-03-01T12:01:00Z" if status == "done" else None,
        "expires_at": "2026-03-08T12:00:00Z",
        "counts": {"done": 2, "working": 1, "resting": 3},
        "url": "https://x.example.com/v1/jobs/J1",
        "webhook": None,
        "photos": [],
        "mood": "good",
    }


@pytest.mark.slow
def test_a_wait_bears_a_service_that_is_away_for_a_while(call: Call) -> None:
    away = [answers(503), answers(502, b"<html>"), hangs_up, answers(429)]
    with scripted(says(job_said("working")), *away, says(job_said("working")), says(job_said("done"))) as server:
        job = call(server.url, "wait_for_job", "J1", patience=DEAD)
        assert isinstance(job, Job) and job.status == "done"
        assert [asked.path for asked in server.asked] == ["/v1/jobs/J1"] * 7
        assert {asked.headers["Authorization"] for asked in server.asked} == {f"Bearer {KEY}"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("patience", "timeout_s", "expected"),
    [
        (DEAD, 0.1, NotFinished),  # the job was seen: the waiting time is over
        (
            {"retries": 0, "deadline_s": 0.5},
            60,
            (Busy, NotReached),
        ),  # the service was away for longer than a call's limit
    ],
)
def test_a_wait_ends_although_the_service_stays_away(
    call: Call, patience: dict[str, Any], timeout_s: float, expected: type[Exception] | tuple[type[Exception], ...]
) -> None:
    with scripted(says(job_said("working")), *[answers(503)] * 100) as server, pytest.raises(expected) as caught:
        call(server.url, "wait_for_job", "J1", timeout_s=timeout_s, patience=patience)
    if isinstance(caught.value, NotFinished):
        assert caught.value.job.counts.done == 2 and isinstance(caught.value.__cause__, Busy)


def test_a_job_that_was_never_seen_is_not_said_to_be_late(call: Call) -> None:
    with scripted(*[hangs_up] * 100) as server, pytest.raises(NotReached):
        call(server.url, "wait_for_job", "J1", timeout_s=0.1, patience=DEAD)
