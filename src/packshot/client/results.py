"""Packshots and the service's facts about them, as dataclasses. Unknown JSON members are ignored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, Self
from urllib.parse import urlsplit

JsonObject = Mapping[str, Any]


@dataclass(frozen=True)
class Size:
    """A size in pixels."""

    width: int
    height: int


@dataclass(frozen=True)
class Rectangle:
    """A rectangle in pixels. Left and top are inside; right and bottom are the first pixels outside."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def size(self) -> Size:
        return Size(self.right - self.left, self.bottom - self.top)


@dataclass(frozen=True)
class Check:
    """The check of one rule. asked: the requirement in words. message: a sentence with measurement and requirement.

    required: False for a recommendation of the marketplace. facts: the figures in the message, by name.
    """

    rule: str
    passed: bool
    measured: float | str
    asked: str
    message: str
    required: bool = True
    facts: JsonObject = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Repair:
    """A repair that a rule required. facts: the figures in the message, by name."""

    code: str
    message: str
    facts: JsonObject = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Report:
    """The check of a picture against a preset. passed: whether the picture keeps every required rule.

    repairs: the repairs made to keep the rules.
    """

    preset: str
    title: str
    passed: bool
    checks: tuple[Check, ...]
    repairs: tuple[Repair, ...] = ()

    @property
    def failed(self) -> tuple[Check, ...]:
        """The required rules that the picture breaks."""
        return tuple(check for check in self.checks if check.required and not check.passed)

    @classmethod
    def from_json(cls, said: JsonObject) -> Self:
        checks = tuple(_check(each) for each in said["checks"])
        repairs = tuple(
            Repair(each["code"], each["message"], dict(each["facts"])) for each in said.get("repairs") or ()
        )
        return cls(said["name"], said["title"], said["passed"], checks, repairs)


@dataclass(frozen=True, kw_only=True)
class Link:
    """A packshot stored at the service.

    url: works without a key until expires_at. size: of the output. photo_size: of the photo. box: the foreground in the
    photo. product: the foreground in the output. confidence: expected quality of the matte, 0 to 1. review: whether a
    person should look at the picture. report: check against the preset; None without a preset. notes: sentences for
    people. note_facts: the notes for programs, each a `code` with figures.
    credits: cost of the request; 0 if the photo was paid for within the last day. photo_id: the service's id of the
    photo, if the service stores the photo. request_id: id of the request in the operator's log; empty in a job.
    """

    url: str
    expires_at: datetime
    media_type: str
    size: Size
    size_bytes: int
    photo_size: Size
    box: Rectangle
    product: Rectangle
    confidence: float | None
    review: bool
    report: Report | None
    notes: tuple[str, ...]
    note_facts: tuple[JsonObject, ...]
    timings_ms: Mapping[str, float]
    request_id: str
    credits: int = 1
    photo_id: str | None = None

    @property
    def suffix(self) -> str:
        """The file ending of the url, such as ".jpg"."""
        return PurePosixPath(urlsplit(self.url).path).suffix

    @classmethod
    def from_json(cls, said: JsonObject) -> Link:
        return Link(
            url=str(said["url"]),
            expires_at=datetime.fromisoformat(said["expires_at"]),
            media_type=said["media_type"],
            size=Size(said["width"], said["height"]),
            size_bytes=said["bytes"],
            photo_size=_size(said["photo"]),
            box=_box(said["box"]),
            product=_box(said["product"]),
            confidence=said["confidence"],
            review=said["review"],
            report=None if said["preset"] is None else Report.from_json(said["preset"]),
            notes=tuple(said["notes"]),
            note_facts=tuple(said.get("note_facts") or ()),
            timings_ms=dict(said["timings_ms"]),
            request_id=said.get("request_id", ""),
            credits=said.get("credits", 1),
            photo_id=said.get("photo_id"),
        )


def links_from_json(said: JsonObject) -> list[Link]:
    """The packshots of several presets, or the one packshot of a single preset."""
    return [Link.from_json({**said, **each}) for each in said.get("packshots") or [said]]


@dataclass(frozen=True, kw_only=True)
class Packshot(Link):
    """A packshot and its encoded bytes."""

    data: bytes = field(repr=False)

    def save(self, path: str | Path) -> Path:
        """Write the bytes to a file. A path without an ending gets the ending of the format. Returns the path."""
        file = Path(path)
        file = file if file.suffix else file.with_suffix(self.suffix)
        file.write_bytes(self.data)
        return file


def _check(said: JsonObject) -> Check:
    words = said["rule"], said["passed"], said["measured"], said["asked"], said["message"]
    return Check(*words, required=said.get("required", True), facts=dict(said.get("facts") or {}))


def _size(said: JsonObject) -> Size:
    return Size(said["width"], said["height"])


def _box(said: JsonObject) -> Rectangle:
    return Rectangle(said["left"], said["top"], said["right"], said["bottom"])
