"""The container of AVIF and HEIC (ISO/IEC 14496-12 and 23008-12): finds the pictures in a file, and writes new files.

The standard calls its parts boxes. Here they are atoms, as in QuickTime, because packshot's Box is a rectangle.
Everything that is read is counted, because a few bytes may claim any number of parts.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from packshot.core.codecs.limits import letters
from packshot.core.geometry import Size

# A phone's photo of 48 megapixels has 200 tiles and 3,000 entries; the largest grids that decoders read have 1,000.
_MAX_ENTRIES = 40_000
_REFERENCES = frozenset({b"dimg", b"auxl", b"prem"})


@dataclass(frozen=True)
class Atom:
    """kind: four letters. start, end: offsets of its body."""

    kind: bytes
    start: int
    end: int


@dataclass(eq=False)
class Item:
    """A picture, a part of one, or metadata.

    kind: such as av01, hvc1, grid or Exif. extents: offset and length of its pieces. properties: kind and body, in the
    file's order. essential: kinds of properties that a decoder must apply to show the item. points_to: numbers of items
    by kind of reference. dimg: its parts. auxl: items whose alpha or depth it holds. prem: the alpha that its colours
    were multiplied by.
    """

    kind: bytes = b""
    extents: tuple[tuple[int, int], ...] = ()
    properties: list[tuple[bytes, bytes]] = field(default_factory=list)
    essential: set[bytes] = field(default_factory=set)
    points_to: dict[bytes, list[int]] = field(default_factory=dict)

    def body(self, *kinds: bytes) -> bytes | None:
        """The body of the first property of these kinds."""
        return next((body for kind, body in self.properties if kind in kinds), None)

    @property
    def size(self) -> Size | None:
        """Width and height from ispe, before cropping and turning."""
        body = self.body(b"ispe")
        return None if body is None or len(body) < 12 else Size(*struct.unpack_from(">II", body, 4))

    @property
    def made_of(self) -> list[int]:
        return self.points_to.get(b"dimg", [])

    @property
    def stored_bytes(self) -> int:
        """The length of all its pieces together."""
        return sum(length for _, length in self.extents)


@dataclass(frozen=True)
class Container:
    """primary: the number of the item that a viewer shows."""

    primary: int
    items: dict[int, Item]


class NotRead(Exception):
    """The file may be whole, but its kind is not supported. The text completes "This AVIF ..."."""


def read(data: bytes) -> Container:
    """Read the items of a file's `meta` atom; skips films.

    Raises struct.error, ValueError or LookupError if the atoms are invalid or have more entries than any picture.
    Raises NotRead for a film without a still picture.
    """
    count = Count(_MAX_ENTRIES, "parts")
    meta = next((atom for atom in atoms(data, 0, len(data), count) if atom.kind == b"meta"), None)
    inner = {atom.kind: atom for atom in atoms(data, meta.start + 4, meta.end, count)} if meta else {}
    if b"pitm" not in inner:
        # A film needs neither items nor a main item (AVIF 1.1, section 3).
        if any(atom.kind == b"moov" for atom in atoms(data, 0, len(data), count)):
            raise NotRead("is a film without a still picture")
        raise ValueError("it has no main picture")
    missing = {b"iinf", b"iloc", b"iprp"} - set(inner)
    if missing:
        raise ValueError(f"it has no part {letters(min(missing))}")
    items = dict(_kinds(data, inner[b"iinf"], count))
    _locate(data, inner, items, count)
    _describe(data, inner[b"iprp"], items, count)
    _refer(data, inner.get(b"iref"), items, count)
    primary = inner[b"pitm"]
    (number,) = struct.unpack_from(">H" if data[primary.start] == 0 else ">I", data, primary.start + 4)
    if number not in items:
        raise ValueError("its main picture is missing")
    return Container(number, items)


class Count:
    """A limit on how much of something a file may have. Raises ValueError beyond it."""

    def __init__(self, most: int, what: str) -> None:
        self._left, self._what = most, what

    def take(self, number: int = 1) -> int:
        """Count `number` more, and return it. Raises ValueError beyond the limit."""
        self._left -= number
        if self._left < 0:
            raise ValueError(f"it has too many {self._what}")
        return number


def stored(data: bytes, item: Item) -> bytes | memoryview:
    """The bytes of an item. Not a copy, if the item has one piece."""
    pieces = [memoryview(data)[offset : offset + length] for offset, length in item.extents]
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def write(brand: bytes, container: Container, data: bytes) -> bytes:
    """Write a file with only the items of `container`; `data` is the file that holds their pieces.

    Stores shared pieces once, and leaves out references to missing items.
    """
    number = {old: new for new, old in enumerate(container.items, 1)}
    index = {
        each: new
        for new, each in enumerate({each: 0 for item in container.items.values() for each in item.properties}, 1)
    }
    bodies = {item.extents: stored(data, item) for item in container.items.values()}
    infos, places, owners, references = bytearray(), [], bytearray(), bytearray()
    for old, item in container.items.items():
        infos += _full(b"infe", struct.pack(">HH4sx", number[old], 0, item.kind), version=2)
        places.append((number[old], item.extents, item.stored_bytes))
        own = [index[each] | 0x8000 * (each[0] in item.essential) for each in item.properties]
        owners += struct.pack(f">HB{len(own)}H", number[old], len(own), *own)
        for kind, others in item.points_to.items():
            there = [number[other] for other in others if other in number]
            if there:
                references += _atom(kind, struct.pack(f">HH{len(there)}H", number[old], len(there), *there))
    known = _atom(b"ipco", b"".join(_atom(kind, body) for kind, body in index))

    def meta(first: int) -> bytes:
        starts, table = {}, bytearray(struct.pack(">HH", 0x4400, len(places)))
        for extents, body in bodies.items():
            starts[extents] = first
            first += len(body)
        for new, extents, length in places:
            table += struct.pack(">HHHII", new, 0, 1, starts[extents], length)
        return _full(
            b"meta",
            _full(b"hdlr", bytes(4) + b"pict" + bytes(13))
            + _full(b"pitm", struct.pack(">H", number[container.primary]))
            + _full(b"iloc", table)
            + _full(b"iinf", struct.pack(">H", len(number)) + infos)
            + (_full(b"iref", references) if references else b"")
            + _atom(b"iprp", known + _full(b"ipma", struct.pack(">I", len(number)) + owners, flags=1)),
        )

    kind = _atom(b"ftyp", brand + bytes(4) + brand + b"mif1miaf")
    first = len(kind) + len(meta(0)) + 8
    length = 8 + sum(map(len, bodies.values()))
    return b"".join([kind, meta(first), struct.pack(">I4s", length, b"mdat"), *bodies.values()])


def _atom(kind: bytes, body: bytes | bytearray) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def _full(kind: bytes, body: bytes | bytearray, *, version: int = 0, flags: int = 0) -> bytes:
    return _atom(kind, struct.pack(">I", version << 24 | flags) + body)


def atoms(data: bytes, start: int, end: int, count: Count | None = None) -> Iterator[Atom]:
    """The atoms from `start` to `end`. Raises ValueError if one reaches beyond `end`, or if `count` is used up."""
    count = count or Count(_MAX_ENTRIES, "parts")
    while end - start >= 8:
        count.take()
        length, kind = struct.unpack_from(">I4s", data, start)
        body = start + 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, body)
            body += 8
        last = end if length == 0 else start + length
        if not body <= last <= end:
            raise ValueError(f"its part {letters(kind)} ends at byte {last:,}, beyond {end:,}")
        yield Atom(kind, body, last)
        start = last


def _kinds(data: bytes, atom: Atom, count: Count) -> Iterator[tuple[int, Item]]:
    first = atom.start + (6 if data[atom.start] == 0 else 8)
    for entry in atoms(data, first, atom.end, count):
        version = data[entry.start]
        if version not in {2, 3}:
            raise ValueError("its list of pictures has a version that is not supported")
        wide = version == 3
        (item,) = struct.unpack_from(">I" if wide else ">H", data, entry.start + 4)
        at = entry.start + (10 if wide else 8)
        yield item, Item(data[at : at + 4])


def _locate(data: bytes, inner: dict[bytes, Atom], items: dict[int, Item], count: Count) -> None:
    """Read iloc: the location of each item's bytes."""
    atom = inner[b"iloc"]
    reader = _Reader(data, atom.start + 4, atom.end)
    version, sizes = data[atom.start], reader.number(2)
    offset_bytes, length_bytes, base_bytes, index_bytes = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    for _ in range(count.take(reader.number(4 if version == 2 else 2))):
        item = items.get(reader.number(4 if version == 2 else 2), Item())
        method = reader.number(2) & 15 if version else 0
        reader.number(2)  # which file: only this one is read
        base, end = reader.number(base_bytes), len(data)
        if method == 1:  # counted from the start of idat
            base, end = base + inner[b"idat"].start, inner[b"idat"].end
        extents = []
        for _ in range(count.take(reader.number(2))):
            reader.number(index_bytes if version else 0)
            offset, length = base + reader.number(offset_bytes), reader.number(length_bytes)
            extents.append((offset, length or max(end - offset, 0)))
        item.extents = tuple(extents) if method in {0, 1} else ()


def _describe(data: bytes, atom: Atom, items: dict[int, Item], count: Count) -> None:
    """Read iprp: the properties, and the items that they belong to."""
    inner = list(atoms(data, atom.start, atom.end, count))
    known = [(each.kind, data[each.start : each.end]) for each in atoms(data, inner[0].start, inner[0].end, count)]
    for each in inner[1:]:
        reader = _Reader(data, each.start, each.end)
        version, flags = reader.number(1), reader.number(3)
        wide = 2 if flags & 1 else 1
        for _ in range(count.take(reader.number(4))):
            item = items.get(reader.number(4 if version else 2), Item())
            for _ in range(count.take(reader.number(1))):
                said = reader.number(wide)
                index = said & (0x7FFF if wide == 2 else 0x7F)
                if 0 < index <= len(known):
                    item.properties.append(known[index - 1])
                    if index != said:
                        item.essential.add(known[index - 1][0])


def _refer(data: bytes, atom: Atom | None, items: dict[int, Item], count: Count) -> None:
    """Read iref: which items are parts of others, and which hold the alpha of others."""
    if atom is None:
        return
    width = 4 if data[atom.start] else 2
    for each in atoms(data, atom.start + 4, atom.end, count):
        reader = _Reader(data, each.start, each.end)
        item = items.get(reader.number(width), Item())
        others = [reader.number(width) for _ in range(count.take(reader.number(2)))]
        if each.kind in _REFERENCES:
            item.points_to.setdefault(each.kind, []).extend(others)


class _Reader:
    """Reads successive big-endian numbers. Raises ValueError at the end of the atom."""

    def __init__(self, data: bytes, start: int, end: int) -> None:
        self._data, self._at, self._end = data, start, end

    def number(self, length: int) -> int:
        if self._at + length > self._end:
            raise ValueError("one of its parts ends early")
        self._at += length
        return int.from_bytes(self._data[self._at - length : self._at], "big")
