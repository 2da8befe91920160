"""Docs that repeat the code say what the code says, and links lead somewhere."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

import packshot
import packshot.client
from docs.generate import FOLDER, PAGES, PARTS, between, page

ROOT = FOLDER.parent


@pytest.mark.slow
@pytest.mark.parametrize("name", PAGES)
def test_pages_made_from_the_code_are_up_to_date(name: str) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == page(name), "run `python -m docs.generate`"


@pytest.mark.parametrize("file", PARTS, ids=lambda file: file.name)
def test_parts_made_from_the_code_are_up_to_date(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    begin, end, part = PARTS[file]
    assert text == between(text, begin, end, part()), "run `python -m docs.generate`"


@pytest.mark.parametrize("file", sorted([*ROOT.glob("*.md"), *FOLDER.rglob("*.md")]), ids=lambda file: file.name)
def test_relative_links_lead_to_files(file: Path) -> None:
    for target in links(file):
        if "://" not in target:
            assert (file.parent / target).exists(), f"{file.name} links to {target}"


def links(file: Path) -> list[str]:
    """The targets of a page's links, without anchors."""
    return re.findall(r"\]\(([^)#\s]+)[^)]*\)", file.read_text(encoding="utf-8"))


OURS = {
    "https://packshot.github.io/packshot/": "docs/",
    "https://github.com/packshot/packshot/blob/main/": "",
    "https://raw.githubusercontent.com/packshot/packshot/main/": "",
}


def test_the_readme_reads_well_on_a_package_index() -> None:
    """It has no relative link, and the absolute ones to this project lead to files of it."""
    readme = ROOT / "README.md"
    assert [link for link in links(readme) if "://" not in link] == []
    for link in links(readme):
        for address, folder in OURS.items():
            if link.startswith(address):
                path = link.removeprefix(address).replace(".html", ".md") or "index.md"
                assert (ROOT / folder / path).is_file(), link
    assert len(readme.read_text(encoding="utf-8").splitlines()) < 120


@pytest.mark.slow
def test_the_messages_that_troubleshooting_explains_are_real() -> None:
    """`...` stands for a figure or a name. Everything else of a quoted message is in the source, word for word."""
    sources = "\n".join(strings())
    headings = re.findall(r"^### (.*)", (FOLDER / "troubleshooting.md").read_text(encoding="utf-8"), re.MULTILINE)
    messages = [message for heading in headings for message in re.findall(r"`([^`]+)`", heading)]
    assert len(messages) > 10
    for message in messages:
        for words in message.split("..."):
            assert words.strip(" :.,") in sources, message


@cache
def strings() -> list[str]:
    """All texts in the package's code; of an f-string, its fixed parts."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / "src/packshot").rglob("*.py")]
    nodes = (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return [node.value for node in nodes if isinstance(node.value, str)]


def test_paths_named_in_the_docs_exist() -> None:
    text = "\n".join(
        page.read_text(encoding="utf-8") for page in [ROOT / "README.md", FOLDER / "explanation/architecture.md"]
    )
    for path in re.findall(r"`((?:src|docs|tests|training|evaluation|bench|examples|contract)/[\w./-]*)`", text):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize(("page", "module"), [("library", packshot), ("client", packshot.client)])
def test_the_pages_of_python_show_all_that_is_public(page: str, module: ModuleType) -> None:
    text = (FOLDER / f"reference/{page}.md").read_text(encoding="utf-8")
    shown = set(re.findall(rf"^::: {re.escape(module.__name__)}\.(\w+)$", text, re.MULTILINE))
    assert shown == {name for name in module.__all__ if name != "__version__"}


def test_messages_name_pages_of_the_documentation() -> None:
    """By title or by setting: an installation has no docs/ folder."""
    titles = {page.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ") for page in FOLDER.rglob("*.md")}
    texts = " ".join("\n".join(strings()).split())
    named = re.findall(r"(?i)\"([^\"]+)\" in the documentation", texts)
    assert len(named) > 5
    assert {name for name in named if name.strip()} - {"{page}"} <= titles
