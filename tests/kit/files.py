"""Files written byte by byte, for tests whose files no image library would write."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
PNG_DEPTHS = (
    [(0, d) for d in (1, 2, 4, 8, 16)] + [(3, d) for d in (1, 2, 4, 8)] + [(t, d) for t in (2, 4, 6) for d in (8, 16)]
)
"""Every (colour type, bit depth) pair of the PNG specification."""


def png_chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_header(width: int, height: int, colour_type: int = 2, bit_depth: int = 8, interlace: int = 0) -> bytes:
    return png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bit_depth, colour_type, 0, 0, interlace))


def png_file(header: bytes, stream: bytes, extra: bytes = b"") -> bytes:
    """A PNG file. `header` and `extra` are whole chunks, `stream` is the body of IDAT."""
    return PNG_SIGNATURE + header + extra + png_chunk(b"IDAT", stream) + png_chunk(b"IEND", b"")


def raw_png(samples: npt.NDArray[np.integer], colour_type: int, bit_depth: int, extra: bytes = b"") -> bytes:
    """A PNG of any depth. samples: (H, W, channels of the colour type), 0 .. 2^bit_depth - 1."""
    height, width, channels = samples.shape
    assert channels == PNG_CHANNELS[colour_type]
    if bit_depth == 16:
        rows = samples.astype(">u2").view(np.uint8).reshape(height, -1)
    else:
        bits = np.unpackbits(samples.astype(np.uint8)[..., None], axis=-1)[..., 8 - bit_depth :]
        rows = np.packbits(bits.reshape(height, -1), axis=1)
    plain = np.hstack([np.zeros((height, 1), np.uint8), rows])
    return png_file(png_header(width, height, colour_type, bit_depth), zlib.compress(plain.tobytes()), extra)


def zeros_deflated(length: int) -> bytes:
    """A zlib stream of `length` zero bytes, made in microseconds: 1 MB of stream for 1 GB of zeros.

    A full flush resets the window, so one compressed block may be repeated. The Adler-32 of n zeros has a closed form.
    """
    size = 1 << 20
    blocks, rest = divmod(length, size)
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = deflate.compress(bytes(size)) + deflate.flush(zlib.Z_FULL_FLUSH)
    return (
        b"\x78\xda"
        + block * blocks
        + deflate.compress(bytes(rest))
        + deflate.flush()
        + struct.pack(">HH", length % 65521, 1)
    )


def bmp_header(
    width: int,
    height: int,
    bits: int = 24,
    *,
    offset: int = 54,
    planes: int = 1,
    compression: int = 0,
    header_bytes: int = 40,
    colours: int = 0,
) -> bytes:
    """The 54 bytes before a BMP's pixels, as truthful as the arguments."""
    info = struct.pack("<IiiHHIIiiII", header_bytes, width, height, planes, bits, compression, 0, 0, 0, colours, 0)
    return b"BM" + struct.pack("<IHHI", 0, 0, 0, offset) + info


def jpeg_segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def with_segments(jpeg: bytes, *segments: bytes) -> bytes:
    """A JPEG with extra segments directly after its start marker."""
    return jpeg[:2] + b"".join(segments) + jpeg[2:]


def exif_block(orientation: int, *, order: str = ">", kind: int = 3, entries: int = 1) -> bytes:
    """A TIFF header and one directory with the orientation."""
    start = b"MM\0*" if order == ">" else b"II*\0"
    entry = struct.pack(order + "HHIHH", 0x0112, kind, 1, orientation, 0)
    return start + struct.pack(order + "IH", 8, entries) + entry + bytes(4)


def _icc(space: bytes, tags: dict[bytes, bytes], *, pcs: bytes = b"XYZ ", device: bytes = b"mntr") -> bytes:
    table, bodies, offset = b"", b"", 128 + 4 + 12 * len(tags)
    for name, body in tags.items():
        padded = body + bytes(-len(body) % 4)
        table += name + struct.pack(">II", offset + len(bodies), len(body))
        bodies += padded
    d50 = _fixed([0.9642, 1.0, 0.8249])
    head = struct.pack(">I4sI4s4s4s", offset + len(bodies), b"\0" * 4, 0x02100000, device, space, pcs)
    head += bytes(12) + b"acsp" + bytes(28) + d50
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + bodies


def _fixed(values: Iterable[float]) -> bytes:
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def _common(gamma: float) -> tuple[dict[bytes, bytes], bytes]:
    description = b"desc" + bytes(4) + struct.pack(">I", 5) + b"test\0" + bytes(78)
    tags = {b"desc": description, b"cprt": b"text" + bytes(4) + b"none\0"}
    tags[b"wtpt"] = b"XYZ " + bytes(4) + _fixed([0.9642, 1.0, 0.8249])
    return tags, b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256))


# Red, green and blue of Adobe RGB (1998), adapted to D50, and its gamma 2 + 51/256 (its specification, 4.3.1).
ADOBE_RGB = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
ADOBE_GAMMA = 2.19921875
# Display P3 (Apple, SMPTE RP 431-2 primaries under D65), adapted to D50.
DISPLAY_P3 = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))
BT_2020 = ((0.67348, 0.27904, -0.00194), (0.16567, 0.67534, 0.02998), (0.12505, 0.04561, 0.79686))
# The inverse of sRGB's primaries, adapted to D50 (ICC, sRGB v2 characterisation).
_SRGB_D50 = np.array([[0.43607, 0.22249, 0.01392], [0.38515, 0.71687, 0.09708], [0.14307, 0.06061, 0.71410]])


def rgb_profile(primaries: Iterable[Iterable[float]] = ADOBE_RGB, gamma: float = ADOBE_GAMMA) -> bytes:
    """A matrix profile; primaries are XYZ adapted to D50."""
    tags, curve = _common(gamma)
    for letter, primary in zip("rgb", primaries, strict=True):
        tags[f"{letter}XYZ".encode()] = b"XYZ " + bytes(4) + _fixed(primary)
        tags[f"{letter}TRC".encode()] = curve
    return _icc(b"RGB ", tags)


def to_srgb(
    colour: Iterable[float], primaries: Iterable[Iterable[float]], gamma: float = ADOBE_GAMMA
) -> npt.NDArray[np.float64]:
    """A colour of rgb_profile(primaries, gamma) in sRGB, 0..255, by the definitions of both, in float64."""
    xyz = (np.array(list(colour)) / 255) ** gamma @ np.array([list(each) for each in primaries])
    linear = np.clip(xyz @ np.linalg.inv(_SRGB_D50), 0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def gray_profile(gamma: float) -> bytes:
    tags, curve = _common(gamma)
    return _icc(b"GRAY", {**tags, b"kTRC": curve})


def cmyk_profile(cyan_lab: tuple[int, int, int]) -> bytes:
    """The profile of a printer with two effective inks: full cyan alone gives `cyan_lab`, any black ink is black, the
    rest white.

    cyan_lab: L in 0..100, a and b in -128..127.
    """
    tags, _ = _common(1.0)
    white, black = bytes([255, 128, 128]), bytes([0, 128, 128])
    cyan = bytes([round(cyan_lab[0] * 2.55), cyan_lab[1] + 128, cyan_lab[2] + 128])
    corners = [black if corner & 1 else cyan if corner & 8 else white for corner in range(16)]  # C M Y K, K fastest
    identity, matrix = bytes(range(256)), _fixed([1, 0, 0, 0, 1, 0, 0, 0, 1])
    lut = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + matrix + identity * 4 + b"".join(corners) + identity * 3
    return _icc(b"CMYK", {**tags, b"A2B0": lut, b"A2B1": lut}, pcs=b"Lab ", device=b"prtr")
