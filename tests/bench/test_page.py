"""The measurement of the page's session: its counts equal the service's counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit.server import Running

pytestmark = [pytest.mark.browser, pytest.mark.release]


@pytest.fixture(autouse=True)
def _a_browser() -> None:
    pytest.importorskip("playwright", reason="Playwright is not installed")
    if not Path("/usr/bin/chromium").exists():
        pytest.skip("there is no browser")


def test_the_session_counts_what_the_service_counts(running: Running, tmp_path: Path) -> None:
    from bench.page import Visit, chromium, photos_from, table, twenty

    photos = photos_from(Path("examples"), 2, tmp_path)
    assert len({photo.read_bytes() for photo in photos}) == 2
    key = running.new_key(1000)
    with chromium(tmp_path / "profile") as page:
        visit = Visit(page, running.base_url, key)
        visit.open()
        steps = twenty(visit, photos)
        assert visit.tally.startswith("2 of 2")
    assert sum(step.credits for step in steps) == 1000 - (running.credits_of(key) or 0)
    picked = steps[0]
    assert (picked.clicks, picked.requests, picked.credits) == (2, 2, 2)
    size = sum(photo.stat().st_size for photo in photos)
    assert size < picked.sent_bytes < size + 10_000
    assert picked.received_bytes > 10_000
    assert (steps[-1].requests, steps[-1].credits) == (0, 0)
    assert table(steps).splitlines()[-1].startswith("| **all** | 10 | 7 |")


def test_a_long_list_is_looked_at_before_and_after_its_results(running: Running, tmp_path: Path) -> None:
    from bench.page import Visit, chromium, hundred, looks_table, photos_from

    photos = photos_from(Path("examples"), 4, tmp_path)
    profile = tmp_path / "profile"
    with chromium(profile, 390, 600) as page:
        visit = Visit(page, running.base_url, running.new_key(1000))
        visit.open()
        before, after = hundred(visit, photos, profile)
    assert (before.cards, after.cards) == (4, 4)
    assert "0 of 4" not in after.moment
    for look in (before, after):
        assert 0 < look.heap_mb < look.renderer_mb < look.browser_mb
        assert look.frames.count > 2
        assert look.frames.median_ms <= look.frames.p95_ms <= look.frames.longest_ms
    assert "| cards | 4 | 4 |" in looks_table([before, after])


@pytest.mark.parametrize("at", [[0.0, 16.0, 32.0, 132.0, 148.0]])
def test_frames_are_the_times_between(at: list[float]) -> None:
    from bench.page import frames_of

    frames = frames_of(at)
    assert (frames.count, frames.median_ms, frames.longest_ms, frames.late) == (4, 16.0, 100.0, 0.25)
    with pytest.raises(ValueError, match="no frame"):
        frames_of([1.0])
