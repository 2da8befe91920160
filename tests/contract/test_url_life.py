"""A result URL works for its 24 hours, in any browser and across restarts. A forged or expired URL never works."""

from __future__ import annotations

from pathlib import Path

import pytest

from packshot.api.ailab.routes import RESULTS
from tests.contract.envelope import failure, success_path
from tests.kit.images import good
from tests.kit.server import Clock, Running, serving

DAY_S = 24 * 3600


@pytest.mark.slow
def test_it_survives_restarts_and_ends_after_24_hours(tmp_path: Path) -> None:
    clock = Clock()
    with serving(tmp_path, now=clock) as running:
        path = success_path(running.send(good("jpeg")))
        picture = running.http.get(path).content
    clock.ahead_s = DAY_S - 60
    with serving(tmp_path, now=clock) as running:
        assert running.http.get(path).content == picture
        assert running.http.get(path).content == picture  # any number of times
        clock.ahead_s = DAY_S + 1
        failure(running.http.get(path), 410, "ERROR_RESOURCE_RECLAIMED")
    with serving(tmp_path, now=clock) as running:
        failure(running.http.get(path), 410, "ERROR_RESOURCE_RECLAIMED")


@pytest.mark.slow
def test_it_survives_a_change_of_the_secret_and_a_leaked_one_can_be_dropped(tmp_path: Path) -> None:
    old, new = "o" * 32, "n" * 32
    with serving(tmp_path, url_secrets=(old,)) as running:
        path = success_path(running.send(good("jpeg")))
    with serving(tmp_path, url_secrets=(new, old)) as running:
        assert running.http.get(path).status_code == 200
    with serving(tmp_path, url_secrets=(new,)) as running:
        failure(running.http.get(path), 403, "ERROR_ILLEGAL_FILE")


@pytest.fixture(scope="module")
def path(running: Running) -> str:
    return success_path(running.send(good("jpeg")))


def test_an_altered_url_is_refused_whatever_was_altered(running: Running, path: str) -> None:
    for position in [*range(len(RESULTS) + 1, len(path), 7), len(path) - 1]:
        other = "1" if path[position] != "1" else "2"
        altered = path[:position] + other + path[position + 1 :]
        assert running.http.get(altered).status_code == 403, altered


@pytest.mark.parametrize(
    "forge",
    [
        lambda path: path.split("&")[0],
        lambda path: path.split("?")[0],
        lambda path: path + "&expires=9999999999",
        lambda path: path.replace("expires=", "expires=+"),
        lambda path: path.replace("expires=", "expires=0"),
        lambda path: path.replace(".png", ".jpg"),
        lambda path: path.replace(".png", ""),
        lambda path: path.replace(RESULTS, f"{RESULTS}/%2e%2e%2f"),
        lambda path: path.split("signature=")[0] + "signature=%00%ff%F0%9F%98%80",
        lambda path: path.split("?")[0] + "?expires=٣٣&signature=x",
    ],
)
def test_a_forged_url_is_refused(running: Running, path: str, forge: object) -> None:
    assert callable(forge)
    response = running.http.get(forge(path))
    code = "ERROR_ILLEGAL_FILE" if response.status_code == 403 else "ERROR_AI_NOT_EXISTS"
    failure(response, response.status_code, code)
    assert response.status_code in {403, 404}
