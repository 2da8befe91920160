"""Bad and odd files through the socket: the right status, a helpful message, little time and memory, never a 500."""

from __future__ import annotations

import re
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from packshot import errors
from packshot.core.picture import Float32
from tests.contract.envelope import failure, success_url
from tests.kit import files
from tests.kit.images import FOREIGN, ODD, REFUSED, good
from tests.kit.server import Running

FAULTS = {
    errors.EmptyFile: (400, "PARAMETERS_CANNOT_EMPTY"),
    errors.UnreadableImage: (400, "FILE_DECODING_FAILURE"),
    errors.UnsupportedFormat: (415, "UNSUPPORTED_FILE_TYPES"),
    errors.ImageTooLarge: (422, "FILE_RESOLUTION_EXCEEDS_LIMITS"),
    errors.ImageTooSmall: (422, "ERROR_LOW_RESOLUTION"),
}
# The contract's own rules override the table for all entry points: no WebP, no gray PNG.
BY_CONTRACT = {
    "webp": (415, "UNSUPPORTED_FILE_TYPES"),
    "20000x20000 gray": (415, "ERROR_UNSUPPORTED_GRAYSCALE_IMAGE"),
    "palette": (415, "UNSUPPORTED_FILE_TYPES"),
}
ACCEPTED_DEPTHS = {(2, 8), (2, 16), (6, 8)}  # 24, 48 and 32 bits per pixel
NOTHING_IN_IT = "ERROR_NO_RECOGNITION_TARGET_DETECTED"
CPU_S = 1.0
PEAK_BYTES = 200 * 1024 * 1024


def expected(name: str, kind: type[errors.InputError], data: bytes) -> tuple[int, str]:
    largest = 3 * 1024 * 1024 + 64 * 1024
    if len(data) > largest:
        return 413, "ERROR_REQUEST_BODY_TOO_LARGE" if len(data) > 4 * largest else "FILE_SIZE_EXCEEDS_LIMIT"
    return next((fault for part, fault in BY_CONTRACT.items() if part in name), FAULTS[kind])


def peak_bytes() -> int:
    """The peak memory of this process, including the server, since `reset_peak`."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return 1024 * int(found[1])


def reset_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


@pytest.mark.slow
def test_every_bad_file_gets_its_status_in_little_time_and_memory(running: Running) -> None:
    groups = [*REFUSED.items(), (errors.UnsupportedFormat, FOREIGN)]
    made = [(name, kind, make()) for kind, group in groups for name, make in group.items()]
    table = [(name, expected(name, kind, data), data) for name, kind, data in made]
    key = running.new_key(len(table))
    reset_peak()
    before = peak_bytes()
    for name, (status, code), data in table:
        started = time.process_time()  # CPU time of server and client, so a busy machine does not affect it
        response = running.send(data, key=key)
        took_s = time.process_time() - started
        assert (name, response.status_code, response.json()["error_detail"]["code"]) == (name, status, code)
        words = failure(response, status, code)
        assert len(re.findall(r"[.;]( |$)", words)) >= 2, f"{name}: {words} states what happened, but not what to do"
        assert took_s < CPU_S, f"{name} took {took_s:.1f} s"
    assert peak_bytes() - before < PEAK_BYTES
    assert running.credits_of(key) == len(table)  # none of them cost anything
    success_url(running.send(good("jpeg"), key=key))


@pytest.mark.slow
def test_odd_files_are_served_or_refused_with_words(running: Running, oval: None) -> None:
    reset_peak()
    before = peak_bytes()
    for name, make in ODD.items():
        response = running.send(make())
        if response.status_code == 200:
            assert name not in {"all black", "all white"}
            assert running.http.get(success_url(response)).status_code == 200, name
            continue
        code = response.json()["error_detail"]["code"]
        # Some bombs decode to one colour, like the pictures of one colour.
        assert code == ("UNSUPPORTED_FILE_TYPES" if "webp" in name else NOTHING_IN_IT), (name, response.text)
    assert peak_bytes() - before < PEAK_BYTES


@pytest.mark.parametrize(("colour_type", "bit_depth"), files.PNG_DEPTHS)
def test_every_png_depth_is_accepted_or_refused_as_the_contract_says(
    running: Running, oval: None, colour_type: int, bit_depth: int
) -> None:
    samples = np.random.default_rng(1).integers(0, 1 << bit_depth, (40, 40, files.PNG_CHANNELS[colour_type]))
    palette = files.png_chunk(b"PLTE", bytes(3 << bit_depth)) if colour_type == 3 else b""
    response = running.send(files.raw_png(samples, colour_type, bit_depth, palette))
    if (colour_type, bit_depth) in ACCEPTED_DEPTHS:
        success_url(response)
        return
    code = "ERROR_UNSUPPORTED_GRAYSCALE_IMAGE" if colour_type in {0, 4} else "UNSUPPORTED_FILE_TYPES"
    assert f"{bit_depth} bits per channel" in failure(response, 415, code)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A valid file with some bytes overwritten, removed, inserted or repeated."""
    data = bytearray(good(draw(st.sampled_from(["jpeg", "png", "bmp"])), 64, 48))
    for _ in range(draw(st.integers(1, 5))):
        # Headers are the most dangerous part: half of the changes hit the first bytes.
        start = draw(st.integers(0, 80) | st.integers(0, len(data) - 1))
        end = start + draw(st.integers(0, 8))
        data[start:end] = draw(st.binary(max_size=8) | st.just(bytes(data[start:end]) * 2))
    return bytes(data)


@pytest.mark.slow
@given(data=mutated())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_mutation_of_a_valid_file_is_a_500(running: Running, oval: None, data: bytes) -> None:
    response = running.send(data)
    assert response.status_code in {200, 400, 413, 415, 422}, response.text


@pytest.fixture
def oval(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that returns an oval in the middle at once: these tests cover the rest of the pipeline."""

    def predict(rgb: Float32) -> Float32:
        y, x = np.meshgrid(*(np.linspace(-1, 1, length, dtype=np.float32) for length in rgb.shape[2:]), indexing="ij")
        return np.clip(4 * (0.7 - np.hypot(x, y)), 0, 1)

    monkeypatch.setattr(running.service.network, "predict", predict)
