"""An interrupted download resumes where it ended, and only on the same result."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from packshot.api.http import requested_range
from tests.contract.envelope import success_path
from tests.kit.images import good
from tests.kit.server import Running, serving


@pytest.mark.parametrize(
    ("header", "span"),
    [
        (None, None),
        ("bytes=0-", range(100)),
        ("bytes=10-19", range(10, 20)),
        ("bytes=99-", range(99, 100)),
        ("bytes=90-1000", range(90, 100)),
        ("bytes=-10", range(90, 100)),
        ("bytes=-1000", range(100)),
        # outside
        ("bytes=100-", range(100, 100)),
        ("bytes=-0", range(100, 100)),
        # An unknown range is ignored.
        *[(other, None) for other in ("", "bytes=", "bytes=-", "bytes=5-4", "bytes=0-1,3-4", "items=0-1", "bytes=a-b")],
        ("bytes=" + "9" * 30 + "-", None),
        ("bytes=0-\u0663", None),
    ],
)
def test_what_a_header_asks_for(header: str | None, span: range | None) -> None:
    assert requested_range(header, 100) == span


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("state")) as running:
        yield running


@pytest.mark.slow
def test_parts_make_the_whole(running: Running) -> None:
    path = success_path(running.send(good("jpeg")))
    whole = running.http.get(path)
    assert whole.headers["accept-ranges"] == "bytes"
    size = len(whole.content)

    def get(span: str, **headers: str) -> httpx.Response:
        return running.http.get(path, headers={"Range": f"bytes={span}", **headers})

    parts = [get("0-999"), get("1000-")]
    assert [part.status_code for part in parts] == [206, 206]
    assert [part.headers["content-range"] for part in parts] == [f"bytes 0-999/{size}", f"bytes 1000-{size - 1}/{size}"]
    assert b"".join(part.content for part in parts) == whole.content
    for name in ("content-type", "x-content-type-options", "content-security-policy", "etag"):
        assert {part.headers[name] for part in parts} == {whole.headers[name]}
    assert get("1000-", **{"If-Range": whole.headers["etag"]}).status_code == 206
    assert get("1000-", **{"If-Range": '"another"'}).content == whole.content


def test_bytes_that_are_not_there(running: Running) -> None:
    path = success_path(running.send(good("jpeg")))
    size = running.http.head(path).headers["content-length"]
    answer = running.http.get(path, headers={"Range": "bytes=999999999-"})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{size}"
