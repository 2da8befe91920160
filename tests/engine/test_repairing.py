"""Repairs in the pipeline: rules are met where that is honest, each repair is named, the caller's options stay."""

from __future__ import annotations

import datetime
import io

import cv2
import numpy as np
import pytest
from PIL import Image

from packshot.core.notes import Note
from packshot.core.options import Options
from packshot.core.rule_kinds import Background, BitDepth, FileSize, Fill, LongestSide
from packshot.core.rules import Rule
from packshot.engine import presets
from packshot.engine.calls import remove
from packshot.engine.presets import Preset
from packshot.engine.result import Result
from tests.kit.images import as_jpeg, photo

SMALL = as_jpeg(photo(560, 500, 2))  # its product has 400 px in Amazon's frame


def with_rules(monkeypatch: pytest.MonkeyPatch, *rules: Rule, **options: object) -> None:
    """Add a preset `ours` to the package's own."""
    ours = Preset(
        name="ours",
        title="Ours",
        about="",
        source="",
        checked=datetime.date(2026, 1, 1),
        evidence="",
        options=Options.from_fields({"background": "white", "canvas": "1:1", "fill": "85%", **options}),
        rules=rules,
    )
    monkeypatch.setattr(presets, "_presets", lambda: {"ours": ours})


def repaired(result: Result) -> dict[str, Note]:
    assert result.report is not None
    return {note.code: note for note in result.report.repairs}


def passed(result: Result) -> bool:
    assert result.report is not None
    return result.report.passed


def test_a_photo_that_is_a_little_too_small_is_enlarged_and_the_report_says_how_much() -> None:
    result = remove(SMALL, Options(preset="amazon"))
    note = repaired(result)["enlarged"]
    assert passed(result)
    assert result.size.longest == 500
    assert 1 < float(str(note.facts["times"])) <= 1.5
    assert f"{note.facts['times']:g} times" in note.message


@pytest.mark.slow
@pytest.mark.parametrize("said", [{"repair": False}, {"max_upscale": 1.0}, {"min_px": 300}])
def test_nothing_is_enlarged_where_the_caller_rules_it_out(said: dict[str, object]) -> None:
    result = remove(SMALL, Options.from_fields({"preset": "amazon", **said}))
    assert not passed(result)
    assert not repaired(result)


@pytest.mark.slow
def test_a_file_over_the_cap_is_saved_with_the_quality_that_it_has_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    noisy = np.random.default_rng(1).integers(0, 60, (900, 900, 3), np.uint8) // 2 + photo(900, 900, 1) // 2
    with_rules(monkeypatch)
    full = len(remove(as_jpeg(noisy), Options(preset="ours")).data)
    cap_mb = round(0.7 * full / 1e6, 6)
    with_rules(monkeypatch, FileSize(most_mb=cap_mb))
    result = remove(as_jpeg(noisy), Options(preset="ours"))
    note = repaired(result)["quality-lowered"]
    assert passed(result)
    assert 0.5 * cap_mb < len(result.data) / 1e6 <= cap_mb, "the size cap is used well"
    better = Options(preset="ours", quality=int(str(note.facts["after"])) + 1)
    assert repaired(remove(as_jpeg(noisy), better)).keys() == {"scaled-down"}, "a quality from the caller stays"


@pytest.mark.slow
def test_a_file_that_is_too_small_is_saved_with_a_higher_quality(monkeypatch: pytest.MonkeyPatch) -> None:
    data = as_jpeg(photo(900, 900, 1))
    with_rules(monkeypatch)
    plain, finest = (len(remove(data, Options(preset="ours", quality=each)).data) for each in (None, 100))
    with_rules(monkeypatch, FileSize(least_kb=(plain + finest) / 2e3, most_mb=9))
    result = remove(data, Options(preset="ours"))
    assert passed(result)
    assert repaired(result).keys() == {"quality-raised"}
    with_rules(monkeypatch, FileSize(least_kb=2 * finest / 1e3, most_mb=9))
    assert not passed(remove(data, Options(preset="ours")))


@pytest.mark.slow
@pytest.mark.parametrize("wish", [{"format": "png"}, {}])
def test_a_file_that_no_quality_makes_small_enough_becomes_a_smaller_picture(
    monkeypatch: pytest.MonkeyPatch, wish: dict[str, object]
) -> None:
    with_rules(monkeypatch, FileSize(most_mb=0.006))
    result = remove(as_jpeg(photo(900, 900, 1)), Options.from_fields({"preset": "ours", **wish}))
    assert passed(result)
    assert "scaled-down" in repaired(result)


@pytest.mark.slow
def test_a_frame_outside_the_bounds_is_fitted_unless_the_caller_framed_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with_rules(monkeypatch, Fill(least=0.5, most=0.6))
    data = as_jpeg(photo(900, 900, 1))
    result = remove(data, Options(preset="ours"))
    assert passed(result)
    assert repaired(result).keys() == {"frame-fitted"}
    assert max(result.product.size) / result.size.longest == pytest.approx(0.595, abs=0.006)
    assert not passed(remove(data, Options(preset="ours", margin="1%")))


@pytest.mark.slow
def test_traces_on_the_ground_are_painted_over_and_a_ground_that_was_asked_for_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with_rules(monkeypatch, Background(), shadow="soft")
    data = as_jpeg(photo(900, 900, 1))
    result = remove(data, Options(preset="ours"))
    assert passed(result)
    assert "ground-cleaned" in repaired(result)
    with_rules(monkeypatch, Background())
    assert not passed(remove(data, Options(preset="ours", shadow="soft")))
    assert not passed(remove(data, Options(preset="ours", background="#eeeeee")))


@pytest.mark.slow
def test_rules_that_contradict_each_other_end_in_a_report_and_not_in_a_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    with_rules(monkeypatch, LongestSide(least=900), FileSize(most_mb=0.004), Fill(least=0.9), Fill(most=0.5))
    assert not passed(remove(as_jpeg(photo(900, 900, 1)), Options(preset="ours")))


@pytest.mark.slow
def test_what_was_done_to_the_photos_file_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with_rules(monkeypatch, BitDepth())
    deep = cv2.imencode(".png", photo(400, 400, 1)[..., ::-1].astype(np.uint16) * 257)[1].tobytes()
    assert repaired(remove(deep, Options(preset="ours"))).keys() == {"depth-reduced"}
    frames = io.BytesIO()
    first, second = (Image.fromarray(photo(600, 600, seed)) for seed in (1, 2))
    first.save(frames, "GIF", save_all=True, append_images=[second])
    monkeypatch.undo()
    assert "first-picture" in repaired(remove(frames.getvalue(), Options(preset="amazon")))
    cmyk = as_jpeg(Image.fromarray(photo(700, 700, 1)).convert("CMYK"))
    assert "colours-converted" in repaired(remove(cmyk, Options(preset="amazon")))
