"""The JSON of the native API, as OpenAPI shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict
from starlette.responses import JSONResponse, Response

from packshot import __version__
from packshot.core.codecs.formats import FORMATS
from packshot.core.notes import NoteCode, RepairCode
from packshot.core.options import OPTIONS
from packshot.engine.presets import Preset, find_preset, preset_names
from packshot.engine.result import Result
from packshot.service.accounts import KeyInfo
from packshot.service.build import Service, native_limits
from packshot.service.jobs import Stored, StoredResult
from packshot.service.ledger import DayUsage

DAYS = 30


def described(model: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """All facts as JSON."""
    fixed = {"Cache-Control": "no-store", "Vary": "Accept"}
    return JSONResponse(model.model_dump(mode="json"), status, headers={**fixed, **(headers or {})})


_RULE_FIGURES = (
    "The figures of the rule, from which a program can write the sentences in any language: what it demands "
    "(least, most, allowed, colour ...) and, on a check, more of what was measured (needed_px, percent, edges ...)."
)
_NOTE_EXAMPLE: JsonDict = {
    "examples": [
        {"code": "enlarged-less", "what": "product", "size": [20, 40], "frame": [200, 200], "wanted": 4.25, "most": 1}
    ]
}


class Extent(BaseModel):
    """Width and height in px."""

    width: int
    height: int


class Rectangle(BaseModel):
    """A rectangle in px: left and top belong to it, right and bottom do not."""

    left: int
    top: int
    right: int
    bottom: int


class RuleCheck(BaseModel):
    """One rule of a preset, checked on the finished file."""

    rule: str = Field(description="The kind of rule.", examples=["fill"])
    passed: bool
    measured: int | float | str = Field(description="What was measured.", examples=[0.87])
    asked: str = Field(description="What the rule asks for.", examples=["at least 85 %"])
    message: str = Field(description="Both in sentences, and what to do where it failed.")
    required: bool = Field(description="Whether it decides, or is the marketplace's advice.")
    facts: dict[str, Any] = Field(description=_RULE_FIGURES, examples=[{"least": 0.85, "percent": 87.0}])


class Repair(BaseModel):
    """Something that a rule requires and that was put right. facts: the figures in the sentence, by name."""

    code: RepairCode
    message: str
    facts: dict[str, Any] = Field(examples=[{"times": 1.36, "longest_px": 1000}])


class PresetReport(BaseModel):
    """What a preset's rules say of a picture."""

    name: str = Field(examples=["amazon"])
    title: str
    passed: bool = Field(description="Whether every required rule is kept.")
    checks: list[RuleCheck]
    repairs: list[Repair] = Field(description="What was put right so that the rules are kept; the option `repair`.")


class NoteFacts(BaseModel):
    """A note as a code with its figures, from which a program can write the sentence in any language.

    enlarged-less: the frame needs the product (or photo) `wanted` times as large, and `most` times are allowed.
    too-small: the longest side has less than the `asked` px. reaches-edge: the product touches `edges` of the photo.
    no-shadow: the photo has no shadow that can be told from its ground.
    """

    model_config = ConfigDict(extra="allow", json_schema_extra=_NOTE_EXAMPLE)

    code: NoteCode


class PictureFacts(BaseModel):
    """All that is known of a finished picture."""

    media_type: str = Field(examples=["image/png"])
    width: int = Field(description="Of the picture, px.")
    height: int = Field(description="Of the picture, px.")
    bytes: int = Field(description="Size of the file.")
    photo: Extent = Field(description="Size of the photo, upright and turned as `rotate` asks.")
    box: Rectangle = Field(description="Where the product lies in the photo, turned as it is.")
    product: Rectangle = Field(description="Where the product lies in the picture.")
    confidence: float | None = Field(
        description="How good the cutout is likely to be, 0 to 1: the share of overlap with a perfect one that "
        "cutouts like it have in the mean. null when the network does not say."
    )
    review: bool = Field(description="Whether a human should look at it.")
    notes: list[str] = Field(description="What could not be done as asked, in sentences for people.")
    note_facts: list[NoteFacts] = Field(description="The same notes for programs, in the same order.")
    preset: PresetReport | None
    timings_ms: dict[str, float] = Field(description="How long each step took.")

    @staticmethod
    def known(result: Result, size_bytes: int) -> dict[str, Any]:
        """All of these fields."""
        return {
            "media_type": result.media_type,
            "width": result.size.width,
            "height": result.size.height,
            "bytes": size_bytes,
            "photo": result.photo_size._asdict(),
            "box": result.box._asdict(),
            "product": result.product._asdict(),
            "confidence": None if result.confidence is None else round(result.confidence, 4),
            "review": result.review,
            "notes": [note.message for note in result.notes],
            "note_facts": [NoteFacts(code=note.code, **note.facts) for note in result.notes],
            "preset": None if result.report is None else result.report.to_dict(),
            "timings_ms": {name: round(value, 1) for name, value in result.timings_ms.items()},
        }


class ArchivedPicture(PictureFacts):
    """A picture in a ZIP."""

    file: str = Field(description="Its name in the ZIP.", examples=["amazon.jpg"])

    @classmethod
    def of(cls, result: Result, file: str) -> Self:
        return cls(file=file, **cls.known(result, len(result.data)))


class LinkedPicture(PictureFacts):
    """A finished picture: where it is, and what is known of it."""

    url: str = Field(description="Where the picture can be fetched, without a key, until expires_at.")
    expires_at: datetime

    @classmethod
    def linked(cls, result: Result, stored: Stored, url: str) -> dict[str, Any]:
        """All of these fields."""
        until = datetime.fromtimestamp(stored.link.expires, UTC)
        return {"url": url, "expires_at": until, **cls.known(result, stored.size_bytes)}


class Packshot(LinkedPicture):
    """A finished packshot: where it is, and what is known of it. Of several the first one; `packshots` has them all."""

    request_id: str = Field(description="Names this request in the operator's logs.")
    photo_id: str | None = Field(
        description="Names the photo for later requests of your key, which may send it in place of `image`; null when "
        "the photo is not kept."
    )
    credits: int = Field(
        description="What this request cost: 1, or 0 where your key had paid for the photo within the last day."
    )
    packshots: list[LinkedPicture] = Field(
        description="Where several presets were named: the picture of each, in that order. Else empty."
    )

    @classmethod
    def of(cls, made: StoredResult, *, request_id: str, urls: Sequence[str]) -> Self:
        each = [cls.linked(*facts) for facts in zip(made.results, made.stored, urls, strict=True)]
        return cls(
            request_id=request_id,
            photo_id=made.photo_id,
            credits=made.credits,
            packshots=[LinkedPicture(**facts) for facts in each] if len(each) > 1 else [],
            **each[0],
        )


class Checked(BaseModel):
    """What a preset's rules say of a picture that was made elsewhere."""

    request_id: str = Field(description="Names this request in the operator's logs.")
    preset: PresetReport


class Day(BaseModel):
    """The photos and credits of a key on a day, UTC."""

    day: date
    succeeded: int = Field(description="Photos that were answered.")
    failed: int = Field(description="Photos whose credit was given back.")
    credits: int = Field(description="Credits spent, those of photos in work included.")


class Account(BaseModel):
    """The account of the key that asks."""

    id: str = Field(description="Names the key; it is no secret.")
    name: str = Field(description="What the operator calls it.")
    credits: int | None = Field(description="Credits left; null: no end of them.")
    used: int = Field(description="Credits spent since the key was made.")
    rate: str | None = Field(description="Requests that may come; null: no limit.", examples=["600/minute"])
    expires_at: datetime | None
    webhook_secret: str | None = Field(
        description="Checks the signatures of webhooks to you (Standard Webhooks); null where the service sends none.",
        examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    )
    usage: list[Day] = Field(description=f"The last {DAYS} days, newest first; days without a photo are left out.")

    @classmethod
    def of(cls, service: Service, key: KeyInfo, usage: Sequence[DayUsage]) -> Self:
        return cls(
            id=key.id,
            name=key.name,
            credits=key.credits,
            used=key.used,
            rate=key.rate or service.settings.rate_limit,
            expires_at=None if key.expires_at is None else datetime.fromtimestamp(int(key.expires_at), UTC),
            webhook_secret=service.webhooks.secret(key.id) if service.webhooks.guard.schemes else None,
            usage=[Day(day=row.day, succeeded=row.succeeded, failed=row.failed, credits=row.credits) for row in usage],
        )


class OptionFacts(BaseModel):
    """An option as forms and help pages need it."""

    name: str
    about: str
    accepts: str
    kind: str = Field(description="text, switch, whole number, number or file.")
    choices: list[str] = Field(description="All values that it takes, where they can be counted.")
    examples: list[str]


class RuleFacts(BaseModel):
    """A rule that a preset checks."""

    rule: str
    asked: str
    demand: dict[str, Any] = Field(description=_RULE_FIGURES, examples=[{"least": 0.85}])
    required: bool
    why: str


class PresetFacts(BaseModel):
    """A preset: the options that it sets and the rules that it checks."""

    name: str
    title: str
    about: str
    source: str = Field(description="The marketplace's own page; empty for a preset that is ours.")
    checked: date = Field(description="The day as of which the rules are known.")
    options: dict[str, Any]
    rules: list[RuleFacts]
    hints: list[str] = Field(description="What the marketplace asks and no pixel tells: for people to look at.")

    @classmethod
    def of(cls, preset: Preset) -> Self:
        rules = [
            RuleFacts(rule=rule.name, asked=rule.asked, demand=dict(rule.demand), required=rule.required, why=rule.why)
            for rule in preset.rules
        ]
        return cls(
            name=preset.name,
            title=preset.title,
            about=preset.about,
            source=preset.source,
            checked=preset.checked,
            options=preset.options.given(),
            rules=rules,
            hints=list(preset.hints),
        )


class FormatFacts(BaseModel):
    """A file format, as an input, an output or both."""

    name: str = Field(description="As the option `format` has it.", examples=["jpeg"])
    title: str = Field(examples=["JPEG"])
    media_type: str = Field(examples=["image/jpeg"])
    suffixes: list[str] = Field(
        description="Endings of file names; the first is the one that is written.", examples=[[".jpg", ".jpeg"]]
    )
    written: bool = Field(description="Whether an output can have it. `inputs` has the formats that are read.")
    alpha: bool = Field(description="Whether an output in it keeps transparency.")


class Inputs(BaseModel):
    """What photos are accepted."""

    formats: list[str] = Field(examples=[["jpeg", "png"]])
    max_bytes: int
    max_pixels: int
    min_side_px: int


class About(BaseModel):
    """What this service is and what it can do."""

    version: str
    model: str = Field(description="The network that finds the product.")
    inputs: Inputs
    formats: list[FormatFacts]
    options: list[OptionFacts]
    presets: list[PresetFacts]

    @classmethod
    def of(cls, service: Service) -> Self:
        """It changes with the release and the settings, not with a request."""
        limits = native_limits(service.settings)
        return cls(
            version=__version__,
            model=service.network.card.name,
            inputs=Inputs(
                formats=sorted(name for name in limits.formats if FORMATS[name].available),
                max_bytes=service.settings.v1_max_file_bytes,
                max_pixels=limits.max_pixels,
                min_side_px=limits.min_side_px,
            ),
            formats=[FormatFacts.model_validate(row, from_attributes=True) for row in FORMATS.values()],
            options=[
                OptionFacts(
                    name=name,
                    about=option.about,
                    accepts=option.accepts,
                    kind=option.kind,
                    choices=preset_names() if name == "preset" else option.choices,
                    examples=option.examples,
                )
                for name, option in OPTIONS.items()
            ],
            presets=[PresetFacts.of(find_preset(name)) for name in preset_names()],
        )
