"""Export a run: `python -m training.export --run RUN --out FOLDER --name NAME` writes NAME.onnx and NAME.json.

The averaged weights become one graph, RGB in 0..1 to a matte in 0..1, with kernels stored as float16. The files are
only written if torch and ONNX Runtime agree. `--scores REPORT ...` adds figures of `python -m evaluation` to the card.
The graph keeps every weight under its own name, so that training can continue from the file (`restored`).
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import tomllib
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from packshot.core.confidence import Calibration
from packshot.engine.card import DataSource, Graph, InputRule, ModelCard, read_card
from packshot.engine.network import load_network
from training.network import MULTIPLE_PX, MatteNetwork, Shape

OPSET = 17
HALF = ".half"  # suffix of kernels stored as float16
UNSHIPPED = ("sides.", "num_batches_tracked")
PARITY_SHAPES = ((512, 512), (512, 384), (320, 512))
PARITY_LIMIT = 1e-4  # torch against ONNX Runtime, both float32: only the order of additions differs
STORAGE_LIMIT = 1e-2  # float16 kernels against float32 ones, the worst pixel
STORAGE_MEAN_LIMIT = 1e-3


class Matte(nn.Module):
    """The network as shipped: without side outputs, with the logistic function inside."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, rgb: Tensor) -> Tensor:
        return torch.sigmoid(self.network(rgb)[0])


def averaged(state: dict[str, Any]) -> Matte:
    """The moving average of a checkpoint, ready for inference."""
    config = state["config"]
    network = MatteNetwork(Shape(config["backbone"], config["widths"]))
    network.load_state_dict(state["average"])
    return Matte(network).eval().requires_grad_(False)


def restored(path: Path) -> dict[str, Tensor]:
    """The state dict of an exported network, from its graph: kernels in float16 precision, everything else exact.

    UNSHIPPED names the missing parts: outputs for training only, and counters.
    """
    prefix = "network."
    found = {}
    for tensor in onnx.load(path).graph.initializer:
        if tensor.name.startswith(prefix):
            name = tensor.name.removeprefix(prefix).removesuffix(HALF)
            found[name] = torch.from_numpy(numpy_helper.to_array(tensor).astype(np.float32))
    return found


def to_graph(network: Matte) -> onnx.ModelProto:
    """The ONNX graph with free height and width. Norms and scales stay: the runtime folds them.

    It uses the TorchScript exporter on purpose. In torch 2.13 the newer one took 62 s instead of 3, needed another
    package and opset 18, and its graph ran at the same speed.
    """
    buffer = io.BytesIO()
    free = {2: "height", 3: "width"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.filterwarnings("ignore", "Constant folding", UserWarning)  # the runtime folds what remains
        torch.onnx.export(
            network,
            (torch.rand(1, 3, 256, 192),),
            buffer,
            dynamo=False,
            training=torch.onnx.TrainingMode.PRESERVE,  # the network is in evaluation mode: norms are not folded
            do_constant_folding=False,
            opset_version=OPSET,
            input_names=["rgb"],
            output_names=["matte"],
            dynamic_axes={"rgb": free, "matte": free},
        )
    graph = onnx.load_from_string(buffer.getvalue())
    join_padding(graph)
    onnx.checker.check_model(graph, full_check=True)
    return graph


def join_padding(model: onnx.ModelProto) -> None:
    """Move each Pad into the convolution after it: this saves a tenth of the time, as Pad leaves the runtime's layout.

    The sides are those of FrozenConv. Unused nodes are removed.
    """
    graph = model.graph
    pads = {node.output[0]: node for node in graph.node if node.op_type == "Pad"}
    for node in graph.node:
        if node.op_type == "Conv" and node.input[0] in pads:
            attributes = {attribute.name: attribute for attribute in node.attribute}
            total = attributes["kernel_shape"].ints[0] - attributes["strides"].ints[0]
            before = total // 2
            attributes["pads"].ints[:] = [before, before, total - before, total - before]
            node.input[0] = pads[node.input[0]].input[0]
    while True:
        used = {name for node in graph.node for name in node.input} | {output.name for output in graph.output}
        kept = [node for node in graph.node if used & set(node.output)]
        if len(kept) == len(graph.node):
            return
        del graph.node[:]
        graph.node.extend(kept)


def with_half_kernels(model: onnx.ModelProto) -> onnx.ModelProto:
    """Store kernels as float16 and cast them back: half the bytes. The runtime folds the casts on loading."""
    slim = onnx.ModelProto()
    slim.CopyFrom(model)
    casts = []
    for tensor in slim.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and len(tensor.dims) > 1:
            name, values = tensor.name, numpy_helper.to_array(tensor)
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), name + HALF))
            casts.append(helper.make_node("Cast", [name + HALF], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *slim.graph.node]
    del slim.graph.node[:]
    slim.graph.node.extend(nodes)
    onnx.checker.check_model(slim, full_check=True)
    return slim


def pictures() -> list[np.ndarray]:
    """Seeded inputs for the gates, one per shape: a disc with noise before blobs of colour. The matte is then neither
    empty nor full."""
    generator = torch.Generator().manual_seed(7)
    found = []
    for height, width in PARITY_SHAPES:
        ground = nn.functional.interpolate(torch.rand(1, 3, 5, 5, generator=generator), (height, width), mode="bicubic")
        y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        disc = (torch.hypot(x - width / 2, y - height / 2) < 0.3 * min(height, width)).float()
        colour = torch.rand(1, 3, 1, 1, generator=generator).round()
        rgb = ground * 0.4 + 0.3 + disc * (colour - 0.4 * ground - 0.3)
        found.append((rgb + 0.05 * torch.randn(rgb.shape, generator=generator)).clamp(0, 1).numpy())
    return found


def run(model: onnx.ModelProto, rgb: np.ndarray) -> np.ndarray:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"rgb": rgb})[0]


def differences(network: Matte, graph: onnx.ModelProto, slim: onnx.ModelProto) -> dict[str, float]:
    """Check both gates. Returns the worst pixel of torch against the graph, and worst and mean of the slim graph."""
    worst = storage = storage_mean = 0.0
    for rgb in pictures():
        exact = run(graph, rgb)
        worst = max(worst, float(np.abs(network(torch.from_numpy(rgb)).numpy() - exact).max()))
        change = np.abs(run(slim, rgb) - exact)
        storage, storage_mean = max(storage, float(change.max())), max(storage_mean, float(change.mean()))
    figures = {"parity_max": worst, "float16_max": storage, "float16_mean": storage_mean}
    if worst >= PARITY_LIMIT or storage >= STORAGE_LIMIT or storage_mean >= STORAGE_MEAN_LIMIT:
        raise SystemExit(f"not exported: {figures}")
    return figures


def write_model(slim: onnx.ModelProto, folder: Path, name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.onnx"
    beside = path.with_suffix(".part")
    beside.write_bytes(slim.SerializeToString(deterministic=True))
    beside.replace(path)
    return path


def trained(state: dict[str, Any], figures: dict[str, float]) -> dict[str, Any]:
    """The run's summary for the card: its length, its configuration, and the accuracy of the export."""
    rounded = {key: float(f"{value:.2g}") for key, value in figures.items()}
    progress = dict(state["progress"])
    progress["elapsed_s"] = round(progress["elapsed_s"])
    account = {**progress, "torch": torch.__version__, "export": rounded, "config": state["config"]}
    return account | {name: state[name] for name in ("mean_of", "before") if state.get(name)}


def scores(reports: Sequence[Path], sha256: str, side_px: int) -> dict[str, dict[str, float]]:
    """Figures of evaluation reports by title. Rejects reports for another file or another side."""
    found = {}
    for path in reports:
        report = json.loads(path.read_text())
        if report["model"]["sha256"] != sha256:
            raise SystemExit(f"{path} was measured with another model file; evaluate this one first")
        if report["model"]["side_px"] != side_px:
            raise SystemExit(f"{path} was measured at {report['model']['side_px']} px; this card says {side_px}")
        found[report["title"]] = {name: value for name, value in report["summary"].items() if value is not None}
    return found


def kept_confidence(path: Path, sha256: str, side_px: int) -> Calibration | None:
    """The calibration of the card to be replaced, if it belongs to the same file and side."""
    if not path.exists():
        return None
    card = read_card(path)
    return card.confidence if (card.sha256, card.input.side_px) == (sha256, side_px) else None


def write_card(state: dict[str, Any], path: Path, options: argparse.Namespace, graph: Graph, gates: Any) -> ModelCard:
    """NAME.json next to the graph at `path`: the training data, and the measurements of this file."""
    about = tomllib.loads(options.about.read_text())
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    card = ModelCard(
        name=path.stem,
        file=path.name,
        sha256=sha256,
        bytes=path.stat().st_size,
        input=InputRule(options.side, MULTIPLE_PX, "longest"),
        output="probability",
        licence=about["licence"],
        confidence=kept_confidence(path.with_suffix(".json"), sha256, options.side),
        edges=about.get("edges"),
        second_look_from=about.get("second_look_from"),
        description=about["description"],
        graph=graph,
        data=(
            DataSource(**about["backbone"][state["config"]["backbone"]]),
            *(DataSource(count=count, **about["data"][name]) for name, count in state["sets"].items()),
        ),
        seeds=tuple(dict.fromkeys(part["seed"] for part in state.get("mean_of", [state["config"]]))),
        training=trained(state, gates),
        scores=scores(options.scores, sha256, options.side),
        known_failures=tuple(about["known_failures"]),
    )
    path.with_suffix(".json").write_text(card.to_json(), encoding="utf-8")
    return card


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    state = torch.load(options.run / "average.pt", map_location="cpu", weights_only=True)
    network = averaged(state)
    graph = to_graph(network)
    slim = with_half_kernels(graph)
    gates = differences(network, graph, slim)
    path = write_model(slim, options.out, options.name)
    card = write_card(state, path, options, Graph(OPSET, count_parameters(network), "float16"), gates)
    matte = load_network(str(path)).predict(pictures()[0])  # loaded as in use: card, checksum, session
    print(f"{path}: {card.bytes / 1e6:.2f} MB, {state['progress']['samples']} samples, side {options.side} px")
    print(f"gates: {card.training['export']}; a matte from {matte.min():.3f} to {matte.max():.3f}")


def count_parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    return parser(__doc__).parse_args(arguments)


def parser(description: str | None) -> argparse.ArgumentParser:
    """The options shared by all exports."""
    common = argparse.ArgumentParser(description=description)
    common.add_argument("--run", type=Path, required=True, help="folder with average.pt")
    common.add_argument("--out", type=Path, required=True, help="folder for NAME.onnx and NAME.json")
    common.add_argument("--name", required=True)
    common.add_argument("--side", type=int, default=384, help="the card's input rule: longest side, px")
    common.add_argument("--about", type=Path, default=Path("training/configs/packshot-3.card.toml"))
    common.add_argument(
        "--scores", type=Path, nargs="+", default=[], help="reports of `python -m evaluation` for this model"
    )
    return common


if __name__ == "__main__":
    main()
