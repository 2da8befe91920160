"""The journal: a line of JSON before and after each change, for resuming and undoing after any interruption."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from write_back.shops import Picture, Product


@dataclass
class State:
    """The journal's state of one product. before: the original product. after: the ids of its pictures after writing.

    originals: files of replaced pictures, by their ids. uploads: files uploaded to the shop.
    """

    before: Product
    originals: dict[str, Path]
    uploads: list[str] = field(default_factory=list)
    writing: bool = False
    after: list[str] | None = None


class Journal:
    """journal.jsonl in a folder, next to the original pictures (originals/) and the new ones (packshots/)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file = folder / "journal.jsonl"
        self.states: dict[str, State] = {}
        if self._file.exists():
            for line in self._file.read_text(encoding="utf-8").splitlines():
                try:
                    self._take(json.loads(line))
                except ValueError:  # the rest of a truncated line
                    continue

    def keep(self, kind: str, name: str, data: bytes) -> Path:
        """Write a picture next to the journal. kind: originals or packshots."""
        file = self.folder / kind / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        return file

    def before(self, product: Product, originals: dict[str, Path]) -> None:
        """Record that pictures of this product will be replaced."""
        names = {each: str(path.relative_to(self.folder)) for each, path in originals.items()}
        self._add(product.id, "before", title=product.title, pictures=list(map(asdict, product.pictures)), files=names)

    def uploaded(self, product: Product, upload: str) -> None:
        self._add(product.id, "uploaded", upload=upload)

    def writing(self, product: Product) -> None:
        """Record that the product may change from now on."""
        self._add(product.id, "writing")

    def written(self, product: Product, after: list[str]) -> None:
        self._add(product.id, "written", after=after)

    def undoing(self, product: Product) -> None:
        """Record that the product is between its original and its written state from now on."""
        self._add(product.id, "undoing")

    def undone(self, product: Product) -> None:
        self._add(product.id, "undone")

    def _add(self, product: str, step: str, **more: Any) -> None:
        """Append a line, and flush it to disk before returning."""
        row = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "product": product, "step": step, **more}
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._file.open("a+b") as file:
            if file.seek(0, 2) and _last_byte(file) != b"\n":
                file.write(b"\n")
            file.write(json.dumps(row).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self._take(row)

    def _take(self, row: dict[str, Any]) -> None:
        product, step = row["product"], row["step"]
        if step == "before":
            pictures = tuple(Picture(**each) for each in row["pictures"])
            originals = {each: self.folder / name for each, name in row["files"].items()}
            self.states[product] = State(Product(product, row["title"], pictures), originals)
        elif step == "uploaded":
            self.states[product].uploads.append(row["upload"])
        elif step == "writing":
            self.states[product].writing = True
        elif step == "written":
            self.states[product].after = row["after"]
        elif step == "undoing":
            self.states[product].after = None
        elif step == "undone":
            del self.states[product]


def _last_byte(file: Any) -> bytes:
    file.seek(-1, 2)
    return bytes(file.read(1))
