# ruff: noqa: E402 - what is skipped without torch is imported after the question whether it is there
from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training has an environment of its own: see training/README.md")

from tests.training.test_augment import discs
from training.export import Matte, run, to_graph
from training.network import MatteNetwork, Shape
from training.quantize import Calibration, quantized


def test_eight_bits_say_nearly_the_same_at_any_size_in_half_the_bytes() -> None:
    torch.manual_seed(1)
    network = MatteNetwork(Shape("lite0", (16,) * 5)).train()
    with torch.no_grad():
        for _ in range(4):
            network(torch.rand(4, 3, 64, 64))
    graph = to_graph(Matte(network).eval())
    small = quantized(graph, Calibration(discs(6, beyond=0), 96, 4))
    assert small.ByteSize() < 0.55 * graph.ByteSize()
    for shape in ((96, 96), (64, 128)):
        rgb = np.random.default_rng(1).random((1, 3, *shape), np.float32)
        exact, near = run(graph, rgb), run(small, rgb)
        assert near.shape == exact.shape
        assert np.abs(near - exact).mean() < 0.02
