"""People's decisions about a batch: none is lost, and two simultaneous ones do not overwrite each other."""

from __future__ import annotations

import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packshot.batch.decisions import DECISIONS, VERDICTS, Decision, Decisions
from packshot.errors import ConflictError, StorageRefused
from packshot.storage.blocking import BlockingStorage, open_storage
from tests.kit.s3 import S3

PEOPLE = 8


@pytest.fixture(scope="module")
def s3(shared_s3: S3) -> S3:
    shared_s3.make_bucket("shop")
    return shared_s3


@pytest.fixture(params=["folder", "memory", pytest.param("s3", marks=pytest.mark.services)])
def out(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BlockingStorage:
    if request.param == "s3":
        for name, value in request.getfixturevalue("s3").environment.items():
            monkeypatch.setenv(name, value)
    return open_storage(str(tmp_path) if request.param == "folder" else f"{request.param}://shop/{tmp_path.name}")


def decision(source: str = "a/shoe.jpg", revision: int = 1, by: str = "Anna") -> Decision:
    return Decision(revision=revision, source=source, version="v1", verdict="good", by=by)


def test_of_many_who_decide_at_once_one_is_first_and_the_others_are_told_who(out: BlockingStorage) -> None:
    together = threading.Barrier(PEOPLE)

    def decide(person: int, revision: int) -> ConflictError | None:
        together.wait()
        try:
            Decisions(out).add(decision(revision=revision, by=f"person {person}"))
        except ConflictError as error:
            return error
        return None

    for revision in (1, 2, 3):
        with ThreadPoolExecutor(PEOPLE) as pool:
            told = list(pool.map(decide, range(PEOPLE), [revision] * PEOPLE))
        assert told.count(None) == 1
        first = Decisions(out).of("a/shoe.jpg")
        assert first is not None
        assert (first.revision, first.by) == (revision, f"person {told.index(None)}")
        assert {error.fields["by"] for error in told if error} == {first.by}
    assert [each.revision for each in Decisions(out).history("a/shoe.jpg")] == [3, 2, 1]


texts = st.text(max_size=20)
sources = st.lists(st.text(st.characters(exclude_characters="/\0"), min_size=1, max_size=8), min_size=1).map("/".join)


@given(
    source=sources | st.binary(min_size=1, max_size=9).map(os.fsdecode),
    verdict=st.sampled_from(VERDICTS),
    said=st.tuples(texts, texts, texts),
    options=st.dictionaries(texts, texts, max_size=3),
)
def test_a_decision_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, source: str, verdict: str, said: tuple[str, ...], options: dict[str, str]
) -> None:
    decisions = Decisions(open_storage(str(tmp_path_factory.mktemp("out"))))
    written = replace(
        decision(source, by=said[0]), version=said[1], comment=said[2], verdict=verdict, options=options, made=1,
        matte="packshot-review/decisions/0/000001-0.png", rows=({"source": source, "ok": True, "box": [1, 2, 3, 4]},),
    )  # fmt: skip
    decisions.add(written)
    assert decisions.of(source) == written
    assert list(decisions.latest()) == [written]


def test_the_last_of_every_photo_counts(out: BlockingStorage) -> None:
    decisions = Decisions(out)
    for source, revisions in (("a.jpg", 1), ("b.jpg", 3), ("deep/ü b.jpg", 12)):
        for revision in range(1, revisions + 1):
            decisions.add(decision(source, revision))
    out.put(f"{DECISIONS}/notes.txt", b"by a person", "text/plain")
    assert {(each.source, each.revision) for each in decisions.latest()} == {
        ("a.jpg", 1), ("b.jpg", 3), ("deep/ü b.jpg", 12)
    }  # fmt: skip
    assert decisions.of("c.jpg") is None


@pytest.mark.parametrize("change", [{"form": 2}, {"verdict": "maybe"}, {"options": {"crop": 1}}, None])
def test_a_file_that_is_no_decision_is_named_and_passed_over_by_nobody(
    tmp_path: Path, change: dict[str, object] | None
) -> None:
    decisions = Decisions(open_storage(str(tmp_path)))
    decisions.add(decision())
    (path,) = tmp_path.rglob("000001.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | change) if change else '{"form": 1, "rev')
    with pytest.raises(StorageRefused, match=r"000001\.json is not a valid review decision"):
        list(decisions.latest())
