"""Small honest files in every readable format, made by code: the starting points of mutations."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import cv2
import numpy as np
from PIL import Image

from packshot.core.codecs import FORMATS
from tests.fuzz.mutate import FORMATS as FORMATS_OF_PARTS
from tests.fuzz.shapes import container
from tests.kit import files
from tests.kit.heifs import as_avif, as_heic
from tests.kit.images import FOREIGN, ODD, as_jpeg, as_webp, good, photo
from tests.kit.tiffs import CMYK, DEFLATE, GRAY, PALETTE, SHORT, as_tiff, raw_tiff

SMALL = (64, 48)


def _photo() -> Any:
    return photo(*SMALL)


def _rgba() -> Any:
    return np.dstack([_photo(), cv2.bitwise_not(_photo()[..., :1])])


def _deep(channels: int) -> Any:
    return (np.resize(_photo(), (48, 64, channels)).astype(np.uint16)) * 257


def _animation(kind: str) -> bytes:
    out = io.BytesIO()
    frames = [Image.fromarray(photo(*SMALL, seed)) for seed in range(2)]
    frames[0].save(out, kind, save_all=True, append_images=frames[1:])
    return out.getvalue()


def _film_as_still() -> bytes:
    """An AVIF whose main picture has many frames in one stream; a still has one."""
    frames = [np.roll(_photo(), step, axis=1) for step in range(6)]
    out = io.BytesIO()
    first, *others = (Image.fromarray(frame) for frame in frames)
    first.save(out, "AVIF", save_all=True, append_images=others, speed=10, max_threads=1)
    film = out.getvalue()
    stream, conf = film[film.index(b"mdat") + 4 :], film.index(b"av1C")
    return container(b"avif", b"av01", stream, properties=(film[conf - 4 : conf + 8],), size=SMALL)


SEEDS: Mapping[str, Callable[[], bytes]] = {
    **{kind: (lambda kind=kind: good(kind, *SMALL)) for kind in ("jpeg", "png", "bmp", "webp")},
    "progressive": ODD["progressive jpeg"],
    "progressive, scans again": lambda: _scans_again(ODD["progressive jpeg"](), 8),
    "cmyk": ODD["cmyk jpeg"],
    "adobe rgb": lambda: as_jpeg(_photo(), icc_profile=files.rgb_profile()),
    "jpeg with exif": lambda: as_jpeg(_photo(), exif=b"Exif\0\0" + files.exif_block(6)),
    "palette": lambda: files.raw_png(
        np.zeros((40, 40, 1), np.uint8),
        3,
        4,
        files.png_chunk(b"PLTE", bytes(48)) + files.png_chunk(b"tRNS", bytes(3)),
    ),
    "deep": lambda: files.raw_png(np.zeros((40, 40, 4), np.uint16), 6, 16),
    "deep gray": lambda: files.raw_png(_deep(1), 0, 16, files.png_chunk(b"tRNS", bytes(2))),
    "gray with alpha": lambda: files.raw_png(_deep(2), 4, 16),
    "interlaced": lambda: files.png_file(
        files.png_header(40, 40, interlace=1), zlib.compress(bytes(40 * 40 * 3 + 15 * 40))
    ),
    "bmp, palette": lambda: _with_palette("BMP"),
    "webp, alpha": lambda: as_webp(Image.fromarray(_rgba()), exact=True),
    "webp, lossless": lambda: as_webp(
        _photo(), lossless=True, icc_profile=files.rgb_profile(), exif=b"MM\0*" + b"\0\0\0\x08"
    ),
    "webp, film": lambda: _animation("WEBP"),
    "gif": FOREIGN["gif"],
    "gif, film": lambda: _animation("GIF"),
    "tiff": lambda: raw_tiff(_photo(), rows=16),
    "tiff, tiles": lambda: raw_tiff(_photo(), tile=16, compression=DEFLATE, order=">"),
    "tiff, palette": lambda: raw_tiff(_photo()[..., :1], PALETTE, tags={320: (SHORT, [7] * 768)}),
    "tiff, planes": lambda: raw_tiff(_rgba(), extras=[1], planar=True, rows=24),
    "tiff, deep gray": lambda: raw_tiff(_deep(1), GRAY, 16, order=">"),
    "tiff, inks": lambda: raw_tiff(_rgba(), CMYK),
    "tiff, jpeg inside": lambda: as_tiff(_photo(), compression="jpeg"),
    "tiff, lzw": lambda: as_tiff(_photo(), compression="tiff_lzw"),
    "tiff, packbits": lambda: as_tiff(_photo(), compression="packbits"),
    "avif": cache(lambda: as_avif(_rgba())),
    "avif, film": cache(lambda: _animation("AVIF")),
    "avif, film as a still": cache(_film_as_still),
    "avif, small": cache(lambda: as_avif(_photo(), quality=30, subsampling="4:2:0")),
    **({"heic": cache(lambda: as_heic(photo(150, 100), tile_size=64))} if FORMATS["heic"].available else {}),
}
"""The seeds by name, each made at its first use."""


def _scans_again(jpeg: bytes, times: int) -> bytes:
    """A progressive JPEG with its last scan repeated: each costs a decoder a pass over the whole picture."""
    known = FORMATS_OF_PARTS[b"\xff\xd8"]
    *parts, scan, end = known.split(jpeg)
    return known.join([*parts, *[scan] * times, end])


def _with_palette(kind: str) -> bytes:
    out = io.BytesIO()
    Image.fromarray(_photo()).quantize(16).save(out, kind)
    return out.getvalue()
