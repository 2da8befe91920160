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
    device: "cuda" or an error; never another device than the one that was asked for.
    """

    def __init__(self, card: ModelCard, path: Path, threads: int = 1, device: Device = "cpu") -> None:
        self._session = open_session(card, path, threads, device)
        self.card = card

    @property
    def provider(self) -> str:
        """ONNX Runtime's name of what runs the graph, such as CPUExecutionProvider."""
        return str(self._session.get_providers()[0])

    def predict(self, rgb: Float32) -> Float32:
        """RGB float32 (1, 3, h, w) in 0..1 -> coarse matte float32 (h, w) in 0..1.

        Only the card's mean and std touch the input and only its output rule the result. Nothing is stretched by
        its own minimum or maximum: a network that is unsure must be seen to be unsure.
        Raises: BadSettings when the graph refuses the input or answers with another shape than it promised.
        """
        values = run_session(self._session, self.card, self._normalised(rgb))
        if values.shape != (1, 1, *rgb.shape[2:]):
            raise BadSettings(
                f"Model {self.card.name!r} answers {values.shape} to an input of {rgb.shape}.", model=self.card.name
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
        None for the default model: the one that `packshot models use` chose, else the embedded one.
    threads
        Cores for one prediction on the CPU.
    device
        "cpu" or "cuda".
    folder
        Where downloaded models lie; None for the user's own folder.

    Raises
    ------
    ModelMissing, ChecksumMismatch, BadSettings
        The model or the device cannot be used; the message says how to mend it.
    """
    card, path = find_card(name_or_path or default_model(folder, device), folder)
    verify(card, path)
    return OnnxNetwork(card, path, threads, device)


_loading = threading.Lock()
_load_default = cache(load_network)


def default_network() -> Network:
    """The network that `packshot models use` chose, else the embedded one; loaded once, one session for all threads."""
    with _loading:  # cache alone would let two first calls load it twice
        return _load_default()
