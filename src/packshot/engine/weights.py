"""Find and verify models: embedded, downloaded or a user's own, each a NAME.onnx with its card NAME.json.

models/published.toml lists the models that can be downloaded. The code knows none of them by name.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from packshot.engine.card import InputRule, ModelCard, Output, read_card
from packshot.engine.process import computes_eight_bits
from packshot.errors import BadSettings, ChecksumMismatch, ModelMissing, PackshotError

DEFAULT_MODEL = "packshot-3"
EIGHT_BIT_MODEL = f"{DEFAULT_MODEL}-int8"
"""The same network in eight bits, in half the time: the default where the processor supports it (decision 0020)."""

CHOICE = "default"
"""The file in the models folder that names the user's default model; `packshot models use` writes it."""


@dataclass(frozen=True)
class ModelEntry:
    """The facts about a network before its file is downloaded; `card_for` makes its card afterwards.

    `sha256` is empty and `bytes` None where the publisher gives none. `about_mb` is for people only.
    """

    name: str
    url: str
    input: InputRule
    output: Output
    licence: str
    licence_url: str
    description: str
    md5: str
    sha256: str = ""
    bytes: int | None = None
    about_mb: int | None = None
    scores: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def file(self) -> str:
        """The publisher's file name, which a mirror or a folder uses too."""
        return self.url.rsplit("/", 1)[-1]

    def card_for(self, sha256: str, size_bytes: int) -> ModelCard:
        """The card of the downloaded file, which pins its checksum: from now on it is an ordinary model."""
        return ModelCard(
            name=self.name,
            file=f"{self.name}.onnx",
            sha256=sha256,
            bytes=size_bytes,
            input=self.input,
            output=self.output,
            licence=self.licence,
            description=f"{self.description} From {self.url}",
            scores=self.scores,
        )


def models_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """The folder of downloaded models: PACKSHOT_MODELS_DIR, else packshot/models in the user's data folder.

    Both the library and the service need it, so it is read here and not in the settings. A user without a home
    directory has no such folder. The path then does not exist, and only the embedded models are available.
    """
    named = environ.get("PACKSHOT_MODELS_DIR", "").strip()
    folder = Path(named) if named else Path(environ.get("XDG_DATA_HOME") or "~/.local/share") / "packshot" / "models"
    try:
        return folder.expanduser().absolute()
    except RuntimeError:
        return folder


def default_model(folder: Path | None = None, device: str = "cpu") -> str:
    """The name or path chosen by `packshot models use`; without a choice, the embedded model that suits the device.

    Raises: BadSettings when the choice cannot be read.
    """
    path = (folder or models_folder()) / CHOICE
    try:
        return path.read_text(encoding="utf-8").strip() or embedded_model(device)
    except (FileNotFoundError, NotADirectoryError):
        return embedded_model(device)
    except (OSError, UnicodeDecodeError) as error:
        raise BadSettings(f"The choice of the default model in {path} cannot be read: {error}.") from error


def embedded_model(device: str = "cpu") -> str:
    """EIGHT_BIT_MODEL on a processor that is faster with eight bits, else DEFAULT_MODEL."""
    return EIGHT_BIT_MODEL if device == "cpu" and computes_eight_bits() else DEFAULT_MODEL


def choose_default(name_or_path: str | None, folder: Path | None = None) -> None:
    """Store the user's default model; None restores the embedded one.

    Raises: BadSettings when the folder cannot be written.
    """
    path = (folder or models_folder()) / CHOICE
    try:
        if name_or_path is None:
            path.unlink(missing_ok=True)
            return
        own = name_or_path.endswith(".onnx")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{Path(name_or_path).expanduser().absolute() if own else name_or_path}\n", encoding="utf-8")
    except OSError as error:
        hint = "Set PACKSHOT_MODEL instead, or PACKSHOT_MODELS_DIR to a writable folder."
        raise BadSettings(f"The choice cannot be saved in {path}: {error.strerror}.", hint=hint) from error


def embedded_cards() -> list[ModelCard]:
    """The cards of the models that come with the package, by name."""
    return [read_card(path) for path in sorted(_embedded().glob("*.json"))]


def downloaded_cards(folder: Path | None = None) -> list[ModelCard | PackshotError]:
    """The cards in the models folder, sorted by name; for an unusable card, its error."""
    found: list[ModelCard | PackshotError] = []
    for path in sorted((folder or models_folder()).glob("*.json")):
        try:
            found.append(_beside(path)[0])
        except PackshotError as error:
            found.append(error)
    return found


def find_card(name_or_path: str, folder: Path | None = None) -> tuple[ModelCard, Path]:
    """The card of a model and the path of its graph. Call `verify` next to check the graph.

    A name means an embedded model or one in the models folder; a value that ends in .onnx is the path of a user's own
    model.
    Raises: ModelMissing, BadSettings.
    """
    if name_or_path.endswith(".onnx"):
        path = Path(name_or_path).expanduser()
        if _exists(path) and not path.with_suffix(".json").exists():
            hint = f"`packshot models card {path}` writes one."
            raise ModelMissing(f"{path} has no card {path.with_suffix('.json').name} next to it.", hint=hint)
        return _beside(path.with_suffix(".json"), graph=path)
    if Path(name_or_path).name == name_or_path:
        for place in (_embedded(), folder or models_folder()):
            if _exists(card := place / f"{name_or_path}.json"):
                return _beside(card)
    raise _missing(name_or_path, folder)


def verify(card: ModelCard, path: Path) -> None:
    """Compare the file's size and SHA-256 with the card, so that a truncated or altered graph never runs.

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


@cache
def published() -> Mapping[str, ModelEntry]:
    """All entries by name, in the order of the file."""
    import tomllib  # noqa: PLC0415 - 5 ms, and the embedded network needs none

    text = (_embedded() / "published.toml").read_text(encoding="utf-8")
    return {name: _entry(name, facts) for name, facts in tomllib.loads(text).items()}


def _entry(name: str, facts: dict[str, Any]) -> ModelEntry:
    rule = facts.pop("input")
    mean, std = tuple(rule.pop("mean")), tuple(rule.pop("std"))
    return ModelEntry(name=name, input=InputRule(**rule, mean=mean, std=std), **facts)


def _embedded() -> Path:
    return Path(str(resources.files("packshot"))) / "models"


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:
        raise BadSettings(f"The models folder {path.parent} cannot be read: {error.strerror}.") from error


def _beside(card_path: Path, graph: Path | None = None) -> tuple[ModelCard, Path]:
    """A card and the graph next to it, which has the card's name."""
    card, graph = read_card(card_path), graph or card_path.with_suffix(".onnx")
    if card.file != graph.name:
        hint = "Its field `file` must name the graph."
        raise BadSettings(f"The card {card_path} next to {graph.name} is for {card.file}.", hint=hint)
    return card, graph


def _missing(name: str, folder: Path | None) -> ModelMissing:
    if name in published():
        return ModelMissing(
            f"The model {name} has not been downloaded.", hint=f"Run `packshot models download {name}`.", model=name
        )
    import difflib  # noqa: PLC0415 - for a message

    here = [card.name for card in [*embedded_cards(), *downloaded_cards(folder)] if isinstance(card, ModelCard)]
    near = difflib.get_close_matches(name, [*here, *published()], n=1)
    guess = f" Did you mean {near[0]}?" if near else ""
    hint = f"Models here: {', '.join(here)}. Or give the path of an .onnx file with its card next to it."
    return ModelMissing(f"There is no model named {name!r}.{guess}", hint=hint, model=name)
