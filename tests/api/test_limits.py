"""An endpoint with narrower limits than the service names them in its errors, with an endpoint that takes the photo."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packshot.api.ailab.cutouts import CUTOUTS, HD, PRODUCT, Cutout
from packshot.api.app import DIALECTS
from packshot.api.limits import WIDEST, in_words, pointing_on
from packshot.core.codecs import FORMATS, Limits, encode, probe
from packshot.errors import InputError
from packshot.service.build import CONTRACT_FORMATS, CONTRACT_PNG_DEPTHS, native_limits
from tests.contract.envelope import failure
from tests.kit import files
from tests.kit.images import FOREIGN, as_jpeg, as_png, good, padded, photo
from tests.kit.orientations import STORED
from tests.kit.server import Running

PHOTOS = {
    "jpeg": good("jpeg", 64, 48),
    "a turned jpeg": as_jpeg(photo(64, 48), exif=b"Exif\0\0" + files.exif_block(6)),
    "png": good("png", 64, 48),
    "a gray png": as_png(photo(64, 48)[..., 0]),
    "webp": encode(photo(64, 48), format="webp"),
    "tiff": encode(photo(64, 48), format="tiff"),
    "gif": FOREIGN["gif"](),
}
wanted = st.builds(
    Limits,
    max_bytes=st.sampled_from([100, 5000, 100_000]),
    max_side_px=st.none() | st.integers(40, 70),
    min_side_px=st.integers(32, 52),
    max_pixels=st.sampled_from([64 * 48 - 1, 64 * 48, 50_000_000]),
    formats=st.frozensets(st.sampled_from(sorted(FORMATS)), min_size=1),
    png_depths=st.sampled_from([None, CONTRACT_PNG_DEPTHS]),
)


@pytest.mark.slow
@pytest.mark.parametrize("name", PHOTOS)
@given(narrow=wanted, wide=wanted)
@settings(max_examples=40)
def test_what_is_taken_elsewhere_is_sent_there_and_nothing_is_for_the_same_reason(
    name: str, narrow: Limits, wide: Limits
) -> None:
    data, wide = PHOTOS[name], replace(wide, max_side_px=None, png_depths=None)
    refused, refused_there = refusal(data, narrow), refusal(data, wide)
    if refused is None:
        return
    told = pointing_on(refused, narrow, wide)
    assert (type(told), told.message, told.fields) == (type(refused), refused.message, refused.fields)
    assert told.hint.startswith(refused.hint)
    pointed = WIDEST in told.hint
    assert pointed or refused_there is not None
    assert not pointed or type(refused_there) is not type(refused)


def refusal(data: bytes, limits: Limits) -> InputError | None:
    try:
        probe(data, limits)
    except InputError as error:
        return error
    return None


def test_other_errors_stay_as_they_are() -> None:
    wide = Limits()
    for data in (b"", b"%PDF-1.7", b"\xff\xd8\xff" + b"x" * 100, files.png_header(64, 64, 2, 8)):
        refused = refusal(data, Limits(formats=CONTRACT_FORMATS))
        assert refused is not None
        assert pointing_on(refused, Limits(formats=CONTRACT_FORMATS), wide) is refused


@given(limits=wanted)
@settings(max_examples=30)
def test_limits_in_words_name_each_figure_and_each_format_that_is_read_here(limits: Limits) -> None:
    words = in_words(limits)
    for name, row in FORMATS.items():
        assert (row.title in words) == (name in limits.formats and row.available)
    assert f"{limits.min_side_px}" in words
    assert limits.max_side_px is None or f"to {limits.max_side_px} px" in words


@pytest.mark.parametrize(
    ("count", "words"),
    [(3 << 20, "3 MB"), (50 << 20, "50 MB"), ((3 << 20) - 1, "2.9 MB"), (1024, "1 kB"), (500_000, "488.2 kB")],
)
def test_sizes_are_never_rounded_up(count: int, words: str) -> None:
    assert f"of at most {words}" in in_words(Limits(max_bytes=count))


def test_every_endpoint_with_narrower_limits_declares_them(running: Running) -> None:
    """Covers the endpoints that make a packshot from a photo; a check makes none, and has its own messages."""
    wide = native_limits(running.service.settings)
    for dialect in DIALECTS:
        for endpoint in dialect.endpoints:
            if endpoint.limits is not None:
                assert endpoint.limits(running.service.settings) != wide
    declared = {path for each in DIALECTS for endpoint in each.endpoints if endpoint.limits for path in endpoint.paths}
    assert declared == {path for cutout in (*CUTOUTS, HD) for path in cutout.paths}


@pytest.mark.slow
@pytest.mark.parametrize("cutout", [*CUTOUTS, HD], ids=lambda each: each.operation_id)
def test_the_vendors_endpoints_say_what_they_take_and_where_the_rest_goes(running: Running, cutout: Cutout) -> None:
    path, limits, key = cutout.paths[-1], cutout.limits(running.service.settings), running.new_key()
    assert limits.max_bytes is not None
    assert limits.max_side_px is not None
    here, there = f"This endpoint accepts {in_words(limits)}.", in_words(native_limits(running.service.settings))
    heavy, wide = bytes(limits.max_bytes + 1), good("jpeg", 64, limits.max_side_px + 1)
    for answer, status, code in (
        (running.send(heavy, path=path, key=key), 413, "FILE_SIZE_EXCEEDS_LIMIT"),
        (running.send(wide, path=path, key=key), 422, "FILE_RESOLUTION_EXCEEDS_LIMITS"),
        (running.send(PHOTOS["tiff"], path=path, key=key), 415, "UNSUPPORTED_FILE_TYPES"),
    ):
        words = failure(answer, status, code)
        assert here in words
        assert f"{WIDEST} with the same key: it accepts {there}." in words
    assert WIDEST not in failure(running.send(b"%PDF-1.7 " * 50, path=path, key=key), 415, "UNSUPPORTED_FILE_TYPES")
    taken = running.http.post(WIDEST, files={"image": wide}, headers={"x-api-market-key": key})
    assert taken.status_code == 200


@pytest.mark.slow
def test_the_headline_endpoint_says_its_limits_in_figures(running: Running) -> None:
    words = failure(running.send(bytes(20 << 20)), 413, "ERROR_REQUEST_BODY_TOO_LARGE")  # rejected by its head
    assert "JPEG, PNG or BMP of at most 3 MB with sides of 32 to 1999 px" in words
    assert re.search(r"/v1/packshots.* of at most 50 MB and 50 million pixels", words)
    assert "gray" in failure(running.send(PHOTOS["a gray png"]), 415, "ERROR_UNSUPPORTED_GRAYSCALE_IMAGE")
    assert WIDEST in failure(running.send(PHOTOS["a gray png"]), 415, "ERROR_UNSUPPORTED_GRAYSCALE_IMAGE")
    too_much = padded(good("jpeg"), 50 * (1 << 20) + 100_000)
    assert WIDEST not in failure(running.send(too_much), 413, "ERROR_REQUEST_BODY_TOO_LARGE")


@pytest.mark.parametrize("orientation", STORED)
def test_sides_in_an_answer_are_those_of_the_upright_photo(running: Running, orientation: int) -> None:
    side = PRODUCT.limits(running.service.settings).max_side_px
    assert side is not None
    stored = STORED[orientation](photo(side + 5, 40))
    data = as_jpeg(stored.copy(), exif=b"Exif\0\0" + files.exif_block(orientation))
    assert f"{side + 5}x40 px" in failure(running.send(data), 422, "FILE_RESOLUTION_EXCEEDS_LIMITS")
