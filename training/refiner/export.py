"""Export the refiner: `python -m training.refiner.export --run RUN/edges --out FOLDER --name packshot-edges-1`.

Batch norms are folded, kernels stored as float16. The files are only written if torch and ONNX Runtime agree.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import tomllib
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import torch

from packshot.engine.card import DataSource, Graph, InputRule, ModelCard
from packshot.engine.edges import TILE_PX, load_edge_refiner
from training.export import OPSET, with_half_kernels, write_model
from training.refiner.network import INPUTS, EdgeRefiner

PARITY_LIMIT = 1e-4  # of the logit's change: torch and ONNX Runtime, float32
STORAGE_LIMIT = 0.1  # of the logit's change, in the worst pixel: at most 0.025 of a matte


def averaged(state: dict[str, Any]) -> EdgeRefiner:
    """The moving average of a checkpoint, ready for inference."""
    network = EdgeRefiner(**state["config"]["network"])
    network.load_state_dict(state["average"])
    return network.eval().requires_grad_(False)


def to_graph(network: EdgeRefiner) -> onnx.ModelProto:
    """The ONNX graph, for any number of tiles of any size. It uses the older exporter: see training.export."""
    buffer = io.BytesIO()
    side = TILE_PX + 2 * network.halo
    free = {0: "tiles", 2: "height", 3: "width"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            network,
            (torch.rand(2, INPUTS, side, side),),
            buffer,
            dynamo=False,
            opset_version=OPSET,
            input_names=["layers"],
            output_names=["change"],
            dynamic_axes={"layers": free, "change": {0: "tiles", 2: "inner_height", 3: "inner_width"}},
        )
    graph = onnx.load_from_string(buffer.getvalue())
    onnx.checker.check_model(graph, full_check=True)
    return graph


def differences(network: EdgeRefiner, graph: onnx.ModelProto, slim: onnx.ModelProto) -> dict[str, float]:
    """Check both gates, on tiles of two sizes."""
    generator = np.random.default_rng(7)
    figures = {"parity_max": 0.0, "float16_max": 0.0}
    for shape in ((3, INPUTS, 112, 112), (1, INPUTS, 176, 144)):
        layers = generator.random(shape, dtype=np.float32)
        exact, stored = (_run(model, layers) for model in (graph, slim))
        parity = float(np.abs(network(torch.from_numpy(layers)).numpy() - exact).max())
        figures["parity_max"] = max(figures["parity_max"], parity)
        figures["float16_max"] = max(figures["float16_max"], float(np.abs(stored - exact).max()))
    if figures["parity_max"] >= PARITY_LIMIT or figures["float16_max"] >= STORAGE_LIMIT:
        raise SystemExit(f"not exported: {figures}")
    return figures


def _run(model: onnx.ModelProto, layers: np.ndarray) -> np.ndarray:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"layers": layers})[0]


def export(state: dict[str, Any], folder: Path, name: str, about: dict[str, Any]) -> ModelCard:
    """Write NAME.onnx and NAME.json."""
    network = averaged(state)
    graph = to_graph(network)
    slim = with_half_kernels(graph)
    figures = differences(network, graph, slim)
    path = write_model(slim, folder, name)
    progress = state["progress"] | {"elapsed_s": round(state["progress"]["elapsed_s"])}
    rounded = {key: float(f"{value:.2g}") for key, value in figures.items()}
    card = ModelCard(
        name=name,
        file=path.name,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        bytes=path.stat().st_size,
        input=InputRule(TILE_PX + 2 * network.halo, network.fold, "stretch"),
        output="change",
        licence=about["licence"],
        description=about["description"],
        graph=Graph(OPSET, sum(p.numel() for p in network.parameters()), "float16"),
        data=tuple(DataSource(**source) for source in about["data"]),
        seeds=(state["config"]["seed"],),
        training=progress | {"torch": torch.__version__, "export": rounded, "config": state["config"]},
        known_failures=tuple(about["known_failures"]),
    )
    path.with_suffix(".json").write_text(card.to_json(), encoding="utf-8")
    load_edge_refiner(str(path))  # loaded as in use: card, checksum, session
    return card


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="folder with checkpoint.pt")
    parser.add_argument("--out", type=Path, required=True, help="folder for NAME.onnx and NAME.json")
    parser.add_argument("--name", required=True)
    parser.add_argument("--about", type=Path, default=Path("training/configs/refiner.card.toml"))
    options = parser.parse_args(arguments)
    state = torch.load(options.run / "checkpoint.pt", map_location="cpu", weights_only=True)
    card = export(state, options.out, options.name, tomllib.loads(options.about.read_text()))
    print(f"{card.name}: {card.bytes / 1e3:.0f} kB, {card.training['samples']} samples, {card.training['export']}")


if __name__ == "__main__":
    main()
