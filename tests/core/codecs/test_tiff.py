"""TIFF: every readable kind decodes to its picture, and lying directories are detected.

Outputs are exact, for Pillow and for packshot.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageCms

from packshot.core.codecs import LIBRARY_LIMITS, decode, encode, probe
from packshot.errors import ImageTooLarge, InputError, UnreadableImage, UnsupportedDepth, UnsupportedFormat
from tests.fuzz.bounds import hold, measured
from tests.kit import files
from tests.kit.images import as_jpeg, cut, noise, photo, product
from tests.kit.orientations import STORED
from tests.kit.tiffs import CMYK, DEFLATE, GRAY, LONG, NONE, PALETTE, RGB, SHORT, WHITE_IS_ZERO, as_tiff, raw_tiff


def random(bits: int, channels: int, seed: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 1 << bits, (37, 45, channels))


def rounded(samples: np.ndarray, bits: int) -> np.ndarray:
    """round(255 v / full), in whole numbers."""
    full = (1 << bits) - 1
    return (samples * 510 + full) // (2 * full)


@pytest.mark.parametrize("compression", [NONE, DEFLATE])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("kind", "bits"), [(k, b) for k in (GRAY, WHITE_IS_ZERO) for b in (1, 2, 4, 8, 16)] + [(RGB, 8), (RGB, 16)]
)
def test_every_depth_is_rounded_to_8_bits(kind: int, bits: int, order: str, compression: int) -> None:
    samples = random(bits, 3 if kind == RGB else 1)
    picture = decode(raw_tiff(samples, kind, bits, order=order, compression=compression))
    expected = rounded(samples, bits) if kind != WHITE_IS_ZERO else 255 - rounded(samples, bits)
    assert np.array_equal(picture.rgb, np.broadcast_to(expected, picture.rgb.shape))
    assert picture.alpha is None


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("extra", [(0,), (1,), (2,), ()])
def test_alpha_is_straight_premultiplied_or_no_alpha_at_all(extra: tuple[int, ...], bits: int, order: str) -> None:
    samples = random(bits, 4)
    samples[..., :3] = samples[..., :3] * samples[..., 3:] // ((1 << bits) - 1)  # so that it can be premultiplied
    picture = decode(raw_tiff(samples, RGB, bits, order=order, extras=extra))
    if extra == (0,):
        assert picture.alpha is None
        return
    assert np.array_equal(picture.alpha, rounded(samples[..., 3], bits))
    if extra == (1,):
        colour = 255 * samples[..., :3] / np.maximum(samples[..., 3:], 1)
        assert np.abs(picture.rgb - colour).max() <= 0.5 + 1e-3
    else:
        assert np.array_equal(picture.rgb, rounded(samples[..., :3], bits))


def test_gray_with_alpha() -> None:
    samples = random(8, 2)
    picture = decode(raw_tiff(samples, GRAY, extras=(2,)))
    assert np.array_equal(picture.rgb[..., 0], samples[..., 0])
    assert np.array_equal(picture.alpha, samples[..., 1])


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_palette(bits: int) -> None:
    samples = random(bits, 1)
    palette = np.random.default_rng(8).integers(0, 256, (3, 1 << bits))
    data = raw_tiff(samples, PALETTE, bits, tags={320: (SHORT, (palette * 257).ravel().tolist())})
    assert np.array_equal(decode(data).rgb, palette.T[samples[..., 0]])


@pytest.mark.parametrize("layout", [{}, {"rows": 7}, {"tile": 16}, {"planar": True}])
@pytest.mark.parametrize("extra", [(0,), (1,), (2,), ()])
@pytest.mark.parametrize("kind", [PALETTE, GRAY, WHITE_IS_ZERO])
def test_one_more_sample_beside_an_index_or_a_gray(kind: int, extra: tuple[int, ...], layout: dict[str, int]) -> None:
    samples, palette = random(8, 2), np.random.default_rng(8).integers(0, 256, (3, 256))
    if kind == PALETTE and extra == (1,):
        samples[..., 1] = 255  # else a colour may be brighter than its alpha allows
    elif extra == (1,):
        light = samples[..., 0] * samples[..., 1] // 255
        samples[..., 0] = 255 - light if kind == WHITE_IS_ZERO else light
    colours = {320: (SHORT, (palette * 257).ravel().tolist())} if kind == PALETTE else {}
    picture = decode(raw_tiff(samples, kind, extras=extra, tags=colours, **layout))
    shown = 255 - samples[..., :1] if kind == WHITE_IS_ZERO else samples[..., :1]
    shown = palette.T[samples[..., 0]] if kind == PALETTE else shown.repeat(3, axis=2)
    if extra == (0,):
        assert picture.alpha is None
    elif kind != PALETTE or extra != (1,):
        assert np.array_equal(picture.alpha, samples[..., 1])
    if extra == (1,):
        shown = 255 * shown / np.maximum(samples[..., 1:], 1)
    assert np.abs(picture.rgb - shown).max() <= 0.5 + 1e-3


@pytest.mark.slow
@given(st.data())
@settings(max_examples=80)
def test_any_number_of_samples_beside_the_colours(data: st.DataObject) -> None:
    """Up to three more samples, the first possibly alpha; in any layout, with or without differences along the rows."""
    draw = data.draw
    kind, bits = draw(st.sampled_from([GRAY, WHITE_IS_ZERO, RGB, CMYK])), draw(st.sampled_from([8, 16]))
    colours, beside = {RGB: 3, CMYK: 4}.get(kind, 1), draw(st.integers(1, 3))
    extras = draw(st.sampled_from([(0,), (2,)])) + (0,) * (beside - 1)
    layout = draw(st.sampled_from([{}, {"rows": 7}, {"tile": 16}, {"planar": True}]))
    stored = samples = random(bits, colours + beside, draw(st.integers(0, 9)))
    tags = {}
    if draw(st.booleans()) and kind != CMYK:
        tags = {317: (SHORT, [2])}
        starts = range(0, samples.shape[1], layout.get("tile", samples.shape[1]))
        stored = np.diff(samples, axis=1, prepend=0)
        stored[:, list(starts)] = samples[:, list(starts)]
        stored %= 1 << bits
    picture = decode(
        raw_tiff(
            stored,
            kind,
            bits,
            extras=extras,
            order=draw(st.sampled_from("<>")),
            compression=DEFLATE,
            tags=tags,
            **layout,
        )
    )
    whole = rounded(samples, bits)
    if kind == CMYK:
        light = 1 - samples[..., :4] / ((1 << bits) - 1)
        assert np.abs(picture.rgb - 255 * light[..., :3] * light[..., 3:]).max() <= 1.5
        return
    shown = 255 - whole[..., :1] if kind == WHITE_IS_ZERO else whole[..., :colours]
    assert np.array_equal(picture.rgb, shown if kind == RGB else shown.repeat(3, axis=2))
    if extras[0] == 2:
        assert np.array_equal(picture.alpha, whole[..., colours])
    else:
        assert picture.alpha is None


@pytest.mark.parametrize("numbers", [0, 3, 767, 769])
def test_a_palette_of_another_length_beside_alpha_is_found_out(numbers: int) -> None:
    data = raw_tiff(random(8, 2), PALETTE, extras=(2,), tags={320: (SHORT, [7] * numbers)})
    with pytest.raises(UnreadableImage, match="palette"):
        decode(data)


@pytest.mark.parametrize("bits", [8, 16])
def test_ink_subtracts_from_light(bits: int) -> None:
    ink = random(bits, 4)
    light = 1 - ink / ((1 << bits) - 1)
    assert np.abs(decode(raw_tiff(ink, CMYK, bits)).rgb - 255 * light[..., :3] * light[..., 3:]).max() <= 1.5


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("compression", [NONE, DEFLATE])
@pytest.mark.parametrize("layout", [{"rows": 7}, {"tile": 16}, {"planar": True}, {"planar": True, "rows": 5}])
def test_strips_tiles_and_planes(layout: dict[str, int], compression: int, bits: int) -> None:
    samples = random(bits, 3)
    data = raw_tiff(samples, RGB, bits, compression=compression, **layout)
    assert np.array_equal(decode(data).rgb, rounded(samples, bits))


@pytest.mark.parametrize("moved", [(324,), (325,), (324, 325)])
@pytest.mark.parametrize("compression", [NONE, DEFLATE])
def test_the_places_of_tiles_may_stand_where_those_of_strips_do(compression: int, moved: tuple[int, ...]) -> None:
    """Old versions of libtiff wrote such files."""
    samples = random(8, 3)
    usual = raw_tiff(samples, RGB, tile=16, compression=compression)
    with Image.open(io.BytesIO(usual)) as image:
        places = {tag: list(image.tag_v2[tag]) for tag in moved}
    tags = {tag: (LONG, []) for tag in moved} | {{324: 273, 325: 279}[tag]: (LONG, places[tag]) for tag in moved}
    assert np.array_equal(decode(raw_tiff(samples, RGB, tile=16, compression=compression, tags=tags)).rgb, samples)


@pytest.mark.parametrize("more", [[1], [1, 1], [16]])
def test_more_numbers_of_bits_than_samples_say_nothing(more: list[int]) -> None:
    samples = random(8, 3)
    assert np.array_equal(decode(raw_tiff(samples, tags={258: (SHORT, [8, 8, 8, *more])})).rgb, samples)


@pytest.mark.parametrize("bits", [8, 16])
def test_planes_of_which_the_last_are_alpha_or_nothing(bits: int) -> None:
    samples = random(bits, 4)
    with_alpha = decode(raw_tiff(samples, RGB, bits, planar=True, extras=(2,)))
    assert np.array_equal(with_alpha.alpha, rounded(samples[..., 3], bits))
    assert decode(raw_tiff(samples, RGB, bits, planar=True, extras=(0,))).alpha is None


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_files_of_an_independent_writer_are_exact(compression: str | None) -> None:
    rgb, alpha = product(64, 48)
    out = io.BytesIO()
    pages = [Image.fromarray(photo(80, 60, 1))]  # only the first page is read
    rgba = Image.fromarray(np.dstack([rgb, alpha]))
    rgba.save(out, "TIFF", compression=compression, save_all=True, append_images=pages)
    picture = decode(out.getvalue())
    assert np.array_equal(picture.rgb, rgb)
    assert np.array_equal(picture.alpha, alpha)


def test_a_jpeg_inside() -> None:
    out = io.BytesIO()
    Image.fromarray(photo(160, 120)).save(out, "TIFF", compression="jpeg", quality=90)
    assert np.abs(decode(out.getvalue()).rgb.astype(int) - photo(160, 120)).mean() < 3


@pytest.mark.parametrize("orientation", STORED)
def test_all_orientations_give_the_same_upright_picture(orientation: int) -> None:
    upright = photo(48, 40)
    stored = np.ascontiguousarray(STORED[orientation](upright))
    assert np.array_equal(decode(raw_tiff(stored, tags={274: (SHORT, [orientation])})).rgb, upright)


def test_camera_and_date_are_found() -> None:
    picture = decode(raw_tiff(photo(48, 40), tags={272: (2, b"Model 1\0")}))
    assert picture.exif is not None
    exif = Image.Exif()
    exif.load(picture.exif)
    assert dict(exif) == {272: "Model 1"}


def test_wide_gamut_becomes_srgb() -> None:
    profile = files.rgb_profile(files.DISPLAY_P3)
    picture = decode(raw_tiff(np.full((40, 40, 3), (20, 200, 30)), tags={34675: (7, profile)}))
    assert np.abs(picture.rgb[0, 0] - files.to_srgb((20, 200, 30), files.DISPLAY_P3)).max() <= 1.5


LIES: dict[str, Callable[[], bytes]] = {
    "width 0": lambda: raw_tiff(photo(64, 48), tags={256: (LONG, [0])}),
    "taller than its strips": lambda: raw_tiff(photo(64, 48), rows=8, tags={257: (LONG, [49])}),
    "wider than its bytes": lambda: raw_tiff(photo(64, 48), tags={256: (LONG, [65])}),
    "strip behind the end": lambda: raw_tiff(photo(64, 48), tags={273: (LONG, [1 << 30])}),
    "strip longer than the file": lambda: raw_tiff(photo(64, 48), tags={279: (LONG, [1 << 30])}),
    "empty strip": lambda: raw_tiff(photo(64, 48), compression=DEFLATE, tags={279: (LONG, [0])}),
    "tiles of a gigabyte": lambda: raw_tiff(
        photo(64, 48), tile=16, compression=DEFLATE, tags={322: (LONG, [1 << 15]), 323: (LONG, [1 << 15])}
    ),
    "no strips": lambda: raw_tiff(photo(64, 48), tags={273: (LONG, [])}),
    "strips without rows": lambda: raw_tiff(photo(64, 48), tags={278: (LONG, [0])}),
    "LZW that is Deflate": lambda: raw_tiff(photo(64, 48), compression=DEFLATE, tags={259: (SHORT, [5])}),
    "200 samples a pixel": lambda: raw_tiff(photo(64, 48), tags={277: (SHORT, [200])}),
    "a palette without colours": lambda: raw_tiff(photo(64, 48)[..., :1], PALETTE),
}


@pytest.mark.parametrize("name", LIES)
def test_lies_are_found_out(name: str) -> None:
    with pytest.raises(UnreadableImage):
        decode(LIES[name]())


@pytest.mark.parametrize("tenths", range(1, 10))
def test_a_cut_file_is_found_out(tenths: int) -> None:
    """The directory is before the pixels, as Pillow writes it: the header stays whole at every cut."""
    out = io.BytesIO()
    Image.fromarray(photo(64, 48)).save(out, "TIFF")
    assert struct.unpack_from("<I", out.getvalue(), 4) == (8,)
    with pytest.raises(UnreadableImage, match="is cut off"):
        decode(cut(out.getvalue(), tenths))


@pytest.mark.parametrize(
    "make",
    [
        lambda: raw_tiff(photo(64, 48), tags={339: (SHORT, [3, 3, 3])}),
        lambda: raw_tiff(random(8, 3), tags={258: (SHORT, [32, 32, 32])}),
        lambda: raw_tiff(random(8, 3), tags={258: (SHORT, [5, 6, 5])}),
    ],
    ids=["floating point", "32 bits", "5, 6 and 5 bits"],
)
def test_depths_that_are_not_read_are_named(make: Callable[[], bytes]) -> None:
    with pytest.raises(UnsupportedDepth, match="bits for each pixel"):
        probe(make(), LIBRARY_LIMITS)


@pytest.mark.parametrize(
    ("tags", "word"),
    [
        ({259: (SHORT, [4])}, "compression of kind 4"),
        ({262: (SHORT, [8])}, "colours of kind 8"),
        ({254: (LONG, [1])}, "raw file"),
        ({50706: (1, b"\1\4\0\0")}, "raw file"),
    ],
)
def test_kinds_that_are_not_read_are_named(tags: dict[int, tuple[int, list[int]]], word: str) -> None:
    with pytest.raises(UnsupportedFormat, match=word):
        probe(raw_tiff(photo(64, 48), tags=tags), LIBRARY_LIMITS)


def test_the_size_is_refused_before_pixels_are_read() -> None:
    data = raw_tiff(photo(64, 48), compression=DEFLATE, tags=dict.fromkeys((256, 257, 278), (LONG, [60_000])))
    with pytest.raises(ImageTooLarge, match="60000x60000 px"):
        decode(data)


def test_tags_that_lie_on_the_same_bytes_are_not_each_copied() -> None:
    """A file of 4 MB would take 1.2 GB: three hundred tags share one value, the whole file."""
    size, count = 4_000_000, 300
    tags = b"".join(struct.pack("<HHII", 1000 + number, 1, size, 16 + 12 * count) for number in range(count))
    data = b"II*\0" + struct.pack("<IH", 8, count) + tags + bytes(16 + size)

    def refused() -> None:
        with pytest.raises(UnreadableImage):
            probe(data, LIBRARY_LIMITS)

    assert measured(refused).peak_bytes < 5 * size


def refuse(data: bytes, words: str) -> None:
    """Refused from the header, at once and in little memory, whatever the claims."""

    def refused() -> None:
        with pytest.raises(UnreadableImage, match=words):
            probe(data, LIBRARY_LIMITS)

    hold(measured(refused), seconds=1, peak_bytes=30_000_000 + 4 * len(data))


@pytest.mark.slow
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", [NONE, DEFLATE])
def test_a_great_many_strips_cost_little_to_look_at(order: str, compression: int) -> None:
    samples = np.zeros((300_000, 40, 1), np.uint8)
    tags = {273: (LONG, [8] * 300_000), 279: (LONG, [40] * 300_000), 278: (LONG, [1])}
    data = raw_tiff(samples, GRAY, order=order, compression=compression, tags=tags)
    found = []

    def looked() -> None:
        if compression == NONE:  # the file has as many bytes as its strips claim
            found.append(probe(data, LIBRARY_LIMITS).size)
        else:
            refuse(data, "claims 12,000,000 bytes")

    hold(measured(looked), seconds=1, peak_bytes=30_000_000 + 4 * len(data))
    assert found == [(40, 300_000)] * (compression == NONE)


@given(times=st.integers(2, 3_000), megabytes=st.integers(5, 20), tile=st.booleans())
@settings(max_examples=10)
def test_pieces_that_name_the_same_bytes_are_counted_each(times: int, megabytes: int, tile: bool) -> None:
    samples = np.zeros((16 * times, 48, 1), np.uint8)[:, :16]
    long = megabytes * 1_000_000
    places = {324 if tile else 273: (LONG, [8] * times), 325 if tile else 279: (LONG, [long] * times)}
    layout = {"tile": 16} if tile else {"rows": 16}
    data = raw_tiff(samples, GRAY, compression=DEFLATE, tags={**places, 700: (1, bytes(long + 100))}, **layout)
    refuse(data, "bytes of pixels in a file of")


def test_tiles_that_look_the_same_may_share_their_bytes() -> None:
    samples = np.full((320, 320, 3), 77, np.uint8)
    stored = raw_tiff(samples, tile=16, compression=DEFLATE)
    first = struct.unpack_from("<I", raw_tiff(samples[:16, :16], tile=16, compression=DEFLATE), 4)[0] - 8
    tags = {324: (LONG, [8] * 400), 325: (LONG, [first] * 400)}
    shared = raw_tiff(samples, tile=16, compression=DEFLATE, tags=tags)
    assert np.array_equal(decode(shared).rgb, decode(stored).rgb)


@pytest.mark.parametrize("tag", [256, 257, 258, 259, 262, 277, 284, 338, 339])
def test_a_tag_of_a_million_values_is_not_read_through(tag: int) -> None:
    data = raw_tiff(photo(64, 48), tags={tag: (LONG if tag < 258 else SHORT, [64] * 1_000_000)})

    def looked() -> None:
        with suppress(InputError):
            probe(data, LIBRARY_LIMITS)

    hold(measured(looked), seconds=0.5, peak_bytes=30_000_000 + 3 * len(data))


@pytest.mark.parametrize("scans", [17, 3_000])
def test_a_jpeg_of_many_scans_inside_is_found_out(scans: int) -> None:
    usual = as_tiff(photo(160, 120), compression="jpeg")
    assert probe(usual, LIBRARY_LIMITS).size == (160, 120)
    begin, end = usual.index(b"\xff\xda"), usual.rindex(b"\xff\xd9")
    strip = usual[begin:end] * scans
    body = strip.ljust(40 * 64 * 3, b"\0")
    tags = {259: (SHORT, [7]), 262: (SHORT, [6]), 700: (1, body)}
    data = raw_tiff(np.zeros((40, 64, 3), np.uint8), tags=tags | {273: (LONG, [0x7ABBCCDD]), 279: (LONG, [len(strip)])})
    refuse(data.replace(struct.pack("<I", 0x7ABBCCDD), struct.pack("<I", data.index(body[:64]))), "too many scans")


@pytest.mark.slow
@given(st.data())
@settings(max_examples=60)
def test_an_output_is_exact_for_others_and_for_us_and_hides_nothing_under_alpha_0(data: st.DataObject) -> None:
    shape = data.draw(st.tuples(st.integers(32, 50), st.integers(32, 50)))
    rgb = data.draw(hnp.arrays(np.uint8, (*shape, 3)))
    alpha = data.draw(hnp.arrays(np.uint8, shape, elements=st.sampled_from([0, 1, 128, 255])))
    written = encode(rgb, alpha, format="tiff")
    image = Image.open(io.BytesIO(written))
    assert (image.mode, image.tag_v2[338]) == ("RGBA", (2,))
    assert np.array_equal(np.asarray(image), np.dstack([np.where(alpha[..., None] > 0, rgb, 0), alpha]))
    picture = decode(written)
    assert np.array_equal(picture.rgb, np.where(alpha[..., None] > 0, rgb, 0))
    assert np.array_equal(alpha if picture.alpha is None else picture.alpha, alpha)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (997, 641), (3000, 100)])
@pytest.mark.parametrize("channels", [1, 3])
def test_an_output_of_many_strips_or_one_is_exact(size: tuple[int, int], channels: int) -> None:
    samples = noise(*size) if channels == 3 else np.ascontiguousarray(noise(*size)[..., 0])
    image = Image.open(io.BytesIO(encode(samples, format="tiff")))
    assert image.mode == ("RGB" if channels == 3 else "L")
    assert np.array_equal(np.asarray(image), samples)


def test_an_output_says_that_it_is_srgb_and_a_mask_says_nothing_of_colour() -> None:
    rgb, alpha = product(64, 48)
    image = Image.open(io.BytesIO(encode(rgb, alpha, format="tiff")))
    profile = ImageCms.getOpenProfile(io.BytesIO(image.info["icc_profile"]))
    assert ImageCms.getProfileDescription(profile).strip() == "sRGB"
    usual = ImageCms.createProfile("sRGB")
    through = ImageCms.profileToProfile(image.convert("RGB"), profile, usual)
    assert np.abs(np.asarray(through).astype(int) - np.asarray(image.convert("RGB"))).max() <= 1
    assert "icc_profile" not in Image.open(io.BytesIO(encode(alpha, format="tiff"))).info


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_block_of_exif_lies_in_the_directory_of_an_output(order: str) -> None:
    exif = Image.Exif()
    exif.endian = order
    exif[0x110], exif[0x13B] = "Model 1", "A. Person, and all those others who were there"
    exif.get_ifd(0x8769)[0x9003] = "2026:03:01 10:20:30"
    picture = decode(as_jpeg(photo(64, 48), exif=exif))
    image = Image.open(io.BytesIO(encode(picture.rgb, format="tiff", exif=picture.exif)))
    assert np.array_equal(np.asarray(image), picture.rgb)
    said = image.getexif()
    assert (said[0x110], said[0x13B], said.get_ifd(0x8769)[0x9003]) == (exif[0x110], exif[0x13B], "2026:03:01 10:20:30")


def test_an_output_is_no_larger_than_by_libtiff() -> None:
    rgb, alpha = product(640, 480)
    out = io.BytesIO()
    Image.fromarray(np.dstack([rgb, alpha])).save(out, "TIFF", compression="tiff_lzw", tiffinfo={317: 2})
    assert len(encode(rgb, alpha, format="tiff")) < len(out.getvalue())
