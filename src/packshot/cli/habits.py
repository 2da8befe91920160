"""Maps commands and flags of rembg, backgroundremover and transparent-background to packshot's.

No mapped command runs. The user gets an error, whose hint is the whole packshot command with the given arguments.
"""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import click

from packshot.cli.errors import is_file, is_folder
from packshot.core.codecs.formats import BY_SUFFIX
from packshot.errors import InvalidOption


class Meant(NamedTuple):
    """A flag of another tool. values: how many it takes. words: packshot's words, with {0} for the first value."""

    values: int
    words: tuple[str, ...] = ()


FLAGS: Mapping[str, Meant] = {
    **dict.fromkeys(("-i", "--input", "--in", "--source", "--image"), Meant(1, ("{0}",))),
    **dict.fromkeys(("--output", "--dest", "--outfile", "--outdir", "--output-dir"), Meant(1, ("--out", "{0}"))),
    **dict.fromkeys(("--overwrite", "-y", "--yes"), Meant(0, ("--force",))),
    **dict.fromkeys(("-om", "--only-mask", "--mask"), Meant(0, ("--form", "mask"))),
    **dict.fromkeys(("-bgc", "--bgcolor"), Meant(4, ("--background", "rgb({0}, {1}, {2})"))),
    **dict.fromkeys(("--bg-color", "--background-color", "--bg"), Meant(1, ("--background", "{0}"))),
    **dict.fromkeys(("--background-image", "-bi"), Meant(1, ("--background-picture", "{0}"))),
    "-m": Meant(1, ("--model", "{0}")),
    "--gpu": Meant(0, ("--device", "cuda")),
    **dict.fromkeys(("-w", "--watch"), Meant(0, ("--watch",))),
    # packshot always refines edges and removes specks, so these flags map to nothing.
    **dict.fromkeys(("-a", "--alpha-matting", "-ppm", "--post-process-mask"), Meant(0)),
    **dict.fromkeys(("-af", "-ab", "-ae", "-az", "-x", "--extras"), Meant(1)),
    **dict.fromkeys((f"--alpha-matting-{what}-threshold" for what in ("foreground", "background")), Meant(1)),
    "--alpha-matting-erode-size": Meant(1),
}
"""Flags of other tools. A command's own flag keeps its own meaning."""

_SERVE_FLAGS = {
    "-p": Meant(1, ("--port", "{0}")),
    **dict.fromkeys(("-l", "--log_level", "-t", "--threads"), Meant(1)),
}

ALIASES: Mapping[str, str] = {
    **dict.fromkeys(("i", "b", "rm", "rembg", "removebg", "remove-bg", "cut", "cutout", "image", "process"), "remove"),
    **dict.fromkeys(("p", "folder", "bulk", "catalogue"), "batch"),
    **dict.fromkeys(("s", "server", "start", "api", "web"), "serve"),
    **dict.fromkeys(("validate", "verify"), "check"),
    **dict.fromkeys(("model", "d", "download"), "models"),
    "key": "keys",
    "preset": "presets",
    "ping": "health",
}
"""Other words for packshot's commands. rembg has i (one photo), p (folder), s (service), b (stream), d (downloads)."""


def unknown_command(name: str, rest: Sequence[str], commands: Sequence[str]) -> InvalidOption:
    """The error for an unknown first word: a photo, a folder, another tool's command, or a typing error."""
    if name == "help":
        return _meant("Use --help instead of help.", [*rest[:1], "--help"])
    if name == "version":
        return _meant("Use --version instead of version.", ["--version"])
    if name == "-" or is_file(name) or is_folder(name) or name.endswith("/") or _is_photo(name) or "://" in name:
        return _meant(f"{name} is not a command.", _remove([name, *rest]))
    if name == "i":
        return _meant("rembg's command i is packshot's remove.", _remove(rest or ["-"], in_out=True))
    if name == "p":
        command = "batch" if {"-w", "--watch"} & set(rest) else "remove"
        return _meant(f"rembg's command p is packshot's {command}.", _remove(rest, command, in_out=True))
    near = [ALIASES[name]] if name in ALIASES else difflib.get_close_matches(name.lower(), [*commands, *ALIASES], 1)
    if not near:
        raise InvalidOption(f"There is no command {name!r}.", hint=f"The commands are {', '.join(commands)}.")
    meant = ALIASES.get(near[0], near[0])
    if meant == "serve":
        words = ["serve", *_ours("serve", rest, _SERVE_FLAGS)[0]]
    elif meant == "remove":
        words = _remove(rest)
    elif name in {"d", "download"}:
        words = ["models", "download", *rest]
    else:
        words = [meant, *rest]
    return _meant(f"There is no command {name!r}.", words)


def without_command(typed: Sequence[str], flag: str, commands: Sequence[str]) -> InvalidOption | None:
    """The error for a flag before any command, as in `packshot -i photo.jpg`; None for an unknown flag."""
    for place, word in enumerate(typed):
        if word in commands:
            return _meant(f"{flag} belongs to a command.", [word, *typed[:place], *typed[place + 1 :]])
    if flag == "-v":
        return _meant("Use -V instead of -v.", ["--version"])
    if flag in FLAGS or flag in _arity("remove"):
        return _meant(f"{flag} belongs to a command.", _remove(typed))
    return None


def unknown_flag(ctx: click.Context, typed: Sequence[str], flag: str) -> InvalidOption | None:
    """The error for another tool's flag at a packshot command; None for an unknown flag."""
    command = ctx.command
    meant = FLAGS.get(flag)
    if meant is None or command.name is None:
        return None
    own = {word for param in command.params for word in param.opts}
    if any(word.startswith("-") and word not in own for word in meant.words):
        return None
    words = _remove(typed) if command.name == "remove" else [*_path(ctx), *_in_place(typed, flag, meant)]
    return _meant(f"This command has no option {flag}.", words)


def _path(ctx: click.Context | None) -> list[str]:
    """The words of a command, such as models, card."""
    words: list[str] = []
    while ctx is not None and ctx.parent is not None:
        words.insert(0, ctx.info_name or "")
        ctx = ctx.parent
    return words


def _in_place(typed: Sequence[str], flag: str, meant: Meant) -> list[str]:
    """The arguments with one flag replaced."""
    words = _split(typed)
    place = words.index(flag)
    values = words[place + 1 : place + 1 + meant.values]
    return [*words[:place], *_filled(meant, values), *words[place + 1 + meant.values :]]


def _remove(typed: Sequence[str], command: str = "remove", *, in_out: bool = False) -> list[str]:
    """A packshot command for the given arguments. in_out: whether the second of two paths is always the output."""
    flags, paths = _ours(command, typed, FLAGS)
    has_out = bool({"--out", "-o"} & set(flags))
    if command == "batch":
        return ["batch", *paths, *(word for word in flags if word != "--out")]
    if len(paths) == 2 and not has_out and (in_out or not is_file(paths[1])):
        paths = [paths[0], "--out", paths[1]]
    elif paths and not has_out and (is_folder(paths[0]) or paths[0].endswith("/")):
        paths = [*paths, "--out", "cutouts/"]
    return [command, *(paths or ["photo.jpg"]), *flags]


def _ours(command: str, typed: Sequence[str], theirs: Mapping[str, Meant]) -> tuple[list[str], list[str]]:
    """Splits arguments into packshot's flags (with their values) and paths."""
    own, flags, paths = _arity(command), list[str](), list[str]()
    words = _split(typed)
    while words:
        word = words.pop(0)
        meant = Meant(own[word], (word, *(f"{{{n}}}" for n in range(own[word])))) if word in own else theirs.get(word)
        if meant is None:
            (flags if word.startswith("-") and word != "-" else paths).append(word)
            continue
        values, words = words[: meant.values], words[meant.values :]
        filled = _filled(meant, values)
        (flags if meant.words[:1] != ("{0}",) else paths).extend(filled)
    return flags, paths


def _filled(meant: Meant, values: Sequence[str]) -> list[str]:
    padded = [*values, *[""] * meant.values]
    return [word.format(*padded) if "{" in word else word for word in meant.words]


def _split(typed: Sequence[str]) -> list[str]:
    """The arguments, with --name=value split in two."""
    return [part for word in typed for part in (word.split("=", 1) if word.startswith("--") else [word])]


@cache
def _arity(command: str) -> dict[str, int]:
    """The number of values of each flag of a command."""
    params = getattr(import_module(f"packshot.cli.{command}"), command).params
    options = [param for param in params if isinstance(param, click.Option)]
    return {
        flag: 0 if option.is_flag else option.nargs
        for option in options
        for flag in (*option.opts, *option.secondary_opts)
    }


def _is_photo(name: str) -> bool:
    return Path(name).suffix.lower() in BY_SUFFIX


def _meant(message: str, words: Sequence[str]) -> InvalidOption:
    return InvalidOption(message, hint=f"Type: {shlex.join(['packshot', *words])}")
