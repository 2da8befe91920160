# ruff: noqa: E402 - what is skipped without torch is imported after the question whether it is there
from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training has an environment of its own: see training/README.md")
pytest.importorskip("onnx", reason="training has an environment of its own: see training/README.md")

from packshot.core.confidence import Calibration
from packshot.engine.card import ModelCard
from packshot.engine.network import load_network
from packshot.engine.weights import find_card
from training import mean
from training.export import UNSHIPPED, averaged, main, pictures, restored, scores
from training.network import MatteNetwork, Shape

SHAPE = Shape("lite0", (16, 16, 16, 16, 16))


def checkpoint(run: Path, seed: int = 3, samples: int = 160, shape: Shape = SHAPE) -> dict:
    """The trainer's checkpoint, for an untrained network with batch statistics."""
    torch.manual_seed(seed)
    network = MatteNetwork(shape).train()
    with torch.no_grad():
        for value in network.state_dict().values():  # no two are alike after training; equal ones are stored once
            if value.is_floating_point():
                value.add_(0.01 * torch.randn_like(value))
        network(torch.rand(4, 3, 64, 64))
    state = {
        "average": network.state_dict(),
        "progress": {"step": 10, "samples": samples, "elapsed_s": 12.5},
        "config": {"seed": seed, "backbone": shape.backbone, "widths": list(shape.widths)},
        "sets": {"duts_tr": 7},
        "before": {},
    }
    run.mkdir()
    torch.save(state, run / "average.pt")
    return state


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("export")
    checkpoint(root / "run")
    export(root)
    return root


def export(root: Path, *more: str) -> None:
    main(["--run", str(root / "run"), "--out", str(root), "--name", "fresh", *more])


def test_the_service_loads_it_and_gets_what_torch_computes(exported: Path) -> None:
    network = load_network(str(exported / "fresh.onnx"))
    reference = averaged(torch.load(exported / "run" / "average.pt", weights_only=True))
    for rgb in pictures():
        expected = reference(torch.from_numpy(rgb)).numpy()[0, 0]
        np.testing.assert_allclose(network.predict(rgb), expected, atol=1e-2)  # kernels are float16
        assert np.abs(network.predict(rgb) - expected).mean() < 1e-3


def test_the_card_tells_where_the_weights_come_from(exported: Path) -> None:
    card, path = find_card(str(exported / "fresh.onnx"))
    assert card.seeds == (3,)
    assert card.training["samples"] == 160
    assert [source.count for source in card.data] == [1281167, 7]  # ImageNet, through the backbone
    assert card.graph
    assert card.graph.parameters == sum(p.numel() for p in MatteNetwork(SHAPE).parameters())
    assert path.stat().st_size < 2.2 * card.graph.parameters  # two bytes each, and the graph


def test_training_can_go_on_from_the_file(exported: Path) -> None:
    kept = torch.load(exported / "run" / "average.pt", weights_only=True)["average"]
    network = MatteNetwork(SHAPE)
    missing = network.load_state_dict(restored(exported / "fresh.onnx"), strict=False).missing_keys
    assert all(any(part in name for part in UNSHIPPED) for name in missing)
    for name, value in network.state_dict().items():
        if not any(part in name for part in UNSHIPPED):
            torch.testing.assert_close(value, kept[name], rtol=1e-3, atol=1e-6)


def report_of(card: ModelCard, path: Path) -> Path:
    model = {"sha256": card.sha256, "side_px": card.input.side_px}
    path.write_text(json.dumps({"title": "duts_tr val", "model": model, "summary": {"mae": 0.25, "gradient": None}}))
    return path


def test_exported_again_with_scores_the_file_stays_and_the_card_grows(exported: Path, tmp_path: Path) -> None:
    card, path = find_card(str(exported / "fresh.onnx"))
    before = path.read_bytes()
    export(exported, "--scores", str(report_of(card, tmp_path / "report.json")))
    assert path.read_bytes() == before
    assert find_card(str(path))[0] == replace(card, scores={"duts_tr val": {"mae": 0.25}})


def test_a_calibration_stays_with_its_file_and_side_alone(exported: Path) -> None:
    card, path = find_card(str(exported / "fresh.onnx"))
    fitted = Calibration(card.sha256, -2.0, {"stability": 5.0}, 0.6, 100, 0.7, 0.08, 0.01, 0.35, 0.3)
    path.with_suffix(".json").write_text(replace(card, confidence=fitted).to_json())
    export(exported)
    assert find_card(str(path))[0].confidence == fitted
    export(exported, "--side", "256")
    assert find_card(str(path))[0].confidence is None
    export(exported)


def test_scores_of_another_file_or_side_are_refused(exported: Path, tmp_path: Path) -> None:
    card, _ = find_card(str(exported / "fresh.onnx"))
    report = report_of(card, tmp_path / "report.json")
    with pytest.raises(SystemExit, match="another model"):
        scores([report], "0" * 64, card.input.side_px)
    with pytest.raises(SystemExit, match="384 px"):
        scores([report], card.sha256, 512)


def two_runs(root: Path, shape: Shape = SHAPE) -> tuple[Path, Path]:
    """Two runs of one network, or of two where `shape` is another's."""
    checkpoint(root / "one")
    checkpoint(root / "other", 4, 320, shape)
    return root / "one", root / "other"


def test_every_weight_lies_between_those_of_the_runs_by_their_shares(tmp_path: Path) -> None:
    one, other = two_runs(tmp_path)
    mean.main([f"{one}=.75", f"{other}=.25", "--out", str(tmp_path / "mean")])
    first, second, both = (
        torch.load(folder / "average.pt", weights_only=True)["average"] for folder in (one, other, tmp_path / "mean")
    )
    assert both.keys() == first.keys()
    for name, value in both.items():
        if value.is_floating_point():
            torch.testing.assert_close(value, 0.75 * first[name] + 0.25 * second[name])


def test_the_card_names_all_runs_of_a_mean(tmp_path: Path) -> None:
    one, other = two_runs(tmp_path)
    mean.main([f"{one}=.75", f"{other}=.25", "--out", str(tmp_path / "mean")])
    main(["--run", str(tmp_path / "mean"), "--out", str(tmp_path), "--name", "fresh"])
    card, _ = find_card(str(tmp_path / "fresh.onnx"))
    assert card.seeds == (3, 4)
    assert card.training["mean_of"] == [
        {"run": "one", "share": 0.75, "seed": 3, "samples": 160},
        {"run": "other", "share": 0.25, "seed": 4, "samples": 320},
    ]


@pytest.mark.parametrize("shares", [(0.5, 0.4), (1.5, -0.5), (1, 0)])
def test_shares_that_are_no_shares_of_a_whole_are_refused(tmp_path: Path, shares: tuple[float, float]) -> None:
    one, other = two_runs(tmp_path)
    with pytest.raises(SystemExit, match="add up to 1"):
        mean.main([f"{one}={shares[0]}", f"{other}={shares[1]}", "--out", str(tmp_path / "mean")])
    assert not (tmp_path / "mean").exists()


def test_different_networks_have_no_mean(tmp_path: Path) -> None:
    one, other = two_runs(tmp_path, Shape("lite0", (16, 16, 16, 16, 24)))
    with pytest.raises(SystemExit, match="different networks"):
        mean.main([f"{one}=.5", f"{other}=.5", "--out", str(tmp_path / "mean")])
