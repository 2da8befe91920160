"""docs/reference/cli.md, made from the commands' help."""

from __future__ import annotations

import inspect
import re
from html import escape

import click

from docs.links import linked, with_settings
from packshot.cli import cli
from packshot.cli.options import PictureOption

PAGE = "reference/cli.md"
_VERBATIM = "\b"
_CODE = re.compile(r"(`[^`]*`)")

_HEAD = """# Command line

`packshot COMMAND --help` shows the same in a terminal. [Exit codes](errors.md#exit-codes) are on another page.

| command | what it does |
|---|---|
"""
_PICTURE_OPTIONS = "[`--background`, `--preset`, `--canvas` and every other option](options.md)"


def cli_page() -> str:
    """Every command: first all of them with a line each, then usage, help and options."""
    commands = _commands("packshot", cli)
    rows = [f"| [{name}](#{_anchor(name)}) | {_first(each)} |" for name, each in commands if not _is_group(each)]
    return _HEAD + "\n".join(rows) + "\n" + "".join(_section(*each) for each in commands[1:])


def _commands(name: str, command: click.Command) -> list[tuple[str, click.Command]]:
    found = [(name, command)]
    if isinstance(command, click.Group):
        context = click.Context(command)
        for child in sorted(command.list_commands(context)):
            below = command.get_command(context, child)
            found += _commands(f"{name} {child}", below) if below is not None else []
    return found


def _section(name: str, command: click.Command) -> str:
    heading = "\n" + "#" * min(name.count(" ") + 1, 3) + f" {name}\n\n"
    if _is_group(command):
        return heading + _help(command)
    context = click.Context(command, info_name=name, **cli.context_settings)
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    return f"{heading}```text\n{usage}\n```\n\n{_help(command)}{_options(command, context)}"


def _help(command: click.Command) -> str:
    """The help's paragraphs; examples stay as they are typed."""
    text = inspect.cleandoc(command.help or "")
    parts = [
        f"```text\n{part.removeprefix(_VERBATIM).strip()}\n```" if part.startswith(_VERBATIM) else _prose(part)
        for part in text.split("\n\n")
    ]
    return "\n\n".join(parts) + "\n"


def _options(command: click.Command, context: click.Context) -> str:
    rows = [f"| {_PICTURE_OPTIONS} | |"] if any(isinstance(each, PictureOption) for each in command.params) else []
    for param in command.params:
        own = isinstance(param, click.Option) and not isinstance(param, PictureOption)
        if own and (record := param.get_help_record(context)):
            flag, about = record
            rows.append(f"| {_code(flag)} | {_cell(_prose(about))} |")
    return "\n| option | what it does |\n|---|---|\n" + "\n".join(rows) + "\n" if rows else ""


def _prose(text: str) -> str:
    """Help as Markdown: on one line, flags as code, and pages as links."""
    parts = _CODE.split(" ".join(text.split()))
    for number, part in enumerate(parts):
        if not _CODE.fullmatch(part):
            escaped = re.sub(r"([*<\[\]])", r"\\\1", part)
            parts[number] = re.sub(r"(?<![\w-])(--[a-z][a-z-]*)", r"`\1`", escaped)
    return with_settings(linked("".join(parts), PAGE), "settings.md")


def _first(command: click.Command) -> str:
    """The first sentence of the help, which lists of commands show."""
    return _cell(_prose(re.split(r"(?<=\.)\s", inspect.cleandoc(command.help or ""), maxsplit=1)[0]))


def _code(flag: str) -> str:
    """Code in a table. Markdown dialects differ in how a | is escaped there, and HTML is the same in all."""
    return f"<code>{escape(flag).replace('|', '&#124;')}</code>" if "|" in flag else f"`{flag}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _anchor(name: str) -> str:
    return name.replace(" ", "-")


def _is_group(command: click.Command) -> bool:
    return isinstance(command, click.Group)
