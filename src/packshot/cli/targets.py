"""Which file becomes which in a `packshot remove`, decided before anything is computed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from packshot.batch.listing import outputs_within, photos_in
from packshot.cli.errors import is_file, is_folder
from packshot.core.codecs.formats import BY_SUFFIX, FORMATS
from packshot.core.compose import WHITE
from packshot.core.options import BLUR
from packshot.core.recipe import Recipe
from packshot.errors import InvalidOption
from packshot.storage.base import Entry
from packshot.storage.blocking import open_storage

STDIO = "-"


@dataclass(frozen=True)
class Naming:
    """How an output is named after its photo. word: what it is, such as "amazon"; empty for the plain cutout."""

    word: str
    suffix: str

    def rename(self, path: Path, source: Path) -> Path:
        """photo.jpg -> photo.png for a cutout, photo-WORD.jpg for the rest; never the photo itself."""
        renamed = path.with_name(f"{path.stem}{'-' if self.word else ''}{self.word}{self.suffix}")
        if os.path.realpath(renamed) == os.path.realpath(source):
            return path.with_name(f"{path.stem}-cutout{self.suffix}")
        return renamed


@dataclass(frozen=True)
class Target:
    """One photo and the file that it becomes; None stands for stdin or stdout.

    fault: why the photo cannot be read, where its folder's listing found that out; it becomes nothing then.
    """

    source: Path | None
    path: Path | None
    fault: str = ""

    @property
    def name(self) -> str:
        return "stdin" if self.source is None else str(self.source)


def naming(recipe: Recipe) -> Naming:
    """The naming of what a recipe makes: after its preset, else after what lies behind the product, or its frame."""
    return Naming(recipe.preset or _word(recipe), FORMATS[recipe.format].suffix)


def format_of(out: str | None) -> str | None:
    """The output format that a file name asks for, if it is one of ours."""
    found = BY_SUFFIX.get(Path(out or "").suffix.lower())
    return found.name if found and found.written else None


def make_targets(inputs: tuple[str, ...], *, names: Naming, out: str | None) -> list[Target]:
    """The targets of files, folders and "-" as given on the command line.

    Raises
    ------
    InvalidOption
        An input does not exist, a folder has no --out, several photos would go to one file, or two photos would
        become the same file.
    """
    targets: list[Target] = []
    several = are_several(inputs)
    for item in inputs:
        if item == STDIO:
            targets.append(Target(None, None if out in {None, STDIO} else Path(str(out))))
        elif is_folder(item):
            targets += _folder(Path(item), names, out)
        else:
            targets.append(Target(Path(item), _target(Path(item), names, out, several=several)))
    _check(targets, several=several, out=out)
    return targets


def are_several(inputs: tuple[str, ...]) -> bool:
    """Whether the outputs go to a folder, each under a name of its own."""
    return len(inputs) > 1 or any(is_folder(item) for item in inputs if item != STDIO)


def _word(recipe: Recipe) -> str:
    if recipe.form == "mask":
        return "mask"
    if recipe.form == "flattened":
        if isinstance(recipe.background, bytes):
            return "picture"
        return "white" if recipe.background == WHITE else "blur" if recipe.background == BLUR else "colour"
    if recipe.framing.is_photo:
        return ""
    return "crop" if recipe.framing.crop and recipe.framing.canvas is None else "framed"


def _folder(folder: Path, names: Naming, out: str | None) -> list[Target]:
    if out is None or out == STDIO:
        raise InvalidOption(
            f"{folder} is a folder.", hint="Say where its cutouts shall go: --out FOLDER.", field="--out"
        )
    place = open_storage(str(folder))
    # An --out inside the folder holds the results of an earlier run: they are not photos.
    entries = list(photos_in(place, but=outputs_within(place, open_storage(str(Path(out))))))
    if not entries:
        raise InvalidOption(f"{folder} holds no photo.", hint=f"Looked for {', '.join(sorted(BY_SUFFIX))}.")
    return [_listed(folder, entry, names, Path(out)) for entry in entries]


def _listed(folder: Path, entry: Entry, names: Naming, out: Path) -> Target:
    source = folder / entry.key
    path = None if entry.fault else names.rename(out / entry.key, source)
    return Target(source, path, entry.fault)


def _target(source: Path, names: Naming, out: str | None, *, several: bool) -> Path | None:
    if not is_file(source):
        raise InvalidOption(f"{source} does not exist.", hint="Give photos, folders, or - for stdin.", field="PHOTO")
    if out is None:
        return names.rename(source, source)
    if out == STDIO:
        return None
    if several or is_folder(out) or out.endswith("/"):
        return names.rename(Path(out) / source.name, source)
    return Path(out)


def _check(targets: list[Target], *, several: bool, out: str | None) -> None:
    if several and out is not None and (out == STDIO or is_file(out)):
        raise InvalidOption("Several photos cannot go to one file.", hint="Give a folder: --out FOLDER.", field="--out")
    taken: dict[str, Target] = {}
    for target in targets:
        if target.path is None:
            continue
        other = taken.setdefault(os.path.realpath(target.path), target)
        if other is not target:
            raise InvalidOption(
                f"{other.name} and {target.name} would both become {target.path}.",
                hint="Rename one of them, or run them with different --out folders.",
            )
