"""Published networks that can be downloaded: models/published.toml as values. No line of code knows one by name."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

from packshot.engine.card import InputRule, ModelCard, Output


@dataclass(frozen=True)
class ModelEntry:
    """What is known of a network before its file is here; `card_for` makes its card once the file is.

    `sha256` and `bytes` are empty or None where the publisher does not say. `about_mb` is for people only.
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
        """The publisher's name of the file, by which a mirror or a folder holds it too."""
        return self.url.rsplit("/", 1)[-1]

    def card_for(self, sha256: str, size_bytes: int) -> ModelCard:
        """The card of the downloaded file, which pins it: from here on it is a model like any other."""
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


@cache
def published() -> Mapping[str, ModelEntry]:
    """Every entry by its name, in the order of the file."""
    text = resources.files("packshot").joinpath("models", "published.toml").read_text(encoding="utf-8")
    return {name: _entry(name, facts) for name, facts in tomllib.loads(text).items()}


def _entry(name: str, facts: dict[str, Any]) -> ModelEntry:
    rule = facts.pop("input")
    mean, std = tuple(rule.pop("mean")), tuple(rule.pop("std"))
    return ModelEntry(name=name, input=InputRule(**rule, mean=mean, std=std), **facts)
