"""Which photos a batch is about (a listing, a manifest, or a folder that fills), and which file each becomes."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from packshot.core.codecs.formats import BY_SUFFIX, FORMATS
from packshot.core.recipe import Recipe
from packshot.errors import InvalidOption, StorageRefused
from packshot.storage.base import Entry, check_key
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
    }
)
"""Folders that systems make beside photos, in lower case; their files are copies, thumbnails or deleted."""


def photos_in(photos: BlockingStorage, *, but: str | None = None, under: str = "") -> Iterator[Entry]:
    """The photos of a place, by their names, and what could not be looked into: entries with a fault.

    This is the one listing of the command line. but: a folder in the place that holds the outputs. under: a folder in
    the place, for its photos alone.
    """
    for entry in photos.list(under):
        is_closed_folder = bool(entry.fault) and entry.key.endswith("/")
        wanted = not is_passed_over(entry.key) if is_closed_folder else is_photo(entry.key)
        if wanted and (but is None or not entry.key.startswith(f"{but}/")):
            yield entry


def outputs_within(photos: BlockingStorage, out: BlockingStorage) -> str | None:
    """The outputs' folder below the photos', if it lies there.

    Raises: InvalidOption where outputs could replace photos.
    """
    if f"{photos.url}/".startswith(f"{out.url}/"):
        raise InvalidOption(
            f"OUT {out.url} is or holds IN {photos.url}: outputs could replace photos.",
            hint="Give another folder, beside IN or in it.",
            field="OUT",
        )
    inside = f"{photos.url}/"
    return out.url.removeprefix(inside) if out.url.startswith(inside) else None


def photos_named(photos: BlockingStorage, lines: Iterable[str]) -> Iterator[Entry]:
    """The photos that a manifest names, one a line. One that is not there comes without a version, and fails later.

    A line that ends with a slash names all photos of a folder: one that could not be listed stands so in failed.txt.
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
        except StorageRefused:
            found = None
        yield found or Entry(key, "", 0, 0.0)


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
    return line.removeprefix(f"{place}/").removeprefix("./")


@dataclass(frozen=True)
class Item:
    """One photo to be made into one output.

    source, output: keys. version: of the photo, as Entry has it. fingerprint: of the photo's version, the options and
    the network: an output with the same fingerprint need not be made again.
    """

    source: str
    version: str
    size_bytes: int
    output: str
    fingerprint: str


@dataclass(frozen=True)
class Naming:
    """How the outputs of one batch are called. `network`: name and checksum of the network."""

    options_key: str
    network: str
    tag: str
    suffix: str

    def item(self, entry: Entry) -> Item:
        """photos/shoe.jpg -> photos/shoe.png, photos/shoe-amazon.jpg."""
        stem, dot, ending = entry.key.rpartition(".")
        output = f"{stem if dot and '/' not in ending else entry.key}{self.tag}{self.suffix}"
        identity = json.dumps([entry.key, entry.version, self.options_key, self.network])
        fingerprint = hashlib.sha256(identity.encode()).hexdigest()[:16]
        return Item(entry.key, entry.version, entry.size_bytes, output, fingerprint)


def make_naming(recipe: Recipe, network: str, word: str) -> Naming:
    """word: what the outputs' names end in, such as "amazon"; empty for none."""
    return Naming(recipe.key, network, f"-{word}" if word else "", FORMATS[recipe.format].suffix)


def is_photo(key: str) -> bool:
    """Whether the name is one of a picture file, in no place that holds only copies of photos."""
    return PurePosixPath(key).suffix.lower() in BY_SUFFIX and not is_passed_over(key)


def is_passed_over(key: str) -> bool:
    """Whether a file is hidden (AppleDouble's ._photo.jpg too), or lies in a hidden folder or in one of a system."""
    return any(part.startswith(".") or part.casefold() in _NO_PHOTOS_IN for part in key.split("/"))
