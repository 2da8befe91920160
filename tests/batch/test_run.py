"""The pictures that a rerun makes or keeps, on folders and on object storage in memory."""

from __future__ import annotations

import io
import os
import threading
from pathlib import Path

import pytest

from packshot.batch import executors
from packshot.batch.process import Outcome
from packshot.batch.progress import Progress
from packshot.core.options import Options
from packshot.errors import InvalidOption, StoreUnavailable
from packshot.retry import RetryPolicy
from packshot.storage.blocking import open_storage
from tests.batch.kit import fill, journal, made_of, make, outputs
from tests.kit.images import as_jpeg, photo

GRAY = Options(background="#808080")


@pytest.mark.slow
def test_a_changed_photo_and_a_removed_output_are_made_again_and_nothing_else(tmp_path: Path) -> None:
    photos, out = fill(tmp_path / "photos", ["a.jpg", "deep/b.jpg", "c.jpg"]), tmp_path / "out"
    assert make(photos, out).now == 3
    assert make(photos, out).now == 0
    (photos / "a.jpg").write_bytes(as_jpeg(photo(96, 72, 77)))
    (out / "c.jpg").unlink()
    summary = make(photos, out)
    assert (summary.now, summary.counts.made) == (2, 3)
    assert made_of(out) == {"a.jpg": 2, "deep/b.jpg": 1, "c.jpg": 2}
    assert outputs(out) == {"a.jpg", "deep/b.jpg", "c.jpg"}


def test_other_options_are_made_anew_also_when_they_come_back(tmp_path: Path) -> None:
    """Both write a.jpg: the file must match the options of the last run."""
    photos, out = fill(tmp_path / "photos", ["a.jpg"]), tmp_path / "out"
    make(photos, out)
    white = (out / "a.jpg").read_bytes()
    assert make(photos, out, GRAY).now == 1
    assert (out / "a.jpg").read_bytes() != white
    assert make(photos, out).now == 1
    assert (out / "a.jpg").read_bytes() == white


def test_an_empty_output_is_none(tmp_path: Path) -> None:
    photos, out = fill(tmp_path / "photos", ["a.jpg"]), tmp_path / "out"
    make(photos, out)
    (out / "a.jpg").write_bytes(b"")
    assert make(photos, out).now == 1


def test_outputs_in_the_photos_folder_are_no_photos(tmp_path: Path) -> None:
    photos = fill(tmp_path / "photos", ["a.jpg"])
    for _ in range(2):
        assert make(photos, photos / "shop").counts.wanted == 1


def test_files_that_packshot_did_not_make_stay(tmp_path: Path) -> None:
    photos, out = fill(tmp_path / "photos", ["a.jpg", "b.jpg"]), tmp_path / "out"
    out.mkdir()
    (out / "a.jpg").write_bytes(b"painted by hand")
    os.utime(out / "a.jpg", (1, 1))
    for _ in range(2):  # the second time, a journal exists
        summary = make(photos, out)
        assert (summary.counts.made, summary.counts.failed) == (1, 1)
    assert (out / "a.jpg").read_bytes() == b"painted by hand"
    assert make(photos, out, force=True).counts.failed == 0
    assert (out / "a.jpg").read_bytes() != b"painted by hand"


@pytest.mark.slow
def test_force_makes_all_again_and_a_plain_run_goes_on_with_it(tmp_path: Path) -> None:
    photos, out = fill(tmp_path / "photos", [f"{number}.jpg" for number in range(6)]), tmp_path / "out"
    make(photos, out, manifest=["0.jpg", "1.jpg", "2.jpg"])
    (out / "3.jpg").write_bytes(b"painted by hand")
    os.utime(out / "3.jpg", (1, 1))
    stop = threading.Event()
    stopped = make(photos, out, force=True, stop=stop, jobs=1, progress=StopAfter(stop, 2))
    assert 2 <= stopped.now < 6
    assert stopped.left == 6 - stopped.now
    rest = make(photos, out)
    assert (rest.now, rest.counts.made, rest.counts.failed) == (stopped.left, 6, 0)
    assert made_of(out) == {
        **dict.fromkeys(("3.jpg", "4.jpg", "5.jpg"), 1),
        **dict.fromkeys(("0.jpg", "1.jpg", "2.jpg"), 2),
    }
    assert (out / "3.jpg").read_bytes() != b"painted by hand"
    assert make(photos, out).now == 0


def test_force_with_a_manifest_is_about_its_photos_alone(tmp_path: Path) -> None:
    photos, out = fill(tmp_path / "photos", ["a.jpg", "b.jpg"]), tmp_path / "out"
    make(photos, out)
    assert make(photos, out, manifest=["b.jpg"], force=True).now == 1
    assert make(photos, out).now == 0
    assert made_of(out) == {"a.jpg": 1, "b.jpg": 2}


def test_a_second_run_says_what_is_finished_and_no_rate(tmp_path: Path) -> None:
    photos, out = fill(tmp_path / "photos", ["a.jpg", "b.jpg"]), tmp_path / "out"
    assert make(photos, out).rate > 0
    said = io.StringIO()
    again = make(photos, out, progress=Progress(said))
    assert "2 photos, 2 of them finished before." in said.getvalue()
    assert "per second" not in said.getvalue()
    assert (again.now, again.rate) == (0, 0.0)
    (photos / "bad.jpg").write_bytes(b"this is no picture")
    tried = make(photos, out)
    assert (tried.now, tried.made_now, tried.rate) == (1, 0, 0.0), "a failure is fast, and makes nothing"


@pytest.mark.slow
def test_an_end_before_all_is_listed_begins_nothing_and_keeps_the_report(tmp_path: Path) -> None:
    photos, out = fill(tmp_path / "photos", [f"{number}.jpg" for number in range(4)]), tmp_path / "out"
    report = str(tmp_path / "report")
    make(photos, out, report=report)
    before = (tmp_path / "report/report.csv").read_bytes()
    fill(photos, ["more.jpg"])
    stop = threading.Event()
    summary = make(photos, out, report=report, stop=stop, progress=StopListing(stop, 2))
    assert (summary.listed, summary.now, summary.reported) == (False, 0, False)
    assert (tmp_path / "report/report.csv").read_bytes() == before
    assert make(photos, out, report=report).now == 1


class StopAfter(Progress):
    """Requests a stop after this many finished photos."""

    def __init__(self, stop: threading.Event, count: int) -> None:
        super().__init__(io.StringIO())
        self._stop, self._left = stop, count

    def step(self, outcome: Outcome) -> None:
        super().step(outcome)
        self._left -= 1
        if not self._left:
            self._stop.set()


class StopListing(StopAfter):
    """The same during the listing of photos."""

    def listing(self, count: int) -> None:
        if count == self._left:
            self._stop.set()


def test_a_manifest_may_name_photos_as_the_shell_lists_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    fill(tmp_path / "photos", ["a.jpg", "deep/b.jpg", "photos/c.jpg"])
    lines = ["photos/a.jpg", "./photos/deep/b.jpg", "photos/c.jpg"]
    for place in ("photos", "./photos/"):
        summary = make(place, tmp_path / "out", manifest=lines)
        assert (summary.counts.made, summary.counts.failed) == (3, 0), place


def test_failures_name_the_place_as_the_user_wrote_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    fill(tmp_path, ["photos/a.jpg", "photos/b.jpg"])
    (tmp_path / "shop/a.jpg").mkdir(parents=True)
    make("./photos", "./shop", manifest=["a.jpg", "gone.jpg"])
    said = {row["source"]: row["error"]["message"] for row in journal(tmp_path / "shop") if not row["ok"]}
    assert said["gone.jpg"].startswith("./photos/gone.jpg: ")
    assert said["a.jpg"].startswith("./shop/a.jpg: ")


def test_an_output_that_a_kill_left_without_its_line_is_replaced(tmp_path: Path) -> None:
    photos, out = fill(tmp_path / "photos", ["a.jpg", "b.jpg"]), tmp_path / "out"
    make(photos, out, manifest=["b.jpg"])
    (out / "a.jpg").write_bytes(b"the same bytes in truth")
    summary = make(photos, out)
    assert (summary.counts.made, summary.counts.failed, summary.now) == (2, 0, 1)


def test_a_manifest_chooses_and_what_it_names_wrongly_fails_alone(tmp_path: Path) -> None:
    photos, out = fill(tmp_path / "photos", ["a.jpg", "b.jpg", "odd name\n.jpg"]), tmp_path / "out"
    (tmp_path / "secret.jpg").write_bytes(as_jpeg(photo(96, 72)))
    lines = ["a.jpg\n", "\n", f"{photos}/b.jpg\r\n", '"odd name\\n.jpg"\n', "gone.jpg\n", "../secret.jpg\n"]
    summary = make(photos, out, manifest=lines)
    assert (summary.counts.made, summary.counts.failed) == (3, 2)
    assert outputs(out) == {"a.jpg", "b.jpg", "odd name\n.jpg"}
    assert not (tmp_path / "secret-white.jpg").exists()
    failed = {row["source"]: row["error"]["slug"] for row in journal(out) if not row["ok"]}
    assert failed == {"gone.jpg": "file-missing", "../secret.jpg": "storage-refused"}


def test_file_names_that_are_no_text(tmp_path: Path) -> None:
    photos, out = fill(tmp_path / "photos", ["a.jpg"]), tmp_path / "out"
    odd = os.fsdecode(b"\xff\xe9.jpg")
    (photos / "a.jpg").rename(photos / odd)
    for now in (1, 0):
        summary = make(photos, out, report=str(tmp_path / "report"))
        assert (summary.counts.made, summary.now) == (1, now)
    assert outputs(out) == {odd}


def test_object_storage_in_memory() -> None:
    photos, out = open_storage("memory://test-photos/raw"), open_storage("memory://test-shop/2026")
    for name in ("a.jpg", "deep/b é.jpg"):
        photos.put(name, as_jpeg(photo(96, 72, len(name))), "image/jpeg")
    photos.put("notes.txt", b"no photo", "text/plain")
    summary = make(photos.url, out.url, report=f"{out.url}/packshot-report")
    assert (summary.counts.made, summary.counts.failed, summary.now) == (2, 0, 2)
    listed = {entry.key for entry in out.list()}
    assert {"a.jpg", "deep/b é.jpg", "packshot-report/report.html", "packshot-report/report.csv"} <= listed
    assert make(photos.url, out.url).now == 0
    photos.put("a.jpg", as_jpeg(photo(96, 72, 50)), "image/jpeg")
    assert make(photos.url, out.url).now == 1


def test_a_place_that_went_away_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos, out = fill(tmp_path / "photos", [f"{number}.jpg" for number in range(40)]), tmp_path / "out"
    monkeypatch.setattr("packshot.storage.blocking.RETRIES", RetryPolicy(2, 0.01, 0.01))
    monkeypatch.setattr("packshot.batch.run.GIVE_UP_AFTER_S", 0.05)

    async def away(*_: object) -> bytes:
        raise StoreUnavailable("No route to host.")

    monkeypatch.setattr("packshot.storage.folder.FolderStorage.read", away)
    summary = make(photos, out)
    assert isinstance(summary.trouble, StoreUnavailable)
    assert "to continue" in summary.trouble.hint
    assert summary.left > 0


def test_photos_in_hand_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken, done = 0, 0
    lock = threading.Lock()

    def quick(item: object, _settings: object) -> Outcome:
        nonlocal done
        with lock:
            done += 1
        return Outcome(item)  # type: ignore[arg-type]

    def items():  # type: ignore[no-untyped-def]
        nonlocal taken
        for number in range(100):
            taken += 1
            assert taken - done <= 2 * 3 + 1
            yield number

    monkeypatch.setattr(executors, "process", quick)
    outcomes = executors.LocalExecutor(3).outcomes(items(), None, threading.Event())  # type: ignore[arg-type]
    assert sorted(outcome.item for outcome in outcomes) == list(range(100))  # type: ignore[type-var]


def test_outputs_never_land_among_the_photos(tmp_path: Path) -> None:
    photos = fill(tmp_path / "photos", ["photos/a.jpg"])
    for out in (photos, tmp_path):
        with pytest.raises(InvalidOption, match="could replace photos"):
            make(photos, out)
    assert not (tmp_path / ".packshot").exists()


def test_two_photos_with_one_output_are_refused_before_anything_is_made(tmp_path: Path) -> None:
    photos, out = fill(tmp_path / "photos", ["a.jpeg", "a.jpg", "b.jpg", "c/a.jpg"]), tmp_path / "out"
    with pytest.raises(InvalidOption, match=r"a\.jpeg and a\.jpg would both become a\.jpg"):
        make(photos, out)
    assert not outputs(out)
    assert make(photos, out, manifest=["a.jpg", "b.jpg", "c/a.jpg"]).counts.made == 3
