"""Presets: the content of their files, their effect on options, and their verdicts on other tools' pictures."""

from __future__ import annotations

import datetime
import io
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from packshot.core import codecs
from packshot.core.geometry import Size
from packshot.core.options import Options
from packshot.core.recipe import Recipe
from packshot.core.rule_kinds import Fill, LongestSide
from packshot.core.rules import Report
from packshot.engine.calls import remove
from packshot.engine.job import make_job
from packshot.engine.judging import check, judge
from packshot.engine.presets import find_preset, outdated, preset_names, recipe_for
from packshot.errors import InvalidOption, NoForeground, UnsupportedFormat
from tests.kit.images import UInt8, as_jpeg, as_png, photo

NAMES = (
    "allegro",
    "amazon",
    "bol",
    "ebay",
    "etsy",
    "google",
    "kaufland",
    "meta",
    "otto",
    "shopify",
    "square",
    "tiktok",
    "trendyol",
    "walmart",
    "zalando",
)
OURS = "square"
SIZES = {"longest-side", "shortest-side"}


def disc(size: int = 1200, share: float = 0.88, ground: int = 255) -> UInt8:
    rgb = np.full((size, size, 3), ground, np.uint8)
    cv2.circle(rgb, (size // 2, size // 2), round(size * share / 2), (60, 90, 160), -1)
    return rgb


def disc_in(width: int, height: int) -> UInt8:
    rgb = np.zeros((height, width, 3), np.uint8)
    cv2.circle(rgb, (width // 2, height // 2), width // 3, (195, 165, 95), -1)
    return rgb


def speck(rgb: UInt8) -> UInt8:
    """The photo with a grain of dust on it."""
    rgb[80:84, 80:84] = 200
    return rgb


def judged(data: bytes, preset: str) -> Report:
    """A finished picture by a preset's rules, as in `packshot check` and POST /v1/checks."""
    return check(make_job(data, recipe_for(Options(preset=preset))))


def broken(data: bytes, preset: str) -> set[str]:
    return {each.rule for each in judged(data, preset).failed}


def test_the_marketplaces_of_the_issue_are_there() -> None:
    assert preset_names() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_says_where_its_rules_come_from_and_when_they_were_read(name: str) -> None:
    preset = find_preset(name)
    assert preset.title
    assert preset.about
    assert preset.evidence
    assert preset.source.startswith("https://") or name == OURS
    assert preset.checked <= datetime.datetime.now(datetime.UTC).date()
    assert preset.rules


@pytest.mark.parametrize("name", NAMES)
def test_hints_are_short_sentences_and_none_stands_twice(name: str) -> None:
    hints = find_preset(name).hints
    assert len(set(hints)) == len(hints)
    for hint in hints:
        assert hint[0].isupper()
        assert hint.endswith(".")
        assert len(hint) <= 120


@given(st.dates(datetime.date(2026, 11, 1), datetime.date(2030, 1, 1)), st.integers(0, 1500))
@example(datetime.date(2027, 11, 28), 365)
def test_presets_are_outdated_from_the_day_after_so_many_days(today: datetime.date, days: int) -> None:
    found = outdated(today, days)
    last = today - datetime.timedelta(days)
    for preset in map(find_preset, NAMES):
        assert (preset in found) == (preset.checked < last and preset.name != OURS)
    assert sorted(found, key=lambda preset: preset.checked) == list(found)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_what_a_preset_makes_of_a_good_photo_passes_its_own_rules(name: str) -> None:
    result = remove(as_jpeg(photo(1000, 1000, 1)), Options(preset=name))
    assert result.report is not None
    assert result.report.preset == name
    for failed in result.report.failed:  # the photo has fewer pixels than some presets require
        assert failed.rule in SIZES
        assert failed.facts["needed_px"] > failed.facts["product_px"]
    again = judged(result.data, name)
    assert [check.passed for check in again.checks] == [check.passed for check in result.report.checks]


def cutout(width: int, height: int) -> bytes:
    """A noisy product of this size in px, on a transparent ground."""
    rgba = np.zeros((height + 80, width + 80, 4), np.uint8)
    cv2.ellipse(rgba, (width // 2 + 40, height // 2 + 40), (width // 2, height // 2), 0, 0, 360, (60, 90, 160, 255), -1)
    grain = np.random.default_rng(width).integers(0, 60, rgba.shape[:2], np.uint8)
    rgba[..., 0] += np.where(rgba[..., 3] > 0, grain, 0).astype(np.uint8)
    return as_png(rgba)


@pytest.mark.slow
@settings(max_examples=8, deadline=None)
@given(st.sampled_from(NAMES), st.floats(0.3, 1), st.booleans())
@example("zalando", 0.3, True)
@example("zalando", 0.3, False)
@example("bol", 0.3, False)
def test_a_product_of_any_shape_with_pixels_enough_is_ready(name: str, shape: float, upright: bool) -> None:
    """If the photo is large enough, a preset's options satisfy all its rules."""
    long, short = 1400, round(1400 * shape)
    result = remove(cutout(short, long) if upright else cutout(long, short), Options(preset=name))
    assert result.report is not None
    assert not result.report.failed, [each.message for each in result.report.failed]


def test_the_sizes_that_zalando_names_have_its_aspect() -> None:
    for width, height in ((762, 1100), (1801, 2600), (1250, 1800)):
        assert "aspect" not in broken(
            as_jpeg(np.full((height, width, 3), 255, np.uint8) - disc_in(width, height)), "zalando"
        )
    assert "aspect" in broken(as_jpeg(disc()), "zalando")


def test_an_unknown_preset_is_answered_with_the_nearest_or_all() -> None:
    with pytest.raises(InvalidOption, match="amazno") as caught:
        recipe_for(Options(preset="amazno"))
    assert "Did you mean amazon?" in caught.value.hint
    assert caught.value.fields["allowed"] == NAMES
    with pytest.raises(InvalidOption) as caught:
        find_preset("zzz")
    assert all(name in caught.value.hint for name in NAMES)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ({"background": "#f4f4f4"}, lambda recipe: recipe.background == (244, 244, 244)),
        ({"background": "transparent"}, lambda recipe: (recipe.form, recipe.format) == ("cutout", "png")),
        ({"background_picture": b"a picture"}, lambda recipe: recipe.background == b"a picture"),
        ({"form": "mask"}, lambda recipe: (recipe.form, recipe.background) == ("mask", None)),
        ({"form": "cutout"}, lambda recipe: (recipe.form, recipe.format) == ("cutout", "png")),
        ({"format": "png"}, lambda recipe: (recipe.form, recipe.format, recipe.quality) == ("flattened", "png", None)),
        ({"canvas": "2000x1000"}, lambda recipe: recipe.framing.canvas.size == Size(2000, 1000)),
        ({"canvas": "4:5"}, lambda recipe: recipe.framing.canvas.aspect == 0.8),
        ({"margin": "5%"}, lambda recipe: recipe.framing.has_margins and recipe.framing.fill is None),
        ({"max_upscale": 2.0}, lambda recipe: recipe.framing.max_upscale == 2),
        ({"shadow": "soft"}, lambda recipe: recipe.shadow.kind == "soft"),
    ],
)
@pytest.mark.parametrize("name", NAMES)
def test_what_is_said_goes_before_what_a_preset_sets(
    name: str, said: dict[str, object], kept: Callable[[Recipe], bool]
) -> None:
    assert kept(recipe_for(Options.from_fields({"preset": name, **said})))


def test_a_finished_picture_that_keeps_all_rules_passes() -> None:
    report = judged(as_jpeg(disc()), "amazon")
    assert report.passed
    fill = next(check for check in report.checks if check.rule == "fill")
    assert fill.measured == pytest.approx(0.88, abs=0.004)


@pytest.mark.parametrize(
    ("picture", "rules"),
    [
        (disc(ground=252), {"background"}),
        (speck(disc()), {"background"}),
        (disc(share=0.7), {"fill"}),
        (disc(450), {"longest-side"}),
        (disc()[:, 300:], {"whole-product"}),
        (disc(450, 0.5, 240), {"longest-side", "fill", "background"}),
    ],
)
def test_each_fault_of_a_finished_picture_is_found_alone(picture: UInt8, rules: set[str]) -> None:
    assert broken(as_jpeg(picture), "amazon") == rules


def two_frames(kind: str) -> bytes:
    out = io.BytesIO()
    Image.fromarray(disc()).save(out, kind, save_all=True, append_images=[Image.fromarray(disc(share=0.87))])
    return out.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["GIF", "PNG", "TIFF"])
@pytest.mark.parametrize("preset", ["amazon", "ebay"])
def test_an_animation_or_several_pages_break_a_rule(kind: str, preset: str) -> None:
    assert "animation" in broken(two_frames(kind), preset)


@pytest.mark.slow
def test_colours_and_bits_that_the_marketplace_does_not_take_are_found() -> None:
    picture = disc(2300)
    deep = cv2.imencode(".png", picture.astype(np.uint16) * 257)[1].tobytes()
    assert broken(as_jpeg(picture), "walmart") == set()
    assert broken(as_jpeg(Image.fromarray(picture).convert("CMYK")), "walmart") == {"colour-mode"}
    assert broken(deep, "walmart") == {"bit-depth"}
    amazon = judged(as_jpeg(Image.fromarray(disc()).convert("CMYK")), "amazon")
    assert amazon.passed, "Amazon accepts CMYK and prefers RGB"
    assert "colour-mode" in {check.rule for check in amazon.checks if not check.passed}


def test_a_format_that_the_marketplace_does_not_take_is_found() -> None:
    ok, webp = cv2.imencode(".webp", disc())
    assert ok
    assert broken(webp.tobytes(), "amazon") == {"format"}
    assert broken(webp.tobytes(), "google") == set()


def test_a_transparent_cutout_passes_where_transparency_does() -> None:
    rgb = disc()
    rgba = np.dstack([rgb, np.where(rgb[..., 0] < 255, 255, 0).astype(np.uint8)])
    assert broken(as_png(rgba), "amazon") == {"background"}
    report = judged(as_png(rgba), "google")
    assert all(check.passed for check in report.checks if check.rule == "background")


def test_a_photo_as_it_came_is_judged_by_the_network() -> None:
    assert "background" in broken(as_jpeg(photo(1200, 1200, 4)), "amazon")


def test_nothing_on_white_is_no_product_picture() -> None:
    with pytest.raises(NoForeground):
        judged(as_png(np.full((64, 64, 3), 255, np.uint8)), "square")


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(UnsupportedFormat):
        judged(b"this is no picture at all, only a line of text for the machine to read", "square")


def test_a_photo_that_is_far_too_small_is_not_enlarged_and_the_report_has_the_figures() -> None:
    result = remove(as_jpeg(photo(300, 240, 2)), Options(preset="amazon"))
    assert result.report is not None
    check = next(check for check in result.report.failed if check.rule == "longest-side")
    rule = next(rule for rule in find_preset("amazon").rules if isinstance(rule, LongestSide))
    assert check.measured == result.size.longest < 500 / 1.5
    assert not result.report.repairs
    assert f"{max(result.product.size)} px long" in check.message
    assert rule.least == 500
    assert result.notes
    assert next(check for check in result.report.checks if check.rule == "fill").passed


def test_a_product_that_the_photo_cuts_is_not_whole_however_it_is_framed() -> None:
    cut = photo(1400, 1400, 1)[:, 500:]
    result = remove(as_jpeg(cut), Options(preset="amazon"))
    assert result.report is not None
    assert "whole-product" in {check.rule for check in result.report.failed}


def test_the_file_is_judged_and_not_what_was_meant_to_be_in_it() -> None:
    gray = disc(ground=230)
    made = remove(as_jpeg(gray), Options(form="mask"))
    mask = codecs.decode(made.data).rgb[..., 0]
    report = judge(find_preset("amazon"), as_jpeg(gray), product=made.box, mask=mask)
    assert "background" in {check.rule for check in report.failed}


def test_every_preset_frames_within_its_own_fill() -> None:
    for name in NAMES:
        preset = find_preset(name)
        fill = recipe_for(Options(preset=name)).framing.fill
        assert fill is not None
        for rule in preset.rules:
            if isinstance(rule, Fill):
                # Margin on both sides: measuring with another threshold gives the same verdict.
                assert rule.holds(fill - 0.009)
                assert rule.holds(fill + 0.009)
