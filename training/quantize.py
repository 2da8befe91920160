"""Export a run in eight bits: `python -m training.quantize --run RUN --data DATA --out FOLDER --name NAME-int8`.

Convolutions compute on uint8 activations and int8 kernels (QDQ, per channel, ranges from training pictures). The
encoder down to /8 and the last convolution stay in float. gate.py decides whether the result may be the default.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import torch
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from packshot.core.geometry import Size, network_size
from packshot.core.matte import network_input
from packshot.core.picture import Picture
from packshot.engine.card import Graph
from training.data import PairCache, build_cache
from training.export import (
    OPSET,
    averaged,
    count_parameters,
    parser,
    run,
    to_graph,
    write_card,
    write_model,
)
from training.network import MULTIPLE_PX

CALIBRATION_PICTURES = 64
FLOAT_BLOCKS = 6


class Feeds(CalibrationDataReader):
    """Inputs of a graph, one at a time."""

    def __init__(self, feeds: Iterator[dict[str, np.ndarray]]) -> None:
        self._feeds = feeds

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._feeds, None)


class Calibration(Feeds):
    """Training pictures as network inputs."""

    def __init__(self, cache: PairCache, side_px: int, count: int = CALIBRATION_PICTURES, seed: int = 1) -> None:
        rows = np.random.default_rng(seed).choice(len(cache), min(count, len(cache)), replace=False)
        super().__init__(self._read(cache, rows, side_px))

    @staticmethod
    def _read(cache: PairCache, rows: np.ndarray, side_px: int) -> Iterator[dict[str, np.ndarray]]:
        for row in rows:
            height, width = cache.sizes[row]
            size = network_size(Size(width, height), side_px=side_px, multiple=MULTIPLE_PX, fit="longest")
            picture = Picture(np.ascontiguousarray(cache.pictures[row, :height, :width]))
            yield {"rgb": network_input(picture, size)}


def quantized(graph: onnx.ModelProto, calibration: CalibrationDataReader) -> onnx.ModelProto:
    """The graph with its convolutions in eight bits, except those of the encoder down to /8 and the last.

    The channels of the first blocks have very different ranges, and one scale for all of them costs more than all other
    layers: mean change of a matte .0077 with them in eight bits, .0027 without the first three, .0015 without six.
    Only convolutions: with joins and resizes in eight bits as well it is 6 to 14 % faster but less accurate.
    """
    with tempfile.TemporaryDirectory() as folder:
        exact, inferred, result = (Path(folder) / name for name in ("exact.onnx", "inferred.onnx", "int8.onnx"))
        onnx.save(graph, exact)
        quant_pre_process(str(exact), str(inferred), skip_symbolic_shape=True)
        convolutions = [node.name for node in onnx.load(inferred).graph.node if node.op_type == "Conv"]
        early = [f"/encoder/blocks.{block}/" for block in range(FLOAT_BLOCKS)]
        exact = [name for name in convolutions if any(part in name for part in ("/encoder/stem/", *early))]
        quantize_static(
            inferred,
            result,
            calibration,
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["Conv"],
            nodes_to_exclude=[*exact, convolutions[-1]],
        )
        return onnx.load(result)


def change(graph: onnx.ModelProto, small: onnx.ModelProto, inputs: CalibrationDataReader) -> dict[str, float]:
    """Mean and worst difference between the two graphs' mattes on some pictures."""
    feeds = (feed["rgb"] for feed in iter(inputs.get_next, None))
    differences = [np.abs(run(graph, rgb) - run(small, rgb)) for rgb in feeds]
    return {
        "int8_max": max(float(difference.max()) for difference in differences),
        "int8_mean": float(np.mean([difference.mean() for difference in differences])),
    }


def main() -> None:
    options = parse()
    state = torch.load(options.run / "average.pt", map_location="cpu", weights_only=True)
    network = averaged(state)
    graph = to_graph(network)
    cache = build_cache(options.data, options.run.parent / "cache", split="train", name="duts_tr")
    small = quantized(graph, Calibration(cache, options.side))
    gates = change(graph, small, Calibration(cache, options.side, 16, seed=2))
    path = write_model(small, options.out, options.name)
    card = write_card(state, path, options, Graph(OPSET, count_parameters(network), "int8"), gates)
    print(f"{path}: {card.bytes / 1e6:.2f} MB; {card.training['export']}")


def parse() -> argparse.Namespace:
    options = parser(__doc__)
    options.add_argument(
        "--data", type=Path, required=True, help="folder with pairs.csv and zips: ranges come from training pictures"
    )
    return options.parse_args()


if __name__ == "__main__":
    main()
