"""Which photo becomes which file, and what its identity is: a function of the photo and of what is asked, no more."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import PurePosixPath

from packshot.core.codecs.formats import BY_SUFFIX, FORMATS
from packshot.core.recipe import Recipe
from packshot.storage.base import Entry


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
    """Whether the name is one of a picture file."""
    return PurePosixPath(key).suffix.lower() in BY_SUFFIX
