"""The Network protocol, one method, and its ONNX Runtime implementation."""

from __future__ import annotations

import threading
from functools import cache
from pathlib import Path
from typing import Protocol

import numpy as np

from packshot.core.picture import Float32, logistic
from packshot.engine.card import ModelCard
from packshot.engine.session import Device, open_session, run_session
from packshot.engine.weights import default_model, find_card, verify
from packshot.errors import BadSettings


class Network(Protocol):
    """Anything that turns a network input into a coarse matte. Thread-safe."""

    @property
    def card(self) -> ModelCard: ...

    def predict(self, rgb: Float32) -> Float32:
        """RGB (1, 3, h, w) in 0..1, of a size that the card's input rule gives -> coarse matte (h, w) in 0..1."""
        ...


class OnnxNetwork:
    """A graph in one ONNX Runtime session for all threads: run() releases the GIL and keeps no state.

    threads: cores for one prediction. 1 gives the highest throughput when each core has a worker; as many as there
    are cores gives a single user the lowest latency.
    device: "cuda" uses CUDA or raises an error; it never falls back to another device.
    """

    def __init__(self, card: ModelCard, path: Path, threads: int = 1, device: Device = "cpu") -> None:
        self._session = open_session(card, path, threads, device)
        self.card = card

    @property
    def provider(self) -> str:
        """ONNX Runtime's name of the execution provider, such as CPUExecutionProvider."""
        return str(self._session.get_providers()[0])

    def predict(self, rgb: Float32) -> Float32:
        """RGB float32 (1, 3, h, w) in 0..1 -> coarse matte float32 (h, w) in 0..1.

        Only the card's mean and std change the input, and only its output rule changes the result. The result is not
        stretched to its own minimum or maximum, so that an uncertain network stays visibly uncertain.
        Raises: BadSettings if the graph rejects the input or returns an unexpected shape.
        """
        values = run_session(self._session, self.card, self._normalised(rgb))
        if values.shape != (1, 1, *rgb.shape[2:]):
            raise BadSettings(
                f"Model {self.card.name!r} returned {values.shape} for an input of {rgb.shape}.", model=self.card.name
            )
        return np.clip(logistic(values[0, 0]) if self.card.output == "logit" else values[0, 0], 0, 1)

    def _normalised(self, rgb: Float32) -> Float32:
        rule = self.card.input
        if not any(rule.mean) and set(rule.std) == {1.0}:
            return rgb
        mean, std = (np.array(values, np.float32).reshape(1, 3, 1, 1) for values in (rule.mean, rule.std))
        return (rgb - mean) / std


def load_network(
    name_or_path: str | None = None, threads: int = 1, *, device: Device = "cpu", folder: Path | None = None
) -> OnnxNetwork:
    """Find a model by name or path, verify its checksum, and load it.

    Parameters
    ----------
    name_or_path
        None for the default model: the choice of `packshot models use`, else the embedded model.
    threads
        Cores for one prediction on the CPU.
    device
        "cpu" or "cuda".
    folder
        Folder of downloaded models; None for the user's own folder.

    Raises
    ------
    ModelMissing, ChecksumMismatch, BadSettings
        The model or the device cannot be used; the message says how to fix this.
    """
    card, path = find_card(name_or_path or default_model(folder, device), folder)
    verify(card, path)
    return OnnxNetwork(card, path, threads, device)


_loading = threading.Lock()
_load_default = cache(load_network)


def default_network() -> Network:
    """The default network, loaded once, with one session for all threads: the user's choice, else the embedded one."""
    with _loading:  # cache alone would let two first calls load it twice
        return _load_default()
