"""Rejected files: with the right error and figures, early, and with little memory."""

from __future__ import annotations

import subprocess
import sys

import pytest

from packshot.core.codecs import LIBRARY_LIMITS, Header, Limits, decode, probe
from packshot.core.geometry import Size
from packshot.errors import (
    FileTooLarge,
    ImageTooLarge,
    InputError,
    UnreadableImage,
    UnsupportedDepth,
    UnsupportedFormat,
    UnsupportedGrayscale,
)
from tests.kit import files
from tests.kit.images import BAD, FOREIGN, ODD, REFUSED, as_jpeg, cut, flat_png, good, padded, photo

CASES = [(error, name) for error, group in REFUSED.items() for name in group]


@pytest.mark.parametrize(("error", "name"), CASES, ids=[name for _, name in CASES])
def test_bad_files_raise_their_error_and_say_what_to_do(error: type[InputError], name: str) -> None:
    with pytest.raises(error) as caught:
        decode(BAD[name]())
    assert caught.value.message.endswith(".")
    assert caught.value.hint.endswith(".")


@pytest.mark.parametrize("kind", ["jpeg", "png", "bmp", "webp"])
def test_a_probe_reads_the_header(kind: str) -> None:
    depth = (2, 8) if kind == "png" else None
    assert probe(good(kind), LIBRARY_LIMITS) == Header(kind, Size(160, 120), depth)


@pytest.mark.parametrize("kind", ["jpeg", "png", "bmp"])
def test_a_probe_needs_no_pixels(kind: str) -> None:
    """The header of a JPEG or PNG is complete long before its pixels; a BMP's header is checked against the file's
    length.
    """
    data = cut(good(kind, 640, 480), 5)
    if kind == "bmp":
        with pytest.raises(UnreadableImage, match="requires 921,654 bytes"):
            probe(data, LIBRARY_LIMITS)
    else:
        assert probe(data, LIBRARY_LIMITS).size == (640, 480)


@pytest.mark.parametrize(("size", "fits"), [((1999, 1999), True), ((2000, 40), False), ((40, 2000), False)])
def test_the_longest_side_is_inclusive(size: tuple[int, int], fits: bool) -> None:
    data, limits = flat_png(*size), Limits(max_side_px=1999)
    if fits:
        assert decode(data, limits).size == size
    else:
        with pytest.raises(ImageTooLarge, match=f"{size[0]}x{size[1]} px.* 1999 px"):
            decode(data, limits)


def test_the_byte_limit_is_inclusive() -> None:
    limit, data = 3_000_000, good("jpeg")
    assert decode(padded(data, limit), Limits(max_bytes=limit)).size == (160, 120)
    with pytest.raises(FileTooLarge, match="3,000,001 bytes; at most 3,000,000"):
        decode(padded(data, limit + 1), Limits(max_bytes=limit))


def test_the_pixel_limit_is_inclusive() -> None:
    assert probe(good("png"), Limits(max_pixels=160 * 120)).size == (160, 120)
    with pytest.raises(ImageTooLarge, match="19,200 in all; at most 19,199"):
        probe(good("png"), Limits(max_pixels=160 * 120 - 1))


@pytest.mark.parametrize(("colour_type", "bit_depth"), files.PNG_DEPTHS)
def test_only_allowed_png_depths_pass(colour_type: int, bit_depth: int) -> None:
    header = files.png_file(files.png_header(64, 64, colour_type, bit_depth), b"")
    assert probe(header, LIBRARY_LIMITS).png_depth == (colour_type, bit_depth)
    allowed = Limits(png_depths=frozenset({(2, 8), (6, 8)}))
    if (colour_type, bit_depth) in {(2, 8), (6, 8)}:
        probe(header, allowed)
    else:
        with pytest.raises(UnsupportedGrayscale if colour_type in {0, 4} else UnsupportedDepth, match="bits per pixel"):
            probe(header, allowed)


@pytest.mark.parametrize("kind", ["jpeg", "png", "bmp", "webp"])
def test_a_format_that_is_not_accepted_is_named(kind: str) -> None:
    others = frozenset({"jpeg", "png", "bmp", "webp"} - {kind})
    with pytest.raises(UnsupportedFormat, match=rf"(?i)\ba {kind};") as caught:
        probe(good(kind), Limits(formats=others))
    assert kind not in caught.value.hint.lower()


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("gif", "GIF"),
        ("tiff", "TIFF"),
        ("avif", "an AVIF"),
        ("heic", "HEIC"),
        ("pdf", "PDF"),
        ("svg", "SVG"),
        ("html", "HTML"),
    ],
)
def test_what_people_send_instead_is_named(name: str, word: str) -> None:
    with pytest.raises(UnsupportedFormat, match=word) as caught:
        probe({**BAD, **FOREIGN}[name](), Limits(formats=frozenset({"jpeg", "png", "bmp"})))
    assert caught.value.hint == "Save it as JPEG or PNG and send it again."


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 1}, {"quality": 30}])
@pytest.mark.parametrize("tenths", range(1, 10))
def test_a_cut_jpeg_is_found_out_even_with_an_end_marker(options: dict[str, object], tenths: int) -> None:
    data = cut(as_jpeg(photo(320, 240), **options), tenths)
    for end in (b"", b"\xff\xd9"):
        with pytest.raises(UnreadableImage):
            decode(data + end)


@pytest.mark.parametrize("kind", ["bmp", "webp"])
def test_a_file_without_its_last_byte_is_cut(kind: str) -> None:
    with pytest.raises(UnreadableImage):
        decode(good(kind)[:-1])


BOMBS = [name for name in BAD if "bomb" in name] + [name for name in ODD if "inflating" in name]

MEASURE = """
import resource, sys, time
from packshot.core.codecs import decode
from packshot.errors import InputError
from tests.kit.images import BAD, FOREIGN, ODD, good
for kind in ("jpeg", "png", "webp"):
    decode(good(kind))
def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
for name in sys.argv[1:]:
    data = {**BAD, **ODD}[name]()
    before, start = peak_mb(), time.process_time()
    try:
        decode(data)
    except InputError:
        pass
    print(f"{time.process_time() - start:.3f} {peak_mb() - before:.1f} {name}")
"""


@pytest.mark.slow
def test_bombs_cost_neither_time_nor_memory() -> None:
    """Runs in its own process, because the peak of a process never falls. The bombs inflate to 0.4 to 3.6 GB."""
    run = subprocess.run([sys.executable, "-c", MEASURE, *BOMBS], capture_output=True, text=True, check=True)
    for line in run.stdout.splitlines():
        seconds, megabytes, name = line.split(maxsplit=2)
        assert float(seconds) < 1, name
        assert float(megabytes) < 32, name
    assert len(run.stdout.splitlines()) == len(BOMBS)
