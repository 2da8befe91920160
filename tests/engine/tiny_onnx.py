"""The smallest real networks, written by hand: the package needs no onnx library, so the tests need none either.

ONNX is a protobuf; the field numbers are those of onnx.proto3.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from packshot.engine.card import InputRule, ModelCard


def _varint(value: int) -> bytes:
    head, rest = value & 0x7F, value >> 7
    return bytes([head | 0x80]) + _varint(rest) if rest else bytes([head])


def _field(number: int, value: int | str | bytes) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _tensor(name: str, dims: Sequence[int | str]) -> bytes:
    shape = b"".join(_field(1, _field(1, dim) if isinstance(dim, int) else _field(2, dim)) for dim in dims)
    return _field(1, name) + _field(2, _field(1, _field(1, 1) + _field(2, shape)))


def mean_graph(*, axes: Sequence[int] = (1,), height: int | str = "height", width: int | str = "width") -> bytes:
    """A graph from (1, 3, H, W) to the mean over some axes, all kept: by default the mean colour, (1, 1, H, W)."""
    values = b"".join(_field(8, axis) for axis in axes)
    attribute = _field(1, "axes") + values + _field(20, 7)
    node = _field(1, "rgb") + _field(2, "mean") + _field(4, "ReduceMean") + _field(5, attribute)
    inputs = _tensor("rgb", (1, 3, height, width))
    outputs = _tensor("mean", tuple("1" if axis in axes else f"d{axis}" for axis in range(4)))
    graph = _field(1, node) + _field(2, "tiny") + _field(11, inputs) + _field(12, outputs)
    return _field(1, 8) + _field(7, graph) + _field(8, _field(2, 13))


def published_graph(rule: InputRule, output: str, *, input_name: str = "input", outputs: int = 1) -> bytes:
    """A graph with a published signature: one fixed square in; output 0 is the result, with more outputs next to it.

    It undoes the rule's normalisation and returns the red channel, as a probability or as the logit 8 (red - 1/2).
    Every further output is the inverse, like another layer's: code that takes it gets the matte inside out.
    """
    slope, offset = (1.0, 0.0) if output == "probability" else (8.0, -4.0)
    weights = _values("weights", (1, 3, 1, 1), [slope * rule.std[0], 0, 0])
    bias = _values("bias", (1,), [slope * rule.mean[0] + offset])
    total = _values("total", (1,), [1.0 if output == "probability" else 0.0])
    names = [f"d{index}" for index in range(outputs)]
    nodes = [_node("Conv", [input_name, "weights", "bias"], names[0])]
    nodes += [_node("Sub", ["total", names[0]], name) for name in names[1:]]
    side = rule.side_px
    graph = b"".join(_field(1, node) for node in nodes) + _field(2, "published")
    graph += b"".join(_field(5, tensor) for tensor in (weights, bias, total))
    graph += _field(11, _tensor(input_name, (1, 3, side, side)))
    graph += b"".join(_field(12, _tensor(name, (1, 1, side, side))) for name in names)
    return _field(1, 8) + _field(7, graph) + _field(8, _field(2, 13))


def _node(kind: str, inputs: Sequence[str], output: str) -> bytes:
    return b"".join(_field(1, name) for name in inputs) + _field(2, output) + _field(4, kind)


def _values(name: str, dims: Sequence[int], values: Sequence[float]) -> bytes:
    head = b"".join(_field(1, dim) for dim in dims) + _field(2, 1)
    return head + _field(8, name) + _field(9, struct.pack(f"<{len(values)}f", *values))


def card_for(data: bytes, **changes: Any) -> ModelCard:
    """A card that fits the graph."""
    facts: dict[str, Any] = {
        "name": "tiny",
        "file": "tiny.onnx",
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
        "input": InputRule(64, 32, "longest"),
        "output": "probability",
        "licence": "Apache-2.0",
    }
    return ModelCard(**facts | changes)


def write_model(folder: Path, data: bytes | None = None, **changes: Any) -> Path:
    """Write tiny.onnx and tiny.json; returns the path of the graph."""
    data = mean_graph() if data is None else data
    path = folder / "tiny.onnx"
    path.write_bytes(data)
    path.with_suffix(".json").write_text(card_for(data, **changes).to_json(), encoding="utf-8")
    return path
