"""The review's catalogues: exactly the keys that its page uses, with the same placeholders in every language."""

from __future__ import annotations

import json
import re
from importlib import resources
from typing import Any

import pytest

from tests.api.test_page_words import PLURALS, catalogue, figures, texts

SITE = resources.files("packshot.api.review") / "site"
FILES = {each.name: each.read_text(encoding="utf-8") for each in SITE.iterdir()}
CODE = "".join(text for name, text in FILES.items() if name.endswith((".js", ".html")))
# Keys that the page's shared modules compose from these: the verdicts, the states, the filters.
TOLD = {
    "review.decided-": ("good", "corrected", "again", "photograph-again", "open"),
    "review.badge-": ("failed", "broken", "review"),
    "review.filter-": ("look", "decided", "all"),
}


def words(code: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(FILES[f"review-{code}.json"])
    return found


def test_english_says_what_the_page_asks_for_and_nothing_else() -> None:
    named = set(re.findall(r'"(review\.[a-z-]+)"', CODE))
    made = {begin + end for begin, ends in TOLD.items() for end in ends}
    assert set(re.findall(r"`(review\.[a-z-]+)\$\{", CODE)) == set(TOLD)
    assert named | made == set(words("en"))
    shared = set(re.findall(r'(?:data-t|data-t-label|data-t-title)="([a-z]+\.[\w.-]+)"', CODE)) - named
    assert shared <= set(catalogue("en"))


@pytest.mark.parametrize("code", sorted(name[7:-5] for name in FILES if name.startswith("review-")))
def test_every_language_says_all_of_it(code: str) -> None:
    english, own = words("en"), words(code)
    assert set(own) == set(english)
    for key, message in own.items():
        asked = set().union(*map(figures, texts(english[key])))
        for text in texts(message):
            assert text.strip() == text != "", key
            assert figures(text) | {"count"} == asked | {"count"}, key
        if isinstance(message, dict):
            assert set(message) == PLURALS[code], key
