"""docs/reference/removebg.md names exactly the existing fields, headers and codes."""

from __future__ import annotations

import re
from pathlib import Path

from packshot.api.removebg.fields import FIELDS
from packshot.api.removebg.routes import FACTS, TABLE

PAGE = (Path(__file__).parents[3] / "docs/reference/removebg.md").read_text(encoding="utf-8")


def table(heading: str) -> list[list[str]]:
    """The cells of the table under a heading, row by row."""
    part = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def first_column(heading: str) -> set[str]:
    """The texts in backquotes in the first column of the table under a heading."""
    part = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    cells = [line.split("|")[1] for line in part.splitlines() if line.startswith("| `")]
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def test_fields() -> None:
    assert first_column("Fields") == set(FIELDS)


def test_codes() -> None:
    codes = {row.code for row in TABLE.values()} - {"conflict", "gone", "storage_failed", "invalid_parameter"}
    # These four cannot occur: the form has no idempotency keys, keeps no results, and names the field in the code.
    assert codes <= set(re.findall(r"`([a-z_]+)`", PAGE.split("## Errors")[1]))


def test_every_field_and_header_is_compared_with_the_original() -> None:
    assert {name for name in FACTS if not name.startswith("X-Foreground")} <= first_column("Headers")
    for heading in ("Fields", "Headers"):
        title, *rows = table(heading)
        assert title[-1] == "compared with remove.bg"
        assert all(row[-1] for row in rows)
