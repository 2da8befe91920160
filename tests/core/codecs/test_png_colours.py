"""A PNG's colours: which chunk takes precedence, and the result, by the definitions in float64."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from packshot.core.codecs import colour, decode, png_metadata
from packshot.errors import UnsupportedFormat
from tests.kit import files
from tests.kit.heifs import as_avif, with_primaries
from tests.kit.images import photo

Points = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]
WHITE = (0.3127, 0.3290)
SRGB: Points = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
ADOBE: Points = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
P3: Points = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
BT_2020: Points = ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046))
BT_601: Points = ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070))

LATTICE = np.stack(np.meshgrid(*[np.arange(0, 256, 15)] * 3), axis=-1).reshape(-1, 54, 3)
GRAYS = np.tile(np.arange(256), (40, 1))


def curved(linear: np.ndarray) -> np.ndarray:
    linear = np.clip(linear, 0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def linear_of(signal: np.ndarray) -> np.ndarray:
    return np.where(signal <= 0.04045, signal / 12.92, ((signal + 0.055) / 1.055) ** 2.4)


def to_xyz(points: Points) -> np.ndarray:
    """Both spaces have the same white, so no adaptation is needed (SMPTE RP 177)."""
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in points]).T
    white = np.array([WHITE[0] / WHITE[1], 1, (1 - sum(WHITE)) / WHITE[1]])
    return columns * np.linalg.solve(columns, white)


def expected(samples: np.ndarray, points: Points = SRGB, gamma: float | None = None, full: int = 255) -> np.ndarray:
    signal = samples / full
    linear = signal**gamma if gamma else linear_of(signal)
    return curved(linear @ (np.linalg.inv(to_xyz(SRGB)) @ to_xyz(points)).T if samples.ndim == 3 else linear)


def gama(value: int) -> bytes:
    return files.png_chunk(b"gAMA", struct.pack(">I", value))


def chrm(points: Points, white: tuple[float, float] = WHITE) -> bytes:
    numbers = [round(100_000 * value) for point in (white, *points) for value in point]
    return files.png_chunk(b"cHRM", struct.pack(">8I", *numbers))


def cicp(primaries: int, transfer: int, matrix: int = 0, full_range: int = 1) -> bytes:
    return files.png_chunk(b"cICP", bytes([primaries, transfer, matrix, full_range]))


def iccp(profile: bytes) -> bytes:
    return files.png_chunk(b"iCCP", b"named\0\0" + zlib.compress(profile))


def rgb_of(*chunks: bytes, samples: np.ndarray = LATTICE, colour_type: int = 2, bit_depth: int = 8) -> np.ndarray:
    channels = files.PNG_CHANNELS[colour_type]
    return decode(
        files.raw_png(samples.reshape(*samples.shape[:2], channels), colour_type, bit_depth, b"".join(chunks))
    ).rgb


def off(found: np.ndarray, right: np.ndarray) -> float:
    return float(np.abs(found - right).max())


# In order of precedence: the meaning of a chunk, and forms of it that have no effect.
MEANT: Mapping[str, tuple[bytes, np.ndarray]] = {
    "cICP": (cicp(12, 13), expected(LATTICE, P3)),
    "iCCP": (iccp(files.rgb_profile()), expected(LATTICE, ADOBE, files.ADOBE_GAMMA)),
    "sRGB": (files.png_chunk(b"sRGB", b"\0"), LATTICE),
}
SENSELESS = {
    "cICP": [cicp(2, 2), cicp(12, 13, matrix=1), cicp(0, 13), cicp(200, 13), files.png_chunk(b"cICP", b"\x0c\x0d")],
    "iCCP": [
        iccp(b"not a profile" * 20),
        iccp(files.gray_profile(1.0)),
        files.png_chunk(b"iCCP", b"named\0\0not a stream"),
        files.png_chunk(b"iCCP", b"named\0\0" + zlib.compress(files.rgb_profile())[:-9]),
        files.png_chunk(b"iCCP", b""),
    ],
    "sRGB": [files.png_chunk(b"sRGB", b"\x09"), files.png_chunk(b"sRGB", b"")],
    "gAMA": [gama(0), gama(1), gama((1 << 32) - 1), files.png_chunk(b"gAMA", b"\0\1")],
    "cHRM": [
        files.png_chunk(b"cHRM", bytes(32)),
        files.png_chunk(b"cHRM", b"\xff" * 32),
        files.png_chunk(b"cHRM", b"abc"),
        chrm(((0.3, 0.3), (0.3, 0.3), (0.3, 0.3))),
        chrm(P3, white=(0.7, 0.3)),
        chrm(((0.31, 0.33), (0.32, 0.33), (0.3, 0.34))),
    ],
}


def spoilt(chunk: bytes) -> bytes:
    return chunk[:-4] + bytes([chunk[-4] ^ 255]) + chunk[-3:]


state = st.sampled_from(["absent", "senseless", "damaged", "said", "said"])


@given(st.fixed_dictionaries(dict.fromkeys(["cICP", "iCCP", "sRGB", "gAMA", "cHRM"], state)), st.randoms())
@settings(max_examples=50)
def test_the_first_of_the_colour_chunks_that_says_something_is_obeyed(states: dict[str, str], random) -> None:
    good = {name: chunk for name, (chunk, _) in MEANT.items()} | {"gAMA": gama(100_000), "cHRM": chrm(BT_2020)}
    chunks = []
    for name, how in states.items():
        if how != "absent":
            chunks.append(
                random.choice(SENSELESS[name])
                if how == "senseless"
                else spoilt(good[name])
                if how == "damaged"
                else good[name]
            )
    random.shuffle(chunks)
    said = {name for name, how in states.items() if how == "said"}
    points, gamma = BT_2020 if "cHRM" in said else SRGB, 1.0 if "gAMA" in said else None
    right = next((means for name, (_, means) in MEANT.items() if name in said), expected(LATTICE, points, gamma))
    assert off(rgb_of(*chunks), right) < 1.5


@given(st.sampled_from(["cICP", "iCCP", "gAMA", "cHRM"]), st.booleans())
@settings(max_examples=20)
def test_colours_behind_the_palette_or_the_pixels_say_nothing(name: str, behind_pixels: bool) -> None:
    """PNG, section 5.6: the chunk must come before both. A picture without a palette may suggest one."""
    chunk = {**{each: said for each, (said, _) in MEANT.items()}, "gAMA": gama(100_000), "cHRM": chrm(BT_2020)}[name]
    palette = files.png_chunk(b"PLTE", bytes(range(9)))
    if behind_pixels:
        whole = files.raw_png(LATTICE, 2, 8)
        assert np.array_equal(decode(whole[:-12] + chunk + whole[-12:]).rgb, LATTICE)
    else:
        assert np.array_equal(rgb_of(palette, chunk), LATTICE)
    assert off(rgb_of(chunk, palette), LATTICE) > 2


@given(st.sampled_from([0, 2, 3]))
@settings(max_examples=10)
def test_a_transparent_colour_behind_the_pixels_says_nothing(colour_type: int) -> None:
    samples = np.zeros((40, 40, files.PNG_CHANNELS[colour_type]), np.uint8)
    palette = files.png_chunk(b"PLTE", bytes(6)) if colour_type == 3 else b""
    key = files.png_chunk(b"tRNS", bytes({0: 2, 2: 6, 3: 1}[colour_type]))
    whole = files.raw_png(samples, colour_type, 8, palette)
    assert decode(whole[:-12] + key + whole[-12:]).alpha is None
    assert decode(files.raw_png(samples, colour_type, 8, palette + key)).alpha is not None


@pytest.mark.parametrize("extra", [b"", files.png_chunk(b"sRGB", b"\0"), iccp(files.rgb_profile())])
@pytest.mark.parametrize("transfer", [16, 18])
def test_high_dynamic_range_is_refused_in_the_words_of_avif(transfer: int, extra: bytes) -> None:
    with pytest.raises(UnsupportedFormat, match=r"high dynamic range \(PQ or HLG\)") as caught:
        rgb_of(extra, cicp(9, transfer))
    with pytest.raises(UnsupportedFormat) as avif:
        decode(with_primaries(as_avif(photo(64, 48)), 9, transfer))
    assert (caught.value.message, caught.value.hint) == (avif.value.message, avif.value.hint)


@pytest.mark.parametrize("transfer", [1, 6, 13, 14, 15])
def test_what_is_srgb_by_number_changes_no_pixel(transfer: int) -> None:
    assert np.array_equal(rgb_of(cicp(1, transfer)), LATTICE)


@pytest.mark.parametrize(("transfer", "gamma"), [(13, None), (1, None), (4, 2.2), (5, 2.8), (8, 1.0)])
@pytest.mark.parametrize(("primaries", "points"), [(1, SRGB), (6, BT_601), (7, BT_601), (9, BT_2020), (12, P3)])
def test_colours_by_number(primaries: int, points: Points, transfer: int, gamma: float | None) -> None:
    assert off(rgb_of(cicp(primaries, transfer)), expected(LATTICE, points, gamma)) < 0.6


@pytest.mark.parametrize("bit_depth", [8, 16])
def test_a_narrow_range_is_stretched(bit_depth: int) -> None:
    unit = 1 << bit_depth - 8
    samples = np.tile(np.array([0, 16, 126, 235, 255]) * unit, (40, 8))
    found = rgb_of(cicp(1, 13, full_range=0), samples=np.dstack([samples] * 3), bit_depth=bit_depth)
    assert off(found[0, :5, 0], np.array([0, 0, 255 * 110 / 219, 255, 255])) < 0.6


@given(
    st.floats(0.5, 3.0),
    st.tuples(st.floats(0.6, 0.69), st.floats(0.27, 0.31)),
    st.tuples(st.floats(0.1, 0.3), st.floats(0.58, 0.7)),
    st.tuples(st.floats(0.1, 0.18), st.floats(0.01, 0.1)),
    st.sampled_from([(2, 8), (2, 16), (6, 8), (0, 8), (0, 16), (4, 8)]),
)
@settings(max_examples=25)
@example(1.0, SRGB[0], SRGB[1], SRGB[2], (2, 16))
@example(2.19921875, *ADOBE, (2, 8))
def test_any_gamma_and_primaries_give_the_colours_that_they_define(
    gamma: float,
    red: tuple[float, float],
    green: tuple[float, float],
    blue: tuple[float, float],
    depth: tuple[int, int],
) -> None:
    value, full = round(100_000 / gamma), (1 << depth[1]) - 1
    points: Points = tuple((round(x, 5), round(y, 5)) for x, y in (red, green, blue))  # type: ignore[assignment]
    colours = (LATTICE if depth[0] in {2, 6} else GRAYS) * full // 255
    alpha = np.full(colours.shape[:2], full)
    samples = np.dstack([colours, alpha]) if depth[0] in {4, 6} else colours
    found = rgb_of(gama(value), chrm(points), samples=samples, colour_type=depth[0], bit_depth=depth[1])
    right = expected(colours, points, 100_000 / value, full)
    right = right if right.ndim == 3 else right[..., None]
    assert off(found, right) < 0.7


@pytest.mark.parametrize("value", [45_455, 45_454, 45_000, 46_000])
@pytest.mark.parametrize("beside", [b"", chrm(SRGB), chrm(((0.64, 0.33), (0.3, 0.6), (0.15, 0.061)), (0.3127, 0.3291))])
def test_the_gamma_that_is_written_for_srgb_changes_no_pixel(value: int, beside: bytes) -> None:
    assert np.array_equal(rgb_of(gama(value), beside), LATTICE)
    assert np.array_equal(rgb_of(gama(value), samples=GRAYS, colour_type=0)[..., 0], GRAYS)


@pytest.mark.parametrize("value", [100_000, 55_556, 50_000, 35_714])
def test_gamma_alone_bends_grays_and_colours_alike(value: int) -> None:
    assert off(rgb_of(gama(value)), expected(LATTICE, gamma=100_000 / value)) < 0.6
    grays = rgb_of(gama(value), samples=GRAYS, colour_type=0)
    assert off(grays, expected(GRAYS, gamma=100_000 / value)[..., None]) < 0.6


def test_the_dark_of_a_linear_picture_keeps_all_16_bits() -> None:
    samples = np.tile(np.arange(0, 2000, 25), (40, 1))
    found = rgb_of(gama(100_000), samples=samples, colour_type=0, bit_depth=16)
    assert off(found[..., 0], curved(samples / 65_535)) < 0.6


def test_a_palette_is_converted_too() -> None:
    colours = LATTICE.reshape(-1, 3)[::20][:256]
    samples = np.resize(np.arange(len(colours)), (40, 60, 1))
    plte = files.png_chunk(b"PLTE", colours.astype(np.uint8).tobytes())
    found = decode(files.raw_png(samples, 3, 8, cicp(12, 13) + plte)).rgb
    assert off(found, expected(colours[samples[..., 0]], P3)) < 0.6


def test_a_key_colour_is_found_before_colours_are_converted() -> None:
    key = files.png_chunk(b"tRNS", struct.pack(">H", 77))
    picture = decode(files.raw_png(GRAYS[..., None], 0, 8, gama(100_000) + key))
    assert np.array_equal(picture.alpha, np.where(GRAYS == 77, 0, 255))


@pytest.mark.parametrize("white", [(0.3457, 0.3585), (0.314, 0.351), (1 / 3, 1 / 3)])
def test_white_stays_white_whatever_the_white_was(white: tuple[float, float]) -> None:
    grays = np.dstack([GRAYS] * 3)
    assert off(rgb_of(gama(45_455), chrm(P3, white), samples=grays), expected(grays, gamma=100_000 / 45_455)) < 1.1


def test_a_picture_is_converted_strip_by_strip(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = rgb_of(cicp(12, 13))
    monkeypatch.setattr(colour, "_STRIP_PX", 7 * LATTICE.shape[1])
    assert np.array_equal(rgb_of(cicp(12, 13)), whole)


@pytest.mark.parametrize("primaries", [1, 5, 6, 7])
def test_numbers_that_phones_write_on_srgb_change_no_avif(primaries: int) -> None:
    plain = as_avif(photo(64, 48))
    assert np.array_equal(decode(with_primaries(plain, primaries)).rgb, decode(with_primaries(plain, 1)).rgb)


def test_notes_on_brightness_change_nothing() -> None:
    notes = files.png_chunk(b"mDCV", bytes(24)) + files.png_chunk(b"cLLI", bytes(8))
    assert np.array_equal(rgb_of(notes), LATTICE)
    assert png_metadata.exif([(b"mDCV", bytes(24))]) is None
