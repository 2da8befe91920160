"""ModelCard <-> NAME.json next to NAME.onnx: the graph's input, its output, and its origin.

A model is data, never a class: any ONNX graph with its own card runs without new code.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field
from pathlib import Path
from types import UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from packshot.core.confidence import Calibration
from packshot.core.geometry import Fit
from packshot.errors import BadSettings, ModelMissing

Output = Literal["probability", "logit", "change"]
Triple = tuple[float, float, float]
Record = TypeVar("Record")


@dataclass(frozen=True)
class InputRule:
    """The rule that makes the network input: sizes in px, then (rgb - mean) / std on values in 0..1.

    The defaults of mean and std change nothing: they are for graphs that normalise internally, as ours do.
    """

    side_px: int
    multiple: int
    fit: Fit
    mean: Triple = (0.0, 0.0, 0.0)
    std: Triple = (1.0, 1.0, 1.0)

    def __post_init__(self) -> None:
        if self.multiple < 1 or self.side_px < self.multiple or self.side_px % self.multiple:
            raise ValueError(f"side_px {self.side_px} must be a whole multiple of multiple {self.multiple}")
        if min(self.std) <= 0:
            raise ValueError(f"std {self.std} must be positive")


@dataclass(frozen=True)
class DataSource:
    """One data set that the network was trained on: its origin, its terms, its number of pictures."""

    name: str
    count: int
    source: str
    terms: str


@dataclass(frozen=True)
class Graph:
    """Facts about the ONNX file. `weights` is the storage type; the computation uses float32 either way."""

    opset: int
    parameters: int
    weights: Literal["float16", "float32", "int8"]


@dataclass(frozen=True)
class ModelCard:
    """The facts about a network. Every field after `second_look_from` is for people and may be omitted.

    `sha256` and `bytes` pin the file next to the card. `output` describes output 0 of the graph: a matte
    ("probability") or its logit; for an edge refiner, the "change" of that logit. `edges` names the edge refiner that
    follows a coarse network, None for none. `second_look_from` is for small products: the network runs a second time,
    on the product's surroundings alone, if it sees them larger by at least this factor; None for never. `confidence`
    maps the stability of its mattes to a confidence; it is valid for this file only. `scores` maps the name of a test
    set to its figures.
    """

    name: str
    file: str
    sha256: str
    bytes: int
    input: InputRule
    output: Output
    licence: str
    confidence: Calibration | None = None
    edges: str | None = "packshot-edges-1-int8"
    second_look_from: float | None = None
    description: str = ""
    graph: Graph | None = None
    data: tuple[DataSource, ...] = ()
    seeds: tuple[int, ...] = ()
    training: Mapping[str, Any] = field(default_factory=dict)
    scores: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    known_failures: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if Path(self.file).name != self.file:
            raise ValueError(f"file {self.file!r} must be a bare file name: the graph must lie next to its card")
        if len(self.sha256) != 64 or not set(self.sha256) <= set("0123456789abcdef"):
            raise ValueError("sha256 must be 64 lower-case hexadecimal digits")
        if self.second_look_from is not None and self.second_look_from <= 1:
            raise ValueError("second_look_from must be over 1, or null")
        if self.confidence and self.confidence.sha256 != self.sha256:
            raise ValueError("confidence was fitted to another file: refit it, or remove it")

    def to_json(self) -> str:
        """The text of NAME.json; `read_card` turns it back into an equal card."""
        return json.dumps(dataclasses.asdict(self), indent=2, ensure_ascii=False) + "\n"


def read_card(path: Path) -> ModelCard:
    """Read and check a card. Rejects unknown fields and wrong types, by name.

    Raises: ModelMissing if the file does not exist, BadSettings if it is not a valid card.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelMissing(
            f"There is no model card {path}.", hint="Each NAME.onnx needs a NAME.json next to it."
        ) from error
    except (OSError, ValueError) as error:
        raise BadSettings(f"The model card {path} cannot be read: {error}.") from error
    try:
        return _record(ModelCard, value, "card")
    except ValueError as error:
        raise BadSettings(f"The model card {path} is not valid: {error}.") from error


def _record(kind: type[Record], value: Any, where: str) -> Record:
    """A dataclass from a JSON object, without missing or unknown fields."""
    if not isinstance(value, dict):
        raise ValueError(f"{where} must be an object")
    hints = get_type_hints(kind)
    if unknown := sorted(value.keys() - hints.keys()):
        raise ValueError(f"{where} has unknown fields: {', '.join(unknown)}")
    if missing := sorted(_required(kind) - value.keys()):
        raise ValueError(f"{where} lacks {', '.join(missing)}")
    return kind(**{name: _value(hints[name], item, f"{where}.{name}") for name, item in value.items()})


def _required(kind: Any) -> set[str]:
    return {f.name for f in dataclasses.fields(kind) if f.default is MISSING and f.default_factory is MISSING}


def _value(kind: Any, value: Any, where: str) -> Any:
    """A value of one of the types that the records above use. Casts only whole numbers to float."""
    origin, inner = get_origin(kind) or kind, get_args(kind)
    if origin is UnionType:
        return None if value is None else _value(inner[0], value, where)
    if origin is tuple and isinstance(value, list):
        return _tuple(inner, value, where)
    if origin is Mapping and isinstance(value, dict):
        return {key: _value(inner[1], item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return _record(kind, value, where)
    if kind is float and type(value) is int:
        return float(value)
    if value not in inner if origin is Literal else kind is not Any and type(value) is not kind:
        raise ValueError(f"{where} must be {_wanted(kind)}, not {json.dumps(value)[:40]}")
    return value


def _tuple(inner: tuple[Any, ...], values: list[Any], where: str) -> tuple[Any, ...]:
    kinds = [inner[0]] * len(values) if inner[-1] is Ellipsis else inner
    if len(kinds) != len(values):
        raise ValueError(f"{where} must have {len(kinds)} values")
    return tuple(
        _value(kind, value, f"{where}[{i}]") for i, (kind, value) in enumerate(zip(kinds, values, strict=True))
    )


def _wanted(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(map(repr, get_args(kind)))
    return str(getattr(kind, "__name__", kind))
