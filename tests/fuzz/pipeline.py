"""Checks the promise of the whole pipeline: any photo with any options gives a true Result or a PackshotError."""

from __future__ import annotations

import time
import traceback
from dataclasses import dataclass
from pathlib import Path

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from packshot import Result, remove
from packshot.core.codecs import Limits, decode
from packshot.core.geometry import Box
from packshot.core.options import OPTIONS, Options
from packshot.engine.presets import preset_names
from packshot.errors import PackshotError
from tests.fuzz.bounds import measured
from tests.fuzz.campaign import Row
from tests.kit.images import WRITERS, noise, photo

# Options allow outputs up to 10,000 px, which take seconds each: tests/api/test_soak.py covers their memory.
LARGEST_OUTPUT_PX = 400
_ANY_SIZE = Limits(min_side_px=1)


@dataclass(frozen=True)
class Case:
    """A photo and its options, as form fields."""

    photo: bytes
    fields: dict[str, object]


def small_files(draw: st.DrawFn) -> bytes:
    """Photos of products, noise and plain colours, at least 32 px, in the plain formats."""
    width, height = draw(st.integers(32, 140)), draw(st.integers(32, 140))
    kind = draw(st.sampled_from(sorted(WRITERS)))
    content = draw(st.sampled_from(["product", "product", "product", "noise", "plain"]))
    number = draw(st.integers(0, 50))
    if content == "noise":
        return WRITERS[kind](noise(width, height, number))
    picture = photo(width, height, number)
    if content == "plain":
        picture[:] = number
    return WRITERS[kind](picture)


EDGES: dict[str, tuple[object, ...]] = {
    "quality": (1, 2, 100, 0, 101),
    "background": ("black", "#000", "rgb(255,255,255)", "transparent", "blur", "", "#ggg"),
    "rotate": (0, 90, -90, 180, 360, 0.01, 45, -3.7, 134.9, 361),
    "crop": (True, False),
    "margin": ("0", "0%", "1px", "100%", "300px 0 0 0", "0 0 0 200%", "0.4%", "1 2 3"),
    "canvas": ("16x16", "17x399", "400x400", "1:20", "20:1", "1000:1", "15x16", "0:1", "3:2"),
    "fill": ("1%", "0.1%", "100%", "99.9%", "0%", "101%"),
    "position": ("top left", "0% 0%", "100% 100%", "bottom right", "33% 0%", "left left"),
    "max_upscale": (1, 4, 1.0001, 0.9, 5),
    "min_px": (16, 17, 399, 15),
    "max_px": (16, 17, 50, 400),
    "shadow_opacity": ("0%", "1%", "100%"),
    "roi": ("0 0 1 1", "50% 50% 51% 51%", "0% 0% 100% 100%", "100% 0% 0% 100%", "5 5 20 9000", "999 999 1000 1000"),
    "preset": ("amazon", "no such"),
}
"""Values on both sides of the allowed limits."""


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Up to six options at once, from the option table's examples and choices and from EDGES."""
    names = draw(st.lists(st.sampled_from(sorted(OPTIONS)), unique=True, max_size=6))
    return Case(small_files(draw), {name: _value(draw, name) for name in names})


def _value(draw: st.DrawFn, name: str) -> object:
    option = OPTIONS[name]
    if option.kind == "file":
        return small_files(draw) if draw(st.integers(0, 9)) else draw(st.binary(max_size=40))
    if name == "preset":
        return draw(st.sampled_from([*preset_names(), *EDGES["preset"]]))
    small = [each for each in option.examples if "000" not in each]
    return draw(st.sampled_from([*small, *option.choices, *EDGES.get(name, ())] or list(option.examples)))


def check(case: Case) -> bool:
    """Accepts only a true Result or a PackshotError. Returns whether the outcome was a Result."""
    try:
        options = Options.from_fields({"max_px": LARGEST_OUTPUT_PX, **case.fields} if _is_free(case) else case.fields)
        result = remove(case.photo, options)
    except PackshotError as error:
        assert error.message
        return False
    is_true(result, options)
    return True


def _is_free(case: Case) -> bool:
    """Whether none of the drawn options bounds the size of the output."""
    return not {"canvas", "max_px", "preset"} & set(case.fields)


def is_true(result: Result, options: Options) -> None:
    """Assert that the file matches the result's description."""
    picture = decode(result.data, _ANY_SIZE)
    assert picture.size == result.size, (picture.size, result.size)
    assert _is_inside(result.product, Box.full(result.size)), (result.product, result.size)
    assert _is_inside(result.box, Box.full(result.photo_size)), (result.box, result.photo_size)
    assert (result.report is not None) == (options.preset is not None and options.form != "mask")
    assert result.confidence is None or 0 <= result.confidence <= 1
    assert result.media_type.startswith("image/")


def _is_inside(inner: Box, outer: Box) -> bool:
    return (
        outer.left <= inner.left <= inner.right <= outer.right
        and outer.top <= inner.top <= inner.bottom <= outer.bottom
    )


def run(seconds: float, findings: Path) -> Row:
    """Draw cases until the time is over; hypothesis shrinks each failing case."""
    started, runs, made, found, number = time.monotonic(), 0, 0, 0, 0
    slowest_s, largest_bytes = 0.0, 0

    def checked(case: Case) -> None:
        nonlocal runs, made, slowest_s, largest_bytes
        runs += 1
        true: list[bool] = []
        cost = measured(lambda: true.append(check(case)))
        made += true[0]
        slowest_s, largest_bytes = max(slowest_s, cost.seconds), max(largest_bytes, cost.peak_bytes)

    while time.monotonic() - started < seconds:
        number += 1
        chosen = settings(max_examples=50, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        try:
            seed(number)(chosen(given(cases())(checked)))()
        except Exception as error:  # noqa: BLE001 - any is a finding
            found += 1
            (findings / f"line-{number}.txt").write_text("".join(traceback.format_exception(error)))
    return Row("pipeline", time.monotonic() - started, runs, made, slowest_s, largest_bytes, found)
