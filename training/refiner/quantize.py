"""The edge refiner in eight bits: `python -m training.refiner.quantize --run RUN --model NAME.onnx`.

Writes NAME-int8.onnx and its card beside NAME.onnx. The ranges of the layers come from tiles of the training. Kernels
have seven bits: with eight, x86 without byte dot products saturates between two products, and the change would depend
on the processor.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

from packshot.engine.card import ModelCard, read_card
from packshot.engine.edges import BATCH, load_edge_refiner
from training.export import write_model
from training.quantize import Feeds
from training.refiner.tiles import read_tiles

CALIBRATION_TILES = 480


def feeds(tiles: np.ndarray) -> Iterator[dict[str, np.ndarray]]:
    """Tiles uint8 (n, side, side, 6) as inputs of the graph: all layers but the last, which is the truth."""
    for start in range(0, len(tiles), BATCH):
        layers = tiles[start : start + BATCH, ..., :5].transpose(0, 3, 1, 2)
        yield {"layers": np.ascontiguousarray(layers, np.float32) / 255}


def quantized(path: Path, tiles: np.ndarray) -> onnx.ModelProto:
    """The graph of an exported refiner with convolutions and sums in eight bits."""
    with tempfile.TemporaryDirectory() as folder:
        exact, result = (str(Path(folder) / name) for name in ("exact.onnx", "int8.onnx"))
        options = ort.SessionOptions()
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC  # kernels become float32
        options.optimized_model_filepath = exact
        ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        quantize_static(
            exact,
            result,
            Feeds(feeds(tiles)),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return onnx.load(result)


def changes(path: Path, tiles: np.ndarray) -> np.ndarray:
    """The output of a graph for tiles."""
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(None, feed)[0] for feed in feeds(tiles)])


def write(path: Path, tiles: np.ndarray) -> ModelCard:
    """Write NAME-int8 beside NAME.onnx. The card tells how far its changes are from the exact ones, in the mean."""
    card = read_card(path.with_suffix(".json"))
    chosen = tiles[np.random.default_rng(1).permutation(len(tiles))[: 2 * CALIBRATION_TILES]]
    seen, others = chosen[: len(chosen) // 2], chosen[len(chosen) // 2 :]
    small = write_model(quantized(path, seen), path.parent, f"{card.name}-int8")
    exact = changes(path, others)
    figures = {"int8_mean": float(np.abs(changes(small, others) - exact).mean()), "mean": float(np.abs(exact).mean())}
    export = card.training["export"] | {name: float(f"{value:.2g}") for name, value in figures.items()}
    card = dataclasses.replace(
        card,
        name=small.stem,
        file=small.name,
        sha256=hashlib.sha256(small.read_bytes()).hexdigest(),
        bytes=small.stat().st_size,
        graph=dataclasses.replace(card.graph, weights="int8") if card.graph else None,
        training={**card.training, "export": export},
    )
    small.with_suffix(".json").write_text(card.to_json(), encoding="utf-8")
    load_edge_refiner(str(small))  # loaded as in use: card, checksum, session
    return card


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="folder with tiles/")
    parser.add_argument("--model", type=Path, required=True, help="the exported refiner, NAME.onnx")
    options = parser.parse_args(arguments)
    card = write(options.model, read_tiles(options.run / "tiles"))
    print(f"{card.name}: {card.bytes / 1e3:.0f} kB, {card.training['export']}")


if __name__ == "__main__":
    main()
