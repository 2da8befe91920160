"""Jobs: cancelled work ends, and a job knows its needs before it begins."""

from __future__ import annotations

import pytest

from packshot.core.codecs import LIBRARY_LIMITS, Header
from packshot.core.geometry import Size
from packshot.core.options import Options
from packshot.core.recipe import Recipe
from packshot.engine import job
from packshot.engine.job import Cancellation, Cancelled, Job, Stage, Submission, Work, decode_auxiliary, follow
from packshot.engine.network import default_network
from packshot.engine.pipeline import run
from packshot.engine.presets import recipe_for
from packshot.errors import InvalidOption, UnreadableImage
from tests.kit.images import good


def test_cancelled_work_ends_before_its_next_stage() -> None:
    done: list[str] = []
    cancellation = Cancellation()

    def last(_: Work) -> None:
        done.append("first")
        cancellation.cancel()

    stages = [Stage("first", "", last), Stage("second", "", lambda _: done.append("second"))]
    with pytest.raises(Cancelled):
        follow(stages, Work(Recipe(), default_network(), cancellation=cancellation))
    assert done == ["first"]


def test_nothing_is_made_of_a_job_that_was_cancelled_while_it_waited() -> None:
    cancellation = Cancellation()
    cancellation.cancel()
    with pytest.raises(Cancelled):
        run(_submitted(good("jpeg")).check(), default_network(), cancellation=cancellation)


def test_what_is_stopped_by_a_cancellation_is_stopped_once_and_only_while_it_runs() -> None:
    cancellation, stopped = Cancellation(), []
    with cancellation.stopped_by(lambda: stopped.append("early")):
        pass
    with cancellation.stopped_by(lambda: stopped.append("at work")):
        cancellation.cancel()
    assert stopped == ["at work"]
    with pytest.raises(Cancelled), cancellation.stopped_by(lambda: None):
        pytest.fail("work began after it was cancelled")


def test_a_submission_is_not_looked_at_until_it_is_checked() -> None:
    submission = Submission(b"\x89PNG\r\n\x1a\n", Recipe(), LIBRARY_LIMITS)
    with pytest.raises(UnreadableImage):
        submission.check()


def test_a_recipe_may_follow_from_the_photos_header() -> None:
    def half(header: Header) -> Recipe:
        return recipe_for(Options(max_px=header.size.longest // 2))

    checked = Submission(good("jpeg", 160, 120), half, LIBRARY_LIMITS).check()
    assert checked.recipe.framing.max_px == 80


def test_a_damaged_picture_among_the_options_is_named() -> None:
    recipe = recipe_for(Options(background_picture=good("png")[:20]))
    with pytest.raises(InvalidOption, match="background_picture"):
        Submission(good("jpeg"), recipe, LIBRARY_LIMITS).check()


def test_only_small_pictures_among_the_options_are_kept_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    small, large = good("png", 40, 40), good("png", 400, 400)
    monkeypatch.setattr(job, "_KEPT_BYTES", 3 * 100 * 100)
    assert decode_auxiliary("touch_up", small) is decode_auxiliary("touch_up", small)
    assert decode_auxiliary("touch_up", large) is not decode_auxiliary("touch_up", large)


def _submitted(data: bytes, options: Options | None = None) -> Submission:
    return Submission(data, recipe_for(options or Options()), LIBRARY_LIMITS)


def _need(size: Size, **fields: object) -> int:
    options = Options.from_fields(fields)
    return Job((recipe_for(options),), Header("jpeg", size), b"").memory_bytes()


def test_the_need_grows_with_the_photo_and_with_the_output() -> None:
    small, large = Size(1000, 800), Size(8000, 6000)
    assert _need(large) == 60 * _need(small)
    assert _need(small, canvas="5000x5000") > 25 * _need(small)
    assert _need(small, crop=True, min_px=4000, max_upscale=4.0) >= 16 * _need(small)
    assert _need(small, format="avif") > _need(small)
    assert _need(small, touch_up=good("png")) > _need(small)
    assert _need(small, canvas="100x100") == _need(small)


def test_the_coded_size_counts_where_a_file_shows_less_of_it() -> None:
    shown, coded = Size(200, 200), Size(8000, 6000)
    recipe = recipe_for(Options())
    assert Job((recipe,), Header("avif", shown, coded=coded), b"").memory_bytes() == (
        Job((recipe,), Header("avif", coded), b"").memory_bytes()
    )
