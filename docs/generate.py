"""Make what repeats the code: pages of docs/, and the client's options. `python -m docs.generate`; a test compares."""

from __future__ import annotations

import inspect
from pathlib import Path

import click

from docs.automation_page import automation_page
from docs.option_pages import client_options, options_page, presets_page
from docs.settings_page import settings_page
from packshot import errors
from packshot.api.ailab.envelope import TABLE as STATUSES
from packshot.api.errors import PROBLEM_DETAILS
from packshot.cli import cli
from packshot.cli.errors import TABLE as EXIT_CODES
from packshot.engine.weights import DEFAULT_MODEL, find_card, published

FOLDER = Path(__file__).parent
PEER = "u2netp"
_NOTE = "<!-- Made from the code by `python -m docs.generate`; a test compares. -->\n"


def cli_page() -> str:
    """The help of every command, as the terminal shows it."""
    parts = ["# Command line\n", _NOTE]
    for name, command in _commands("packshot", cli):
        context = click.Context(command, info_name=name, **cli.context_settings)
        parts.append(f"\n## {name}\n\n```text\n{command.get_help(context)}\n```\n")
    return "".join(parts)


def _commands(name: str, command: click.Command) -> list[tuple[str, click.Command]]:
    found = [(name, command)]
    if isinstance(command, click.Group):
        context = click.Context(command)
        for child in sorted(command.list_commands(context)):
            below = command.get_command(context, child)
            found += _commands(f"{name} {child}", below) if below is not None else []
    return found


def errors_page() -> str:
    """The tree of errors and its tables."""
    tree = inspect.cleandoc(errors.__doc__ or "").split("\n\n")
    rows = [
        f"| {kind.__name__} | `{kind.slug}` | {row.status} | `{row.code}` | {row.words} |"
        for kind, row in sorted(STATUSES.items(), key=lambda item: (item[1].status, item[1].code, item[0].__name__))
    ]
    native = [
        f"| {kind.__name__} | `{kind.slug}` | {row.status} | {row.words} |"
        for kind, row in sorted(PROBLEM_DETAILS.table.items(), key=lambda item: (item[1].status, item[0].__name__))
    ]
    codes = [f"| {kind.__name__} | {code} |" for kind, code in sorted(EXIT_CODES.items(), key=lambda item: item[1])]
    return (
        f"# Errors\n\n{_NOTE}\n"
        "Every error that packshot raises on purpose is one of these. `slug` is stable and meant for programs,\n"
        "`message` says what happened, `hint` what to do, `fields` carries the figures.\n\n"
        f"```text\n{tree[1]}\n```\n\n"
        "## Over HTTP (drop-in contract)\n\nThe nearest class in an error's ancestry decides.\n\n"
        "| error | slug | status | code | meaning |\n|---|---|---|---|---|\n" + "\n".join(rows) + "\n\n"
        "## Over HTTP (elsewhere)\n\nProblem details, under `/v1` and outside the dialects; "
        "`slug` and `title` are among their members.\n\n"
        "| error | slug | status | title |\n|---|---|---|---|\n" + "\n".join(native) + "\n\n"
        "## On the command line\n\nThe exit codes are those of sysexits.h; 0 is success.\n\n"
        "| error | exit code |\n|---|---|\n" + "\n".join(codes) + "\n"
    )


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
        f"# Decisions\n\n{_NOTE}\n"
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
    "reference/cli.md": cli_page,
    "reference/errors.md": errors_page,
    "reference/openapi-automation.json": automation_page,
    "reference/options.md": options_page,
    "reference/presets.md": presets_page,
    "reference/settings.md": settings_page,
}


def main() -> None:
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")
    for file, (begin, end, part) in PARTS.items():
        file.write_text(between(file.read_text(encoding="utf-8"), begin, end, part()), encoding="utf-8")


if __name__ == "__main__":
    main()
