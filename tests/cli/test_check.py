"""`packshot check` and `packshot presets`."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from packshot.cli import cli
from packshot.cli.presets import outdated_lines
from packshot.engine.presets import find_preset, preset_names
from packshot.errors import InvalidOption
from tests.kit.images import as_jpeg


def run(*arguments: str | Path, stdin: bytes = b"") -> Result:
    return CliRunner().invoke(cli, list(map(str, arguments)), input=stdin, catch_exceptions=False)


def shop_picture(size: int) -> bytes:
    rgb = np.full((size, size, 3), 255, np.uint8)
    cv2.circle(rgb, (size // 2, size // 2), round(size * 0.44), (60, 90, 160), -1)
    return as_jpeg(rgb)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "good.jpg").write_bytes(shop_picture(1100))
    (tmp_path / "small.jpg").write_bytes(shop_picture(450))
    return tmp_path


def test_a_picture_that_keeps_the_rules_exits_with_0_and_one_that_does_not_with_1(folder: Path) -> None:
    good = run("check", folder / "good.jpg", "--preset", "amazon")
    assert (good.exit_code, good.stderr) == (0, "")
    assert "Amazon main image: passed" in good.stdout
    small = run("check", folder / "small.jpg", "--preset", "amazon")
    assert small.exit_code == 1
    assert "FAILED  The longest side must be 500 to 10000 px. It is 450 px." in small.stdout


@pytest.mark.parametrize("named", [("--preset", "amazon,walmart"), ("--preset", "amazon", "--preset", "walmart")])
def test_a_picture_is_judged_by_several_presets_and_must_keep_all(folder: Path, named: tuple[str, ...]) -> None:
    both = run("check", folder / "good.jpg", *named)
    assert both.exit_code == 1
    assert "Amazon main image: passed" in both.stdout
    assert "Walmart primary image: FAILED" in both.stdout
    rows = [
        json.loads(line)["preset"] for line in run("check", folder / "good.jpg", *named, "--json").stdout.splitlines()
    ]
    assert [(row["name"], row["passed"]) for row in rows] == [("amazon", True), ("walmart", False)]


def test_a_folder_is_checked_whole_and_a_bad_file_is_an_error(folder: Path) -> None:
    both = run("check", folder, "--preset", "amazon")
    assert both.exit_code == 1
    assert "1 passed, 1 failed, 0 could not be checked" in both.stderr
    (folder / "bad.png").write_text("this is no picture")
    all_ = run("check", folder, "--preset", "amazon")
    assert all_.exit_code == 65
    assert "1 passed, 1 failed, 1 could not be checked" in all_.stderr
    assert "bad.png: " in all_.stderr


def test_json_is_one_object_a_line(folder: Path) -> None:
    (folder / "bad.png").write_text("this is no picture")
    result = run("check", folder, "-", "nowhere.jpg", "--preset", "amazon", "--json", stdin=shop_picture(1200))
    said = [json.loads(line) for line in result.stdout.splitlines()]
    assert [Path(each["picture"]).name for each in said] == ["bad.png", "good.jpg", "small.jpg", "-", "nowhere.jpg"]
    assert [each["preset"]["passed"] for each in said if "preset" in each] == [True, False, True]
    assert said[0]["error"]["slug"] == "unsupported-format"
    assert said[-1]["error"]["slug"] == "file-access"


def test_without_a_preset_or_with_an_unknown_one_it_says_so(folder: Path) -> None:
    assert run("check", folder).exit_code == 2
    with pytest.raises(InvalidOption, match=r"Did you mean amazon\?"):
        run("check", folder, "--preset", "amazn")


def test_presets_are_listed_and_shown_in_full() -> None:
    listed = run("presets").stdout
    assert all(f"{name} " in listed for name in preset_names())
    for name in preset_names():
        shown = run("presets", name).stdout
        preset = find_preset(name)
        assert preset.source in shown
        assert str(preset.checked) in shown
        assert all(rule.asked in shown and rule.why in shown for rule in preset.rules)
        assert f"--canvas {preset.options.canvas}" in shown
        assert all(hint in shown for hint in preset.hints)
        assert ("Check yourself" in shown) == bool(preset.hints)
    with pytest.raises(InvalidOption, match=r"Did you mean amazon\?"):
        run("presets", "amazn")


def test_outdated_presets_are_listed_with_their_age_and_source() -> None:
    amazon = find_preset("amazon")
    late = amazon.checked + datetime.timedelta(400)
    lines = list(outdated_lines(late, 399))
    assert any(line.startswith("amazon ") and "400 days ago" in line and amazon.source in line for line in lines)
    assert not any(line.startswith("square ") for line in lines)
    assert list(outdated_lines(amazon.checked, 365)) == ["No preset's rules were checked more than 365 days ago."]


def test_outdated_takes_its_days_and_no_name() -> None:
    assert run("presets", "--outdated", "--days", "100000").stdout.startswith("No preset's rules")
    assert run("presets", "--days", "3").exit_code == 2
    assert run("presets", "amazon", "--outdated").exit_code == 2


def test_what_no_pixel_tells_is_said_once_to_people(folder: Path) -> None:
    hint = find_preset("amazon").hints[0]
    said = run("check", folder, "--preset", "amazon")
    assert said.stdout.count(hint) == 1
    assert hint not in run("check", folder, "--preset", "amazon", "--quiet").output
    assert hint not in run("check", folder, "--preset", "amazon", "--json").output
