"""Odd but harmless JPEGs, damaged JPEGs, and the difference between the two."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import pytest
import simplejpeg
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from packshot.core.codecs import decode
from packshot.errors import UnreadableImage, UnsupportedFormat
from tests.kit import files, jpegs
from tests.kit.images import as_jpeg, good, photo

PHOTO = photo(96, 80)
RESTARTS = {"none": {}, "one a row": {"restart_marker_rows": 1}, "one in 3": {"restart_marker_blocks": 3}}
NOT_FF = st.binary(min_size=1, max_size=60).map(lambda noise: noise.replace(b"\xff", b"\x7f"))

restarts = st.sampled_from(sorted(RESTARTS))
factor = st.tuples(st.integers(1, 4), st.integers(1, 4))


def smooth(channels: int, width: int = 75, height: int = 53) -> np.ndarray:
    """uint8 (height, width, channels) that loses little detail at a quarter of its resolution."""
    small = np.random.default_rng(channels).integers(40, 215, (3, 4, channels), np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC).reshape(height, width, channels)


def whole(restart: str, **options: object) -> bytes:
    return as_jpeg(PHOTO, **RESTARTS[restart], **options)


@cache
def encoded_once(channels: int, restart: int) -> bytes:
    """A JPEG with sampling factors that only the second decoder reads."""
    return jpegs.encoded(smooth(channels), [(3, 1), (1, 1), (1, 1), (1, 1)][:channels], restart=restart)


def assert_refused_or_same(data: bytes, good_file: bytes) -> None:
    try:
        picture = decode(data)
    except UnreadableImage:
        return
    assert np.abs(picture.rgb.astype(int) - decode(good_file).rgb).mean() < 0.5


# --- Parts that do not affect the pixels


@given(st.binary(min_size=3, max_size=3), restarts)
@settings(max_examples=20)
def test_any_parameters_of_a_baseline_scan_are_read_as_the_only_ones_possible(said: bytes, restart: str) -> None:
    data = whole(restart)
    place = data.index(b"\xff\xda") + 4 + 1 + 6
    assert np.array_equal(decode(data[:place] + said + data[place + 3 :]).rgb, decode(data).rgb)


@given(st.lists(st.integers(0, 255), min_size=3, max_size=3), st.booleans(), st.booleans())
@example([1, 1, 1], False, True)
@example([0, 0, 5], False, False)
@settings(max_examples=20)
def test_channels_may_have_any_names(names: list[int], apart: bool, stray: bool) -> None:
    data = jpegs.encoded(smooth(3), [(1, 1)] * 3, apart=apart, adobe=1)
    named = jpegs.encoded(smooth(3), [(1, 1)] * 3, apart=apart, adobe=1, names=names)
    assume(not apart or len(set(names)) == 3)
    assert np.array_equal(decode(named[:-2] + b"stray bytes" * stray + named[-2:]).rgb, decode(data).rgb)


@pytest.mark.slow
@pytest.mark.parametrize("channels", [3, 4])
@given(transform=st.integers(0, 255), rest=st.binary(max_size=9))
@settings(max_examples=20)
def test_an_unknown_adobe_transform_means_the_usual_one(channels: int, transform: int, rest: bytes) -> None:
    known, usual = ({0, 1}, 1) if channels == 3 else ({0, 2}, 2)
    assume(transform not in known)
    data = jpegs.encoded(smooth(channels), [(1, 1)] * channels, adobe=usual)
    place = data.index(b"Adobe") + 11
    odd = data[:place] + bytes([transform]) + data[place + 1 :]
    assert np.array_equal(decode(odd).rgb, decode(data).rgb)
    segment = files.jpeg_segment(0xEE, b"Adobe\0\x64\0\0\0\0" + bytes([transform]) + rest)
    assert np.array_equal(decode(files.with_segments(data, segment)).rgb, decode(data).rgb)


@given(st.lists(st.tuples(st.integers(0, 30), NOT_FF), min_size=1, max_size=6), restarts)
@example([(0, b"\xff\x01"), (1, b"a\xff\xff\xff"), (2, b"\xff\x02\x03")], "one a row")
@example([(0, b"\xff\xd0"), (1, b"\0" * 3000), (2, b"\xff\0\xff\0\xff\0")], "one a row")
@example([(number, b"\x55") for number in range(30)], "one in 3")
@settings(max_examples=60)
def test_stray_bytes_before_any_marker_change_nothing(strays: list[tuple[int, bytes]], restart: str) -> None:
    data = whole(restart)
    assert np.array_equal(decode(jpegs.with_strays(data, strays)).rgb, decode(data).rgb)


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
def test_stray_bytes_are_found_in_every_scan(channels: int, apart: bool) -> None:
    data = jpegs.encoded(smooth(channels), [(2, 1), (1, 1), (1, 1)][:channels], restart=3, apart=apart)
    odd = data
    for found in reversed(jpegs.markers(data)[:-1]):
        odd = odd[:found] + b"some stray bytes" + odd[found:]
    assert np.array_equal(decode(odd).rgb, decode(data).rgb)


@given(restarts, st.integers(1, 2), st.one_of(st.just(b""), NOT_FF, st.binary(max_size=3000)))
@example("none", 2, b"SEFH" + bytes(60) + b"SEFT")
@example("none", 2, b"\xff\xd8\xff\xe1\xff\xff")
@example("none", 0, b"\xff\xd8\xff\xe1\xff\xff\xff\xda\0\x0c\1")
@settings(max_examples=40)
def test_a_scan_that_has_all_its_blocks_needs_no_end(restart: str, missing: int, trailer: bytes) -> None:
    data = whole(restart)
    assert np.array_equal(decode(data[: len(data) - missing] + trailer).rgb, decode(data).rgb)


@pytest.mark.parametrize("apart", [False, True])
def test_scans_after_the_end_are_another_pictures(apart: bool) -> None:
    first = jpegs.encoded(smooth(3), [(1, 1)] * 3, apart=apart)
    other = as_jpeg(photo(320, 240, seed=1), progressive=True)
    assert np.array_equal(decode(first + other * 30).rgb, decode(first).rgb)


# --- Missing parts


@given(st.integers(3, 2000), restarts, st.booleans(), st.sampled_from([b"", b"\xff\xd9", bytes(9000), b"\xff" * 99]))
@settings(max_examples=100)
def test_no_cut_gives_a_picture_with_a_part_missing(cut: int, restart: str, progressive: bool, filling: bytes) -> None:
    data = whole(restart, progressive=progressive)
    assert_refused_or_same(data[: max(3, len(data) - cut)] + filling, data)


@given(st.integers(0, 10**6), st.integers(1, 4), restarts)
@settings(max_examples=60)
def test_an_interval_that_is_lost_is_missed(place: int, lost: int, restart: str) -> None:
    assume(restart != "none")
    data = whole(restart)
    places = jpegs.markers(data)
    first = place % (len(places) - 1)
    with pytest.raises(UnreadableImage):
        decode(data[: places[first]] + data[places[min(first + lost, len(places) - 1)] :])


@pytest.mark.parametrize("number", range(1, 10))
def test_a_progressive_picture_lacks_its_last_scans(number: int) -> None:
    data = as_jpeg(PHOTO, progressive=True)
    with pytest.raises(UnreadableImage, match="picture data end after"):
        decode(data[: jpegs.scans(data)[number]] + b"\xff\xd9")


def test_a_progressive_picture_without_its_end_cannot_be_proven_whole() -> None:
    with pytest.raises(UnreadableImage, match="more must follow"):
        decode(as_jpeg(PHOTO, progressive=True)[:-2])


@pytest.mark.parametrize("scans", [1, 2])
def test_a_baseline_picture_lacks_a_colour(scans: int) -> None:
    data = jpegs.encoded(smooth(3), [(1, 1)] * 3, apart=True)
    with pytest.raises(UnreadableImage, match="more must follow"):
        decode(data[: jpegs.scans(data)[scans]] + b"\xff\xd9")


def test_noise_is_not_taken_for_stray_bytes() -> None:
    """A decoder that has lost its place ends early in half of the files, with bytes left over. Some noise is
    undetectable.
    """
    data, wrong = as_jpeg(photo(320, 240), restart_marker_rows=5), 0
    random = np.random.default_rng(5)
    start, over = data.index(b"\xff\xda") + 14, 0
    for _ in range(60):
        place = int(random.integers(start, len(data) - 70))
        noisy = data[:place] + random.bytes(64).replace(b"\xff", b"\0") + data[place + 64 :]
        over += _leaves_bytes_over(noisy)
        try:
            decode(noisy)
            wrong += _leaves_bytes_over(noisy)
        except UnreadableImage:
            pass
    assert over >= 10
    assert wrong <= over / 3


def _leaves_bytes_over(data: bytes) -> bool:
    try:
        simplejpeg.decode_jpeg(data)
    except ValueError as error:
        return "extraneous" in str(error)
    return False


# --- Sampling factors


@pytest.mark.slow
@given(st.lists(factor, min_size=3, max_size=4), st.integers(0, 5), st.booleans())
@example([(3, 1), (1, 1), (1, 1)], 0, False)
@example([(4, 2), (1, 1), (1, 1)], 2, False)
@example([(2, 2), (1, 1), (1, 1), (1, 1)], 0, False)
@example([(1, 1), (2, 2), (2, 2)], 0, False)
@example([(4, 4), (1, 1), (2, 4), (1, 2)], 3, True)
@settings(max_examples=40)
def test_any_sampling_factors(factors: list[tuple[int, int]], restart: int, apart: bool) -> None:
    channels = len(factors)
    apart = apart or sum(across * down for across, down in factors) > 10  # the maximum number of blocks in an MCU
    planes = smooth(channels)
    data = jpegs.encoded(planes, factors, restart=restart, apart=apart, adobe=0)
    if any(max(each[way] for each in factors) % one[way] for one in factors for way in (0, 1)):
        with pytest.raises(UnsupportedFormat, match="full resolution"):
            decode(data)
        return
    stored = planes if channels == 3 else np.asarray(Image.fromarray(255 - planes, "CMYK").convert("RGB"))
    assert np.abs(decode(data).rgb.astype(int) - stored).mean() < 8
    usual = decode(jpegs.encoded(planes, [(1, 1)] * channels, adobe=0)).rgb.astype(int)
    assert np.abs(decode(data).rgb - usual).mean() < 6


@given(st.integers(3, 3000), st.sampled_from([b"", b"\xff\xd9"]), st.integers(0, 4), st.sampled_from([3, 4]))
@settings(max_examples=40)
def test_the_second_decoder_is_as_strict(cut: int, end: bytes, restart: int, channels: int) -> None:
    data = encoded_once(channels, restart)
    assert_refused_or_same(data[: max(3, len(data) - cut)] + end, data)


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("adobe", [None, 0, 1, 2])
def test_both_decoders_take_colours_for_the_same(channels: int, adobe: int | None) -> None:
    planes = smooth(channels)
    one, other = (
        decode(jpegs.encoded(planes, [(across, 1), *[(1, 1)] * (channels - 1)], adobe=adobe)).rgb.astype(int)
        for across in (1, 3)
    )
    assert np.abs(one - other).mean() < 6


# --- Colour tags


def _pieces(profile: bytes, count: int) -> list[bytes]:
    step = -(-len(profile) // count)
    return [profile[start : start + step] for start in range(0, len(profile), step)]


STYLES = {
    "right": lambda pieces: [(number + 1, len(pieces), piece) for number, piece in enumerate(pieces)],
    "from 0": lambda pieces: [(number, len(pieces), piece) for number, piece in enumerate(pieces)],
    "from 0, last as total": lambda pieces: [(number, len(pieces) - 1, piece) for number, piece in enumerate(pieces)],
    "wrong total": lambda pieces: [(number + 1, len(pieces) + 3, piece) for number, piece in enumerate(pieces)],
    "no total": lambda pieces: [(number + 1, 0, piece) for number, piece in enumerate(pieces)],
    "all alike": lambda pieces: [(1, 1, piece) for piece in pieces],
    "backwards": lambda pieces: [(number + 1, len(pieces), piece) for number, piece in enumerate(pieces)][::-1],
    "twice": lambda pieces: [(number + 1, len(pieces), piece) for number, piece in enumerate(pieces)] * 2,
    "each twice": lambda pieces: [
        (number + 1, 2 * len(pieces), piece) for number, piece in enumerate(pieces) for _ in range(2)
    ],
}


@pytest.mark.parametrize("style", STYLES)
@given(count=st.integers(1, 7))
@settings(max_examples=7)
def test_a_profile_is_used_however_its_pieces_are_numbered(style: str, count: int) -> None:
    profile = files.rgb_profile()
    numbered = STYLES[style](_pieces(profile, count))
    blocks = [
        files.jpeg_segment(0xE2, b"ICC_PROFILE\0" + bytes([number, total]) + piece) for number, total, piece in numbered
    ]
    expected = decode(as_jpeg(photo(160, 120), icc_profile=profile)).rgb
    assert not np.array_equal(expected, decode(good("jpeg")).rgb)
    assert np.array_equal(decode(files.with_segments(good("jpeg"), *blocks)).rgb, expected)


# --- Work


ALL = (0, 1, 2)


def refining(bits: int) -> list[tuple[tuple[int, ...], int, int, int, int]]:
    """Every coefficient of every channel, then once more per bit."""
    first = [(ALL, 0, 0, 0, 0), *(((each,), 1, 63, 0, bits) for each in ALL)]
    return first + [((each,), 1, 63, bit + 1, bit) for bit in range(bits - 1, -1, -1) for each in ALL]


@pytest.mark.parametrize("bits", [0, 1, 3, 13])
def test_scans_that_pass_over_the_picture_too_often_are_refused(bits: int) -> None:
    passes = 2 + bits
    scans = refining(bits)
    data = jpegs.flat_progressive(64, 48, scans)
    if bits < 13:
        assert (decode(data).rgb == 128).all(), passes
        return
    scans += [(ALL, 0, 0, 0, 0)] * 2
    with pytest.raises(UnreadableImage, match="scans"):
        decode(jpegs.flat_progressive(64, 48, scans))


def test_a_scan_for_each_coefficient_is_refused_by_its_number() -> None:
    scans = [(ALL, 0, 0, 0, 0), *(((channel,), k, k, 0, 0) for channel in ALL for k in range(1, 64))]
    with pytest.raises(UnreadableImage, match="scans"):
        decode(jpegs.flat_progressive(64, 48, scans))


def test_tables_without_end_between_scans_are_refused() -> None:
    data = jpegs.encoded(smooth(3), [(1, 1)] * 3, apart=True)
    place = jpegs.scans(data)[1]
    table = files.jpeg_segment(0xDB, b"\0" + b"\4" * 64)
    assert np.array_equal(decode(data[:place] + table * 100 + data[place:]).rgb, decode(data).rgb)
    with pytest.raises(UnreadableImage, match="more than"):
        decode(data[:place] + table * 3000 + data[place:])
