"""`packshot remove` as a user runs it: a process, files in, files out."""

from __future__ import annotations

import io
import json
import shlex
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from packshot.batch.journal import NAME
from packshot.cli import cli
from packshot.core.codecs.formats import WRITTEN, Format
from packshot.core.confidence import Calibration
from packshot.engine.weights import DEFAULT_MODEL, find_card
from packshot.errors import InvalidOption
from tests.batch.kit import made_of
from tests.kit.images import as_jpeg, as_png, photo
from tests.kit.server import wait_until


def run(*arguments: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "packshot", *map(str, arguments)]
    return subprocess.run(command, input=stdin, capture_output=True, check=False)


def invoked(*arguments: str | Path) -> Result:
    """The same within this process, for tests of a command's effects only: ten times as fast."""
    return CliRunner().invoke(cli, list(map(str, arguments)), catch_exceptions=False)


@pytest.fixture
def jpeg(tmp_path: Path) -> Path:
    path = tmp_path / "photo.jpg"
    path.write_bytes(as_jpeg(photo(160, 120, 1)))
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flags", "name", "mode", "format_"),
    [
        ("", "photo.png", "RGBA", "PNG"),
        ("--form mask", "photo-mask.png", "L", "PNG"),
        ("--background white", "photo-white.jpg", "RGB", "JPEG"),
        ("--background blur --format webp", "photo-blur.webp", "RGB", "WEBP"),
        ("--background #f4f4f4", "photo-colour.jpg", "RGB", "JPEG"),
        ("--crop --margin 5%", "photo-crop.png", "RGBA", "PNG"),
        ("--canvas 200x200", "photo-framed.png", "RGBA", "PNG"),
        ("--preset square", "photo-square.jpg", "RGB", "JPEG"),
        ("--preset square --form mask", "photo-square.png", "L", "PNG"),
    ],
)
def test_a_photo_becomes_a_file_beside_it(jpeg: Path, flags: str, name: str, mode: str, format_: str) -> None:
    result = invoked("remove", jpeg, *flags.split())
    assert result.exit_code == 0, result.stderr
    with Image.open(jpeg.with_name(name)) as image:
        assert (image.mode, image.format) == (mode, format_)


def test_a_picture_goes_behind_the_product_from_its_file(jpeg: Path) -> None:
    behind = jpeg.with_name("sky.png")
    Image.new("RGB", (64, 64), (10, 20, 200)).save(behind)
    result = invoked("remove", jpeg, "--background-picture", behind, "--format", "png")
    assert result.exit_code == 0, result.stderr
    with Image.open(jpeg.with_name("photo-picture.png")) as image:
        assert image.getpixel((0, 0)) == (10, 20, 200)


@pytest.mark.slow
@pytest.mark.parametrize("row", WRITTEN.values(), ids=list(WRITTEN))
def test_the_name_of_the_output_decides_its_format(jpeg: Path, row: Format) -> None:
    name = jpeg.with_name(f"shop{row.suffix}")
    result = invoked("remove", jpeg, "--out", name)
    assert result.exit_code == 0, result.stderr
    with Image.open(name) as image:
        assert image.format == row.title.upper()


def test_a_preset_says_which_rules_the_picture_keeps_and_fails_nothing(jpeg: Path) -> None:
    result = invoked("remove", jpeg, "--preset", "amazon")
    assert result.exit_code == 0, result.stderr
    said = result.stderr
    assert "Amazon main image: FAILED, 1 of 6 rules not kept" in said
    assert "ok      The product must fill" in said
    assert "FAILED  The longest side must be" in said
    assert invoked("check", jpeg.with_name("photo-amazon.jpg"), "--preset", "amazon").exit_code == 1


@pytest.mark.slow
@pytest.mark.parametrize("presets", [("--preset", "amazon,square"), ("--preset", "amazon", "--preset", "square")])
def test_several_presets_make_a_picture_each_of_one_photo(tmp_path: Path, presets: tuple[str, ...]) -> None:
    photos = [tmp_path / f"{name}.jpg" for name in ("mug", "lamp")]
    for seed, path in enumerate(photos):
        path.write_bytes(as_jpeg(photo(300, 240, seed)))
    made = invoked("remove", *photos, *presets)
    assert made.exit_code == 0
    assert {path.name for path in tmp_path.iterdir()} == {
        f"{name}{word}.jpg" for name in ("mug", "lamp") for word in ("", "-amazon", "-square")
    }
    assert "4 pictures of 2 photos done, 0 failed" in made.stderr
    (tmp_path / "mug-square.jpg").unlink()
    before = (tmp_path / "mug-amazon.jpg").stat().st_mtime_ns
    again = invoked("remove", *photos, *presets)
    assert "1 done" in again.stderr and "3 exist already" in again.stderr
    assert (tmp_path / "mug-amazon.jpg").stat().st_mtime_ns == before, "existing files stay"
    alone = invoked("remove", photos[0], "--preset", "square", "--out", tmp_path / "alone.jpg")
    assert alone.exit_code == 0
    assert (tmp_path / "alone.jpg").read_bytes() == (tmp_path / "mug-square.jpg").read_bytes()


@pytest.mark.slow
def test_several_presets_of_one_photo_are_told_in_full_and_repairs_named(tmp_path: Path) -> None:
    path = tmp_path / "mug.jpg"
    path.write_bytes(as_jpeg(photo(560, 500, 2)))
    made = invoked("remove", path, "--preset", "amazon,square")
    assert "mug.jpg -> " in made.stderr
    assert "Amazon main image: passed" in made.stderr and "Square on white: passed" in made.stderr
    assert "mended  The product was enlarged" in made.stderr
    as_json = invoked("remove", path, "--preset", "amazon,square", "--force", "--json")
    rows = [json.loads(line) for line in as_json.stdout.splitlines()]
    assert [row["preset"]["name"] for row in rows] == ["amazon", "square"]
    assert [repair["code"] for repair in rows[0]["preset"]["repairs"]] == ["enlarged"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["photo.jpg", "--out", "one.jpg"], "Several presets cannot go to one file, one.jpg."),
        (["photo.jpg", "--out", "-"], "Several presets cannot go to stdout."),
        (["-"], "Several presets cannot go to stdout."),
    ],
)
def test_several_pictures_do_not_go_where_one_has_room(
    jpeg: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.chdir(jpeg.parent)
    with pytest.raises(InvalidOption, match=words):
        invoked("remove", *arguments, "--preset", "amazon,square")


@pytest.mark.slow
def test_of_many_photos_only_what_breaks_rules_is_said_and_counted(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for seed in (3, 4):
        (photos / f"{seed}.jpg").write_bytes(as_jpeg(photo(96, 96, seed)))
    result = invoked("remove", photos, "--out", tmp_path / "out", "--preset", "google")
    assert result.exit_code == 0, result.stderr
    assert "2 break the rules of their preset" in result.stderr
    assert result.stderr.count("The shortest side must be") == 2
    assert "ok      " not in result.stderr


@pytest.mark.slow
def test_a_pipe_in_and_out(jpeg: Path) -> None:
    result = run("remove", "-", stdin=jpeg.read_bytes())
    assert result.returncode == 0, result.stderr
    assert Image.open(io.BytesIO(result.stdout)).size == (160, 120)


@pytest.mark.slow
def test_a_png_is_never_overwritten_by_its_own_cutout(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    data = as_png(photo(96, 96, 2))
    path.write_bytes(data)
    assert run("remove", path).returncode == 0
    assert path.read_bytes() == data
    assert (tmp_path / "photo-cutout.png").exists()


def test_an_existing_output_stays_unless_asked_and_that_is_no_failure(jpeg: Path) -> None:
    target = jpeg.with_suffix(".png")
    target.write_bytes(b"mine")
    left = invoked("remove", jpeg)
    assert left.exit_code == 0
    assert "photo.png exists already" in left.stderr
    again = shlex.split(left.stderr.split("again: packshot ")[1])
    assert target.read_bytes() == b"mine"
    assert invoked(*again).exit_code == 0
    assert target.read_bytes() != b"mine"


@pytest.mark.slow
def test_a_folder_keeps_its_structure_and_one_bad_photo_stops_nothing(tmp_path: Path) -> None:
    photos, out = tmp_path / "photos", tmp_path / "out"
    (photos / "deep").mkdir(parents=True)
    (photos / "one.jpg").write_bytes(as_jpeg(photo(96, 96, 3)))
    (photos / "deep" / "two.jpg").write_bytes(as_jpeg(photo(96, 96, 4)))
    (photos / "bad.jpg").write_bytes(b"this is no picture")
    (photos / "notes.txt").write_text("left alone")
    result = run("remove", photos, "--out", out)
    assert result.returncode == 65
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()) == [
        "deep/two.png",
        "one.png",
    ]
    assert result.stderr.count(b"This file is text") == 1
    assert b"bad.jpg: This file is text" in result.stderr
    assert b"2 done, 1 failed" in result.stderr


def model_that_doubts(folder: Path, review_below: float) -> Path:
    """The default network with a card that sends results below a confidence to review."""
    card, graph = find_card(DEFAULT_MODEL)
    curve = Calibration(card.sha256, -2.0, {"stability": 5.0}, review_below, 100, 0.7, 0.08, 0.01, 0.35, 0.3)
    shutil.copy(graph, folder)
    (folder / f"{card.name}.json").write_text(replace(card, confidence=curve).to_json())
    return folder / card.file


@pytest.mark.slow
@pytest.mark.parametrize(("review_below", "unsure"), [(0.0, 0), (1.0, 2)])
def test_photos_of_little_confidence_are_pointed_out(tmp_path: Path, review_below: float, unsure: int) -> None:
    model = model_that_doubts(tmp_path, review_below)
    (tmp_path / "photos").mkdir()
    for seed in (3, 4):
        (tmp_path / "photos" / f"{seed}.jpg").write_bytes(as_jpeg(photo(96, 96, seed)))
    result = run("remove", tmp_path / "photos", "--out", tmp_path / "out", "--model", model)
    assert result.returncode == 0, result.stderr
    assert result.stderr.count(b"  confidence 0.") == 2
    assert result.stderr.count(b"look at it") == unsure
    assert f"2 done, 0 failed, {unsure} to look at".encode() in result.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("review_below", "words"), [(0.0, b": passed"), (1.0, b"look at the picture before you use it")]
)
@pytest.mark.parametrize("out", ["shirt.jpg", "-"])
def test_a_photo_to_be_reviewed_has_not_passed_whatever_rules_it_keeps(
    tmp_path: Path, review_below: float, words: bytes, out: str
) -> None:
    model = model_that_doubts(tmp_path, review_below)
    (tmp_path / "photo.jpg").write_bytes(as_jpeg(photo(700, 700, 3)))
    target = out if out == "-" else tmp_path / out
    result = run("remove", tmp_path / "photo.jpg", "--preset", "ebay", "--out", target, "--model", model)
    assert result.returncode == 0, result.stderr
    headline = next(line for line in result.stderr.splitlines() if line.startswith(b"  eBay listing picture"))
    assert headline.endswith(words)
    assert (b"passed" in result.stderr) == (review_below == 0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["remove", "nowhere.jpg"], 2, b"does not exist"),
        (["remove", "{jpeg}", "--form", "poster"], 2, b"--form is 'poster'. Give cutout, mask or flattened."),
        (["remove", "{jpeg}", "--preset", "amazn"], 2, b"Did you mean amazon?"),
        (["remove", "{jpeg}", "--touch-up", "nowhere.png"], 2, b"nowhere.png"),
        (["remove"], 2, b"Missing argument"),
        (["remove", "{jpeg}", "--model", "no-such-model"], 78, b"no-such-model"),
        (["remove", "{folder}"], 2, b"--out"),
        (["remove", "{jpeg}", "{jpeg}", "--out", "-"], 2, b"--out FOLDER"),
        (["remove", "{jpeg}", "--out", "/proc/nowhere/photo.png"], 74, b"cannot be written"),
    ],
)
def test_mistakes_are_answered_with_what_to_do(jpeg: Path, arguments: list[str], code: int, words: bytes) -> None:
    filled = [item.format(jpeg=jpeg, folder=jpeg.parent) for item in arguments]
    result = run(*filled)
    assert result.returncode == code, result.stderr
    assert words in result.stderr
    assert b"Traceback" not in result.stderr


def test_two_photos_that_would_become_one_file_are_refused(tmp_path: Path) -> None:
    for name in ("a/photo.jpg", "b/photo.jpg"):
        path = tmp_path / name
        path.parent.mkdir()
        path.write_bytes(as_jpeg(photo(64, 64, 5)))
    result = run("remove", tmp_path / "a/photo.jpg", tmp_path / "b/photo.jpg", "--out", tmp_path / "out")
    assert result.returncode == 2
    assert b"both become" in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_picture_without_a_product_says_so(tmp_path: Path) -> None:
    path = tmp_path / "empty.png"
    Image.new("RGB", (128, 128), "white").save(path)
    result = run("remove", path)
    assert result.returncode == 66, result.stderr
    assert b"No product was found" in result.stderr


@pytest.mark.slow
def test_a_killed_run_leaves_no_half_file_under_the_name(jpeg: Path) -> None:
    # The output is written next to its place and then renamed: a file under the final name is always complete.
    assert run("remove", jpeg).returncode == 0
    assert [path.name for path in jpeg.parent.iterdir() if path.name.startswith(".")] == []


@pytest.mark.slow
def test_ctrl_c_ends_soon_and_leaves_whole_files_only(tmp_path: Path) -> None:
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    data = as_jpeg(photo(640, 480, 6))
    for number in range(200):
        (photos / f"{number:03}.jpg").write_bytes(data)
    command = [sys.executable, "-m", "packshot", "remove", str(photos), "--out", str(out)]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        assert b"000.png" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        rest = process.communicate(timeout=30)[1]
    assert process.returncode == 130
    assert b"photos are left" in rest
    assert b"Traceback" not in rest
    made = sorted(out.iterdir())
    assert 0 < len(made) < 200
    for path in made:
        with Image.open(path) as image:
            image.load()


def busy(folder: Path) -> Path:
    """A small photo, and a slow one: 9 megapixels of noise, each to become an AVIF."""
    photos = folder / "photos"
    photos.mkdir()
    (photos / "0.jpg").write_bytes(as_jpeg(photo(96, 96, 1)))
    noisy = np.random.default_rng(0).integers(0, 255, (3000, 3000, 3), dtype=np.uint8)
    noisy[:600] = noisy[-600:] = noisy[:, :600] = noisy[:, -600:] = 255
    (photos / "1.jpg").write_bytes(as_jpeg(noisy, quality=60))
    return photos


@pytest.mark.slow
@pytest.mark.parametrize("command", ["remove", "batch", "check"])
def test_ctrl_c_twice_ends_a_photo_that_takes_long(tmp_path: Path, command: str) -> None:
    photos, out = busy(tmp_path), tmp_path / "out"
    arguments = {
        "remove": ["remove", photos, "--out", out, "--jobs", "1", "--format", "avif"],
        "batch": ["batch", photos, out, "--jobs", "1", "--format", "avif", "--report", "none"],
        "check": ["check", photos, "--preset", "amazon"],
    }[command]
    process = subprocess.Popen(
        [sys.executable, "-m", "packshot", *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    with process:
        if command == "batch":
            wait_until(lambda: (out / NAME).exists() and bool(made_of(out)))
        else:
            stream = process.stdout if command == "check" else process.stderr
            assert stream is not None
            assert b"0.jpg" in stream.readline()
        process.send_signal(signal.SIGINT)
        if command != "check":  # check has no work to finish: the first signal ends it
            assert process.stderr is not None
            while b"Ctrl-C again" not in (line := process.stderr.readline()):
                assert line
            process.send_signal(signal.SIGINT)
        rest = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGINT
    assert b"Traceback" not in rest[1]
    assert b"1.jpg" not in b"".join(rest), "it ended before the second photo did"
    assert not (out / "1.avif").exists()
    if command == "batch":
        assert made_of(out) == {"0.jpg": 1}
