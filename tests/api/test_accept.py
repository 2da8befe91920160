"""The preferred media type of an Accept header."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packshot.api.http import preferred

PNG, JSON = "image/png", "application/json"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", PNG),
        ("*/*", PNG),
        ("image/*", PNG),
        ("application/json", JSON),
        ("APPLICATION/JSON; charset=utf-8", JSON),
        ("application/json, text/plain, */*", JSON),
        ("text/html, image/avif, image/webp, */*;q=0.8", PNG),
        ("image/png;q=0.3, application/json;q=0.4", JSON),
        ("image/*;q=0.3, image/png;q=0.9, application/json;q=0.4", PNG),
        ("*/*;q=0.9, image/*;q=0", JSON),
        ("*/*, application/json;q=0", PNG),
        ("image/webp", None),
        ("image/png;q=0", None),
        ("text/html, application/problem+json", None),
        ("nonsense", PNG),
        ("image/png;q=much, application/json;q=0.1", JSON),
    ],
)
def test_preferred(accept: str, expected: str | None) -> None:
    assert preferred(accept, (PNG, JSON)) == expected


@given(st.text())
def test_any_header_has_an_answer(accept: str) -> None:
    assert preferred(accept, (PNG, JSON)) in {PNG, JSON, None}
