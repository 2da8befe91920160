"""Published networks that can be downloaded: models/published.toml as values. No line of code knows one by name."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from typing import Any

from packshot.engine.card import InputRule, ModelCard, Output
from packshot.errors import InvalidOption

SHA256_HINT = "Give 64 hexadecimal digits, as `sha256sum FILE` prints them."


@dataclass(frozen=True)
class Published:
    """What is known of a network before its file is here; `card_for` makes its card once the file is.

    `sha256`, `md5` and `bytes` are empty or None where the publisher does not say. `about_mb` is for people only.
    """

    name: str
    url: str
    input: InputRule
    output: Output
    licence: str
    licence_url: str
    description: str
    sha256: str = ""
    md5: str = ""
    bytes: int | None = None
    about_mb: int | None = None
    non_commercial: bool = False
    scores: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def file(self) -> str:
        """The publisher's name of the file, by which a mirror or a folder holds it too."""
        return self.url.rsplit("/", 1)[-1]

    def vouched(self, sha256: str) -> Published:
        """The same with a SHA-256 that the user vouches for.

        Raises: InvalidOption when it is no SHA-256, or not the one that is known.
        """
        sha256 = sha256.strip().lower()
        if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
            raise InvalidOption(f"{sha256!r} is not a SHA-256.", hint=SHA256_HINT, field="--sha256")
        if self.sha256 and self.sha256 != sha256:
            raise InvalidOption(f"The SHA-256 of {self.name} is known, and it is {self.sha256}.", field="--sha256")
        return replace(self, sha256=sha256)

    def card_for(self, sha256: str, size_bytes: int) -> ModelCard:
        """The card of the downloaded file, which pins it: from here on it is a model like any other."""
        return ModelCard(
            name=self.name,
            file=f"{self.name}.onnx",
            sha256=sha256,
            bytes=size_bytes,
            input=self.input,
            output=self.output,
            licence=f"{self.licence}, non-commercial use only" if self.non_commercial else self.licence,
            description=f"{self.description} From {self.url}",
            scores=self.scores,
        )


@cache
def published() -> Mapping[str, Published]:
    """Every entry by its name, in the order of the file."""
    text = resources.files("packshot").joinpath("models", "published.toml").read_text(encoding="utf-8")
    return {name: _entry(name, facts) for name, facts in tomllib.loads(text).items()}


def _entry(name: str, facts: dict[str, Any]) -> Published:
    rule = facts.pop("input")
    mean, std = tuple(rule.pop("mean")), tuple(rule.pop("std"))
    return Published(name=name, input=InputRule(**rule, mean=mean, std=std), **facts)
