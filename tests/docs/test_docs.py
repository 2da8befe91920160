"""Docs that repeat the code say what the code says, and links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.generate import FOLDER, PAGES, PARTS, between

ROOT = FOLDER.parent


@pytest.mark.parametrize("name", PAGES)
def test_pages_made_from_the_code_are_up_to_date(name: str) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == PAGES[name](), "run `python -m docs.generate`"


@pytest.mark.parametrize("file", PARTS, ids=lambda file: file.name)
def test_parts_made_from_the_code_are_up_to_date(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    begin, end, part = PARTS[file]
    assert text == between(text, begin, end, part()), "run `python -m docs.generate`"


@pytest.mark.parametrize("page", sorted([*ROOT.glob("*.md"), *FOLDER.rglob("*.md")]), ids=lambda page: page.name)
def test_relative_links_lead_to_files(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_paths_named_in_the_docs_exist() -> None:
    text = "\n".join(
        page.read_text(encoding="utf-8") for page in [ROOT / "README.md", FOLDER / "explanation/architecture.md"]
    )
    for path in re.findall(r"`((?:src|docs|tests|training|evaluation|bench|examples|contract)/[\w./-]*)`", text):
        assert (ROOT / path).exists(), path
