"""Decides which output each input of `packshot remove` gets, before any photo is processed."""

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
    """The rule that names an output after its photo. word: its kind, such as "amazon"; empty for the plain cutout."""

    word: str
    suffix: str

    def rename(self, name: str, source: str | Path) -> str:
        """Turns photo.jpg into photo.png for a cutout, else into photo-WORD.jpg; never into the photo's own name."""
        path = Path(name)
        before = name.removesuffix(path.name)  # not path.parent, which drops "./" from "./photo.jpg"
        renamed = f"{before}{path.stem}{'-' if self.word else ''}{self.word}{self.suffix}"
        if renamed == str(source) or _is_same(renamed, source):
            return f"{before}{path.stem}-cutout{self.suffix}"
        return renamed


@dataclass(frozen=True)
class Target:
    """One photo and one output file; None means stdin or stdout.

    name, becomes: photo and output as the user typed them; files of a folder have the folder's name in front.
    fault: why the photo cannot be read, if the folder's listing found a fault. Then the photo has no output.
    recipe: index of the recipe; several presets have one recipe each.
    """

    source: Path | None
    path: Path | None
    name: str
    becomes: str = ""
    fault: str = ""
    recipe: int = 0

    def is_made(self) -> bool:
        """Whether the output exists. An empty file does not count: a power cut may leave one.

        Raises: OutputExists if a folder or a special file has the output's name.
        """
        try:
            about = None if self.path is None else self.path.stat()
        except OSError:  # if the name itself is invalid, the write reports that
            if self.path is not None and self.path.is_symlink():
                raise OutputExists(f"{self.becomes} is a broken link.", hint="Use --force to replace it.") from None
            return False
        if about is None:
            return False
        if stat.S_ISDIR(about.st_mode):
            raise OutputExists(f"{self.becomes} is a folder.", hint="Give another name with --out FILE.")
        if not stat.S_ISREG(about.st_mode):
            raise OutputExists(f"{self.becomes} is not a regular file.", hint="Use --out - to write to stdout.")
        return about.st_size > 0


def naming(recipe: Recipe) -> Naming:
    """The naming rule for the outputs of a recipe."""
    return Naming(recipe.word, FORMATS[recipe.format].suffix)


def are_several(inputs: tuple[str, ...]) -> bool:
    """Whether the inputs are several files or a folder, so that outputs need a folder."""
    return len(inputs) > 1 or any(is_folder(item) for item in inputs if item != STDIO)


def told_apart(
    inputs: tuple[str, ...], out: str | None, *, typed: Sequence[str], force: bool, has_format: bool
) -> tuple[tuple[str, ...], str | None]:
    """Separates inputs and output. Without --out, the second of two names is the output if it cannot be a photo.

    typed: the command's arguments, used to suggest a corrected command. has_format: whether --format was given.

    Two existing files of the same format are two photos: a shell expands *.jpg to such names. Files of different
    formats are ambiguous and raise an error, so that no file is overwritten and no cutout is processed by mistake.

    Raises
    ------
    InvalidOption
        The second name can be neither photo nor output, or can be both; or an input does not exist.
    """
    if not all(inputs) or out == "":
        raise InvalidOption("A name is empty.", hint="Check whether a shell variable is unset.")
    if out is not None and "://" in out:
        raise InvalidOption(
            f"{out} is neither a file nor a folder.", hint="Use packshot batch to write to buckets.", field="--out"
        )
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
    """Whether a second name without a file is the output; if not, it is a missing photo. Raises: InvalidOption."""
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
    """Whether the second of two files is the finished output of the first. Raises: InvalidOption if unclear."""
    from packshot.batch.own_files import is_marked

    seems_made = is_marked(Path(second)) and not is_marked(Path(first))
    if seems_made and not force:
        return True
    formats = [BY_SUFFIX.get(Path(name).suffix.lower()) for name in (first, second)]
    if not seems_made and formats[0] is formats[1]:
        return False
    output = _command([*as_output(typed, second), *([] if force else ["--force"])])
    raise InvalidOption(
        f"{first} and {second} both exist: two photos, or a photo and its output?",
        hint=f"Photo and output: {output} - two photos: {_command([*typed, '--out', 'FOLDER'])}",
    )


def as_output(typed: Sequence[str], second: str, name: str = "") -> list[str]:
    """The arguments, with the last occurrence of `second` moved behind --out, optionally as `name`."""
    place = len(typed) - 1 - typed[::-1].index(second)
    return [*typed[:place], *typed[place + 1 :], "--out", name or second]


def output_format(inputs: tuple[str, ...], out: str | None, asked: str | None, *, presets: int = 1) -> str | None:
    """The output format, from the ending of --out or from --format (`asked`); None if neither gives one.

    presets: number of presets; each makes one picture of each photo.

    Raises
    ------
    InvalidOption
        The ending is not a format that packshot writes, or differs from --format; or several pictures would go to one
        file.
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
        what = f"{suffix} is not a picture format" if suffix else "the name has no ending to tell the format"
        hint = f"Use an ending such as {_ENDINGS}, or give --format. End a folder's name with /."
        raise InvalidOption(f"{out} cannot be written: {what}.", hint=hint, field="--out")
    if not row.written:
        raise InvalidOption(
            f"{out} cannot be written: packshot reads {row.title} but does not write it.",
            hint=f"Use the ending {_ENDINGS}.",
            field="--out",
        )
    if asked not in {None, row.name}:
        raise InvalidOption(
            f"--format is {asked}, but {out} ends in {suffix}.",
            hint=f"Remove --format, or change the ending to {FORMATS[str(asked)].suffix}.",
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
    """The targets for the files, folders and "-" of the command line, photo by photo.

    names: naming rules of a photo's pictures, one for each recipe.
    found: called repeatedly with the number of photos found so far. note: called with a line for each skipped file.

    Raises
    ------
    InvalidOption
        A folder has no --out or no photo, or two photos would become the same file.
    """
    targets: list[Target] = []
    several = are_several(inputs) or len(names) > 1
    if inputs.count(STDIO) > 1:
        raise InvalidOption("- (stdin) appears more than once.", hint="Give it once.", field="PHOTO")
    passed_over = _passed_over(inputs)
    for item in inputs:
        if item != STDIO and is_folder(item):
            _folder(item, names, out, targets, found, note)
        elif item in passed_over:
            note(f"{item}: {passed_over[item]}")
        else:
            targets += [replace(_single(item, name, out, several=several), recipe=at) for at, name in enumerate(names)]
    if not targets:
        raise InvalidOption("No photo was given.", hint="Give photos, folders, or - for stdin.", field="PHOTO")
    _check_clashes(targets)
    return targets


def _passed_over(inputs: tuple[str, ...]) -> dict[str, str]:
    """Files to skip, with the reason. A second `packshot remove *.jpg` also gets the outputs of the first run."""
    files = [item for item in inputs if item != STDIO and is_file(item)]
    found: dict[str, str] = {}
    if len(files) > 1:
        from packshot.batch.own_files import own_outputs

        own = "skipped, packshot made it from another photo here. Give it alone to use it as a photo."
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
            f"{folder} is a folder.", hint="Give a folder for its cutouts: --out FOLDER.", field="--out"
        )
    place = open_storage(folder)
    before = len(targets)
    # An --out inside the folder holds the results of an earlier run, not photos.
    within = outputs_within(place, open_storage(out), "--out")
    entries = list(photos_in(place, but=within, listed=lambda count: found(before + count)))
    if own := own_outputs(Path(folder), [entry.key for entry in entries]):
        note(f"{say_own(len(own))}.")
        entries = [entry for entry in entries if entry.key not in own]
    if not entries:
        raise InvalidOption(f"{folder} contains no photos.", hint=f"Photo formats: {', '.join(sorted(BY_SUFFIX))}.")
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
    """The error for an input that is neither a file nor a folder."""
    hint = "Give photos, folders, or - for stdin."
    if item.startswith(("http://", "https://")):
        hint = f"packshot opens no URLs. Type: curl -L {shlex.quote(item)} | packshot remove - > cutout.png"
    elif "://" in item:
        hint = f"Use packshot batch for object storage: packshot batch {shlex.quote(item)} OUT"
    elif _is_pattern(item):
        return InvalidOption(f"No file matches {item}.", hint="List the folder with ls.", field="PHOTO")
    elif item.startswith("~/") and os.path.lexists(Path(item).expanduser()):
        hint = f"The shell does not expand ~ in quotes. Type: {Path(item).expanduser()}"
    elif os.path.islink(item):  # noqa: PTH114 - Path.is_symlink raises if a name is too long
        return InvalidOption(f"{item} is a broken link.", hint="Check the target of the link.", field="PHOTO")
    elif os.path.lexists(item):
        return InvalidOption(
            f"{item} is not a regular file.", hint="Give a file, or use - and send it to stdin.", field="PHOTO"
        )
    return InvalidOption(f"{item} does not exist.", hint=hint, field="PHOTO")


def _is_pattern(name: str) -> bool:
    """Whether a name is a shell pattern without a matching file."""
    return any(mark in name for mark in "*?[") and not os.path.lexists(name)


def _is_same(name: str, other: str | Path) -> bool:
    """Whether two names are the same file, as photo.PNG and photo.png are on some systems."""
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
    resolved = cache(Path.resolve)  # cached: resolve reads every parent folder, and one folder may hold 20,000 files
    for target in targets:
        if target.path is None:
            continue
        other = taken.setdefault(str(resolved(target.path.parent) / target.path.name), target)
        if other is not target:
            raise InvalidOption(
                f"{other.name} and {target.name} would both become {target.becomes}.",
                hint="Rename one of them, or process them with different --out folders.",
            )
