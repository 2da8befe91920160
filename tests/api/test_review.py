"""The review over HTTP: on this machine for everyone with its address, in a service for everyone with a key."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from packshot.api.review.routes import read_review_page
from packshot.batch.decisions import VERDICTS
from packshot.batch.report.page import STATES
from packshot.core.options import Options
from packshot.errors import BadSettings
from packshot.service.settings import Settings
from packshot.storage.blocking import open_storage
from tests.batch.kit import fill, make
from tests.kit.images import as_png
from tests.kit.reviewing import Reviewed, reviewing
from tests.kit.server import PATIENCE_S, Running, serving

KEEP = as_png(np.full((72, 96), 255, np.uint8))


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("batch")
    photos = fill(folder / "photos", ["shoe.jpg", "deep/bag.jpg", "lamp.jpg"])
    make(photos, folder / "out", Options(preset="amazon"))
    return folder


@pytest.fixture
def work(batch: Path, tmp_path: Path) -> Path:
    shutil.copytree(batch, tmp_path / "work", copy_function=shutil.copy2)
    return tmp_path / "work"


@pytest.fixture
def reviewed(work: Path) -> Iterator[Reviewed]:
    with reviewing(work / "photos", work / "out") as found:
        yield found


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=PATIENCE_S) as client:
        yield client


def photos_of(http: httpx.Client, reviewed: Reviewed) -> dict[str, Any]:
    listed = http.get(f"{reviewed.base}/photos").raise_for_status().json()
    return {photo["source"]: photo for photo in listed["photos"]}


def decide(http: httpx.Client, reviewed: Reviewed, photo: dict[str, Any], **said: Any) -> httpx.Response:
    touch_up = said.pop("touch_up", None)
    files = {name: (None, str(value)) for name, value in {"by": "Anna", "revision": photo["revision"], **said}.items()}
    painted = {} if touch_up is None else {"touch_up": ("touch_up.png", touch_up)}
    return http.post(f"{reviewed.base}/photos/{photo['id']}/decisions", files={**files, **painted})


@pytest.mark.slow
def test_a_photo_is_looked_at_corrected_judged_and_taken_back(http: httpx.Client, reviewed: Reviewed) -> None:
    photo = photos_of(http, reviewed)["shoe.jpg"]
    at = f"{reviewed.base}/photos/{photo['id']}"
    assert photo["needs_look"]  # too small for Amazon
    assert any(check["required"] for check in photo["outputs"][0]["checks"])
    with Image.open(io.BytesIO(http.get(f"{at}/photo").content)) as image:
        assert image.size == (96, 72)
    before = http.get(f"{at}/outputs/0").content
    assert before == (reviewed.out / "shoe.jpg").read_bytes()
    seen = http.post(f"{at}/preview", files={"touch_up": ("t.png", KEEP)})
    with Image.open(io.BytesIO(seen.content)) as image:
        assert np.asarray(image.convert("RGBA"))[..., 3].min() == 255
    now = (
        decide(http, reviewed, photo, verdict="corrected", touch_up=KEEP, comment="all of it").raise_for_status().json()
    )
    assert (now["revision"], now["decided"], now["decision"]["comment"]) == (1, True, "all of it")
    assert http.get(f"{at}/outputs/0").content != before
    now = decide(http, reviewed, now, verdict="good").raise_for_status().json()
    assert (now["decision"]["verdict"], now["decision"]["is_corrected"]) == ("good", True)
    assert http.get(f"{reviewed.base}/changes").json() == {photo["id"]: 2}
    now = decide(http, reviewed, now, restore=0).raise_for_status().json()
    assert (now["revision"], now["decided"]) == (3, False)
    assert http.get(f"{at}/outputs/0").content == before
    table = http.get(f"{reviewed.base}/decisions.csv")
    assert [row["verdict"] for row in csv.DictReader(io.StringIO(table.text))] == ["open"]


def test_who_comes_second_is_told_who_was_first(http: httpx.Client, reviewed: Reviewed) -> None:
    photo = photos_of(http, reviewed)["shoe.jpg"]
    decide(http, reviewed, photo, verdict="good", by="Anna").raise_for_status()
    answer = decide(http, reviewed, photo, verdict="corrected", touch_up=KEEP, by="Ben")
    assert (answer.status_code, answer.json()["by"], answer.json()["revision"]) == (409, "Anna", 1)
    assert photos_of(http, reviewed)["shoe.jpg"]["decision"]["by"] == "Anna"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({"verdict": "maybe"}, 422),
        ({"verdict": "again", "options": '{"format": "png"}'}, 422),
        ({"verdict": "again", "options": "[" * 2000}, 422),
        ({"verdict": "corrected"}, 422),
        ({"verdict": "corrected", "touch_up": b"no picture"}, 422),
        ({"verdict": "corrected", "touch_up": bytes(9_000_000)}, 413),
        ({"verdict": "good", "by": " " * 9 + "x" * 81}, 422),
        ({"verdict": "good", "revision": "-1"}, 422),
        ({"restore": 7}, 404),
    ],
)
def test_what_is_no_decision_changes_nothing(
    http: httpx.Client, reviewed: Reviewed, said: dict[str, Any], status: int
) -> None:
    photo = photos_of(http, reviewed)["shoe.jpg"]
    answer = decide(http, reviewed, photo, **said)
    assert answer.status_code == status, answer.text
    assert answer.json()["hint"]
    assert photos_of(http, reviewed)["shoe.jpg"] == photo


class TestOnThisMachine:
    """Other users of the machine can reach the port, and so can every page in the same browser."""

    def test_the_page_and_its_modules_are_served(self, http: httpx.Client, reviewed: Reviewed) -> None:
        page = http.get(reviewed.url)
        assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
        script = page.text.partition('type="module" src="')[2].partition('"')[0]
        for name in ("review.js", "stage.js", "review-en.json", "en.json", "base.css"):
            path = script.replace("review.js", name)
            assert http.get(f"{reviewed.url.removesuffix('review')}{path}").status_code == 200, name

    @pytest.mark.slow
    @pytest.mark.parametrize(
        "path", ["/", "/review", "/{}/review", "/v1/reviews/here/photos", "/{}x/v1/reviews", "/../review"]
    )
    def test_without_the_address_nothing_is_there(self, http: httpx.Client, reviewed: Reviewed, path: str) -> None:
        token = reviewed.url.split("/")[3]
        assert http.get(reviewed.origin + path.format(token[:-1])).status_code == 404

    def test_nothing_is_there_under_another_name_and_for_other_pages(
        self, http: httpx.Client, reviewed: Reviewed
    ) -> None:
        url = f"{reviewed.base}/photos"
        assert http.get(url, headers={"Host": "shop.example"}).status_code == 404  # a name that now leads here
        assert http.get(url, headers={"Origin": "https://shop.example"}).status_code == 403
        assert http.get(url, headers={"Origin": "null"}).status_code == 403
        assert http.get(url, headers={"Origin": reviewed.origin}).status_code == 200
        photo = photos_of(http, reviewed)["shoe.jpg"]
        foreign = http.post(
            f"{reviewed.base}/photos/{photo['id']}/decisions",
            files={"verdict": (None, "good"), "revision": (None, "0")},
            headers={"Origin": "https://shop.example"},
        )
        assert foreign.status_code == 403
        assert photos_of(http, reviewed)["shoe.jpg"]["revision"] == 0

    def test_no_path_leads_to_another_file(self, http: httpx.Client, reviewed: Reviewed) -> None:
        (reviewed.out.parent / "secret.jpg").write_bytes((reviewed.out / "shoe.jpg").read_bytes())
        page = reviewed.url
        for path in (
            f"{reviewed.base}/photos/..%2f..%2fsecret.jpg/photo",
            f"{reviewed.base}/photos/shoe.jpg/photo",
            f"{reviewed.base}/photos/{photos_of(http, reviewed)['shoe.jpg']['id']}/outputs/..%2f..%2fsecret.jpg",
            f"{reviewed.base}/photos/{photos_of(http, reviewed)['shoe.jpg']['id']}/outputs/-1",
            f"{page}/x/..%2froutes.py",
        ):
            assert http.get(path).status_code == 404, path


class TestInAService:
    @pytest.fixture
    def running(self, work: Path, tmp_path: Path) -> Iterator[Running]:
        # This batch's journal does not name the folder of the photos, and its network is the test's.
        journal = work / "out" / ".packshot" / "journal.jsonl"
        lines = [json.loads(line) for line in journal.read_text().splitlines()]
        for line in lines:
            if "run" in line:
                line["run"] |= {"photos": str(work / "photos"), "network": "packshot-3@000000000000"}
        journal.write_text("".join(json.dumps(line) + "\n" for line in lines))
        with serving(tmp_path / "state", review_places={"summer": str(work / "out")}) as running:
            yield running

    @pytest.mark.slow
    def test_a_key_opens_the_places_that_are_named_and_no_other(self, running: Running) -> None:
        http = running.http
        assert http.get("/review").status_code == 200
        assert http.get("/v1/reviews").status_code == 401
        bearer = {"Authorization": f"Bearer {running.new_key(0)}"}  # it costs no credit
        assert http.get("/v1/reviews", headers=bearer).json()["reviews"] == [{"place": "summer", "title": "summer"}]
        assert http.get("/v1/reviews/winter/photos", headers=bearer).status_code == 404
        assert http.get("/v1/reviews/summer/photos").status_code == 401
        listed = http.get("/v1/reviews/summer/photos", headers=bearer).json()
        photo = next(each for each in listed["photos"] if each["source"] == "shoe.jpg")
        at = f"/v1/reviews/summer/photos/{photo['id']}"
        files = {"verdict": (None, "corrected"), "revision": (None, "0"), "touch_up": ("t.png", KEEP)}
        assert http.post(f"{at}/decisions", files=files).status_code == 401
        now = http.post(f"{at}/decisions", files=files, headers=bearer)
        assert now.status_code == 200, now.text
        assert now.json()["decision"]["by"] == "test"  # the key's name, unless the request names someone

    @pytest.mark.slow
    def test_a_place_that_fails_is_no_secret_told(self, running: Running, work: Path) -> None:
        shutil.rmtree(work / "photos")
        bearer = {"Authorization": f"Bearer {running.new_key()}"}
        listed = running.http.get("/v1/reviews/summer/photos", headers=bearer).json()
        answer = running.http.get(f"/v1/reviews/summer/photos/{listed['photos'][0]['id']}/photo", headers=bearer)
        assert answer.status_code == 502
        assert str(work) not in answer.text

    @pytest.mark.slow
    def test_without_the_setting_there_is_no_review(self, tmp_path: Path) -> None:
        with serving(tmp_path / "state") as running:
            assert running.http.get("/review").status_code == 404
            assert running.http.get("/v1/reviews").status_code == 404


names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,9}", fullmatch=True)
places = st.from_regex(r"s3://[a-z]{1,9}(/[a-z0-9=]{1,9})?", fullmatch=True)


def test_no_state_of_a_photo_has_the_name_of_a_part_of_the_page() -> None:
    """A badge of the class `review` once got the height of the page, which had the same class."""
    files = read_review_page(with_keys=False).files
    styles = "".join(files[name].decode() for name in files if name.endswith(".css"))
    for state in (*STATES, *VERDICTS):
        alone = re.findall(rf"(?:^|[,}}])\s*\.{state}\s*[,{{]", styles, re.MULTILINE)
        assert not alone or state == "fine", f".{state} has its own style, and is the class of a badge or a tick"


@given(st.dictionaries(names, places, max_size=4))
def test_places_are_read_from_one_variable(wanted: dict[str, str]) -> None:
    text = ", ".join(f"{name} = {place}" for name, place in wanted.items())
    assert Settings.from_environment({"PACKSHOT_REVIEW_PLACES": text}).review_places == wanted


@pytest.mark.parametrize("text", ["summer", "summer=", "=s3://shop", "a=s3://shop,a=s3://other", "a/b=s3://shop"])
def test_what_names_no_place_is_a_fault(text: str) -> None:
    with pytest.raises(BadSettings, match="PACKSHOT_REVIEW_PLACES"):
        Settings.from_environment({"PACKSHOT_REVIEW_PLACES": text})


@pytest.mark.slow
def test_a_name_that_is_no_text_is_shown_all_the_same(batch: Path, tmp_path: Path, http: httpx.Client) -> None:
    """File names are bytes; JSON and pages hold text."""
    photos = tmp_path / "photos"
    photos.mkdir()
    name = b"shoe-\xff.jpg"
    try:
        Path(str(photos), name.decode("utf-8", "surrogateescape")).write_bytes((batch / "photos/shoe.jpg").read_bytes())
    except OSError:
        pytest.skip("this file system does not allow such names")
    make(photos, tmp_path / "out", Options(background="white"))
    assert open_storage(str(tmp_path / "out")).folder is not None
    with reviewing(photos, tmp_path / "out") as reviewed:
        (photo,) = photos_of(http, reviewed).values()
        assert photo["source"] == "shoe-\\xff.jpg"
        assert decide(http, reviewed, photo, verdict="corrected", touch_up=KEEP).status_code == 200
        assert "shoe-\\xff.jpg" in http.get(f"{reviewed.base}/decisions.csv").text
