"""Checks cost no credit, so they have separate limits: for their rate and for the picture size."""

from __future__ import annotations

from pathlib import Path

import pytest

from packshot.service.build import CHECK_PIXELS, check_limits
from packshot.service.settings import Settings
from tests.kit.images import as_png, good, photo
from tests.kit.native import CHECKS, problem, send
from tests.kit.server import Running, serving


@pytest.mark.slow
def test_a_key_without_credits_checks_so_often_and_no_more(tmp_path: Path) -> None:
    with serving(tmp_path, check_rate_limit="3/hour", rate_limit="100/hour") as running:
        key = running.new_key(0)
        answers = [send(running, key=key, path=CHECKS, preset="amazon") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["2", "1", "0", "0"]
        body = problem(answers[-1], 429, "rate-limited")
        assert "3/hour checks" in body["detail"]
        assert 3500 < int(answers[-1].headers["Retry-After"]) <= 3600
        account = running.http.get("/v1/account", headers={"x-api-key": key})  # a separate window
        assert (account.status_code, account.headers["X-RateLimit-Remaining"]) == (200, "95")
        assert send(running, key=running.new_key(0), path=CHECKS, preset="amazon").status_code == 200


@pytest.mark.slow
def test_a_larger_picture_counts_for_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("packshot.service.build.CHECK_PIXELS", 100 * 100)
    with serving(tmp_path, check_rate_limit="10/hour") as running:
        key = running.new_key(0)
        for width, left in ((100, "9"), (101, "7"), (300, "4")):
            answer = send(running, as_png(photo(width, 100)), key=key, path=CHECKS, preset="amazon")
            assert (answer.status_code, answer.headers["X-RateLimit-Remaining"]) == (200, left)
        refused = send(running, as_png(photo(500, 100)), key=key, path=CHECKS, preset="amazon")
        assert (refused.status_code, refused.headers["X-RateLimit-Remaining"]) == (429, "4")


@pytest.mark.slow
def test_a_picture_over_the_checks_limit_is_refused_and_can_still_be_paid_for(tmp_path: Path) -> None:
    with serving(tmp_path, check_max_pixels=200 * 100) as running:
        small, large = as_png(photo(200, 100)), as_png(photo(201, 100))
        assert send(running, small, path=CHECKS, preset="amazon").status_code == 200
        problem(send(running, large, path=CHECKS, preset="amazon"), 422, "image-too-large")
        assert send(running, large).status_code == 200


@pytest.mark.slow
def test_an_operator_may_do_without(tmp_path: Path) -> None:
    limitless = Settings.from_environment({"HOME": "/home/someone", "PACKSHOT_CHECK_RATE_LIMIT": "None"})
    with serving(tmp_path, **limitless.model_dump(include={"check_rate_limit"})) as running:
        answer = send(running, good("jpeg"), path=CHECKS, preset="amazon")
        assert answer.status_code == 200
        assert "X-RateLimit-Limit" not in answer.headers


def test_by_default_a_square_of_the_largest_rule_that_counts_pixels_fits(running: Running) -> None:
    assert check_limits(running.service.settings).max_pixels == 5000 * 5000  # Shopify's maximum
    assert running.service.settings.check_rate_limit == "60/minute"
    assert 60 * CHECK_PIXELS >= 5000 * 5000
