"""Both clients' requests, their handling of responses, and of missing responses; over real connections."""

from __future__ import annotations

import io
import socket
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from packshot.client import (
    BadInput,
    Busy,
    ClientError,
    Conflict,
    NoAccess,
    NoForeground,
    NotReached,
    NotUnderstood,
    OutOfCredits,
    Packshot,
    Problem,
    Rectangle,
    ServiceFault,
    Size,
    conversation,
)
from tests.client.kit import KEY, PICTURE, REPORT, Call, made, on_asyncio, serves, signed, waiting
from tests.kit.scripted import Script, answers, cut_short, drips, hangs_up, says, scripted, silent


@pytest.fixture(params=[waiting, on_asyncio], ids=["Client", "AsyncClient"])
def call(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Call:
    monkeypatch.setattr(conversation, "FIRST_PAUSE_S", 0.01)
    chosen: Call = request.param
    return chosen


def test_a_packshot_is_made_and_fetched(call: Call) -> None:
    with scripted(*serves()) as server:
        shot = call(server.url, "packshot", b"photo", preset="amazon", crop=True, quality=90, margin="5%")
    assert isinstance(shot, Packshot)
    assert shot.data == PICTURE
    assert (shot.media_type, shot.suffix, shot.size, shot.photo_size) == (
        "image/jpeg",
        ".jpg",
        Size(2000, 1500),
        Size(640, 480),
    )
    assert (shot.box, shot.product.size) == (Rectangle(10, 20, 110, 220), Size(1700, 1500))
    assert (shot.confidence, shot.review, shot.notes) == (0.93, False, ("The product is small.",))
    assert shot.note_facts == ({"code": "too-small", "asked": 1000},)
    assert shot.expires_at == datetime(2026, 3, 2, 12, tzinfo=UTC)
    assert shot.report is not None and not shot.report.passed
    assert [check.rule for check in shot.report.failed] == ["fill"]
    assert (shot.timings_ms["decode"], shot.request_id) == (3.5, "5F4DBB66")

    post, get = server.asked
    assert (post.method, post.path, post.headers["Accept"]) == ("POST", "/v1/packshots", "application/json")
    assert post.headers["Authorization"] == f"Bearer {KEY}"
    assert {name: content for name, (_, content) in post.parts().items()} == {
        "preset": b"amazon",
        "crop": b"true",
        "quality": b"90",
        "margin": b"5%",
        "image": b"photo",
    }
    assert (get.method, get.path) == ("GET", "/results/abc.jpg?expires=1&signature=x")
    assert get.headers["Authorization"] is None


def test_a_photo_is_bytes_a_path_or_an_open_file(call: Call, tmp_path: Path) -> None:
    file = tmp_path / "Tasse grün.jpg"
    file.write_bytes(b"photo")
    with file.open("rb") as opened, scripted(*serves() * 5) as server:
        for photo in (b"photo", file, str(file), opened, io.BytesIO(b"photo")):
            call(server.url, "packshot", photo)
    sent = [asked.parts()["image"] for asked in server.asked if asked.method == "POST"]
    assert [content for _, content in sent] == [b"photo"] * 5
    assert [name for name, _ in sent] == ["photo", "Tasse grün.jpg", "Tasse grün.jpg", "Tasse grün.jpg", "photo"]


def test_options_may_come_as_a_mapping_and_keywords_win(call: Call, tmp_path: Path) -> None:
    behind = tmp_path / "wood.jpg"
    behind.write_bytes(b"wood")
    with scripted(says(made("https://x.example.com/1"))) as server:
        call(server.url, "link", b"photo", {"preset": "etsy", "background_picture": behind, "roi": None}, preset="ebay")
    parts = server.asked[0].parts()
    assert parts.keys() == {"image", "preset", "background_picture"}
    assert parts["preset"][1] == b"ebay"
    assert parts["background_picture"] == ("wood.jpg", b"wood")


def test_a_link_leaves_the_picture_where_it_is(call: Call) -> None:
    with scripted(says(made("https://x.example.com/1", preset=None, confidence=None))) as server:
        link = call(server.url + "/", "link", b"photo")
    assert (link.url, link.report, link.confidence) == ("https://x.example.com/1", None, None)
    assert [asked.path for asked in server.asked] == ["/v1/packshots"]


def test_a_result_in_another_store_is_fetched_there_without_the_key(call: Call) -> None:
    with scripted(answers(200, PICTURE)) as store, scripted(says(made(f"{store.url}/results/a.jpg?X-Sig=1"))) as server:
        assert call(server.url, "packshot", b"photo").data == PICTURE
    assert store.asked[0].path == "/results/a.jpg?X-Sig=1"
    assert KEY not in str(store.asked[0].headers)


def test_a_finished_picture_is_judged(call: Call) -> None:
    with scripted(says({"request_id": "1", "preset": REPORT})) as server:
        report = call(server.url, "check", b"picture", "amazon")
    assert (report.preset, report.passed, len(report.checks)) == ("amazon", False, 2)
    assert server.asked[0].path == "/v1/checks"
    assert {name: content for name, (_, content) in server.asked[0].parts().items()} == {
        "image": b"picture",
        "preset": b"amazon",
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    "failure",
    [answers(429), answers(502, b"<html>"), answers(503), answers(504), hangs_up, cut_short],
    ids=["429", "502", "503", "504", "hangs up", "cut short"],
)
def test_what_is_temporary_is_tried_again_as_the_same_request(call: Call, failure: Script) -> None:
    with scripted(failure, failure, *serves()) as server:
        assert call(server.url, "packshot", b"photo", crop=True).data == PICTURE
    posts = server.asked[:3]
    assert len({asked.headers["Idempotency-Key"] for asked in posts}) == 1
    assert [asked.parts()["image"][1] for asked in posts] == [b"photo"] * 3


def test_fetching_the_picture_is_tried_again_too(call: Call) -> None:
    post, get = serves()
    with scripted(post, hangs_up, answers(503), get) as server:
        assert call(server.url, "packshot", b"photo").data == PICTURE
    assert [asked.method for asked in server.asked] == ["POST", "GET", "GET", "GET"]


def test_each_call_is_a_request_of_its_own_unless_it_is_named(call: Call) -> None:
    with scripted(*[says(made("https://x.example.com/1"))] * 4) as server:
        for name in (None, None, "order 7", "order 7"):
            call(server.url, "link", b"photo", idempotency_key=name)
    keys = [asked.headers["Idempotency-Key"] for asked in server.asked]
    assert keys[0] != keys[1] and len(keys[0]) >= 32
    assert keys[2:] == ["order 7"] * 2


@pytest.mark.slow
def test_retry_after_is_waited_for(call: Call) -> None:
    with scripted(answers(503, Retry_After=1), says(made("https://x.example.com/1"))) as server:
        begun = time.monotonic()
        call(server.url, "link", b"photo")
        assert 1 <= time.monotonic() - begun < 3


def test_who_is_told_to_come_back_after_the_deadline_learns_it_at_once(call: Call) -> None:
    with scripted(says({"detail": "Full."}, 429, Retry_After=3600)) as server:
        begun = time.monotonic()
        with pytest.raises(Busy, match="Full") as caught:
            call(server.url, "link", b"photo", patience={"deadline_s": 5})
        assert time.monotonic() - begun < 2
    assert caught.value.retry_after_s == 3600


@pytest.mark.parametrize(
    ("status", "slug", "kind"),
    [
        (400, "unreadable-image", BadInput),
        (401, "unknown-key", NoAccess),
        (402, "out-of-credits", OutOfCredits),
        (403, "locked-key", NoAccess),
        (409, "conflict", Conflict),
        (413, "file-too-large", BadInput),
        (422, "no-foreground", NoForeground),
        (429, "out-of-credits", OutOfCredits),
        (500, "error", ServiceFault),
    ],
)
def test_a_refusal_is_said_once_and_in_the_services_words(
    call: Call, status: int, slug: str, kind: type[Problem]
) -> None:
    said = {"type": "/docs", "title": "T", "status": status, "detail": "What happened.", "slug": slug, "hint": "Do so."}
    with scripted(says(said | {"request_id": "R1", "field": "margin", "allowed": ["px", "%"]}, status)) as server:
        with pytest.raises(Problem) as caught:
            call(server.url, "packshot", b"photo")
        assert len(server.asked) == 1
    error = caught.value
    assert type(error) is kind
    assert str(error) == "What happened. Do so."
    assert (error.status, error.slug, error.hint, error.request_id) == (status, slug, "Do so.", "R1")
    assert error.fields == {"field": "margin", "allowed": ["px", "%"]}


def test_a_conflict_with_ones_own_attempt_is_waited_out(call: Call) -> None:
    with scripted(hangs_up, says({"slug": "conflict"}, 409), *serves()) as server:
        assert call(server.url, "packshot", b"photo").data == PICTURE


def test_when_all_attempts_fail_the_last_failure_is_told(call: Call) -> None:
    with scripted(answers(503), answers(503), answers(502, b"<h1>Bad Gateway", X_Request_Id="R2")) as server:
        with pytest.raises(ServiceFault, match="502 Bad Gateway") as caught:
            call(server.url, "link", b"photo", patience={"retries": 2})
        assert len(server.asked) == 3
    assert (caught.value.slug, caught.value.request_id) == ("", "R2")


def test_a_service_that_is_not_there(call: Call) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(NotReached, match=r"127\.0\.0\.1 in 3 attempts.*base_url"):
        call(f"http://127.0.0.1:{port}", "about", patience={"retries": 2})


@pytest.mark.slow
@pytest.mark.parametrize("answer", [silent, drips], ids=["silent", "drips"])
def test_a_call_ends_with_its_deadline(call: Call, answer: Script) -> None:
    with scripted(answer) as server:
        begun = time.monotonic()
        with pytest.raises(NotReached):
            call(server.url, "about", patience={"deadline_s": 0.3})
        assert 0.25 < time.monotonic() - begun < 2


def test_silence_ends_an_attempt_and_not_the_call(call: Call) -> None:
    with scripted(silent, *serves()) as server:
        assert call(server.url, "packshot", b"photo", patience={"timeout_s": 0.2}).data == PICTURE


@pytest.mark.parametrize(
    "answer",
    [
        answers(200, b"<html>Welcome to nginx", Content_Type="text/html"),
        says({"hello": "world"}),
        answers(200, b"[1]"),
        answers(301, Location="https://packshot.example.com/v1/packshots"),
        answers(200, b"no gzip", Content_Encoding="gzip"),
    ],
    ids=["page", "other JSON", "list", "redirection", "broken encoding"],
)
def test_what_is_not_packshot_is_said_to_be_so(call: Call, answer: Script) -> None:
    with scripted(answer) as server:
        with pytest.raises(ClientError, match="base_url"):
            call(server.url, "link", b"photo")
        assert len(server.asked) == 1


def test_a_result_that_is_cut_is_not_handed_out(call: Call) -> None:
    with (
        scripted(says(made(signed("http://a.example.com"))), answers(200, PICTURE[:-1])) as server,
        pytest.raises(NotUnderstood, match="bytes"),
    ):
        call(server.url, "packshot", b"photo")


@pytest.mark.parametrize("base_url", ["packshot.example.com", "ftp://x.example.com", "", "http://"])
def test_an_address_must_be_one(call: Call, base_url: str) -> None:
    with pytest.raises(ValueError, match="base_url"):
        call(base_url, "about")


def test_no_error_shows_the_key() -> None:
    from packshot.client import Client

    for key in ("", "secret\n", "sécret"):
        with pytest.raises(ValueError, match="key") as caught:
            Client("http://127.0.0.1", key)
        assert "cret" not in str(caught.value)


def test_a_packshot_is_saved_under_the_right_ending(tmp_path: Path) -> None:
    with scripted(*serves()) as server:
        shot = waiting(server.url, "packshot", b"photo")
    assert shot.save(tmp_path / "mug") == tmp_path / "mug.jpg"
    assert shot.save(str(tmp_path / "mug.jpeg")).read_bytes() == PICTURE
    assert repr(PICTURE) not in repr(shot)


def test_own_connections_stay_open() -> None:
    import httpx

    from packshot.client import Client

    with httpx.Client() as http, scripted(*[says(made("https://x.example.com/1"))] * 2) as server:
        for _ in range(2):
            with Client(server.url, KEY, http=http) as client:
                client.link(b"photo")
        assert not http.is_closed


def test_a_file_that_is_not_there_is_pythons_own_error(call: Call) -> None:
    with scripted() as server, pytest.raises(FileNotFoundError):
        call(server.url, "packshot", "nothing.jpg")
    assert not server.asked
