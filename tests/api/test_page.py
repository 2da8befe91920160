"""The page's files as a browser requests them; tests/browser tests their behaviour."""

from __future__ import annotations

import re

import pytest

from tests.kit.native import problem
from tests.kit.server import Running


def files_of(running: Running) -> list[str]:
    return re.findall(r'(?:src|href)="(page/[^"]+)"', running.http.get("/").text)


def test_every_file_that_the_page_names_is_there_for_a_year(running: Running) -> None:
    files = files_of(running)
    assert len(files) > 3
    for file in files:
        answer = running.http.get(f"/{file}")
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_modules_ask_for_modules_that_are_there(running: Running) -> None:
    waiting, seen = {"app.js"}, set[str]()
    folder = next(file for file in files_of(running) if file.endswith("app.js")).rpartition("/")[0]
    while waiting:
        name = waiting.pop()
        seen.add(name)
        answer = running.http.get(f"/{folder}/{name}")
        assert answer.status_code == 200, name
        assert answer.headers["content-type"].startswith("text/javascript")
        waiting |= set(re.findall(r'from "\./([\w.]+)"', answer.text)) - seen
    assert len(seen) > 10


def test_the_page_is_asked_for_anew_and_not_sent_again(running: Running) -> None:
    first = running.http.get("/")
    assert first.headers["cache-control"] == "no-cache"
    again = running.http.get("/", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_a_file_of_another_release_is_served_and_not_kept(running: Running) -> None:
    answer = running.http.get("/page/older/app.js")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-cache"


def test_nothing_from_elsewhere_is_allowed_or_asked_for(running: Running) -> None:
    page = running.http.get("/")
    policy = dict(part.split(" ", 1) for part in page.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert page.headers["referrer-policy"] == "no-referrer"
    texts = [page.text, *(running.http.get(f"/{file}").text for file in files_of(running))]
    assert not re.findall(r"""(?:src=|url\(|@import|from )\s*["']?(?:https?:)?//""", "\n".join(texts))


@pytest.mark.parametrize("path", ["/", "/page/now/app.js"])
def test_head_says_what_get_would(running: Running, path: str) -> None:
    head, get = running.http.head(path), running.http.get(path)
    assert head.content == b""
    for name in ("content-length", "content-type", "etag", "cache-control", "content-security-policy"):
        assert head.headers[name] == get.headers[name]


@pytest.mark.parametrize("path", ["/page/now/none.js", "/page/now/..%2f..%2froutes.py", "/page/app.js", "/page/"])
def test_what_is_not_there_is_said_as_everywhere_else(running: Running, path: str) -> None:
    answer = running.http.get(path)
    problem(answer, 404, "unknown-path")
