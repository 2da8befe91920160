"""Pictures and files for the whole suite. Files: GOOD in every format, ODD but readable, BAD and rightly rejected."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from packshot.errors import (
    EmptyFile,
    ImageTooLarge,
    ImageTooSmall,
    InputError,
    UnreadableImage,
    UnsupportedFormat,
)
from tests.kit import files

UInt8 = npt.NDArray[np.uint8]
Factory = Callable[[], bytes]


def product(width: int, height: int, seed: int = 0) -> tuple[UInt8, UInt8]:
    """A product photo and its true alpha: a coloured, textured, anti-aliased object on a plain, unevenly lit ground."""
    random = np.random.default_rng(seed)
    shape = np.zeros((height, width), np.uint8)
    centre, axes = (width // 2, height // 2), (max(1, round(width * 0.28)), max(1, round(height * 0.32)))
    cv2.ellipse(shape, centre, axes, float(random.integers(0, 180)), 0, 360, 255, -1, cv2.LINE_AA)
    neck = (centre[0] - axes[0] // 4, height // 10), (centre[0] + axes[0] // 4, height // 2)
    cv2.rectangle(shape, *neck, 255, -1)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / max(width, height)
    hue = random.uniform(0, 2 * np.pi)
    colour = 110 + 90 * np.cos(hue + np.array([0, 2.1, 4.2], np.float32))
    stripes = 25 * np.sin(x * 40 + 8 * np.sin(y * 15))
    thing = colour + stripes[..., None] - 60 * (x[..., None] - 0.5)
    ground = 215 - 30 * y[..., None] + np.array([4, 0, -4], np.float32)
    alpha = shape[..., None] / np.float32(255)
    noise = random.normal(0, 2, (height, width, 1))
    return np.clip(thing * alpha + ground * (1 - alpha) + noise, 0, 255).astype(np.uint8), shape


def photo(width: int = 320, height: int = 240, seed: int = 0) -> UInt8:
    """uint8 (height, width, 3): an object on a plain background that a saliency network finds."""
    return product(width, height, seed)[0]


def _encoded(image: UInt8 | Image.Image, kind: str, **options: Any) -> bytes:
    picture = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def as_jpeg(image: UInt8 | Image.Image, **options: Any) -> bytes:
    return _encoded(image, "JPEG", **{"quality": 90, **options})


def as_png(image: UInt8 | Image.Image, **options: Any) -> bytes:
    return _encoded(image, "PNG", **{"compress_level": 1, **options})


def as_bmp(image: UInt8 | Image.Image, **options: Any) -> bytes:
    return _encoded(image, "BMP", **options)


def as_webp(image: UInt8 | Image.Image, **options: Any) -> bytes:
    return _encoded(image, "WEBP", **{"method": 0, **options})


WRITERS: dict[str, Callable[..., bytes]] = {"jpeg": as_jpeg, "png": as_png, "bmp": as_bmp, "webp": as_webp}


@cache
def good(kind: str, width: int = 160, height: int = 120) -> bytes:
    """A plain file of photo(width, height)."""
    return WRITERS[kind](photo(width, height))


def flat_png(width: int, height: int, level: int = 255) -> bytes:
    """A gray RGB PNG of any size, a few kB."""
    row = b"\0" + bytes([level]) * (3 * width)
    deflate = zlib.compressobj(1)
    stream = b"".join([*(deflate.compress(row) for _ in range(height)), deflate.flush()])
    return files.png_file(files.png_header(width, height), stream)


def noise(width: int = 160, height: int = 120, seed: int = 0) -> UInt8:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def padded(data: bytes, length: int) -> bytes:
    """A JPEG of exactly `length` bytes, padded after its end with meaningless bytes."""
    assert len(data) <= length
    return data.ljust(length, b"\0")


def cut(data: bytes, tenths: int) -> bytes:
    return data[: len(data) * tenths // 10]


def corrupted(data: bytes, tenths: int) -> bytes:
    """The same file with 64 bytes of noise at one place inside."""
    start = len(data) * tenths // 10
    return data[:start] + np.random.default_rng(tenths).bytes(64) + data[start + 64 :]


def _gif() -> bytes:
    return _encoded(photo(64, 64), "GIF")


def _heic() -> bytes:
    return struct.pack(">I", 24) + b"ftypheic\0\0\0\0mif1heic" + bytes(200)


def _progressive() -> bytes:
    return as_jpeg(photo(160, 120), progressive=True)


def _scan_bomb() -> bytes:
    jpeg = _progressive()
    last = jpeg[jpeg.rindex(b"\xff\xda") : -2]
    return jpeg[:-2] + last * 5000 + jpeg[-2:]


def _exif_bomb() -> bytes:
    """Seven hundred tags that share one megabyte of data."""
    size, count = 1 << 20, 700
    behind = 8 + 2 + 12 * count + 4
    tags = b"".join(struct.pack("<HHII", 1000 + number, 7, size, behind) for number in range(count))
    block = b"II*\0" + struct.pack("<IH", 8, count) + tags + bytes(4 + size)
    png = good("png")
    return png[:33] + files.png_chunk(b"eXIf", block) + png[33:]


def _chunk_bomb() -> bytes:
    return files.png_file(files.png_header(64, 64), b"", files.png_chunk(b"abCd", b"") * 60_000)


def _text_bomb(chunk: bytes, prefix: bytes) -> bytes:
    text = files.png_chunk(chunk, prefix + files.zeros_deflated(512 << 20))
    png = good("png")
    return png[:33] + text + png[33:]


def _inflating_png(rows: int = 4 << 20) -> bytes:
    return files.png_file(files.png_header(100, 100), files.zeros_deflated(301 * rows))


_PIXELS = bytes(100 * 300)
_SHORT = files.png_file(files.png_header(100, 100), zlib.compress(bytes(301 * 50)))

FOREIGN: dict[str, Factory] = {
    "gif": _gif,
    "gif named .jpg": _gif,
    "tiff": lambda: _encoded(photo(64, 64), "TIFF"),
    "avif": lambda: _encoded(photo(64, 64), "AVIF", speed=10),
    "heic": _heic,
}
"""Files that the library reads and the drop-in contract rejects."""

UNSUPPORTED: dict[str, Factory] = {
    "pdf": lambda: b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n",
    "svg": lambda: b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg" width="99" height="99"/>',
    "html": lambda: b"\n<!doctype html><html><script>alert(1)</script></html>",
    "html before a jpeg": lambda: b"<html><script>alert(1)</script>" + good("jpeg"),
    "text": lambda: b"this is not a picture",
    "noise": lambda: b"\x07" + np.random.default_rng(0).bytes(5000),
    "one byte": lambda: b"\xff",
    "zip": lambda: b"PK\x03\x04" + bytes(100),
    "jpeg, lossless": lambda: good("jpeg").replace(b"\xff\xc0", b"\xff\xc3", 1),
    "jpeg, 12 bits": lambda: good("jpeg").replace(b"\xff\xc0\x00\x11\x08", b"\xff\xc0\x00\x11\x0c", 1),
    "bmp, run-length coded": lambda: files.bmp_header(100, 100, 8, offset=54 + 1024, compression=1) + bytes(9999),
    "bmp, a jpeg inside": lambda: files.bmp_header(100, 100, 0, compression=4).replace(b"\0\0", b"\0\0") + good("jpeg"),
}

UNREADABLE: dict[str, Factory] = {
    **{
        f"{kind} cut at {n}/10": partial(lambda kind, n: cut(good(kind), n), kind, n)
        for kind in ("jpeg", "png", "bmp", "webp")
        for n in range(1, 10)
    },
    **{
        f"jpeg cut at {n}/10, end marker put back": partial(lambda n: cut(good("jpeg"), n) + b"\xff\xd9", n)
        for n in range(1, 10)
    },
    **{f"png with noise at {n}/10": partial(lambda n: corrupted(good("png"), n), n) for n in range(1, 10)},
    "jpeg without its last bytes": lambda: good("jpeg")[:-6],
    "jpeg of two bytes": lambda: b"\xff\xd8\xff",
    "jpeg, progressive, cut": lambda: cut(_progressive(), 6),
    "jpeg of 5000 scans": _scan_bomb,
    "jpeg of fill bytes": lambda: b"\xff\xd8" + b"\xff" * 2_000_000,
    "png bomb of 60,000 chunks": _chunk_bomb,
    "jpeg of empty segments": lambda: b"\xff\xd8" + b"\xff\xe1\x00\x02" * 700_000,
    "jpeg of height 0": lambda: good("jpeg").replace(struct.pack(">HH", 120, 160), struct.pack(">HH", 0, 160), 1),
    "png, wrong checksum": lambda: good("png")[:-20] + b"\0\0" + good("png")[-18:],
    "png, colour type 5": lambda: files.png_file(files.png_header(99, 99, 5), b""),
    "png, RGB of 4 bits": lambda: files.png_file(files.png_header(99, 99, 2, 4), b""),
    "png of width 0": lambda: files.png_file(files.png_header(0, 99), b""),
    "png, two headers": lambda: files.png_file(files.png_header(99, 99), _SHORT, files.png_header(999, 999)),
    "png without pixels": lambda: files.png_file(files.png_header(99, 99), b""),
    "png, half the rows": lambda: _SHORT,
    "png, palette without colours": lambda: files.png_file(files.png_header(99, 99, 3), zlib.compress(bytes(9900))),
    "png, text for pixels": lambda: files.png_file(files.png_header(99, 99), b"hello"),
    "bmp of 40 bits": lambda: files.bmp_header(100, 100, 40) + _PIXELS,
    "bmp of 2 planes": lambda: files.bmp_header(100, 100, planes=2) + _PIXELS,
    "bmp of negative width": lambda: files.bmp_header(-100, 100) + _PIXELS,
    "bmp of height 0": lambda: files.bmp_header(100, 0) + _PIXELS,
    "bmp, pixels inside its header": lambda: files.bmp_header(100, 100, offset=20) + _PIXELS,
    "bmp, pixels behind its end": lambda: files.bmp_header(100, 100, offset=1 << 31) + _PIXELS,
    "bmp taller than its bytes": lambda: files.bmp_header(100, 101) + _PIXELS,
    "bmp taller than its bytes, top down": lambda: files.bmp_header(100, -101) + _PIXELS,
    "bmp, header of 41 bytes": lambda: files.bmp_header(100, 100, header_bytes=0) + _PIXELS,
    "bmp of 65536 colours": lambda: files.bmp_header(100, 100, 8, colours=65536, offset=54 + 1024) + _PIXELS,
}

OVERSIZED: dict[str, Factory] = {
    "png bomb, 60000x60000": lambda: files.png_file(files.png_header(60_000, 60_000), files.zeros_deflated(1 << 20)),
    "png bomb, 20000x20000 gray": lambda: files.png_file(
        files.png_header(20_000, 20_000, 0), files.zeros_deflated(20_001 * 20_000)
    ),
    "jpeg bomb, 65500x65500": lambda: good("jpeg").replace(
        struct.pack(">HH", 120, 160), struct.pack(">HH", 65_500, 65_500), 1
    ),
    "webp bomb, 16384x16384": lambda: (
        b"RIFF" + struct.pack("<I", 200) + b"WEBPVP8X\x0a\0\0\0" + bytes(4) + b"\xff\x3f\0\xff\x3f\0" + bytes(200)
    ),
}

REFUSED: dict[type[InputError], dict[str, Factory]] = {
    EmptyFile: {"empty": bytes},
    UnsupportedFormat: UNSUPPORTED,
    UnreadableImage: UNREADABLE,
    ImageTooLarge: OVERSIZED,
    ImageTooSmall: {"31 px": lambda: as_png(photo(31, 64)), "1x1": lambda: flat_png(1, 1)},
}
"""Files that every entry point rejects, by the error that it must raise."""

BAD: dict[str, Factory] = {name: make for group in REFUSED.values() for name, make in group.items()}

ODD: dict[str, Factory] = {
    "all black": lambda: flat_png(64, 64, 0),
    "all white": lambda: flat_png(64, 64, 255),
    "noise": lambda: as_jpeg(noise()),
    "32 px": lambda: as_png(photo(32, 32)),
    "gray jpeg": lambda: as_jpeg(photo(160, 120)[..., 0]),
    "cmyk jpeg": lambda: as_jpeg(Image.fromarray(photo(160, 120)).convert("CMYK")),
    "progressive jpeg": _progressive,
    "jpeg with bytes after its end": lambda: good("jpeg") + b"<?php system('id'); ?>" * 50,
    "jpeg with bytes before its end": lambda: good("jpeg")[:-2] + b"\0\0\0\0" + b"\xff\xd9",
    "jpeg without its end marker": lambda: good("jpeg")[:-2],
    "jpeg with fill bytes before a marker": lambda: good("jpeg")[:2] + b"\xff" * 5000 + good("jpeg")[2:],
    "jpeg with bytes between segments": lambda: good("jpeg")[:20] + b"junk" + good("jpeg")[20:],
    "jpeg in Adobe RGB": lambda: as_jpeg(photo(160, 120), icc_profile=files.rgb_profile()),
    "jpeg with a broken profile": lambda: as_jpeg(photo(160, 120), icc_profile=b"not a profile" * 20),
    "jpeg with half a profile": lambda: files.with_segments(
        good("jpeg"), files.jpeg_segment(0xE2, b"ICC_PROFILE\0\1\2" + files.rgb_profile()[:200])
    ),
    "jpeg, orientation 99": lambda: as_jpeg(photo(160, 120), exif=b"Exif\0\0" + files.exif_block(99)),
    "jpeg, EXIF of wrong kind": lambda: as_jpeg(photo(160, 120), exif=b"Exif\0\0" + files.exif_block(6, kind=2)),
    "jpeg, EXIF that ends early": lambda: as_jpeg(photo(160, 120), exif=b"Exif\0\0MM\0*\xff\xff\xff\xf0"),
    "jpeg, EXIF of 65535 entries": lambda: as_jpeg(
        photo(160, 120), exif=b"Exif\0\0" + files.exif_block(1, entries=65535).replace(b"\x01\x12", b"\x99\x99")
    ),
    "jpeg with HTML in a comment": lambda: as_jpeg(photo(160, 120), comment=b"<html><script>alert(1)</script></html>"),
    "multi-picture jpeg": lambda: _encoded(
        photo(160, 120), "MPO", save_all=True, append_images=[Image.fromarray(photo(80, 60, 1))]
    ),
    "animated webp": lambda: as_webp(
        photo(160, 120), save_all=True, append_images=[Image.fromarray(photo(160, 120, 1))], lossless=True
    ),
    "animated png": lambda: as_png(photo(160, 120), save_all=True, append_images=[Image.fromarray(photo(160, 120, 1))]),
    "interlaced png": lambda: files.png_file(
        files.png_header(64, 64, interlace=1), zlib.compress(bytes(64 * 64 * 3 + 15 * 64))
    ),
    "png inflating to 1.2 GB": _inflating_png,
    "png, text inflating to 512 MB": lambda: _text_bomb(b"zTXt", b"Comment\0\0"),
    "png, text inflating to 512 MB, iTXt": lambda: _text_bomb(b"iTXt", b"Comment\0\1\0\0\0"),
    "png, profile inflating to 512 MB": lambda: _text_bomb(b"iCCP", b"sRGB\0\0"),
    "png, EXIF inflating to 700 MB": _exif_bomb,
    "bmp, rows from the top": lambda: files.bmp_header(100, -100) + _PIXELS,
}
"""Unusual but readable. Rejecting these files would turn away honest users, or show that hostile files have too much
effect.
"""
