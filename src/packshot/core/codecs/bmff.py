"""The container of AVIF and HEIC (ISO/IEC 14496-12 and 23008-12): which pictures a file holds, and where.

The standard calls its parts boxes; here they are atoms, as in QuickTime, where they come from: packshot's Box is a
rectangle.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from packshot.core.geometry import Size

_MAX_ATOMS = 10_000
_MAX_ITEMS = 2_000


@dataclass(frozen=True)
class Atom:
    """kind: four letters. start, end: of its body. head: where it begins."""

    kind: bytes
    head: int
    start: int
    end: int


@dataclass
class Item:
    """A picture, a part of one, or metadata.

    kind: such as av01, hvc1, grid or Exif; kind_at: where the file says so. extents: offset and length of its pieces.
    properties: kind and body. made_of: the items that it is put together from. aux_of: the item whose alpha or depth
    it holds.
    """

    kind: bytes = b""
    kind_at: int = 0
    extents: list[tuple[int, int]] = field(default_factory=list)
    properties: list[tuple[bytes, bytes]] = field(default_factory=list)
    made_of: list[int] = field(default_factory=list)
    aux_of: list[int] = field(default_factory=list)

    @property
    def size(self) -> Size | None:
        body = next((body for kind, body in self.properties if kind == b"ispe" and len(body) >= 12), None)
        return None if body is None else Size(*struct.unpack_from(">II", body, 4))


@dataclass(frozen=True)
class Container:
    """primary: the picture that a viewer shows. atoms: at the top of the file."""

    primary: int
    items: dict[int, Item]
    atoms: tuple[Atom, ...]

    def shown(self) -> list[Item]:
        """The primary picture, all that it is made of, and their alpha: everything that a decoder may decode."""
        beside: dict[int, list[int]] = {}
        for number, item in self.items.items():
            for other in item.aux_of:
                beside.setdefault(other, []).append(number)
        wanted, todo = {}, [self.primary]
        while todo:
            number = todo.pop()
            if number not in wanted and number in self.items:
                wanted[number] = self.items[number]
                todo += [*self.items[number].made_of, *beside.get(number, ())]
        return list(wanted.values())


def read(data: bytes) -> Container:
    """Raises: struct.error, ValueError, KeyError where the atoms make no sense."""
    top = tuple(atoms(data, 0, len(data)))
    meta = next((atom for atom in top if atom.kind == b"meta"), None)
    if meta is None:
        raise ValueError("it holds no still picture")
    inner = {atom.kind: atom for atom in atoms(data, meta.start + 4, meta.end)}
    items = dict(_kinds(data, inner[b"iinf"]))
    _locate(data, inner, items)
    _describe(data, inner[b"iprp"], items)
    _refer(data, inner.get(b"iref"), items)
    primary = inner[b"pitm"]
    (number,) = struct.unpack_from(">H" if data[primary.start] == 0 else ">I", data, primary.start + 4)
    if number not in items:
        raise ValueError("its main picture is missing")
    return Container(number, items, top)


def atoms(data: bytes, start: int, end: int) -> Iterator[Atom]:
    """The atoms from `start` to `end`. Raises ValueError where one reaches beyond."""
    for _ in range(_MAX_ATOMS):
        if end - start < 8:
            return
        length, kind = struct.unpack_from(">I4s", data, start)
        body = start + 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, body)
            body += 8
        last = end if length == 0 else start + length
        if not body <= last <= end:
            raise ValueError(f"its part {kind!r} goes on to byte {last:,} of {end:,}")
        yield Atom(kind, start, body, last)
        start = last
    raise ValueError("it has too many parts")


def _kinds(data: bytes, atom: Atom) -> Iterator[tuple[int, Item]]:
    first = atom.start + (6 if data[atom.start] == 0 else 8)
    for number, entry in enumerate(atoms(data, first, atom.end)):
        version = data[entry.start]
        if number >= _MAX_ITEMS or version not in {2, 3}:
            raise ValueError("its list of pictures is of a kind that is not read")
        wide = version == 3
        (item,) = struct.unpack_from(">I" if wide else ">H", data, entry.start + 4)
        at = entry.start + (10 if wide else 8)
        yield item, Item(data[at : at + 4], at)


def _locate(data: bytes, inner: dict[bytes, Atom], items: dict[int, Item]) -> None:
    """iloc: where the bytes of each item lie."""
    atom = inner[b"iloc"]
    reader = _Reader(data, atom.start + 4, atom.end)
    version, sizes = data[atom.start], reader.number(2)
    offset_bytes, length_bytes, base_bytes, index_bytes = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    for _ in range(min(reader.number(4 if version == 2 else 2), _MAX_ITEMS)):
        item = items.get(reader.number(4 if version == 2 else 2), Item())
        method = reader.number(2) & 15 if version else 0
        reader.number(2)  # which file: only this one is read
        base = reader.number(base_bytes)
        if method == 1:  # counted from the beginning of the atom for such data
            base += inner[b"idat"].start
        for _ in range(min(reader.number(2), _MAX_ITEMS)):
            reader.number(index_bytes if version else 0)
            offset, length = base + reader.number(offset_bytes), reader.number(length_bytes)
            item.extents.append((offset, length or len(data) - offset))
        if any(offset + length > len(data) or length < 0 for offset, length in item.extents):
            raise ValueError(f"it is cut off: it goes on behind its end at byte {len(data):,}")


def _describe(data: bytes, atom: Atom, items: dict[int, Item]) -> None:
    """iprp: the properties, and whose they are."""
    inner = list(atoms(data, atom.start, atom.end))
    known = [(each.kind, data[each.start : each.end]) for each in atoms(data, inner[0].start, inner[0].end)]
    for each in inner[1:]:
        reader = _Reader(data, each.start, each.end)
        version, flags = reader.number(1), reader.number(3)
        for _ in range(min(reader.number(4), _MAX_ITEMS)):
            item = items.get(reader.number(4 if version else 2), Item())
            for _ in range(reader.number(1)):
                index = reader.number(2) & 0x7FFF if flags & 1 else reader.number(1) & 0x7F
                if 0 < index <= len(known):
                    item.properties.append(known[index - 1])


def _refer(data: bytes, atom: Atom | None, items: dict[int, Item]) -> None:
    """iref: which items are made of which, and which is the alpha of which."""
    if atom is None:
        return
    width = 4 if data[atom.start] else 2
    for each in atoms(data, atom.start + 4, atom.end):
        reader = _Reader(data, each.start, each.end)
        item = items.get(reader.number(width), Item())
        others = [reader.number(width) for _ in range(min(reader.number(2), _MAX_ITEMS))]
        if each.kind == b"dimg":
            item.made_of += others
        elif each.kind == b"auxl":
            item.aux_of += others


class _Reader:
    """Big-endian numbers, one after the other. Raises ValueError at the end of the atom."""

    def __init__(self, data: bytes, start: int, end: int) -> None:
        self._data, self._at, self._end = data, start, end

    def number(self, length: int) -> int:
        if self._at + length > self._end:
            raise ValueError("one of its parts ends early")
        self._at += length
        return int.from_bytes(self._data[self._at - length : self._at], "big")
