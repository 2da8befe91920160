"""Mutations that know file structures, so that damage gets past lengths and checksums."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Mapping
from random import Random
from typing import NamedTuple

from tests.kit import files

# Values at which counters overflow, sizes become dangerous and signs flip.
NUMBERS = (0, 1, 2, 3, 7, 8, 16, 31, 32, 127, 128, 255, 256, 1999, 4096, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF)
NUMBERS_32 = (*NUMBERS, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)

LONGEST = 100_000  # bytes. A part may repeat fifty times, and the result again: 40 kB became 5 GB.


# In a scan: neither a stuffed byte nor a restart marker.
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")


class Part(NamedTuple):
    """A piece of a file: its name in the format, and its content."""

    name: bytes
    body: bytes


class Format(NamedTuple):
    """Splits a kind of file into parts, and joins them with correct lengths and checksums."""

    split: Callable[[bytes], list[Part]]
    join: Callable[[list[Part]], bytes]


def mutate(data: bytes, random: Random) -> bytes:
    """One to four changes: to whole parts if the format has parts, otherwise to numbers and bytes in place."""
    known = next((each for magic, each in FORMATS.items() if data.startswith(magic)), None)
    for _ in range(random.randint(1, 4)):
        if known is not None and random.random() < 0.6:
            data = known.join(_changed(known.split(data), random))
        else:
            data = patched(data, random, whole=random.random() < 0.3)
        data = data[:LONGEST]
    return data


def _changed(parts: list[Part], random: Random) -> list[Part]:
    """Drop, repeat, move, or change the inside of one part."""
    if not parts:
        return parts
    at, other = random.randrange(len(parts)), random.randrange(len(parts))
    match random.randrange(7):
        case 0:
            return parts[:at] + parts[at + 1 :]
        case 1:
            return parts[:at] + parts[at : at + 1] * random.choice((2, 3, 50)) + parts[at + 1 :]
        case 2:
            parts[at], parts[other] = parts[other], parts[at]
        case 3:
            parts[at] = Part(parts[other].name, parts[at].body)
        case 4 if parts[at].name == b"IDAT":
            parts[at] = Part(b"IDAT", _deflated_anew(parts[at].body, random))
        case _:
            parts[at] = Part(parts[at].name, patched(parts[at].body, random, whole=True))
    return parts


def _deflated_anew(stream: bytes, random: Random) -> bytes:
    try:
        plain = zlib.decompressobj().decompress(stream, 1 << 20)
    except zlib.error:
        return stream
    return zlib.compress(patched(plain, random, whole=True), 1)


def patched(data: bytes, random: Random, *, whole: bool) -> bytes:
    """Change a number or some bytes, cut, or insert; in the structure, or anywhere (`whole`)."""
    if not data:
        return random.randbytes(random.randint(0, 8))
    at = random.randrange(len(data)) if whole else _place_of_structure(data, random)
    width = random.choice((1, 2, 2, 4, 4))
    match random.randrange(8):
        case 0:
            return data[:at]
        case 1:
            return data[:at] + random.randbytes(random.choice((1, 2, 4, 300))) + data[at:]
        case 2:
            return data[:at] + data[at + random.choice((1, 2, 4, 64)) :]
        case 3:
            patch = random.randbytes(random.randint(1, 4))
        case 4:
            here = int.from_bytes(data[at : at + width], "big")
            patch = ((here + random.choice((-1, 1, 2, -2))) % (1 << 8 * width)).to_bytes(width, "big")
        case _:
            number = random.choice(NUMBERS_32) % (1 << 8 * width)
            patch = number.to_bytes(width, random.choice(("big", "little")))
    return data[:at] + patch + data[at + len(patch) :]


def _place_of_structure(data: bytes, random: Random) -> int:
    """A place in the structure: the first bytes of a file, the directory of a TIFF, the boxes before an AVIF or HEIC
    stream.
    """
    if data[:2] in {b"II", b"MM"} and len(data) > 8:
        (start,) = struct.unpack_from("<I" if data[:2] == b"II" else ">I", data, 4)
        if start < len(data):
            return start + random.randrange(min(400, len(data) - start))
    return random.randrange(min(700 if data[4:8] == b"ftyp" else 200, len(data)))


def _split_png(data: bytes) -> list[Part]:
    parts, at = [], 8
    while at + 8 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        parts.append(Part(data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    return parts


def _join_png(parts: list[Part]) -> bytes:
    return files.PNG_SIGNATURE + b"".join(files.png_chunk(part.name, part.body) for part in parts)


def _split_jpeg(data: bytes) -> list[Part]:
    """Segments by their marker.

    A scan is a part without a name: its header and everything up to the next marker. Mutations can so drop, repeat and
    move scans.
    """
    parts, at = [], 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        (length,) = struct.unpack_from(">H", data, at + 2)
        end = at + 2 + max(2, length)
        if data[at + 1] == 0xDA:
            marker = _MARKER.search(data, end)
            end = marker.start() if marker else len(data)
            parts.append(Part(b"", data[at:end]))
        else:
            parts.append(Part(data[at + 1 : at + 2], data[at + 4 : end]))
        at = end
    return [*parts, Part(b"", data[at:])]  # the end marker, and all bytes after it


def _join_jpeg(parts: list[Part]) -> bytes:
    return b"\xff\xd8" + b"".join(
        files.jpeg_segment(part.name[0], part.body[:65_000]) if len(part.name) == 1 else part.body for part in parts
    )


def _split_riff(data: bytes) -> list[Part]:
    parts, at = [], 12
    while at + 8 <= len(data):
        (length,) = struct.unpack_from("<I", data, at + 4)
        parts.append(Part(data[at : at + 4], data[at + 8 : at + 8 + length]))
        at += 8 + length + length % 2
    return parts


def _join_riff(parts: list[Part]) -> bytes:
    body = b"".join(
        part.name + struct.pack("<I", len(part.body)) + part.body + bytes(len(part.body) % 2) for part in parts
    )
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


FORMATS: Mapping[bytes, Format] = {
    files.PNG_SIGNATURE: Format(_split_png, _join_png),
    b"\xff\xd8": Format(_split_jpeg, _join_jpeg),
    b"RIFF": Format(_split_riff, _join_riff),
}
