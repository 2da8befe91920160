"""Options that several commands share: the picture options, --model, --device and --quiet.

core/options.py defines the picture options; `picture_options` turns each one into a flag.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from packshot.cli.errors import read_input
from packshot.core.options import OPTIONS, Option, Options
from packshot.errors import PackshotError

model_option = click.option(
    "--model",
    envvar="PACKSHOT_MODEL",
    show_envvar=True,
    help="Name of a model, or path of an .onnx file with a card next to it.  [default: set by `packshot models use`]",
)
device_option = click.option(
    "--device",
    type=click.Choice(["cpu", "cuda"], case_sensitive=False),
    default="cpu",
    show_default=True,
    envvar="PACKSHOT_DEVICE",
    show_envvar=True,
    help="Device that runs the network; cuda needs packshot[gpu].",
)

SECTIONS = {
    "What to make": ("preset", "repair", "form", "format", "quality", "metadata"),
    "Background": ("background", "background_picture", "shadow", "shadow_opacity"),
    "Frame": ("rotate", "crop", "margin", "canvas", "fill", "position", "max_upscale", "min_px", "max_px"),
    "Finding the product": ("roi", "touch_up"),
}
"""Sections of the help text. An option that is not listed here is in the first section."""


_TYPED = "packshot.typed"

quiet_option = click.option("-q", "--quiet", is_flag=True, help="Print errors only.")


class PictureOption(click.Option):
    """A flag for a field of Options."""

    @property
    def section(self) -> str:
        return next((title for title, names in SECTIONS.items() if self.name in names), next(iter(SECTIONS)))


class Command(click.Command):
    """A command that suggests its own flags for other tools' flags. Stores the typed arguments for error messages."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[_TYPED] = tuple(args)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            from packshot.cli.habits import unknown_flag

            meant = unknown_flag(ctx, ctx.meta[_TYPED], error.option_name)
            if meant is None:
                raise
            raise meant from error


class PictureCommand(Command):
    """A command with picture options; its help groups them in sections."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title in SECTIONS:
            self._section(ctx, formatter, title)
        self._section(ctx, formatter, "Options")

    def _section(self, ctx: click.Context, formatter: click.HelpFormatter, title: str) -> None:
        flags = [each for each in self.get_params(ctx) if isinstance(each, click.Option)]
        of_title = [each for each in flags if getattr(each, "section", "Options") == title]
        records = [record for each in of_title if (record := each.get_help_record(ctx))]
        if records:
            with formatter.section(title):
                formatter.write_dl(records)


def typed_arguments() -> tuple[str, ...]:
    """The arguments of the running command, as the user typed them after its name."""
    arguments: tuple[str, ...] = click.get_current_context().meta.get(_TYPED, ())
    return arguments


def in_flags(error: PackshotError, command: click.Command) -> PackshotError:
    """Replaces option names in an error by flags (max_upscale by --max-upscale) that the command has."""
    flags = {flag for param in command.params for flag in param.opts}
    for name in OPTIONS:
        if flag_name(name) in flags:
            # A name with an underscore is always an option. Other names are also English words: replace them only here.
            place = rf"\b{name}\b" if "_" in name else rf"(?:^|(?<=, but )|(?<=^Use )){name}\b"
            error.message, error.hint = (re.sub(place, flag_name(name), text) for text in (error.message, error.hint))
    return error


def picture_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add a flag for every option to a command, and pass their values as the argument `options` (Options)."""

    @wraps(function)
    def run(*arguments: Any, **named: Any) -> Any:
        given = {name: _value(OPTIONS[name], named.pop(name)) for name in OPTIONS}
        return function(*arguments, options=Options.from_fields(given), **named)

    flagged: Callable[..., Any] = run
    for name in reversed(list(OPTIONS)):
        flagged = _flag(name, OPTIONS[name])(flagged)
    return flagged


def flag_name(name: str) -> str:
    """The flag of an option, such as --max-upscale for max_upscale."""
    return f"--{name.replace('_', '-')}"


def _flag(name: str, option: Option) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    flag = flag_name(name)
    about = re.sub(r"`(\w+)`", lambda found: flag_name(found[1]), option.about)
    text = f"{about}  [{option.accepts}]"
    if option.kind == "switch":
        declared = f"{flag}/--no-{flag[2:]}"
        return click.option(declared, name, default=None, cls=PictureOption, help=about)
    if option.kind == "file":
        kind = click.Path(exists=True, dir_okay=False, path_type=Path)
        return click.option(flag, name, type=kind, metavar="FILE", cls=PictureOption, help=about)
    if option.choices:
        return click.option(flag, name, metavar="|".join(option.choices), cls=PictureOption, help=about)
    metavar = {"text": "TEXT", "whole number": "N", "number": "NUMBER"}[option.kind]
    return click.option(flag, name, metavar=metavar, cls=PictureOption, help=text, multiple=option.several)


def _value(option: Option, value: Any) -> Any:
    """The value for Options.from_fields: a file's bytes, or the text as typed."""
    if option.several:
        return ",".join(value) or None
    return value if option.kind != "file" or value is None else read_input(value)
