"""The page's catalogue: every language has every key of English, and the page uses only these keys."""

from __future__ import annotations

import json
import re
from importlib import resources
from typing import Any

import pytest

from packshot.engine.presets import find_preset, preset_names

SITE = resources.files("packshot.api.page") / "site"
ENGLISH = "en"
# The categories of Intl.PluralRules; tests/browser compares them with a browser.
PLURALS = {
    "de": {"one", "other"},
    "en": {"one", "other"},
    "es": {"many", "one", "other"},
    "fr": {"many", "one", "other"},
    "pt": {"many", "one", "other"},
}
CODE = {each.name: each.read_text(encoding="utf-8") for each in SITE.iterdir() if each.name.endswith((".js", ".html"))}
CODE["routes.py"] = (resources.files("packshot.api.page") / "routes.py").read_text(encoding="utf-8")

Message = str | dict[str, str]


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    assert len(set(keys)) == len(keys), "a key occurs twice"
    return dict(pairs)


def catalogue(code: str) -> dict[str, Message]:
    text = (SITE / f"{code}.json").read_text(encoding="utf-8")
    found: dict[str, Message] = json.loads(text, object_pairs_hook=_unique)
    return found


def texts(message: Message) -> list[str]:
    return [message] if isinstance(message, str) else list(message.values())


def figures(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text))


def used() -> tuple[set[str], set[str]]:
    """The keys in the page's files, and the prefixes of the keys that they compose."""
    keys, begins = set[str](), set[str]()
    for text in CODE.values():
        keys |= set(re.findall(r'"([a-z]+(?:[.][\w-]+)*)"', text))
        begins |= set(re.findall(r"`([a-z]+[.][\w.-]*)\$\{", text))
    return keys, begins


def test_the_switch_offers_exactly_the_languages_that_there_are() -> None:
    offered = set(re.findall(r'\{ code: "(\w+)", name:', CODE["language.js"]))
    assert offered == {each.name[:-5] for each in SITE.iterdir() if each.name.endswith(".json")} == set(PLURALS)


@pytest.mark.parametrize("code", sorted(PLURALS))
def test_a_language_says_all_that_english_says_with_the_same_figures(code: str) -> None:
    english, own = catalogue(ENGLISH), catalogue(code)
    assert list(own) == sorted(english)
    for key, message in own.items():
        asked = set().union(*map(figures, texts(english[key])))
        for text in texts(message):
            assert text.strip() == text != "", key
            assert figures(text) == asked, key
            assert not set("{}") & set(re.sub(r"\{\w+\}", "", text)), key
            assert text.count("`") == texts(english[key])[0].count("`"), key
        if isinstance(message, dict):
            assert set(message) == PLURALS[code], key
            assert "count" in asked, key
        else:
            assert isinstance(english[key], str), f"{key} depends on a number"


def test_every_key_of_the_page_is_in_the_catalogue() -> None:
    english = catalogue(ENGLISH)
    for name, text in CODE.items():
        asked = re.findall(r'\bt\("([^"]+)"', text) + re.findall(r'data-t(?:-\w+)?="([\w.-]+)"', text)
        assert not [key for key in asked if key not in english and key != "KEY_HELP"], name


def test_every_message_is_used() -> None:
    keys, begins = used()
    assert {"error.", "note.", "rule.", "preset."} <= begins, "the search for computed keys is wrong"
    assert not [key for key in catalogue(ENGLISH) if key not in keys and not key.startswith(tuple(begins))]


def test_english_in_the_page_itself_is_that_of_the_catalogue() -> None:
    """index.html holds static words too, for readers before, or without, its scripts."""
    english = catalogue(ENGLISH)
    found = re.findall(r'data-t="([\w.-]+)">([^<]+)<', CODE["index.html"])
    assert len(found) > 30
    entities = {"&minus;": "\u2212", "&amp;": "&"}
    for key, text in found:
        assert re.sub(r"&\w+;", lambda match: entities[match[0]], text) == english[key], key


def test_presets_are_told_as_they_tell_themselves() -> None:
    english = catalogue(ENGLISH)
    for name in preset_names():
        preset = find_preset(name)
        assert (english[f"preset.{name}.title"], english[f"preset.{name}.about"]) == (preset.title, preset.about)
