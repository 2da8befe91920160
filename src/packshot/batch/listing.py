"""The photos of a batch (from a listing, a manifest, or a watched folder), and the names of their outputs."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import json
import posixpath
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from packshot.batch.own_files import is_thumbnail, stem_of
from packshot.core.codecs.formats import BY_SUFFIX, FORMATS
from packshot.core.recipe import Recipe
from packshot.errors import InvalidOption, StorageRefused
from packshot.storage.base import Entry, check_key, is_hidden
from packshot.storage.blocking import BlockingStorage

WATCH_EVERY_S = 2.0


_NO_PHOTOS_IN = frozenset(
    {
        "__macosx",  # what macOS adds to archives
        "@eadir",  # Synology's thumbnails
        "@recycle",  # recycle bins of QNAP and Synology
        "#recycle",
        "#snapshot",
        "$recycle.bin",  # Windows' recycle bin and restore points
        "system volume information",
        "lost+found",
        "packshot-review",  # copies of photos, and mattes
    }
)
"""Folders that systems and reviews create next to photos, in lower case: with copies, thumbnails or deleted files."""


def photos_in(
    photos: BlockingStorage, *, but: str | None = None, under: str = "", listed: Callable[[int], None] | None = None
) -> Iterator[Entry]:
    """The photos of a place, selected by name, and entries with a fault for folders that could not be read.

    All commands list photos with this function. but: a folder in the place to skip, because it holds outputs. under: a
    folder in the place to list instead of the whole place. listed: called after each photo with the number so far.
    """
    count = 0
    for entry in photos.list(under):
        is_closed_folder = bool(entry.fault) and entry.key.endswith("/")
        wanted = not is_passed_over(entry.key) if is_closed_folder else is_photo(entry.key)
        if wanted and (but is None or not entry.key.startswith(f"{but}/")):
            count += 1
            if listed is not None:
                listed(count)
            yield entry


def outputs_within(photos: BlockingStorage, out: BlockingStorage, option: str = "OUT") -> str | None:
    """The path of the outputs' folder below the photos' folder; None if elsewhere. option: name of `out` in errors.

    Raises: InvalidOption if outputs could replace photos.
    """
    if f"{photos.url}/".startswith(f"{out.url}/"):
        same = "the folder of the photos" if photos.url == out.url else f"a folder around the photos in {photos.name}"
        raise InvalidOption(
            f"{option} {out.name} is {same}: outputs could replace photos.",
            hint=f"Give another folder, inside {photos.name} or next to it.",
            field=option,
        )
    inside = f"{photos.url}/"
    return out.url.removeprefix(inside) if out.url.startswith(inside) else None


def photos_named(
    photos: BlockingStorage, lines: Iterable[str], say: Callable[[str], None] = lambda _: None
) -> Iterator[Entry]:
    """The photos that a manifest names, one per line. A missing photo has no version, and fails later.

    A line that ends with a slash names all photos of a folder; failed.txt has such lines for folders that could not be
    listed. A name may begin with the place, as in the output of `ls`. say: called with a line for each skipped file.
    """
    for line in lines:
        key = _key(line.rstrip("\r\n"), photos.url)
        if not key:
            continue
        try:
            if key.endswith("/"):
                yield from photos_in(photos, under=check_key(key.rstrip("/")))
                continue
            found = photos.find(key)
            if found is None and (below := _key(key, _key(photos.name, "."))) != key:
                found = photos.find(below)
        except StorageRefused:
            found = None
        if photos.folder is not None and is_apple_double(photos.folder / key):
            say(f"{key}: {APPLE_DOUBLE}")
        else:
            yield found or Entry(key, "", 0, 0.0)


def by_folder(photos: Iterable[Entry]) -> Iterator[tuple[Entry, str]]:
    """The photos, each with its folder as category; "" for the place itself."""
    return ((entry, posixpath.dirname(entry.key.rstrip("/"))) for entry in photos)


def categories_named(lines: Iterable[str], column: str) -> Iterator[tuple[str, str]]:
    """Lines of a manifest with their categories, from a CSV file with a header.

    The column `photo` or `source` names the photo. Raises: InvalidOption if a column is missing.
    """
    table = csv.DictReader(lines)
    names = table.fieldnames or ()
    photo = next((name for name in ("photo", "source") if name in names), None)
    if photo is None or column not in names:
        raise InvalidOption(
            f"The manifest has no column {column if photo else 'photo'}; it has {', '.join(names) or 'nothing'}.",
            hint="Its first line must name the columns: photo (or source), and the column of --category.",
            field="--category",
            value=column,
        )
    for row in table:
        if row[photo]:
            yield row[photo], row[column] or ""


def manifest_line(key: str) -> str:
    """A key as a line of a manifest: unchanged, or as JSON if the plain line would be read as another key."""
    return json.dumps(key) if key.startswith('"') or key != key.strip() or not key.isprintable() else key


def polls(
    photos: BlockingStorage, stop: threading.Event, *, but: str | None = None, every_s: float = WATCH_EVERY_S
) -> Iterator[list[Entry]]:
    """Poll a folder every `every_s` seconds until `stop`. Each poll yields the new and changed photos.

    A photo is yielded once its version is the same in two polls, because then its file is complete.
    """
    before: dict[str, str] = {}
    given: dict[str, str] = {}
    while not stop.is_set():
        now = {entry.key: entry for entry in photos_in(photos, but=but)}
        ready = [
            entry for key, entry in now.items() if before.get(key) == entry.version and given.get(key) != entry.version
        ]
        given.update((entry.key, entry.version) for entry in ready)
        before = {key: entry.version for key, entry in now.items()}
        yield ready
        stop.wait(every_s)


def _key(line: str, place: str) -> str:
    if line.startswith('"'):
        with contextlib.suppress(ValueError):
            line = str(json.loads(line))
    return line.removeprefix(f"{place.rstrip('/')}/").removeprefix("./")


class Placing(NamedTuple):
    """The position and scale of a picture in an even catalogue.

    width, height: of the canvas, px. fill: the product's share of the canvas. max_upscale: how much the product may be
    enlarged. category: the photo's category. off: why the scale is not the category's (even.Off); "" if it is. base:
    the picture's fingerprint without the placing.
    """

    width: int
    height: int
    fill: float
    max_upscale: float
    category: str
    off: str
    base: str

    def options_key(self, options_key: str) -> str:
        """The key of the options together with this placing, for make_fingerprint."""
        return f"{options_key} {self.width}x{self.height} {self.fill} {self.max_upscale}"


@dataclass(frozen=True)
class Item:
    """One photo and one output of it.

    source, output: keys. version: the photo's, as in Entry. fingerprint: of the photo's version, the options and the
    network; an output with the same fingerprint is up to date. place: index of the recipe in the batch, from 0.
    placing: in an even catalogue.
    """

    source: str
    version: str
    size_bytes: int
    output: str
    fingerprint: str
    place: int = 0
    placing: Placing | None = None


@dataclass(frozen=True)
class Photo:
    """A photo with the outputs to make: the unit of work, because one matte serves all outputs.

    matte: key in OUT of a matte that a person corrected; None for the network's matte. own: options that a person set
    for this photo, by name, as text. Both are as in `Decision` of decisions.py. kept: measurements for an even
    catalogue (process.measure), if they exist; measure: their name.
    """

    items: tuple[Item, ...]
    matte: str | None = None
    own: Mapping[str, str] = field(default_factory=dict)
    kept: Mapping[str, Any] | None = None
    measure: str = ""

    @property
    def source(self) -> str:
        return self.items[0].source

    @property
    def size_bytes(self) -> int:
        return self.items[0].size_bytes

    @property
    def name(self) -> str:
        """16 hex digits that identify this version of the photo, independent of its outputs."""
        return hashlib.sha256(json.dumps([self.source, self.items[0].version]).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Naming:
    """The rule that names the outputs of one recipe. network: name and checksum of the network.

    folder: folder of the outputs below OUT; empty for OUT itself. tag: end of their names, such as "-amazon". place:
    as in Item.
    """

    options_key: str
    network: str
    tag: str
    suffix: str
    folder: str = ""
    place: int = 0

    def item(self, entry: Entry, decided: int = 0) -> Item:
        """Turns photos/shoe.jpg into photos/shoe.png, photos/shoe-amazon.jpg or amazon/photos/shoe.jpg.

        decided: as for make_fingerprint.
        """
        output = f"{self.folder}{stem_of(entry.key)}{self.tag}{self.suffix}"
        fingerprint = make_fingerprint(entry.key, entry.version, self.options_key, self.network, decided)
        return Item(entry.key, entry.version, entry.size_bytes, output, fingerprint, self.place)


def make_fingerprint(source: str, version: str, options_key: str, network: str, decided: int = 0) -> str:
    """Hash of a photo's version, the options, the network, and the last decision that changed the photo's pictures.

    decided: `Decision.made`. An output with the same fingerprint is up to date.
    """
    identity = [source, version, options_key, network, *([decided] if decided else [])]
    return hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:16]


def make_naming(recipe: Recipe, network: str, word: str) -> Naming:
    """The naming of a recipe's outputs. word: end of their names, such as "amazon"; empty for none."""
    return Naming(recipe.key, network, f"-{word}" if word else "", FORMATS[recipe.format].suffix)


def make_namings(recipes: Sequence[Recipe], network: str) -> tuple[Naming, ...]:
    """The naming of each recipe: as `packshot remove` names outputs for one recipe, a folder per preset for several."""
    if len(recipes) == 1:
        return (make_naming(recipes[0], network, recipes[0].word),)
    namings = (make_naming(recipe, network, "") for recipe in recipes)
    return tuple(
        replace(naming, folder=f"{recipe.word}/", place=place)
        for place, (naming, recipe) in enumerate(zip(namings, recipes, strict=True))
    )


def is_photo(key: str) -> bool:
    """Whether a key has the ending of a picture file, and is not in a folder to skip."""
    return posixpath.splitext(key)[1].lower() in BY_SUFFIX and not is_passed_over(key)


def is_passed_over(key: str) -> bool:
    """Whether to skip a file: hidden (also AppleDouble's ._photo.jpg), in a hidden or system folder, or a thumbnail."""
    return is_hidden(key) or any(part.casefold() in _NO_PHOTOS_IN for part in key.split("/")) or is_thumbnail(key)


APPLE_DOUBLE = "skipped, not a photo but metadata that macOS stores next to one (AppleDouble)."
_APPLE_DOUBLE_MAGIC = bytes.fromhex("00051607")


def is_apple_double(path: Path) -> bool:
    """Whether a file is AppleDouble metadata, which macOS writes next to photos on some disks. Reads name and magic."""
    if not path.name.startswith("._"):
        return False
    try:
        with path.open("rb") as file:
            return file.read(len(_APPLE_DOUBLE_MAGIC)) == _APPLE_DOUBLE_MAGIC
    except (OSError, ValueError):
        return False
