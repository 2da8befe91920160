"""Which file becomes which in a `packshot remove`, decided before anything is computed."""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from packshot.cli.errors import OutputExists, below, is_file, is_folder
from packshot.core.codecs.formats import BY_SUFFIX, FORMATS, WRITTEN
from packshot.core.options import listed
from packshot.core.recipe import Recipe
from packshot.errors import InvalidOption

if TYPE_CHECKING:
    from packshot.storage.base import Entry

STDIO = "-"
_ENDINGS = listed(row.suffix for row in WRITTEN.values())


@dataclass(frozen=True)
class Naming:
    """How an output is named after its photo. word: what it is, such as "amazon"; empty for the plain cutout."""

    word: str
    suffix: str

    def rename(self, name: str, source: str | Path) -> str:
        """photo.jpg -> photo.png for a cutout, photo-WORD.jpg for the rest; never the photo itself."""
        path = Path(name)
        before = name.removesuffix(path.name)  # not path.parent, which says "photo.jpg" of "./photo.jpg"
        renamed = f"{before}{path.stem}{'-' if self.word else ''}{self.word}{self.suffix}"
        if renamed == str(source) or _is_same(renamed, source):
            return f"{before}{path.stem}-cutout{self.suffix}"
        return renamed


@dataclass(frozen=True)
class Target:
    """One photo and the file that it becomes; None stands for stdin or stdout.

    name, becomes: the two as the user typed them, files of a folder below its name.
    fault: why the photo cannot be read, where its folder's listing found that out; it becomes nothing then.
    recipe: which of the recipes it is made by, of those of several presets.
    """

    source: Path | None
    path: Path | None
    name: str
    becomes: str = ""
    fault: str = ""
    recipe: int = 0

    def is_made(self) -> bool:
        """Whether the output is there; an empty file, as a power cut may leave it, is none.

        Raises: OutputExists where something else has its name.
        """
        try:
            about = None if self.path is None else self.path.stat()
        except OSError:  # where the name itself is at fault, writing says so
            if self.path is not None and self.path.is_symlink():
                raise OutputExists(
                    f"{self.becomes} is a link that leads nowhere.", hint="Use --force to replace it."
                ) from None
            return False
        if about is None:
            return False
        if stat.S_ISDIR(about.st_mode):
            raise OutputExists(f"{self.becomes} is a folder.", hint="Give another name: --out FILE.")
        if not stat.S_ISREG(about.st_mode):
            raise OutputExists(f"{self.becomes} is no plain file.", hint="--out - writes to stdout.")
        return about.st_size > 0


def naming(recipe: Recipe) -> Naming:
    """The naming of what a recipe makes."""
    return Naming(recipe.word, FORMATS[recipe.format].suffix)


def are_several(inputs: tuple[str, ...]) -> bool:
    """Whether the outputs go to a folder, each under a name of its own."""
    return len(inputs) > 1 or any(is_folder(item) for item in inputs if item != STDIO)


def told_apart(
    inputs: tuple[str, ...], out: str | None, *, typed: Sequence[str], force: bool, has_format: bool
) -> tuple[tuple[str, ...], str | None]:
    """The inputs and the output. Without --out, the second of two names is the output where it can be no photo.

    typed: the arguments of the command, for the right one in an error. has_format: whether --format was given.

    Two files that are there are two photos where they have the same format, which is what a shell makes of *.jpg.
    Otherwise nobody can know; nothing is overwritten and no cutout is cut out unasked.

    Raises
    ------
    InvalidOption
        The second name is no photo and no output either, or may be both; or an input does not exist.
    """
    if not all(inputs) or out == "":
        raise InvalidOption("A name is empty.", hint="Is a variable of the shell not set?")
    if out is not None and "://" in out:
        raise InvalidOption(f"{out} is no file and no folder.", hint="packshot batch writes to buckets.", field="--out")
    if out is None and len(inputs) == 2:
        inputs, out = _second_apart(inputs[0], inputs[1], typed=typed, force=force, has_format=has_format)
    for item in inputs:
        if item != STDIO and not is_folder(item) and not is_file(item):
            raise _missing(item)
    return inputs, out


def _second_apart(
    first: str, second: str, *, typed: Sequence[str], force: bool, has_format: bool
) -> tuple[tuple[str, ...], str | None]:
    if STDIO in {first, second} or is_folder(first) or is_folder(second):
        is_output = True
    elif not os.path.lexists(second) or _is_empty(second):
        is_output = _can_be_made(first, second, typed, has_format=has_format)
    else:
        is_output = is_file(first) and is_file(second) and _is_output_of(first, second, typed, force=force)
    return ((first,), second) if is_output else ((first, second), None)


def _can_be_made(first: str, second: str, typed: Sequence[str], *, has_format: bool) -> bool:
    """Whether a second name that is no file is the output; else it is a photo that does not exist."""
    if _is_pattern(second):
        return False
    if Path(second).suffix.lower() in BY_SUFFIX:
        return True
    if not is_file(first) or "://" in second:
        return False
    if has_format or second.endswith(("/", os.sep)):
        return True
    better = _command(as_output(typed, second, f"{second}.png"))
    raise InvalidOption(
        f"{second} does not exist.", hint=f"An output needs an ending ({_ENDINGS}): {better}", field="PHOTO"
    )


def _is_output_of(first: str, second: str, typed: Sequence[str], *, force: bool) -> bool:
    """Whether the second of two files is the output of the first, and stays. Raises: InvalidOption if it may be."""
    from packshot.batch.own_files import is_marked

    seems_made = is_marked(Path(second)) and not is_marked(Path(first))
    if seems_made and not force:
        return True
    formats = [BY_SUFFIX.get(Path(name).suffix.lower()) for name in (first, second)]
    if not seems_made and formats[0] is formats[1]:
        return False
    output = _command([*as_output(typed, second), *([] if force else ["--force"])])
    raise InvalidOption(
        f"{first} and {second} are both there: two photos, or a photo and its output?",
        hint=f"For an output: {output} - for two photos: {_command([*typed, '--out', 'FOLDER'])}",
    )


def as_output(typed: Sequence[str], second: str, name: str = "") -> list[str]:
    """The arguments with the name that came last behind --out. name: another name for it."""
    place = len(typed) - 1 - typed[::-1].index(second)
    return [*typed[:place], *typed[place + 1 :], "--out", name or second]


def output_format(inputs: tuple[str, ...], out: str | None, asked: str | None, *, presets: int = 1) -> str | None:
    """The format of the output: that of the ending of --out, or the one that was asked for; None where neither says.

    presets: how many there are, each of which makes a picture of each photo.

    Raises
    ------
    InvalidOption
        The ending is of no format that is written, or of another one than was asked for; or several pictures would go
        to one file.
    """
    what = "photos" if are_several(inputs) else "presets"
    several = are_several(inputs) or presets > 1
    if (several and out == STDIO) or (presets > 1 and out is None and STDIO in inputs):
        raise InvalidOption(f"Several {what} cannot go to stdout.", hint="Give a folder: --out FOLDER.", field="--out")
    if out is None or out == STDIO:
        return asked
    suffix = Path(out).suffix.lower()
    row = BY_SUFFIX.get(suffix)
    if is_folder(out) or out.endswith(("/", os.sep)):
        return asked
    if several:
        if is_file(out) or row is not None:
            hint = "Give a folder: --out FOLDER."
            raise InvalidOption(f"Several {what} cannot go to one file, {out}.", hint=hint, field="--out")
        return asked
    if row is None and asked is not None:
        return asked
    if row is None:
        what = f"{suffix} is no ending of a picture" if suffix else "it has no ending, which says the format"
        hint = f"Let it end in {_ENDINGS}, or give --format. A folder ends in /."
        raise InvalidOption(f"{out} cannot be written: {what}.", hint=hint, field="--out")
    if not row.written:
        raise InvalidOption(
            f"{out} cannot be written: packshot reads {row.title}, and does not write it.",
            hint=f"Let it end in {_ENDINGS}.",
            field="--out",
        )
    if asked not in {None, row.name}:
        raise InvalidOption(
            f"--format is {asked}, and {out} ends in {suffix}.",
            hint=f"Leave --format out, or let the name end in {FORMATS[str(asked)].suffix}.",
            field="--out",
        )
    return row.name


def make_targets(
    inputs: tuple[str, ...],
    *,
    names: Sequence[Naming],
    out: str | None,
    found: Callable[[int], None] = lambda _count: None,
    note: Callable[[str], None] = lambda _line: None,
) -> list[Target]:
    """The targets of files, folders and "-" as given on the command line, photo by photo.

    names: how the pictures of a photo are named, one for each recipe.
    found: told how many photos have been found so far, again and again. note: told in a line what is passed over.

    Raises
    ------
    InvalidOption
        A folder has no --out or no photo, or two photos would become the same file.
    """
    targets: list[Target] = []
    several = are_several(inputs) or len(names) > 1
    if inputs.count(STDIO) > 1:
        raise InvalidOption("- stands there twice, and there is one stdin.", hint="Give it once.", field="PHOTO")
    passed_over = _passed_over(inputs)
    for item in inputs:
        if item != STDIO and is_folder(item):
            _folder(item, names, out, targets, found, note)
        elif item in passed_over:
            note(f"{item}: {passed_over[item]}")
        else:
            targets += [replace(_single(item, name, out, several=several), recipe=at) for at, name in enumerate(names)]
    if not targets:
        raise InvalidOption("No photo was named.", hint="Give photos, folders, or - for stdin.", field="PHOTO")
    _check_clashes(targets)
    return targets


def _passed_over(inputs: tuple[str, ...]) -> dict[str, str]:
    """Named files that are no photos, and why; a second `packshot remove *.jpg` is handed the first one's outputs."""
    files = [item for item in inputs if item != STDIO and is_file(item)]
    found: dict[str, str] = {}
    if len(files) > 1:
        from packshot.batch.own_files import own_outputs

        own = "passed over, packshot's own output of another photo here. Given alone, it is a photo."
        found |= dict.fromkeys(own_outputs(Path(), files), own)
    if hidden := [item for item in files if Path(item).name.startswith("._")]:
        from packshot.batch.listing import APPLE_DOUBLE, is_apple_double

        found |= {item: APPLE_DOUBLE for item in hidden if is_apple_double(Path(item))}
    return found


def _folder(
    folder: str,
    names: Sequence[Naming],
    out: str | None,
    targets: list[Target],
    found: Callable[[int], None],
    note: Callable[[str], None],
) -> None:
    """Add the targets of a folder's photos."""
    from packshot.batch.listing import outputs_within, photos_in
    from packshot.batch.own_files import own_outputs, say_own
    from packshot.storage.blocking import open_storage

    if out is None or out == STDIO:
        raise InvalidOption(
            f"{folder} is a folder.", hint="Say where its cutouts shall go: --out FOLDER.", field="--out"
        )
    place = open_storage(folder)
    before = len(targets)
    # An --out inside the folder holds the results of an earlier run: they are not photos.
    within = outputs_within(place, open_storage(out), "--out")
    entries = list(photos_in(place, but=within, listed=lambda count: found(before + count)))
    if own := own_outputs(Path(folder), [entry.key for entry in entries]):
        note(f"{say_own(len(own))}.")
        entries = [entry for entry in entries if entry.key not in own]
    if not entries:
        raise InvalidOption(f"{folder} holds no photo.", hint=f"Looked for {', '.join(sorted(BY_SUFFIX))}.")
    for entry in entries:
        if entry.fault:
            name = below(folder, entry.key)
            targets.append(Target(Path(name), None, name, fault=entry.fault))
        else:
            targets += [_listed(folder, entry, each, out, at) for at, each in enumerate(names)]


def _listed(folder: str, entry: Entry, naming: Naming, out: str, recipe: int) -> Target:
    name = below(folder, entry.key)
    becomes = naming.rename(below(out, entry.key), name)
    return Target(Path(name), Path(becomes), name, becomes, recipe=recipe)


def _single(item: str, names: Naming, out: str | None, *, several: bool) -> Target:
    name = "stdin" if item == STDIO else item
    source = None if item == STDIO else Path(item)
    if out == STDIO or (out is None and source is None):
        return Target(source, None, name)
    if out is None:
        becomes = names.rename(item, item)
    elif several or is_folder(out) or out.endswith(("/", os.sep)):
        becomes = names.rename(below(out, Path(name).name), item)
    else:
        becomes = out
    return Target(source, Path(becomes), name, becomes)


def _missing(item: str) -> InvalidOption:
    """The error for an input that is no file."""
    hint = "Give photos, folders, or - for stdin."
    if item.startswith(("http://", "https://")):
        hint = f"URLs are not opened: curl -L {shlex.quote(item)} | packshot remove - > cutout.png"
    elif "://" in item:
        hint = f"Object storage is for packshot batch: packshot batch {shlex.quote(item)} OUT"
    elif _is_pattern(item):
        return InvalidOption(f"No file matches {item}.", hint="Look into the folder: ls", field="PHOTO")
    elif item.startswith("~/") and os.path.lexists(Path(item).expanduser()):
        hint = f"In quotes, ~ is not the home folder: {Path(item).expanduser()}"
    elif os.path.islink(item):  # noqa: PTH114 - pathlib's raises where a name is too long
        return InvalidOption(f"{item} is a link that leads nowhere.", hint="Check what it names.", field="PHOTO")
    elif os.path.lexists(item):
        return InvalidOption(f"{item} is no plain file.", hint="Give a file, or send it to stdin: -", field="PHOTO")
    return InvalidOption(f"{item} does not exist.", hint=hint, field="PHOTO")


def _is_pattern(name: str) -> bool:
    """Whether a shell would have looked for files, had it found any."""
    return any(mark in name for mark in "*?[") and not os.path.lexists(name)


def _is_same(name: str, other: str | Path) -> bool:
    """Whether two names lead to one file, as photo.PNG and photo.png do on some systems."""
    try:
        return Path(name).samefile(other)
    except OSError:
        return False


def _is_empty(name: str) -> bool:
    try:
        about = Path(name).stat()
    except OSError:
        return False
    return stat.S_ISREG(about.st_mode) and about.st_size == 0


def _command(arguments: Sequence[str]) -> str:
    return shlex.join(["packshot", "remove", *arguments])


def _check_clashes(targets: list[Target]) -> None:
    taken: dict[str, Target] = {}
    resolved = cache(Path.resolve)  # which looks at each folder above; there may be 20,000 files in one
    for target in targets:
        if target.path is None:
            continue
        other = taken.setdefault(str(resolved(target.path.parent) / target.path.name), target)
        if other is not target:
            raise InvalidOption(
                f"{other.name} and {target.name} would both become {target.becomes}.",
                hint="Rename one of them, or run them with different --out folders.",
            )
