from __future__ import annotations

import math
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from packshot.core.geometry import Size, network_size
from packshot.core.picture import Float32
from packshot.engine.card import InputRule
from packshot.engine.network import load_network
from packshot.engine.weights import choose_default, embedded_model
from packshot.errors import BadSettings, ChecksumMismatch
from tests.engine.tiny_onnx import mean_graph, write_model

SHAPE = (64, 32)


def plain(red: float, green: float, blue: float) -> Float32:
    colour = np.array([red, green, blue], np.float32).reshape(1, 3, 1, 1)
    return np.ascontiguousarray(np.broadcast_to(colour, (1, 3, *SHAPE)))


def test_a_probability_is_the_matte(tmp_path: Path) -> None:
    matte = load_network(str(write_model(tmp_path))).predict(plain(0.1, 0.2, 0.6))
    assert matte.shape == SHAPE
    assert matte.dtype == np.float32
    np.testing.assert_allclose(matte, 0.3, atol=1e-6)


def test_an_unsure_network_is_not_stretched_to_sureness(tmp_path: Path) -> None:
    ramp = np.broadcast_to(np.linspace(0.45, 0.55, SHAPE[1], dtype=np.float32), (1, 3, *SHAPE)).copy()
    matte = load_network(str(write_model(tmp_path))).predict(ramp)
    np.testing.assert_allclose(matte, ramp[0, 0], atol=1e-6)


def test_mean_and_std_of_the_card_are_applied_by_channel(tmp_path: Path) -> None:
    rule = InputRule(64, 32, "longest", (0.1, 0.0, 0.5), (1.0, 2.0, 0.5))
    matte = load_network(str(write_model(tmp_path, input=rule))).predict(plain(0.4, 0.8, 0.6))
    np.testing.assert_allclose(matte, (0.3 + 0.4 + 0.2) / 3, atol=1e-6)


@pytest.mark.parametrize(("value", "expected"), [(0.5, 0.5), (0.502, 1 / (1 + math.exp(-2))), (0.0, 0.0), (1.0, 1.0)])
def test_a_logit_becomes_a_probability_without_overflow(tmp_path: Path, value: float, expected: float) -> None:
    rule = InputRule(64, 32, "longest", (0.5, 0.5, 0.5), (0.001, 0.001, 0.001))
    network = load_network(str(write_model(tmp_path, input=rule, output="logit")))
    np.testing.assert_allclose(network.predict(plain(value, value, value)), expected, atol=1e-4)


def test_a_matte_never_leaves_its_range(tmp_path: Path) -> None:
    rule = InputRule(64, 32, "longest", (0.5, 0.5, 0.5), (0.1, 0.1, 0.1))
    network = load_network(str(write_model(tmp_path, input=rule)))
    assert network.predict(plain(1, 1, 1)).max() == 1
    assert network.predict(plain(0, 0, 0)).min() == 0


def test_threads_share_a_network_without_mixing_their_pictures(tmp_path: Path) -> None:
    network = load_network(str(write_model(tmp_path)))
    shades = [index / 100 for index in range(100)]
    with ThreadPoolExecutor(4) as pool:
        mattes = list(pool.map(lambda shade: network.predict(plain(shade, shade, shade)), shades))
    np.testing.assert_allclose([matte.mean() for matte in mattes], shades, atol=1e-6)


def test_an_altered_graph_is_never_loaded(tmp_path: Path) -> None:
    path = write_model(tmp_path)
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(ChecksumMismatch):
        load_network(str(path))


@pytest.mark.parametrize("data", [b"", b"not a graph", mean_graph()[:-10]])
def test_what_the_runtime_cannot_load_is_a_fault_of_the_installation(tmp_path: Path, data: bytes) -> None:
    path = write_model(tmp_path, data)
    with pytest.raises(BadSettings, match=r"tiny\.onnx"):
        load_network(str(path))


@pytest.mark.parametrize("data", [mean_graph(height=96, width=96), mean_graph(axes=(1, 2))])
def test_a_graph_that_does_not_keep_to_its_card_is_refused(tmp_path: Path, data: bytes) -> None:
    network = load_network(str(write_model(tmp_path, data)))
    with pytest.raises(BadSettings, match="tiny"):
        network.predict(plain(0, 0, 0))


@pytest.mark.slow
@pytest.mark.parametrize("size", [Size(100, 100), Size(400, 100), Size(90, 1900)])
def test_the_embedded_network_takes_every_size_that_its_rule_gives(size: Size) -> None:
    network = load_network()
    rule = network.card.input
    width, height = network_size(size, side_px=rule.side_px, multiple=rule.multiple, fit=rule.fit)
    rgb = np.random.default_rng(1).random((1, 3, height, width), dtype=np.float32)
    matte = network.predict(rgb)
    assert matte.shape == (height, width)
    assert np.isfinite(matte).all()
    np.testing.assert_array_equal(matte, network.predict(rgb))


def test_importing_the_package_and_its_cards_loads_no_runtime() -> None:
    code = "import packshot, packshot.engine.weights, sys; sys.exit('onnxruntime' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_cuda_is_what_runs_or_an_error_that_says_what_is_missing(tmp_path: Path) -> None:
    path = str(write_model(tmp_path))
    try:
        network = load_network(path, device="cuda")
    except BadSettings as error:
        assert "pip install" in error.hint or "nvidia-smi" in error.hint
    else:
        assert network.provider == "CUDAExecutionProvider"
        np.testing.assert_allclose(network.predict(plain(0.1, 0.2, 0.6)), 0.3, atol=1e-3)


def test_the_cpu_is_named_as_what_ran(tmp_path: Path) -> None:
    assert load_network(str(write_model(tmp_path))).provider == "CPUExecutionProvider"


def test_without_a_name_the_chosen_default_is_loaded(tmp_path: Path) -> None:
    write_model(tmp_path)
    choose_default("tiny", tmp_path)
    assert load_network(folder=tmp_path).card.name == "tiny"
    choose_default(None, tmp_path)
    assert load_network(folder=tmp_path).card.name == embedded_model()
