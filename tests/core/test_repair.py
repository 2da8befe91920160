"""Repairs: enlarging to required sizes within a stated limit, clean grounds, files under a size cap."""

from __future__ import annotations

from functools import partial

import cv2
import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from packshot.core.codecs.file_facts import FileFacts
from packshot.core.frame import make_frame
from packshot.core.geometry import Box, Size
from packshot.core.measure import measure_ground
from packshot.core.options import MOST_ENLARGED
from packshot.core.recipe import Framing
from packshot.core.repair import (
    LEAST_QUALITY,
    best_quality,
    clean_ground,
    done_to_photo,
    fit_size,
    fitting_fill,
    smaller_side,
)
from packshot.core.rule_kinds import Animation, BitDepth, ColourMode, Fill, LongestSide, Megapixels, ShortestSide
from packshot.core.rules import Rule
from packshot.core.values import Canvas

SIDES = st.integers(20, 4000)
PHOTO = Size(5000, 5000)
SQUARE = Framing(canvas=Canvas(aspect=1.0), fill=0.9)


def framed(framing: Framing, rules: list[Rule], width: int, height: int) -> tuple[int, float, list[str]]:
    """The longest side, the scale and the repairs for a product of a size."""
    fitted = fit_size(framing, rules, partial(make_frame, photo=PHOTO, box=Box(10, 10, 10 + width, 10 + height)))
    return fitted.frame.size.longest, fitted.frame.scale, [repair.code for repair in fitted.repairs]


@given(SIDES, SIDES, st.integers(100, 3000), st.sampled_from([LongestSide, ShortestSide]))
def test_a_picture_is_enlarged_to_what_is_required_if_the_limit_reaches_and_else_not_at_all(
    width: int, height: int, least: int, kind: type[LongestSide | ShortestSide]
) -> None:
    natural, _, _ = framed(SQUARE, [], width, height)
    longest, scale, repairs = framed(SQUARE, [kind(least=least)], width, height)
    assert scale <= MOST_ENLARGED + 1e-9
    if natural >= least:
        assert (longest, scale, repairs) == (natural, 1, [])
    elif natural * MOST_ENLARGED >= least + 2:
        assert (longest, repairs) == (least, ["enlarged"])
    elif natural * MOST_ENLARGED < least - 2:
        assert (longest, scale, repairs) == (natural, 1, []), "a repair that would not suffice is not done"


@given(SIDES, SIDES, st.integers(100, 1500), st.integers(100, 3000), st.integers(100, 3000))
def test_a_recommended_size_is_reached_for_only_up_to_the_presets_own_least_size(
    width: int, height: int, required: int, recommended: int, min_px: int
) -> None:
    rules: list[Rule] = [LongestSide(least=required), LongestSide(least=recommended, required=False)]
    framing = Framing(canvas=Canvas(aspect=1.0), fill=0.9, min_px=min_px)
    natural, _, _ = framed(SQUARE, [], width, height)
    longest, scale, repairs = framed(framing, rules, width, height)
    assert longest >= natural - 1
    assert longest in {natural, required, recommended}
    if repairs:
        assert longest == required or longest <= min_px
    assert (scale > 1) == bool(repairs)


@given(SIDES, SIDES, st.integers(100, 3000))
def test_what_is_larger_than_the_rules_allow_is_scaled_down(width: int, height: int, most: int) -> None:
    natural, _, _ = framed(SQUARE, [], width, height)
    longest, scale, repairs = framed(SQUARE, [LongestSide(most=most)], width, height)
    assert longest == min(natural, most)
    assert ("scaled-down" in repairs) == (scale < 1) == (natural > most)
    pixels, _, _ = framed(SQUARE, [Megapixels(most=most * most / 1e6)], width, height)
    assert abs(pixels - longest) <= 1


@given(st.floats(0.2, 1), st.floats(0.1, 0.9), st.floats(0.01, 0.1))
def test_a_fill_that_misses_its_bounds_comes_between_them(measured: float, least: float, room: float) -> None:
    rule = Fill(least=least, most=min(1.0, least + 2 * room))
    fitting = fitting_fill([rule], 0.8, measured)
    assert (fitting is None) == rule.holds(measured)
    if fitting is not None and fitting < 1:
        assert rule.holds(measured * fitting / 0.8), "the product fills in proportion to the request"


@settings(max_examples=25)
@given(st.integers(0, 255), st.integers(60, 160), st.integers(0, 400), st.integers(0, 2**32 - 1))
def test_a_cleaned_ground_is_pure_and_the_product_is_untouched(gray: int, size: int, specks: int, seed: int) -> None:
    rng, colour = np.random.default_rng(seed), (gray, 255 - gray, 200)
    rgb = np.full((size, size, 3), colour, np.uint8)
    product = np.zeros((size, size), np.uint8)
    cv2.circle(product, (size // 2, size // 2), size // 5, 1, -1)
    rgb[product > 0] = rng.integers(0, 256, (int(product.sum()), 3))
    rgb[rng.integers(0, size, specks), rng.integers(0, size, specks)] = rng.integers(0, 256, (specks, 3))
    before = rgb.copy()
    cleaned, share = clean_ground(rgb, product, colour)
    assert np.array_equal(rgb, before), "the input picture is unchanged"
    assert measure_ground(cleaned, None, product, colour).off == 0
    assert np.array_equal(cleaned[product > 0], rgb[product > 0])
    assert (share > 0) == (measure_ground(rgb, None, product, colour).off > 0)


@given(st.integers(1, 200_000), st.integers(51, 100), st.floats(0.2, 3))
def test_the_quality_is_the_highest_whose_file_is_small_enough(most: int, quality: int, growth: float) -> None:
    encoded: list[int] = []

    def encode(at: int) -> bytes:
        encoded.append(at)
        return bytes(min(int(100 * at**growth), 10_000_000))

    fits = [at for at in range(LEAST_QUALITY, quality) if int(100 * at**growth) <= most]
    best = best_quality(most, quality, encode)
    assert (None if best is None else best[0]) == (max(fits) if fits else None)
    assert best is None or len(best[1]) <= most
    assert len(encoded) <= 6


@given(SIDES, st.integers(1, 10**9), st.integers(1, 10**9))
def test_a_smaller_side_follows_the_bytes(longest: int, file_bytes: int, most: int) -> None:
    assume(most < file_bytes)
    side = smaller_side(Size(longest, longest // 2 + 1), file_bytes, most)
    assert side == 1 or (side / longest) ** 2 <= most / file_bytes


@given(st.booleans(), st.sampled_from(["rgb", "gray", "cmyk"]), st.sampled_from([1, 8, 12, 16]))
def test_what_the_photos_file_had_is_named_where_a_rule_speaks_of_it(several: bool, colours: str, bits: int) -> None:
    facts = FileFacts(several, colours, bits)
    expected = {"first-picture": several, "colours-converted": colours == "cmyk", "depth-reduced": bits > 8}
    named = {note.code for note in done_to_photo([Animation(), ColourMode(), BitDepth()], facts)}
    assert named == {code for code, true in expected.items() if true}
    assert not list(done_to_photo([LongestSide(least=10)], facts))
