"""Make what repeats the code: pages of docs/, and the client's options. `python -m docs.generate`; a test compares."""

from __future__ import annotations

import re
from pathlib import Path

from docs.api_page import api_page
from docs.automation_page import automation_page
from docs.cli_page import cli_page
from docs.errors_page import errors_page
from docs.option_pages import client_options, options_page, presets_page
from docs.settings_page import settings_page
from packshot.engine.weights import DEFAULT_MODEL, find_card, published

FOLDER = Path(__file__).parent
PEER = "u2netp"
_NOTE = "<!-- Made from the code by `python -m docs.generate`; a test compares. -->"


def scores_table() -> str:
    """Scores of the embedded network beside the smallest published one, on the sets where both were measured."""
    networks = [("U2-NetP", published()[PEER].scores), ("packshot", find_card(DEFAULT_MODEL)[0].scores)]
    figures = {"mae": "MAE", "max_f": "maximum F", "iou": "IoU", "boundary_iou": "boundary IoU"}
    lines = ["| test set | network | " + " | ".join(figures.values()) + " |", "|---|---|" + "---:|" * len(figures)]
    for test_set in [name for name in networks[1][1] if name in networks[0][1]]:
        for name, scores in networks:
            cells = " | ".join(f"{scores[test_set][figure]:.3f}" for figure in figures)
            lines.append(f"| {test_set} | {name} | {cells} |")
    return "\n".join(lines)


def decisions_page() -> str:
    """All decisions, the newest first."""
    titles = {
        path.name: path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
        for path in (FOLDER / "decisions").glob("0*.md")
    }
    lines = [f"- [{title}]({name})" for name, title in sorted(titles.items(), reverse=True)]
    return (
        "# Decisions\n\n"
        "A decision says why something is as it is: context, choice, consequence and what was measured.\n\n"
        + "\n".join(lines)
        + "\n"
    )


def between(text: str, begin: str, end: str, new: str) -> str:
    """A text with other words between two marks, which it holds once each."""
    before, rest = text.split(begin)
    _, after = rest.split(end)
    return f"{before}{begin}\n{new}\n{end}{after}"


_CLIENT = FOLDER.parent / "src" / "packshot" / "client"
PARTS = {
    FOLDER.parent / "README.md": ("<!-- scores: begin -->", "<!-- scores: end -->", scores_table),
    _CLIENT / "options.py": ("# Generated: from here", "# Generated: to here", client_options),
}
"""Files of which only a part is made here: its marks, and what makes it."""

PAGES = {
    "decisions/index.md": decisions_page,
    "reference/api.md": api_page,
    "reference/cli.md": cli_page,
    "reference/errors.md": errors_page,
    "reference/openapi-automation.json": automation_page,
    "reference/options.md": options_page,
    "reference/presets.md": presets_page,
    "reference/settings.md": settings_page,
}


def page(name: str) -> str:
    """The text of a page. In Markdown a note under the title says how it was made."""
    text = PAGES[name]()
    return re.sub(r"^(# .*\n)", rf"\1\n{_NOTE}\n", text, count=1, flags=re.MULTILINE) if name.endswith(".md") else text


def main() -> None:
    for name in PAGES:
        (FOLDER / name).write_text(page(name), encoding="utf-8")
    for file, (begin, end, part) in PARTS.items():
        file.write_text(between(file.read_text(encoding="utf-8"), begin, end, part()), encoding="utf-8")


if __name__ == "__main__":
    main()
