"""The sweep over sample files: two readers' views of one file, and the verdict on each file."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evaluation.samples.readers import MEAN, Pixels, compare
from evaluation.samples.sweep import Row, examine, main, report, samples, sweep
from packshot.core.codecs.colour import MAX_PROFILE_BYTES
from tests.kit import files
from tests.kit.images import as_jpeg, good, photo

WIDTH, HEIGHT = 64, 48


def pixels(offset: int = 0, alpha: int = 255, *, where: slice = slice(None)) -> Pixels:
    """A gray picture of 100, with an offset added to some of its rows."""
    rgb = np.full((HEIGHT, WIDTH, 3), 100, np.uint8)
    rgb[where] += np.uint8(offset)
    return Pixels(rgb, np.full((HEIGHT, WIDTH), alpha, np.uint8))


def test_the_more_two_pictures_differ_the_larger_the_difference() -> None:
    found = [compare(pixels(), pixels(offset)) for offset in (0, 1, 5, 100)]
    assert [each.mean for each in found] == pytest.approx([0, 1, 5, 100])
    assert [each.most for each in found] == [0, 1, 5, 100]
    assert [each.is_small for each in found] == [True, False, False, False]


def test_damage_in_one_corner_is_seen_though_the_mean_is_small() -> None:
    found = compare(pixels(), pixels(100, where=slice(0, 1)))
    half = compare(pixels(), pixels(100, where=slice(0, 3)))
    assert 0 < found.cell < half.cell
    tiny = Pixels(pixels().rgb.copy(), pixels().alpha)
    tiny.rgb[:6, :4] += 100
    found = compare(pixels(), tiny)
    assert found.mean < MEAN
    assert not found.is_small


def test_colours_that_nobody_sees_are_not_compared_and_alphas_are() -> None:
    hidden = compare(pixels(0, alpha=0), pixels(100, alpha=0))
    assert hidden.is_small
    seen_by_one = compare(pixels(0, alpha=255), pixels(100, alpha=0))
    assert seen_by_one.mean == 0
    assert seen_by_one.alpha_mean == 255
    assert not seen_by_one.is_small


def _folder(root: Path) -> Path:
    """One file for each outcome that does not depend on packshot's quality as a reader."""
    made = {
        "a/plain.jpg": as_jpeg(photo(WIDTH, HEIGHT)),
        "a/turned.jpg": as_jpeg(photo(WIDTH, HEIGHT), exif=b"Exif\0\0" + files.exif_block(6)),
        "a/deep.png": files.raw_png((np.arange(WIDTH * HEIGHT).reshape(HEIGHT, WIDTH, 1) * 20) % 65536, 0, 16),
        "a/named.wrongly.jpg": good("png", WIDTH, HEIGHT),
        "b/large profile.tif": _with_large_profile(),
        "b/cut.png": good("png", WIDTH, HEIGHT)[:60],
        "b/no picture.jpg": b"Dear reader, " * 40,
        "b/drawing.ppm": b"P6 1 1 255\n\1\2\3",
        ".hidden/plain.jpg": as_jpeg(photo(WIDTH, HEIGHT)),
    }
    for name, data in made.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def _with_large_profile() -> bytes:
    """packshot ignores a profile of over 4 MB, Pillow uses it: the colours must differ."""
    out, profile = io.BytesIO(), files.rgb_profile()
    colour = Image.new("RGB", (WIDTH, HEIGHT), (40, 200, 40))
    colour.save(out, "TIFF", icc_profile=profile + bytes(MAX_PROFILE_BYTES))
    return out.getvalue()


@pytest.mark.slow
def test_each_file_is_said_to_be_what_it_is(tmp_path: Path) -> None:
    rows = {row.path: row for row in sweep(_folder(tmp_path))}
    assert {name: (row.format, row.kind) for name, row in rows.items()} == {
        "a/deep.png": ("png", "same"),
        "a/named.wrongly.jpg": ("png", "same"),
        "a/plain.jpg": ("jpeg", "same"),
        "a/turned.jpg": ("jpeg", "same"),
        "b/cut.png": ("png", "neither"),
        "b/large profile.tif": ("tiff", "differs"),
        "b/no picture.jpg": ("jpg", "neither"),
    }
    assert {row.project for row in rows.values()} == {"a", "b"}
    assert rows["b/large profile.tif"].worst > 10
    text = report(list(rows.values()))
    assert "b/large profile.tif: mean" in text
    assert "plain.jpg" not in text


def test_a_run_goes_on_where_the_last_one_ended(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, kept = _folder(tmp_path / "files"), tmp_path / "rows"
    old = Row("a", "jpeg", "a/plain.jpg", "broken", "of the last run", 0.0, 0.5)
    kept.write_text(json.dumps(old.__dict__) + "\n", encoding="utf-8")
    assert main([str(folder), "--rows", str(kept), "--format", "jpeg", "--jobs", "2"]) == 1
    said = capsys.readouterr().out
    assert "a/plain.jpg: of the last run" in said
    assert "a/plain.jpg: 500 ms" in said
    assert len(kept.read_text(encoding="utf-8").splitlines()) == 2
    assert {path.name for path, name in samples(folder) if name == "jpeg"} == {"plain.jpg", "turned.jpg"}


def test_a_reader_that_dies_or_hangs_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    died = examine(tmp_path / "gone")  # the child cannot open it
    assert (died.kind, died.reason) == ("broken", "the process ended with 1")
    monkeypatch.setattr("evaluation.samples.sweep.SECONDS", 0.5)
    os.mkfifo(tmp_path / "pipe")  # has no writer
    hung = examine(tmp_path / "pipe")
    assert (hung.kind, hung.reason) == ("broken", "no result in 0.5 s")
