"""JPEGs that no available encoder writes: any sampling factors, one scan per channel, stray bytes."""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from tests.kit.files import jpeg_segment

Factors = Sequence[tuple[int, int]]

_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
_ZIGZAG = sorted(range(64), key=lambda k: (k // 8 + k % 8, k % 8 if (k // 8 + k % 8) % 2 == 0 else k // 8))
_DC = list(range(12))
_AC = [0, 0xF0, *(run << 4 | size for run in range(16) for size in range(1, 11))]
_QUANTUM = 4


def encoded(
    planes: npt.NDArray[np.uint8],
    factors: Factors,
    *,
    restart: int = 0,
    apart: bool = False,
    adobe: int | None = None,
    names: Sequence[int] = (1, 2, 3, 4),
) -> bytes:
    """A baseline JPEG of (H, W, channels). factors: (across, down) of each channel. apart: one scan per channel.

    Every code has the same length, so the tables are as short as possible.
    """
    height, width, channels = planes.shape
    names = names[:channels]
    parts = [b"\xff\xd8", jpeg_segment(0xDB, bytes([0]) + bytes([_QUANTUM]) * 64)]
    if adobe is not None:
        parts.append(jpeg_segment(0xEE, b"Adobe\0\x64\0\0\0\0" + bytes([adobe])))
    fields = b"".join(bytes([name, across << 4 | down, 0]) for name, (across, down) in zip(names, factors, strict=True))
    parts.append(jpeg_segment(0xC0, struct.pack(">BHHB", 8, height, width, channels) + fields))
    parts.append(jpeg_segment(0xC4, b"\0" + bytes([0, 0, 0, len(_DC)]) + bytes(12) + bytes(_DC)))
    parts.append(jpeg_segment(0xC4, b"\x10" + bytes([0] * 7 + [len(_AC)] + [0] * 8) + bytes(_AC)))
    parts.append(jpeg_segment(0xDD, struct.pack(">H", restart)))
    numbers = list(range(channels))
    for scan in [[number] for number in numbers] if apart else [numbers]:
        head = bytes([len(scan)]) + b"".join(bytes([names[number], 0]) for number in scan)
        parts += (jpeg_segment(0xDA, head + b"\0\x3f\0"), _coded(planes, factors, scan, restart))
    return b"".join([*parts, b"\xff\xd9"])


def _coded(planes: npt.NDArray[np.uint8], factors: Factors, scan: list[int], restart: int) -> bytes:
    widest, tallest = (max(each[way] for each in factors) for way in (0, 1))
    height, width, _ = planes.shape
    alone = len(scan) == 1
    blocks, step, across, down = {}, {}, 0, 0
    for channel in scan:
        one = factors[channel]
        size = (-(-width * one[0] // widest), -(-height * one[1] // tallest))
        plane = cv2.resize(planes[..., channel], size, interpolation=cv2.INTER_AREA)
        step[channel] = (1, 1) if alone else one
        across = -(-size[0] // 8) if alone else -(-width // (8 * widest))
        down = -(-size[1] // 8) if alone else -(-height // (8 * tallest))
        rest = (down * step[channel][1] * 8 - size[1], across * step[channel][0] * 8 - size[0])
        blocks[channel] = np.pad(plane, ((0, rest[0]), (0, rest[1])), mode="edge").astype(np.float32) - 128
    runs, bits, last = list[bytes](), "", dict.fromkeys(scan, 0)
    for mcu in range(across * down):
        if restart and mcu and mcu % restart == 0:
            runs, bits, last = [*runs, _bytes(bits)], "", dict.fromkeys(scan, 0)
        for channel in scan:
            wide, tall = step[channel]
            for block in range(wide * tall):
                top = 8 * (mcu // across * tall + block // wide)
                left = 8 * (mcu % across * wide + block % wide)
                values = (
                    np.rint(cv2.dct(blocks[channel][top : top + 8, left : left + 8]) / _QUANTUM).astype(int).ravel()
                )
                bits += _block([int(values[place]) for place in _ZIGZAG], last[channel])
                last[channel] = int(values[0])
    runs.append(_bytes(bits))
    return b"".join(part + bytes([0xFF, 0xD0 + number % 8]) for number, part in enumerate(runs))[:-2]


def _block(values: list[int], before: int) -> str:
    difference = values[0] - before
    bits, run = f"{difference.bit_length():04b}" + _number(difference), 0
    for value in values[1:]:
        if value == 0:
            run += 1
            continue
        bits += f"{_AC.index(0xF0):08b}" * (run // 16)
        bits += f"{_AC.index(run % 16 << 4 | value.bit_length()):08b}" + _number(value)
        run = 0
    return bits + (f"{_AC.index(0):08b}" if run else "")


def _number(value: int) -> str:
    size = value.bit_length()
    return f"{value if value > 0 else value + (1 << size) - 1:0{size}b}" if size else ""


def _bytes(bits: str) -> bytes:
    bits += "1" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")


def markers(jpeg: bytes) -> list[int]:
    """The positions of the restart markers and the end marker of a JPEG with one scan."""
    start = jpeg.index(b"\xff\xda")
    return [*(found.start() for found in _RESTART.finditer(jpeg, start)), len(jpeg) - 2]


def with_strays(jpeg: bytes, strays: Sequence[tuple[int, bytes]]) -> bytes:
    """Inserts bytes before some of the positions from `markers`. strays: (index of the position, bytes)."""
    places = markers(jpeg)
    for place, stray in sorted(((places[number % len(places)], stray) for number, stray in strays), reverse=True):
        jpeg = jpeg[:place] + stray + jpeg[place:]
    return jpeg


def scans(jpeg: bytes) -> list[int]:
    """The positions of the scan headers of a progressive JPEG."""
    return [found.start() for found in re.finditer(rb"\xff\xda\x00[\x08\x0a\x0c\x0e]", jpeg)]


def flat_progressive(width: int, height: int, scans: Sequence[tuple[Sequence[int], int, int, int, int]]) -> bytes:
    """A progressive JPEG, all gray. scans: channels, first and last coefficient, missing bits before and after.

    A scan of a few bytes can state for a whole picture that nothing changes.
    """
    blocks = -(-width // 8) * -(-height // 8)
    fields = b"".join(bytes([name, 0x11, 0]) for name in (1, 2, 3))
    parts = [b"\xff\xd8", jpeg_segment(0xDB, b"\0" + b"\1" * 64)]
    parts.append(jpeg_segment(0xC2, struct.pack(">BHHB", 8, height, width, 3) + fields))
    parts.append(jpeg_segment(0xC4, b"\0\1" + bytes(15) + b"\0"))
    parts.append(jpeg_segment(0xC4, b"\x10" + bytes([0, 0, 0, 15]) + bytes(12) + bytes(run << 4 for run in range(15))))
    for channels, first, last, before, after in scans:
        head = bytes([len(channels)]) + b"".join(bytes([1 + each, 0]) for each in channels)
        parts.append(jpeg_segment(0xDA, head + bytes([first, last, before << 4 | after])))
        bits, left = "0" * blocks * len(channels) if first == 0 else "", 0 if first == 0 else blocks
        while left:
            size = min(left, 32767).bit_length() - 1
            run = min(left, 32767)
            bits += f"{size:04b}" + (f"{run - (1 << size):0{size}b}" if size else "")
            left -= run
        parts.append(_bytes(bits))
    return b"".join([*parts, b"\xff\xd9"])
