"""Several presets in one request: a ZIP or JSON with links, one matte, one credit."""

from __future__ import annotations

import io
import json
import uuid
import zipfile

import pytest

from packshot.api.native.models import ArchivedPicture, Packshot
from packshot.core.options import Options
from packshot.engine.calls import remove
from packshot.engine.presets import preset_names
from tests.kit.images import as_jpeg, photo
from tests.kit.native import JSON, problem, send
from tests.kit.server import Running

PHOTO = as_jpeg(photo(640, 480, 5))
NAMES = ("google", "amazon", "etsy")
ZIP = "application/zip"


@pytest.mark.slow
def test_the_zip_holds_what_each_preset_alone_makes_and_says_what_is_known(running: Running) -> None:
    answer = send(running, PHOTO, preset=",".join(NAMES))
    assert answer.headers["content-type"] == ZIP
    assert answer.headers["content-disposition"] == 'attachment; filename="packshots.zip"'
    assert answer.headers["x-packshot-credits"] == "1"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [*(f"{name}.jpg" for name in NAMES), "packshots.json"]
        known = [ArchivedPicture.model_validate(each) for each in json.loads(archive.read("packshots.json"))]
        for name, facts in zip(NAMES, known, strict=True):
            alone = remove(PHOTO, Options(preset=name), network=running.service.network)
            assert archive.read(facts.file) == alone.data
            assert alone.report is not None
            assert facts.preset is not None
            assert (facts.preset.name, facts.preset.passed) == (name, alone.report.passed)
    passed = all(facts.preset is not None and facts.preset.passed for facts in known)
    assert answer.headers["x-packshot-preset"] == ("passed" if passed else "failed")


def test_the_links_lead_to_the_same_pictures_for_one_credit(running: Running) -> None:
    key = running.new_key(1)
    named = {"idempotency-key": str(uuid.uuid4())}
    first = send(running, PHOTO, key=key, accept=JSON, headers=named, preset=", ".join(NAMES))
    body = Packshot.model_validate(first.json())
    assert body.credits == 1
    assert (body.url, body.width) == (body.packshots[0].url, body.packshots[0].width)
    assert [each.preset.name for each in body.packshots if each.preset] == list(NAMES)
    pictures = [running.http.get(each.url).content for each in body.packshots]
    assert [len(each) for each in pictures] == [each.bytes for each in body.packshots]
    again = send(running, PHOTO, key=key, accept=JSON, headers=named, preset=", ".join(NAMES))
    assert [each["url"] for each in again.json()["packshots"]] == [each.url for each in body.packshots]
    archive = zipfile.ZipFile(io.BytesIO(send(running, PHOTO, key=key, headers=named, preset=", ".join(NAMES)).content))
    assert [archive.read(f"{name}.jpg") for name in NAMES] == pictures, "the same key, as a ZIP"
    other = send(running, PHOTO, key=key, headers=named, preset="amazon")
    problem(other, 409, "conflict")


@pytest.mark.slow
def test_all_presets_at_once_are_one_photo(running: Running) -> None:
    key = running.new_key(1)
    answer = send(running, PHOTO, key=key, preset=",".join(preset_names()))
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert len(archive.namelist()) == len(preset_names()) + 1


@pytest.mark.parametrize("accept", ["image/jpeg", "image/*"])
def test_who_takes_pictures_alone_is_told_what_several_come_in(running: Running, accept: str) -> None:
    body = problem(send(running, PHOTO, accept=accept, preset="amazon,etsy"), 406, "not-acceptable")
    assert ZIP in body["detail"]


@pytest.mark.slow
@pytest.mark.parametrize("text", ["amazon,amazon", "amazon,", "amazon,nosuch"])
def test_a_list_that_is_none_costs_nothing(running: Running, text: str) -> None:
    key = running.new_key(1)
    body = problem(send(running, PHOTO, key=key, preset=text), 422, "invalid-option")
    assert body["field"] == "preset"
    assert send(running, PHOTO, key=key).status_code == 200, "the credit is still there"


@pytest.mark.slow
def test_a_repair_is_told_in_full(running: Running) -> None:
    body = send(running, as_jpeg(photo(560, 500, 2)), accept=JSON, preset="amazon").json()
    (repair,) = body["preset"]["repairs"]
    assert repair["code"] == "enlarged"
    assert body["packshots"] == []
    assert repair["facts"]["longest_px"] == body["width"] == 500
    off = send(running, as_jpeg(photo(560, 500, 2)), accept=JSON, preset="amazon", repair="false").json()
    assert off["preset"]["repairs"] == []
    assert off["width"] < 500
