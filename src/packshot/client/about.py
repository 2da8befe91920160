"""Facts about a service, and the account of a key, as dataclasses."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Self

from packshot.client.results import JsonObject


@dataclass(frozen=True)
class OptionInfo:
    """An option of the service. choices: all allowed values, if they are a finite set."""

    name: str
    about: str
    accepts: str
    kind: str
    choices: tuple[str, ...]
    examples: tuple[str, ...]


@dataclass(frozen=True)
class RuleInfo:
    """A rule of a preset. asked: the requirement in words. demand: the requirement in figures."""

    rule: str
    asked: str
    demand: JsonObject
    required: bool
    why: str


@dataclass(frozen=True)
class PresetInfo:
    """A preset of the service. source: page of the marketplace. checked: date of the last check against the source."""

    name: str
    title: str
    about: str
    source: str
    checked: date
    options: JsonObject
    rules: tuple[RuleInfo, ...]


@dataclass(frozen=True)
class FormatInfo:
    """A file format. suffixes: endings of file names; outputs get the first one.

    written: whether outputs can have this format. alpha: whether such outputs keep transparency.
    """

    name: str
    title: str
    media_type: str
    suffixes: tuple[str, ...]
    written: bool
    alpha: bool


@dataclass(frozen=True)
class Inputs:
    """Formats and limits of the photos that the service accepts."""

    formats: tuple[str, ...]
    max_bytes: int
    max_pixels: int
    min_side_px: int


@dataclass(frozen=True)
class ServiceInfo:
    """Facts about a service."""

    version: str
    model: str
    inputs: Inputs
    formats: tuple[FormatInfo, ...]
    options: tuple[OptionInfo, ...]
    presets: tuple[PresetInfo, ...]

    @classmethod
    def from_json(cls, said: JsonObject) -> Self:
        inputs = said["inputs"]
        return cls(
            version=said["version"],
            model=said["model"],
            inputs=Inputs(tuple(inputs["formats"]), inputs["max_bytes"], inputs["max_pixels"], inputs["min_side_px"]),
            formats=tuple(_format(each) for each in said.get("formats") or ()),
            options=tuple(_option(each) for each in said["options"]),
            presets=tuple(_preset(each) for each in said["presets"]),
        )


@dataclass(frozen=True)
class DayUsage:
    """Usage of a day (UTC). succeeded: number of finished photos. failed: number of photos with refunded credits."""

    day: date
    succeeded: int
    failed: int
    credits: int


@dataclass(frozen=True, kw_only=True)
class Account:
    """The account of a key.

    id: identifies the key, not secret. name: given by the operator. credits: credits left; None for no limit. used:
    credits spent since the key was created. rate: rate limit, such as "600/minute"; None for no limit.
    webhook_secret: secret for `verify_webhook`; None if the service sends no webhooks. usage: the last 30 days, newest
    first, without days that had no photo.
    """

    id: str
    name: str
    credits: int | None
    used: int
    rate: str | None
    expires_at: datetime | None
    webhook_secret: str | None = field(repr=False)
    usage: tuple[DayUsage, ...]

    @classmethod
    def from_json(cls, said: JsonObject) -> Self:
        until = said["expires_at"]
        return cls(
            id=said["id"],
            name=said["name"],
            credits=said["credits"],
            used=said["used"],
            rate=said["rate"],
            expires_at=None if until is None else datetime.fromisoformat(until),
            webhook_secret=said.get("webhook_secret"),
            usage=tuple(_day(each) for each in said["usage"]),
        )


def _day(said: JsonObject) -> DayUsage:
    return DayUsage(date.fromisoformat(said["day"]), said["succeeded"], said["failed"], said["credits"])


def _format(said: JsonObject) -> FormatInfo:
    words, suffixes = (said["name"], said["title"], said["media_type"]), tuple(said["suffixes"])
    return FormatInfo(*words, suffixes, said["written"], said["alpha"])


def _option(said: JsonObject) -> OptionInfo:
    choices, examples = tuple(said.get("choices") or ()), tuple(said.get("examples") or ())
    return OptionInfo(said["name"], said["about"], said["accepts"], said["kind"], choices, examples)


def _preset(said: JsonObject) -> PresetInfo:
    return PresetInfo(
        name=said["name"],
        title=said["title"],
        about=said["about"],
        source=said["source"],
        checked=date.fromisoformat(said["checked"]),
        options=dict(said["options"]),
        rules=tuple(_rule(each) for each in said["rules"]),
    )


def _rule(said: JsonObject) -> RuleInfo:
    return RuleInfo(said["rule"], said["asked"], dict(said.get("demand") or {}), said["required"], said["why"])
