"""An Idempotency-Key or a task stores everything about a result that the first response contained."""

from __future__ import annotations

import pickle
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from packshot.core.frame import make_frame
from packshot.core.geometry import Box, Size
from packshot.core.notes import NO_SHADOW
from packshot.core.options import Options
from packshot.core.repair import frame_fitted, quality_changed
from packshot.core.rules import Facts, Ground, Report
from packshot.engine.presets import find_preset, preset_names, recipe_for
from packshot.engine.result import Result
from packshot.service.jobs import ResultLink, Stored, StoredResult, recalled, remembered

sides = st.integers(32, 3000)


REPAIRS = [(), (quality_changed(90, 71, "file-size"), frame_fitted(0.85))]


@st.composite
def results(draw: st.DrawFn) -> Result:
    """A result of any preset, of a product anywhere in its photo."""
    photo, preset = Size(draw(sides), draw(sides)), find_preset(draw(st.sampled_from(preset_names())))
    left, top = draw(st.integers(0, photo.width - 2)), draw(st.integers(0, photo.height - 2))
    box = Box(left, top, draw(st.integers(left + 2, photo.width)), draw(st.integers(top + 2, photo.height)))
    frame = make_frame(recipe_for(Options(preset=preset.name)).framing, photo, box)
    product = frame.place(box)
    ground = Ground(draw(st.integers(0, 255)), 0, draw(st.floats(0, 1)), draw(st.booleans()))
    facts = Facts(
        "jpeg", draw(st.integers(1, 10**8)), frame.size, product, ground, draw(st.sampled_from([(), ("left",)]))
    )
    return Result(
        data=b"picture",
        media_type="image/jpeg",
        size=frame.size,
        photo_size=photo,
        box=box,
        product=product,
        confidence=draw(st.one_of(st.none(), st.floats(0, 1))),
        review=draw(st.booleans()),
        notes=(*frame.notes, *draw(st.sampled_from([(), (NO_SHADOW,)]))),
        report=Report(
            preset.name, preset.title, tuple(rule.check(facts) for rule in preset.rules), draw(st.sampled_from(REPAIRS))
        ),
    )


@given(results())
@settings(max_examples=40)
def test_a_replay_says_all_that_the_first_answer_said(result: Result) -> None:
    places = (Stored(ResultLink("a.jpg", "expires=1&signature=x", 1), 7), Stored(ResultLink("b.jpg", "", 2), 8))
    again = recalled(remembered(StoredResult(results=(result, result), stored=places)))
    assert again.stored == places
    assert again.results == (replace(result, data=b""),) * 2
    assert pickle.loads(pickle.dumps(result)) == result  # noqa: S301 - as Ray brings it from its workers
