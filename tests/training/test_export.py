# ruff: noqa: E402 - what is skipped without torch is imported after the question whether it is there
from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training has an environment of its own: see training/README.md")
onnx = pytest.importorskip("onnx", reason="training has an environment of its own: see training/README.md")

from packshot.engine.network import load_network
from packshot.engine.weights import find_card
from training.export import averaged, pictures
from training.network import CoarseNetwork


def checkpoint(run: Path) -> dict:
    """What the trainer keeps, of a network that learned nothing but has batch statistics to fold."""
    torch.manual_seed(1)
    network = CoarseNetwork().train()
    with torch.no_grad():
        network(torch.rand(4, 3, 64, 64))
    state = {
        "average": network.state_dict(),
        "progress": {"step": 10, "samples": 160, "elapsed_s": 12.5},
        "config": {"seed": 3, "sets": ["duts_tr"]},
    }
    run.mkdir()
    torch.save(state, run / "checkpoint.pt")
    return state


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("export")
    checkpoint(root / "run")
    export(root)
    return root


def export(root: Path, *more: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "training.export", "--run", root / "run", "--out", root, "--name", "fresh", *more]
    return subprocess.run([str(part) for part in command], check=False, capture_output=True, text=True, timeout=100)


def test_the_service_loads_it_and_gets_what_torch_computes(exported: Path) -> None:
    network = load_network(str(exported / "fresh.onnx"))
    reference = averaged(torch.load(exported / "run" / "checkpoint.pt", weights_only=True))
    for rgb in pictures():
        expected = reference(torch.from_numpy(rgb)).numpy()[0, 0]
        np.testing.assert_allclose(network.predict(rgb), expected, atol=1e-2)  # kernels are float16
        assert np.abs(network.predict(rgb) - expected).mean() < 1e-3


def test_the_card_tells_where_the_weights_come_from(exported: Path) -> None:
    card, path = find_card(str(exported / "fresh.onnx"))
    assert card.seeds == (3,)
    assert card.training["samples"] == 160
    assert [source.count for source in card.data] == [10016]
    assert card.graph
    assert card.graph.parameters == sum(p.numel() for p in CoarseNetwork().parameters())
    assert path.stat().st_size < 2.2 * card.graph.parameters  # two bytes each, and the graph


def test_batch_norms_are_folded(exported: Path) -> None:
    nodes = {node.op_type for node in onnx.load(exported / "fresh.onnx").graph.node}
    assert "Conv" in nodes
    assert "BatchNormalization" not in nodes


def test_the_same_checkpoint_gives_the_same_file(exported: Path) -> None:
    before = (exported / "fresh.onnx").read_bytes()
    export(exported)
    assert (exported / "fresh.onnx").read_bytes() == before


def test_scores_go_on_the_card_only_if_they_are_of_this_file(exported: Path) -> None:
    card, path = find_card(str(exported / "fresh.onnx"))
    report = exported / "report.json"
    found = {"title": "duts_tr val", "model": {"sha256": card.sha256}, "summary": {"mae": 0.25}}
    report.write_text(json.dumps(found))
    assert export(exported, "--scores", report).returncode == 0
    assert find_card(str(path))[0].scores == {"duts_tr val": {"mae": 0.25}}
    report.write_text(json.dumps(found | {"model": {"sha256": "0" * 64}}))
    refused = export(exported, "--scores", report)
    assert refused.returncode != 0
    assert "another model" in refused.stderr
