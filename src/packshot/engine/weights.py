"""Find models and make sure of them: cards embedded in the package, or a user's own NAME.onnx with NAME.json."""

from __future__ import annotations

import hashlib
from importlib import resources
from pathlib import Path

from packshot.engine.card import ModelCard, read_card
from packshot.errors import BadSettings, ChecksumMismatch, ModelMissing

DEFAULT_MODEL = "packshot-coarse-1"


def embedded_cards() -> list[ModelCard]:
    """The cards of the models that come with the package, by name."""
    return [read_card(path) for path in sorted(_embedded().glob("*.json"))]


def find_card(name_or_path: str) -> tuple[ModelCard, Path]:
    """The card of a model and the path of its graph, which `verify` then checks.

    A name is that of an embedded model; anything that ends in .onnx is the path of a user's own.
    Raises: ModelMissing, BadSettings.
    """
    if name_or_path.endswith(".onnx"):
        return _own(Path(name_or_path))
    cards = {card.name: card for card in embedded_cards()}
    if name_or_path not in cards:
        there = ", ".join(cards) or "none"
        hint = f"Embedded models: {there}. Or give the path of an .onnx file with its card beside it."
        raise ModelMissing(f"There is no model named {name_or_path!r}.", hint=hint, model=name_or_path)
    card = cards[name_or_path]
    return card, _embedded() / card.file


def verify(card: ModelCard, path: Path) -> None:
    """Compare the file's size and SHA-256 with the card: a cut download or an altered graph never runs.

    Raises: ModelMissing when there is no file, ChecksumMismatch.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest() if size == card.bytes else ""
    except OSError as error:
        raise ModelMissing(f"The graph {path} of model {card.name!r} cannot be read: {error.strerror}.") from error
    if size != card.bytes:
        raise ChecksumMismatch(f"{path} has {size} bytes; its card says {card.bytes}.", model=card.name)
    if digest != card.sha256:
        raise ChecksumMismatch(f"{path} has SHA-256 {digest}; its card says {card.sha256}.", model=card.name)


def _embedded() -> Path:
    return Path(str(resources.files("packshot"))) / "models"


def _own(path: Path) -> tuple[ModelCard, Path]:
    card = read_card(path.with_suffix(".json"))
    if card.file != path.name:
        raise BadSettings(f"The card beside {path} is for {card.file}.", hint="Its field `file` must name the graph.")
    return card, path
