"""Rules: the verdicts, and their advice to people."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packshot.core.codecs.formats import FORMATS
from packshot.core.geometry import Box, Size
from packshot.core.rule_kinds import (
    COLOURS,
    KINDS,
    Animation,
    Aspect,
    Background,
    BitDepth,
    ColourMode,
    FileFormat,
    FileSize,
    Fill,
    LongestSide,
    Megapixels,
    ShortestSide,
    WholeProduct,
)
from packshot.core.rules import Facts, Ground, Report, Rule

GOOD = Facts(format="jpeg", file_bytes=400_000, size=Size(1000, 1000), product=Box(50, 200, 930, 800))


def report_of(rules: list[Rule], facts: Facts) -> Report:
    return Report("shop", "A shop", tuple(rule.check(facts) for rule in rules))


@pytest.mark.parametrize(
    ("rule", "bad"),
    [
        (Background(), replace(GOOD, ground=Ground(off=5, off_share=0.31))),
        (Background(), replace(GOOD, ground=Ground(off=1, border_off=1, off_share=1e-5))),
        (Background(), replace(GOOD, ground=Ground(off=90, off_share=1e-5))),
        (Background(), replace(GOOD, ground=Ground(transparent=True))),
        (Fill(least=0.85), replace(GOOD, product=Box(0, 0, 640, 700))),
        (Fill(most=0.85), GOOD),
        (LongestSide(least=1000, most=10_000), replace(GOOD, size=Size(999, 990))),
        (LongestSide(most=999), GOOD),
        (ShortestSide(least=1000), replace(GOOD, size=Size(1000, 999))),
        (Megapixels(most=0.9), GOOD),
        (Aspect(), replace(GOOD, size=Size(1000, 998))),
        (FileFormat(allowed=("jpeg", "png")), replace(GOOD, format="webp")),
        (FileSize(most_mb=5), replace(GOOD, file_bytes=5_000_001)),
        (FileSize(most_mb=5, least_kb=30), replace(GOOD, file_bytes=29_999)),
        (Aspect(height=1.44, tolerance=0.0035), replace(GOOD, size=Size(1000, 1446))),
        (WholeProduct(), replace(GOOD, edges=("upper", "left"))),
        (Animation(), replace(GOOD, several=True)),
        (BitDepth(most=8), replace(GOOD, bits=9)),
    ],
)
def test_a_broken_rule_is_said_with_what_was_asked_and_fails_the_report(rule: Rule, bad: Facts) -> None:
    check = rule.check(bad)
    assert not check.passed
    assert rule.asked in check.message
    assert not report_of([WholeProduct(), rule], bad).passed


@pytest.mark.parametrize(
    "rule",
    [
        Background(),
        Fill(least=0.85, most=0.9),
        LongestSide(least=1000, most=1000),
        ShortestSide(least=1000),
        Megapixels(most=1),
        Aspect(),
        FileFormat(allowed=("jpeg",)),
        FileSize(most_mb=0.4),
        FileSize(most_mb=0.4, least_kb=400),
        Animation(),
        BitDepth(most=8),
        WholeProduct(),
    ],
)
def test_a_bound_itself_keeps_the_rule(rule: Rule) -> None:
    assert rule.check(GOOD).passed


@given(st.sampled_from(sorted(COLOURS)), st.sets(st.sampled_from(sorted(COLOURS)), min_size=1))
def test_a_file_keeps_the_colour_mode_when_its_own_is_allowed(colours: str, allowed: set[str]) -> None:
    check = ColourMode(allowed=tuple(allowed)).check(replace(GOOD, colours=colours))
    assert check.passed == (colours in allowed)
    assert COLOURS[colours] in check.message


@pytest.mark.parametrize("ground", [Ground(off=6, off_share=2e-4), Ground(off=3, off_share=4e-3)])
def test_traces_that_no_eye_sees_are_said_and_fail_nothing(ground: Ground) -> None:
    check = Background().check(replace(GOOD, ground=ground))
    assert check.passed
    assert "traces" in check.message


@pytest.mark.parametrize(
    "ground",
    [Ground(off=6, off_share=2e-3), Ground(off=3, off_share=6e-3), Ground(off=3, border_off=1, off_share=1e-4)],
)
def test_what_is_more_than_traces_or_at_the_border_fails(ground: Ground) -> None:
    assert not Background().check(replace(GOOD, ground=ground)).passed


def test_the_fill_is_measured_along_the_tightest_side() -> None:
    upright = Facts("png", 1, Size(1000, 500), Box(400, 25, 600, 475))
    assert upright.fill == 0.9


def test_too_few_pixels_are_answered_with_how_many_would_do() -> None:
    small = replace(GOOD, size=Size(640, 640), product=Box(40, 40, 600, 500))
    check = LongestSide(least=1000, most=10_000).check(small)
    message = check.message
    assert message.startswith("The longest side must be 1000 to 10000 px. It is 640 px.")
    assert check.facts == {"least": 1000, "most": 10_000, "needed_px": 875, "product_px": 560}
    assert "640 px" in message
    assert "product is 560 px long" in message
    assert "needs 875 px" in message  # 1000 times 560/640
    assert "hotograph it again" in message


def test_what_is_only_recommended_fails_nothing_but_is_said() -> None:
    rule = LongestSide(least=1600, required=False)
    report = report_of([rule], GOOD)
    assert report.passed
    assert report.failed == ()
    assert not report.checks[0].passed
    assert report.checks[0].message.startswith("The longest side should be at least 1600 px.")


@given(st.integers(0, 40_000), st.sampled_from([10.0, 30.0]))
def test_a_file_that_is_too_small_is_told_to_grow(file_bytes: int, least_kb: float) -> None:
    check = FileSize(most_mb=0.035, least_kb=least_kb).check(replace(GOOD, file_bytes=file_bytes))
    assert check.passed == (1000 * least_kb <= file_bytes <= 35_000)
    assert ("higher quality" in check.message) == (file_bytes < 1000 * least_kb)
    assert ("lower quality" in check.message) == (file_bytes > 35_000)
    assert check.facts == {"most_mb": 0.035, "least_kb": least_kb}


@given(st.integers(100, 5000), st.integers(-3, 3), st.sampled_from([0, 0.002, 0.01]))
def test_an_aspect_is_kept_to_the_pixel_or_within_its_tolerance(width: int, off: int, tolerance: float) -> None:
    height = round(1.44 * width) + off
    check = Aspect(height=1.44, tolerance=tolerance).check(replace(GOOD, size=Size(width, height)))
    assert check.passed == (abs(1.44 * width - height) <= max(1, tolerance * height))
    assert check.asked == "1:1.44"


@given(st.integers(1, 999), st.sampled_from([0.75, 0.85, 0.9]))
def test_no_rounding_makes_a_missed_fill_look_kept(length: int, bound: float) -> None:
    facts = replace(GOOD, size=Size(999, 999), product=Box(0, 0, length, 1))
    for rule in (Fill(least=bound), Fill(most=bound)):
        check = rule.check(facts)
        found = re.search(r"fills ([\d.]+) %", check.message)
        assert found
        shown = float(found[1]) / 100
        assert check.passed == (shown >= bound if rule.least else shown <= bound)


def test_a_report_is_plain_json() -> None:
    report = report_of([Background(), Aspect(), Fill(least=0.95)], GOOD)
    said = json.loads(json.dumps(report.to_dict()))
    assert said["passed"] is False
    assert [check["rule"] for check in said["checks"]] == ["background", "aspect", "fill"]
    assert said["checks"][2]["measured"] == 0.88
    assert isinstance(report, Report)


def test_transparent_is_a_background_where_the_rule_allows_it() -> None:
    nothing = replace(GOOD, ground=Ground(off=255, off_share=1.0, transparent=True))
    assert Background(transparent=True).check(nothing).passed
    assert not Background().check(nothing).passed


@st.composite
def measurements(draw: st.DrawFn) -> Facts:
    """Measurements of any finished picture."""
    width, height = draw(st.integers(16, 12_000)), draw(st.integers(16, 12_000))
    left, top = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    box = Box(left, top, draw(st.integers(left + 1, width)), draw(st.integers(top + 1, height)))
    off = draw(st.integers(0, 255))
    share = draw(st.floats(1e-7, 1)) if off else 0.0
    ground = Ground(off, draw(st.integers(0, off)), share, draw(st.booleans()))
    edges = draw(st.lists(st.sampled_from(["left", "upper", "right", "lower"]), unique=True))
    return Facts(
        format=draw(st.sampled_from(sorted(FORMATS))),
        file_bytes=draw(st.integers(100, 30_000_000)),
        size=Size(width, height),
        product=box,
        ground=ground,
        edges=tuple(edges),
        several=draw(st.booleans()),
        colours=draw(st.sampled_from(sorted(COLOURS))),
        bits=draw(st.sampled_from([1, 8, 16])),
    )


BOUND = st.one_of(st.none(), st.integers(1, 9000))
RULES: dict[str, st.SearchStrategy[Rule]] = {
    "background": st.builds(Background, colour=st.tuples(*[st.integers(0, 255)] * 3), transparent=st.booleans()),
    "longest-side": st.builds(LongestSide, least=st.integers(1, 9000), most=BOUND),
    "shortest-side": st.builds(ShortestSide, least=BOUND, most=st.integers(1, 9000)),
    "megapixels": st.builds(Megapixels, most=st.integers(1, 99)),
    "fill": st.builds(Fill, least=st.floats(0.1, 0.9), most=st.one_of(st.none(), st.floats(0.9, 1))),
    "aspect": st.builds(Aspect, width=st.integers(1, 20), height=st.integers(1, 20)),
    "format": st.builds(FileFormat, allowed=st.lists(st.sampled_from(sorted(FORMATS)), min_size=1).map(tuple)),
    "file-size": st.builds(FileSize, most_mb=st.integers(1, 20)),
    "animation": st.builds(Animation),
    "colour-mode": st.builds(ColourMode, allowed=st.lists(st.sampled_from(sorted(COLOURS)), min_size=1).map(tuple)),
    "bit-depth": st.builds(BitDepth, most=st.sampled_from([8, 16])),
    "whole-product": st.builds(WholeProduct),
}


@given(st.data(), measurements(), st.booleans())
def test_every_rule_says_demand_measure_and_advice_and_has_the_figures_for_programs(
    data: st.DataObject, facts: Facts, required: bool
) -> None:
    kind = data.draw(st.sampled_from(sorted(KINDS)))
    rule = replace(data.draw(RULES[kind]), required=required)  # type: ignore[type-var]
    check = rule.check(facts)
    demanded, *said = re.split(r"(?<=\.) (?=[A-Z])", check.message)
    assert f" {'must' if required else 'should'} " in demanded
    assert rule.asked in demanded
    assert 1 <= len(said) <= (1 if check.passed else 2)
    assert all(sentence.endswith(".") for sentence in said)
    assert rule.demand.items() <= check.facts.items()
    json_of = json.loads(json.dumps(report_of([rule], facts).to_dict()))["checks"][0]
    assert json_of["facts"].keys() == check.facts.keys()
    # Where figures decide, the check's own figures give the same verdict.
    if kind in {"longest-side", "shortest-side", "megapixels"}:
        least, most = json_of["facts"].get("least", 0), json_of["facts"].get("most", 1e9)
        assert check.passed == (least <= json_of["measured"] <= most)
    if "allowed" in json_of["facts"]:
        assert check.passed == (json_of["measured"] in json_of["facts"]["allowed"])


def test_every_kind_of_rule_is_tried_here() -> None:
    assert RULES.keys() == KINDS.keys()
