"""The Network protocol, one method, and its ONNX Runtime implementation."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from packshot.core.picture import Float32
from packshot.engine.card import ModelCard
from packshot.engine.weights import DEFAULT_MODEL, find_card, verify
from packshot.errors import BadSettings

# The runtime's exceptions have no base of their own. What they mean here: this graph does not run as its card says.
_RUNTIME_ERRORS = tuple(
    kind for kind in vars(ort_errors).values() if isinstance(kind, type) and issubclass(kind, Exception)
)


class Network(Protocol):
    """Anything that turns a network input into a coarse matte. Safe to call from several threads at once."""

    @property
    def card(self) -> ModelCard: ...

    def predict(self, rgb: Float32) -> Float32:
        """RGB (1, 3, h, w) in 0..1, of a size that the card's input rule gives -> coarse matte (h, w) in 0..1."""
        ...


class OnnxNetwork:
    """A graph in one ONNX Runtime session, which all threads share: run() releases the GIL and keeps no state.

    threads: cores for one prediction. 1 gives the most pictures per second when each core has a worker;
    as many as there are cores gives a single user the shortest wait.
    """

    def __init__(self, card: ModelCard, path: Path, threads: int = 1) -> None:
        options = ort.SessionOptions()
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.enable_cpu_mem_arena = True
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors: warnings of a graph's optimiser are no user's business
        # Spinning threads eat the cores that codecs and other sessions need.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except _RUNTIME_ERRORS as error:
            raise BadSettings(f"The graph {path} cannot be loaded: {error}", model=card.name) from error
        self._input = self._session.get_inputs()[0].name
        self._output = self._session.get_outputs()[0].name
        self.card = card

    def predict(self, rgb: Float32) -> Float32:
        """RGB float32 (1, 3, h, w) in 0..1 -> coarse matte float32 (h, w) in 0..1.

        Only the card's mean and std touch the input and only its output rule the result. Nothing is stretched by
        its own minimum or maximum: a network that is unsure must be seen to be unsure.
        Raises: BadSettings when the graph refuses the input or answers with another shape than it promised.
        """
        try:
            (values,) = self._session.run([self._output], {self._input: self._normalised(rgb)})
        except _RUNTIME_ERRORS as error:
            raise BadSettings(f"Model {self.card.name!r} cannot run: {error}", model=self.card.name) from error
        if values.shape != (1, 1, *rgb.shape[2:]):
            raise BadSettings(
                f"Model {self.card.name!r} answers {values.shape} to an input of {rgb.shape}.", model=self.card.name
            )
        matte: Float32 = values[0, 0]
        # tanh is the logistic function that does not overflow.
        return np.clip(0.5 + 0.5 * np.tanh(0.5 * matte) if self.card.output == "logit" else matte, 0, 1)

    def _normalised(self, rgb: Float32) -> Float32:
        rule = self.card.input
        if not any(rule.mean) and set(rule.std) == {1.0}:
            return rgb
        mean, std = (np.array(values, np.float32).reshape(1, 3, 1, 1) for values in (rule.mean, rule.std))
        return (rgb - mean) / std


def load_network(name_or_path: str = DEFAULT_MODEL, threads: int = 1) -> OnnxNetwork:
    """Find a model by name or path, verify its checksum, and load it.

    Raises: ModelMissing, ChecksumMismatch, BadSettings.
    """
    card, path = find_card(name_or_path)
    verify(card, path)
    return OnnxNetwork(card, path, threads)
