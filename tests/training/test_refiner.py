# ruff: noqa: E402 - what is skipped without torch is imported after the question whether it is there
from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training has an environment of its own: see training/README.md")
pytest.importorskip("onnx", reason="training has an environment of its own: see training/README.md")

from packshot.engine import edges
from packshot.engine.card import read_card
from packshot.engine.edges import load_edge_refiner
from training.refiner import quantize, train
from training.refiner.coarse import degraded
from training.refiner.export import export
from training.refiner.export import main as export_main
from training.refiner.losses import edge_loss
from training.refiner.material import Material, without_shadow
from training.refiner.network import EdgeRefiner, changed
from training.refiner.scenes import KINDS, Scene, make_scene
from training.refiner.shapes import BODIES, STRANDS, draw
from training.refiner.tiles import HALO_PX, SIDE_PX, TILE_PX, seeded_scene, tiles_of
from training.refiner.train import augmented, layers_of

CONFIGS = Path(__file__).parents[2] / "training" / "configs"


def material() -> Material:
    rng = np.random.default_rng(0)
    photos = [rng.integers(0, 256, (90, 120, 3), np.uint8) for _ in range(3)]
    cutout = rng.integers(0, 256, (200, 160, 4), np.uint8)
    cutout[..., 3] = cv2.circle(np.zeros((200, 160), np.uint8), (80, 100), 70, 255, -1, cv2.LINE_AA)
    return Material(photos, [cutout])


def tiles(rng: np.random.Generator) -> np.ndarray:
    scene = make_scene(rng, material(), kind="blob", longest_px=720)
    small = cv2.resize(scene.truth, (320, 320), interpolation=cv2.INTER_AREA)
    return tiles_of(rng, scene, degraded(rng, small))


@pytest.mark.parametrize("kind", [*BODIES, *STRANDS])
def test_a_drawn_matte_has_inside_outside_and_soft_edges(kind: str) -> None:
    matte = draw(np.random.default_rng(3), kind, 300, 400)
    assert matte.shape == (300, 400)
    assert (matte.min(), matte.max()) == (0, 1)
    assert ((matte > 0) & (matte < 1)).any()


@pytest.mark.parametrize("kind", KINDS)
def test_a_scene_is_made_again_from_its_seed(kind: str) -> None:
    first, second = (make_scene(np.random.default_rng(5), material(), kind=kind, longest_px=400) for _ in range(2))
    assert np.array_equal(first.rgb, second.rgb)
    assert np.array_equal(first.truth, second.truth)
    assert first.rgb.shape[:2] == first.truth.shape
    assert first.truth.min() >= 0
    assert first.truth.max() <= 1


def test_numbers_give_different_scenes() -> None:
    scenes = [seeded_scene(1, index, material(), [])[1] for index in (0, 1)]
    assert not np.array_equal(scenes[0].rgb, scenes[1].rgb)


def test_a_soft_shadow_is_no_part_of_a_cutout() -> None:
    cutout = np.zeros((200, 200, 4), np.uint8)
    cutout[20:120, 50:150] = 255
    cutout[150:180, 40:160] = 90
    assert without_shadow(cutout).shape[:2] == (100, 100)


def test_tiles_lie_where_the_coarse_matte_is_undecided() -> None:
    found = tiles(np.random.default_rng(2))
    assert found.shape[1:] == (SIDE_PX, SIDE_PX, 6)
    middle = found[:, HALO_PX : HALO_PX + TILE_PX, HALO_PX : HALO_PX + TILE_PX, 4]
    assert ((middle > 0) & (middle < 255)).any(axis=(1, 2)).all()


def test_nothing_is_learned_where_the_coarse_matte_is_sure_and_wrong() -> None:
    truth = np.zeros((600, 600), np.float32)
    truth[:, 300:] = 1
    scene = Scene(np.full((600, 600, 3), 128, np.uint8), truth, "box")
    elsewhere = cv2.GaussianBlur(np.roll(truth, 120, axis=1), (0, 0), 4)
    assert len(tiles_of(np.random.default_rng(1), scene, elsewhere)) == 0


def test_a_new_network_changes_nothing() -> None:
    network = EdgeRefiner().eval()
    matte = torch.rand(1, 1, 64, 64)
    assert torch.allclose(changed(matte, network(torch.rand(1, 5, 112, 112))), matte, atol=1e-6)
    decided = torch.tensor([[0.0, 1.0]])
    assert torch.equal(changed(decided, torch.zeros(1, 2)).round(decimals=6), decided)


def test_any_matte_can_be_changed_to_any_other() -> None:
    matte = torch.tensor([0.0, 0.5, 1.0])
    assert torch.equal(changed(matte, torch.full((3,), 20.0)), torch.ones(3))
    assert torch.equal(changed(matte, torch.full((3,), -20.0)), torch.zeros(3))


def test_training_and_engine_move_a_matte_alike() -> None:
    rng = np.random.default_rng(1)
    matte, change = rng.random(500, dtype=np.float32), 6 * rng.standard_normal(500, np.float32)
    ours = changed(torch.from_numpy(matte), torch.from_numpy(change)).numpy()
    np.testing.assert_allclose(np.clip(edges.apply_logit_delta(matte, change), 0, 1), ours, atol=1e-5)


def test_the_loss_is_least_where_the_matte_is_right() -> None:
    truth = torch.zeros(1, 1, 64, 64)
    truth[..., 30:] = 1
    band = torch.ones_like(truth)
    right = edge_loss(truth, truth, band)
    for wrong in (truth.roll(1, -1), 1 - truth, torch.full_like(truth, 0.5), (truth * 0.9).clamp(0, 1)):
        assert right < edge_loss(wrong, truth, band)


def test_what_lies_outside_the_band_does_not_count() -> None:
    truth, matte, band = (torch.zeros(1, 1, 64, 64) for _ in range(3))
    band[..., :16] = 1
    matte[..., 40:] = 1
    assert edge_loss(matte, truth, band) == 0


def test_augmentation_keeps_layers_together() -> None:
    """A tile with equal layers keeps equal layers: every layer is turned together with the others."""
    rng = np.random.default_rng(0)
    plane = rng.integers(0, 256, (4, 32, 32, 1), np.uint8)
    config = {"coarse_only": 0.5, "inverted": 0.5}
    for seed in range(8):
        layers = augmented(layers_of(np.repeat(plane, 6, 3)), config, torch.Generator().manual_seed(seed))
        assert torch.equal(layers[:, 3], layers[:, 4])
        assert torch.equal(layers[:, 3], layers[:, 5])
        for colours, matte in zip(layers[:, 0].flatten(1), layers[:, 3].flatten(1), strict=True):
            assert abs(float(torch.corrcoef(torch.stack([colours, matte]))[0, 1])) > 0.99


def test_training_goes_on_where_it_stopped_and_its_end_can_be_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tiles").mkdir()
    np.save(tmp_path / "tiles" / "00000.npy", tiles(np.random.default_rng(2)))
    for steps in ("1", "2"):
        monkeypatch.setattr(
            "sys.argv", ["train", str(CONFIGS / "refiner.toml"), "--run", str(tmp_path), "--steps", steps]
        )
        train.main()
    state = torch.load(tmp_path / "edges" / "checkpoint.pt", weights_only=True)
    assert state["progress"]["step"] == 2
    export_main(["--run", str(tmp_path / "edges"), "--out", str(tmp_path), "--name", "fresh"])
    assert "fresh" in capsys.readouterr().out
    assert load_edge_refiner(str(tmp_path / "fresh.onnx")).card.training["step"] == 2


def test_a_shipped_refiner_keeps_its_norms_and_its_count_of_samples_over_a_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The norms of shipped weights are part of the kernels: new statistics of a batch would spoil them."""
    (tmp_path / "tiles").mkdir()
    np.save(tmp_path / "tiles" / "00000.npy", tiles(np.random.default_rng(2)))
    shipped = Path(__file__).parents[2] / "src/packshot/models/packshot-edges-1"
    for steps, start in (("1", ["--init", f"{shipped}.onnx"]), ("2", [])):
        monkeypatch.setattr(
            "sys.argv", ["train", str(CONFIGS / "refiner.toml"), "--run", str(tmp_path), "--steps", steps, *start]
        )
        train.main()
    state = torch.load(tmp_path / "edges" / "checkpoint.pt", weights_only=True)
    assert not state["network"]["body.0.norm.running_mean"].any()
    batch = tomllib.loads((CONFIGS / "refiner.toml").read_text())["batch"]
    assert state["progress"]["samples"] == read_card(shipped.with_suffix(".json")).training["samples"] + 2 * batch


def test_the_service_loads_what_is_exported_and_computes_the_same(tmp_path: Path) -> None:
    config = tomllib.loads((CONFIGS / "refiner.toml").read_text())
    torch.manual_seed(1)
    network = EdgeRefiner(**config["network"])
    torch.nn.init.normal_(network.exit.weight, 0, 0.05)
    with torch.no_grad():
        network.train()(torch.rand(4, 5, 112, 112))
    progress = {"step": 1, "samples": 16, "elapsed_s": 1.5, "tiles": 4}
    state = {"average": network.state_dict(), "config": config, "progress": progress}
    card = export(state, tmp_path, "fresh", tomllib.loads((CONFIGS / "refiner.card.toml").read_text()))
    assert card.output == "change"
    assert card.bytes < 200_000
    layers = torch.rand(2, 5, 112, 112)
    expected = network.eval()(layers).detach().numpy()
    refiner = load_edge_refiner(str(tmp_path / "fresh.onnx"))
    ours = refiner._session.run(None, {"layers": layers.numpy()})[0]
    np.testing.assert_allclose(ours, expected, atol=0.05)  # kernels are float16


def test_in_eight_bits_it_computes_nearly_the_same(tmp_path: Path) -> None:
    shipped = Path(__file__).parents[2] / "src/packshot/models/packshot-edges-1"
    for suffix in (".onnx", ".json"):
        shutil.copy(shipped.with_suffix(suffix), tmp_path)
    made = np.concatenate([tiles(np.random.default_rng(seed)) for seed in range(4)])
    card = quantize.write(tmp_path / "packshot-edges-1.onnx", made)
    assert card.name == "packshot-edges-1-int8"
    assert card.graph
    assert card.graph.weights == "int8"
    assert card.training["export"]["int8_mean"] < 0.2 * card.training["export"]["mean"]
