"""The JSON models of the native API, which OpenAPI describes."""

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
    """A JSON response from a model. headers: additional headers."""
    fixed = {"Cache-Control": "no-store", "Vary": "Accept"}
    return JSONResponse(model.model_dump(mode="json"), status, headers={**fixed, **(headers or {})})


_RULE_FIGURES = (
    "The rule's figures, so that a program can write the sentences in any language. They are its limits "
    "(least, most, allowed, colour ...) and, in a check, further measurements (needed_px, percent, edges ...)."
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
    """A rectangle in px. left and top are inclusive, right and bottom are exclusive."""

    left: int
    top: int
    right: int
    bottom: int


class RuleCheck(BaseModel):
    """The result of one rule of a preset, checked on the finished file."""

    rule: str = Field(description="The kind of rule.", examples=["fill"])
    passed: bool
    measured: int | float | str = Field(description="The measured value.", examples=[0.87])
    asked: str = Field(description="The required value.", examples=["at least 85 %"])
    message: str = Field(description="Both values in sentences, and advice if it failed.")
    required: bool = Field(description="true: the rule decides. false: it is the marketplace's advice.")
    facts: dict[str, Any] = Field(description=_RULE_FIGURES, examples=[{"least": 0.85, "percent": 87.0}])


class Repair(BaseModel):
    """A change to the picture that makes it pass a rule. facts: the figures in the message, by name."""

    code: RepairCode
    message: str
    facts: dict[str, Any] = Field(examples=[{"times": 1.36, "longest_px": 1000}])


class PresetReport(BaseModel):
    """The result of checking a picture against a preset's rules."""

    name: str = Field(examples=["amazon"])
    title: str
    passed: bool = Field(description="Whether the picture passes every required rule.")
    checks: list[RuleCheck]
    repairs: list[Repair] = Field(description="Changes made to pass the rules; see the option `repair`.")


class NoteFacts(BaseModel):
    """A note as a code with its figures, so that a program can write the sentence in any language.

    - enlarged-less: the frame needs the product (or photo) enlarged `wanted` times, but at most `most` times is
      allowed.
    - too-small: the longest side has fewer than `asked` px.
    - reaches-edge: the product touches `edges` of the photo.
    - no-shadow: the photo has no visible shadow.
    """

    model_config = ConfigDict(extra="allow", json_schema_extra=_NOTE_EXAMPLE)

    code: NoteCode


class PictureFacts(BaseModel):
    """Metadata of a finished picture."""

    media_type: str = Field(examples=["image/png"])
    width: int = Field(description="Of the picture, px.")
    height: int = Field(description="Of the picture, px.")
    bytes: int = Field(description="Size of the file.")
    photo: Extent = Field(description="Size of the photo, upright and after `rotate`.")
    box: Rectangle = Field(description="Position of the product in the photo, after `rotate`.")
    product: Rectangle = Field(description="Position of the product in the picture.")
    confidence: float | None = Field(
        description="Expected quality of the cutout, 0 to 1: the mean overlap of similar cutouts with a perfect one. "
        "null if the network gives none."
    )
    review: bool = Field(description="Whether a person should check the picture.")
    notes: list[str] = Field(description="Requests that could not be fulfilled, as sentences for people.")
    note_facts: list[NoteFacts] = Field(description="The same notes for programs, in the same order.")
    preset: PresetReport | None
    timings_ms: dict[str, float] = Field(description="Duration of each step.")

    @staticmethod
    def known(result: Result, size_bytes: int) -> dict[str, Any]:
        """The values of all fields of this model."""
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

    file: str = Field(description="File name in the ZIP.", examples=["amazon.jpg"])

    @classmethod
    def of(cls, result: Result, file: str) -> Self:
        return cls(file=file, **cls.known(result, len(result.data)))


class LinkedPicture(PictureFacts):
    """A finished picture: its URL and metadata."""

    url: str = Field(description="URL of the picture. It needs no key and works until expires_at.")
    expires_at: datetime

    @classmethod
    def linked(cls, result: Result, stored: Stored, url: str) -> dict[str, Any]:
        """The values of all fields of this model."""
        until = datetime.fromtimestamp(stored.link.expires, UTC)
        return {"url": url, "expires_at": until, **cls.known(result, stored.size_bytes)}


class Packshot(LinkedPicture):
    """A finished packshot: its URL and metadata. With several presets this is the first; `packshots` has all."""

    request_id: str = Field(description="Identifies this request in the operator's logs.")
    photo_id: str | None = Field(
        description="Identifies the photo. Later requests with your key can send it instead of `image`. null if the "
        "photo is not kept."
    )
    credits: int = Field(description="Credits charged: 1, or 0 if your key paid for the photo within the last day.")
    packshots: list[LinkedPicture] = Field(
        description="With several presets: one picture per preset, in the order of the request. Otherwise empty."
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
    """The result of checking an uploaded picture against a preset's rules."""

    request_id: str = Field(description="Identifies this request in the operator's logs.")
    preset: PresetReport


class Day(BaseModel):
    """The photos and credits of a key on one day (UTC)."""

    day: date
    succeeded: int = Field(description="Photos that were processed successfully.")
    failed: int = Field(description="Photos that failed; their credits were given back.")
    credits: int = Field(description="Credits spent, including photos that are still in work.")


class Account(BaseModel):
    """The account of the request's key."""

    id: str = Field(description="Identifies the key; not secret.")
    name: str = Field(description="The operator's name for the key.")
    credits: int | None = Field(description="Credits left; null means unlimited.")
    used: int = Field(description="Credits spent since the key was created.")
    rate: str | None = Field(description="Rate limit; null means none.", examples=["600/minute"])
    expires_at: datetime | None
    webhook_secret: str | None = Field(
        description="Verifies the signatures of your webhooks (Standard Webhooks); null if the service sends none.",
        examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    )
    usage: list[Day] = Field(description=f"The last {DAYS} days, newest first, without days that had no photo.")

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
    """An option, described for forms and help pages."""

    name: str
    about: str
    accepts: str
    kind: str = Field(description="text, switch, whole number, number or file.")
    choices: list[str] = Field(description="All allowed values; empty if there is no fixed list.")
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
    source: str = Field(description="The marketplace's page with the rules; empty for packshot's own presets.")
    checked: date = Field(description="The day on which the rules were last checked.")
    options: dict[str, Any]
    rules: list[RuleFacts]
    hints: list[str] = Field(description="Rules that cannot be measured, for people to check.")

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

    name: str = Field(description="The value of the option `format`.", examples=["jpeg"])
    title: str = Field(examples=["JPEG"])
    media_type: str = Field(examples=["image/jpeg"])
    suffixes: list[str] = Field(
        description="File name suffixes; outputs use the first one.", examples=[[".jpg", ".jpeg"]]
    )
    written: bool = Field(description="Whether it is an output format. `inputs` lists the input formats.")
    alpha: bool = Field(description="Whether outputs in this format keep transparency.")


class Inputs(BaseModel):
    """The limits for photos."""

    formats: list[str] = Field(examples=[["jpeg", "png"]])
    max_bytes: int
    max_pixels: int
    min_side_px: int


class About(BaseModel):
    """This service and its features."""

    version: str
    model: str = Field(description="The network that finds the product.")
    inputs: Inputs
    formats: list[FormatFacts]
    options: list[OptionFacts]
    presets: list[PresetFacts]

    @classmethod
    def of(cls, service: Service) -> Self:
        """Depends only on the release and the settings."""
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
