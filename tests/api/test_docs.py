"""/docs and /openapi.json: complete, valid, and without content from other hosts."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest
import schemathesis
from openapi_python_client.schema import OpenAPI

from packshot.api.ailab.routes import KEY_HEADERS, PATHS
from packshot.core.options import OPTIONS
from tests.api.test_every_error import KINDS
from tests.kit.server import Running


@pytest.fixture(scope="module")
def document(running: Running) -> dict[str, Any]:
    document: dict[str, Any] = running.http.get("/openapi.json").json()
    return document


@pytest.fixture(scope="module")
def page(running: Running) -> str:
    response = running.http.get("/docs")
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in response.headers["content-security-policy"]
    return response.text


class Links(HTMLParser):
    """All links and resources that a browser would load, and the tags that run scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.targets += [value or "" for name, value in attrs if name in {"href", "src", "srcset", "action", "data"}]


def test_the_page_needs_nothing_from_elsewhere(page: str) -> None:
    links = Links()
    links.feed(page)
    assert links.targets
    # Relative, so that a proxy may serve the page under a prefix.
    assert all(re.fullmatch(r"[\w.#-]+", target) for target in links.targets)
    assert not links.tags & {"script", "iframe", "link", "img", "object"}
    assert not re.search(r"url\(|@import", page)


def test_the_page_shows_every_path_and_every_answer(page: str, document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        assert path in page
        for operation in operations.values():
            assert all(f"<code>{status}</code>" in page for status in operation["responses"])
    assert "curl" in page


@pytest.mark.slow
def test_the_document_is_valid_and_says_how_to_bring_a_key(document: dict[str, Any]) -> None:
    OpenAPI.model_validate(document)
    schemathesis.openapi.from_dict(document).validate()
    assert set(PATHS) < set(document["paths"])
    schemes = document["components"]["securitySchemes"]
    for path in PATHS:
        accepted = [schemes[name] for choice in document["paths"][path]["post"]["security"] for name in choice]
        assert {(scheme["in"], scheme["name"]) for scheme in accepted} == {("header", name) for name in KEY_HEADERS}


def test_operations_have_names_of_their_own(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(names) == len(set(names))


def test_every_problem_leads_to_its_place_on_the_page(page: str) -> None:
    for kind in KINDS:
        if kind.__module__.startswith(("packshot.errors", "packshot.api.errors")):
            assert f'id="error-{kind.slug}"' in page, kind


def test_every_option_is_in_the_document_and_on_the_page_with_its_words(page: str, document: dict[str, Any]) -> None:
    form = document["paths"]["/v1/packshots"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    for name, option in OPTIONS.items():
        assert option.about in form["properties"][name]["description"]
        assert option.accepts in form["properties"][name]["description"]
        assert option.kind == "file" or form["properties"][name].keys() & {"enum", "examples"}, name
        assert f"<td><code>{name}</code></td>" in page


def test_each_dialect_has_its_own_line_to_paste(page: str) -> None:
    assert "-H &#x27;x-api-market-key: YOUR_KEY&#x27; -F image=@photo.jpg" in page
    assert "/v1/packshots -H &#x27;Authorization: Bearer YOUR_KEY&#x27;" in page
    assert "-H &#x27;x-api-key: YOUR_KEY&#x27; -F image_file=@photo.jpg" in page
