"""Which photos a batch is about (a listing, a manifest, or a folder that fills), and which file each becomes."""

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
        "@recycle",  # QNAP's and Synology's bins
        "#recycle",
        "#snapshot",
        "$recycle.bin",  # Windows' bin and its restore points
        "system volume information",
        "lost+found",
        "packshot-review",  # copies of photos, and mattes
    }
)
"""Folders that systems and reviews make beside photos, in lower case: their files are copies, thumbnails or deleted."""


def photos_in(
    photos: BlockingStorage, *, but: str | None = None, under: str = "", listed: Callable[[int], None] | None = None
) -> Iterator[Entry]:
    """The photos of a place, by their names, and what could not be looked into: entries with a fault.

    This is the one listing of the command line. but: a folder in the place that holds the outputs. under: a folder in
    the place, for its photos alone. listed: is called with the number of photos so far, after each.
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
    """The outputs' folder below the photos', if it lies there. option: what the user calls `out`.

    Raises: InvalidOption where outputs could replace photos.
    """
    if f"{photos.url}/".startswith(f"{out.url}/"):
        same = "the folder of the photos" if photos.url == out.url else f"a folder around the photos in {photos.name}"
        raise InvalidOption(
            f"{option} {out.name} is {same}: outputs could replace photos.",
            hint=f"Give another folder, in {photos.name} or beside it.",
            field=option,
        )
    inside = f"{photos.url}/"
    return out.url.removeprefix(inside) if out.url.startswith(inside) else None


def photos_named(
    photos: BlockingStorage, lines: Iterable[str], say: Callable[[str], None] = lambda _: None
) -> Iterator[Entry]:
    """The photos that a manifest names, one a line. One that is not there comes without a version, and fails later.

    A line that ends with a slash names all photos of a folder: one that could not be listed stands so in failed.txt.
    A name may have the place before it, as the shell lists it. say: is told of what is passed over.
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
    """The photos, each with its folder; "" for the place itself."""
    return ((entry, posixpath.dirname(entry.key.rstrip("/"))) for entry in photos)


def categories_named(lines: Iterable[str], column: str) -> Iterator[tuple[str, str]]:
    """Lines of a manifest, each with the category of its photos, from a CSV file with a header.

    The photo stands in the column `photo` or `source`. Raises: InvalidOption where a column is missing.
    """
    table = csv.DictReader(lines)
    names = table.fieldnames or ()
    photo = next((name for name in ("photo", "source") if name in names), None)
    if photo is None or column not in names:
        raise InvalidOption(
            f"The manifest has no column {column if photo else 'photo'}; it has {', '.join(names) or 'nothing'}.",
            hint="Its first line must name the columns: photo (or source), and the one that --category names.",
            field="--category",
            value=column,
        )
    for row in table:
        if row[photo]:
            yield row[photo], row[column] or ""


def manifest_line(key: str) -> str:
    """A key as a line of a manifest: itself, or as JSON where it would not be read as that."""
    return json.dumps(key) if key.startswith('"') or key != key.strip() or not key.isprintable() else key


def polls(
    photos: BlockingStorage, stop: threading.Event, *, but: str | None = None, every_s: float = WATCH_EVERY_S
) -> Iterator[list[Entry]]:
    """Look at a folder again and again until `stop`: each time the photos that are new or changed since they were
    given last, and that were the same at the look before: nobody is writing them any more.
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
    """How a picture of an even catalogue is drawn, and why.

    width, height: of the canvas, px. fill: the share of it that the product takes. max_upscale: how much the product
    may be enlarged. category: that the photo belongs to. off: why the scale is not the category's (even.Off); "" where
    it is. base: the fingerprint that the picture would have by itself.
    """

    width: int
    height: int
    fill: float
    max_upscale: float
    category: str
    off: str
    base: str

    def options_key(self, options_key: str) -> str:
        """A key for options that are drawn like this, for make_fingerprint."""
        return f"{options_key} {self.width}x{self.height} {self.fill} {self.max_upscale}"


@dataclass(frozen=True)
class Item:
    """One photo to be made into one output.

    source, output: keys. version: of the photo, as Entry has it. fingerprint: of the photo's version, the options and
    the network: an output with the same fingerprint need not be made again. place: of its recipe among those of the
    batch, from 0. placing: in an even catalogue.
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
    """A photo with those of its outputs that are to be made: the unit of work, for one matte serves them all.

    matte: key in OUT of the matte that a person has corrected; None for the network's. own: options that a person has
    given this photo, by name, as text. Both as `Decision` of decisions.py has them. kept: what was measured of it for
    an even catalogue (process.measure), if it was; measure: what that is to be called.
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
        """16 hexadecimal digits for the photo as it is now, whatever is made of it."""
        return hashlib.sha256(json.dumps([self.source, self.items[0].version]).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Naming:
    """How the outputs of one recipe are called. network: name and checksum of the network.

    folder: what the outputs lie in below OUT; empty for OUT itself. tag: what their names end in, such as "-amazon".
    place: as Item has it.
    """

    options_key: str
    network: str
    tag: str
    suffix: str
    folder: str = ""
    place: int = 0

    def item(self, entry: Entry, decided: int = 0) -> Item:
        """photos/shoe.jpg -> photos/shoe.png, photos/shoe-amazon.jpg, amazon/photos/shoe.jpg.

        decided: as make_fingerprint takes it.
        """
        output = f"{self.folder}{stem_of(entry.key)}{self.tag}{self.suffix}"
        fingerprint = make_fingerprint(entry.key, entry.version, self.options_key, self.network, decided)
        return Item(entry.key, entry.version, entry.size_bytes, output, fingerprint, self.place)


def make_fingerprint(source: str, version: str, options_key: str, network: str, decided: int = 0) -> str:
    """Of a photo's version, the options, the network, and the last decision about the photo that changed its pictures.

    decided: `Decision.made`. An output with the same fingerprint need not be made again.
    """
    identity = [source, version, options_key, network, *([decided] if decided else [])]
    return hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:16]


def make_naming(recipe: Recipe, network: str, word: str) -> Naming:
    """word: what the outputs' names end in, such as "amazon"; empty for none."""
    return Naming(recipe.key, network, f"-{word}" if word else "", FORMATS[recipe.format].suffix)


def make_namings(recipes: Sequence[Recipe], network: str) -> tuple[Naming, ...]:
    """Of each recipe's outputs: named as `packshot remove` names them where there is one, else in a folder for each
    preset.
    """
    if len(recipes) == 1:
        return (make_naming(recipes[0], network, recipes[0].word),)
    namings = (make_naming(recipe, network, "") for recipe in recipes)
    return tuple(
        replace(naming, folder=f"{recipe.word}/", place=place)
        for place, (naming, recipe) in enumerate(zip(namings, recipes, strict=True))
    )


def is_photo(key: str) -> bool:
    """Whether the name is one of a picture file, in no place that holds only copies of photos."""
    return posixpath.splitext(key)[1].lower() in BY_SUFFIX and not is_passed_over(key)


def is_passed_over(key: str) -> bool:
    """Whether a file is hidden (AppleDouble's ._photo.jpg too), lies in a hidden folder or in one of a system, or is a
    small picture of a report.
    """
    return is_hidden(key) or any(part.casefold() in _NO_PHOTOS_IN for part in key.split("/")) or is_thumbnail(key)


APPLE_DOUBLE = "passed over: it is no photo, but what macOS keeps beside one (AppleDouble)."
_APPLE_DOUBLE_MAGIC = bytes.fromhex("00051607")


def is_apple_double(path: Path) -> bool:
    """Whether a file is what macOS writes beside a photo on other systems' disks, by its name and its first bytes."""
    if not path.name.startswith("._"):
        return False
    try:
        with path.open("rb") as file:
            return file.read(len(_APPLE_DOUBLE_MAGIC)) == _APPLE_DOUBLE_MAGIC
    except (OSError, ValueError):
        return False
