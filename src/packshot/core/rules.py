"""Marketplace rules: measured facts in, checks with messages out.

A rule measures one property of a picture. A picture passes if it keeps every `required` rule. The others are
recommendations: breaking one is reported, but the picture still passes. Facts come from core/measure.py;
core/rule_kinds.py has the kinds of rules.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Protocol

from packshot.core.geometry import Box, Size
from packshot.core.notes import Figures, Note


@dataclass(frozen=True)
class Ground:
    """The background around the product, outside the blur of a JPEG.

    off: largest difference from the required colour, of 255, in any channel of any pixel.
    border_off: the same along the picture's border.
    off_share: share of pixels that differ by more than the rule allows.
    transparent: whether any pixel is not opaque.
    """

    off: int = 0
    border_off: int = 0
    off_share: float = 0.0
    transparent: bool = False


@dataclass(frozen=True)
class Facts:
    """Measurements of an encoded picture.

    format: "jpeg", "png" and so on.
    product: its box in the picture, px.
    edges: edges of the picture, or of its source photo, that the product reaches.
    several, colours, bits: of the file, as in FileFacts.
    """

    format: str
    file_bytes: int
    size: Size
    product: Box
    ground: Ground = Ground()
    edges: tuple[str, ...] = ()
    several: bool = False
    colours: str = "rgb"
    bits: int = 8

    @property
    def fill(self) -> float:
        """The product's share of the frame, along its tightest side."""
        return max(self.product.size.width / self.size.width, self.product.size.height / self.size.height)


@dataclass(frozen=True)
class Check:
    """The result of one rule. measured: the measured value. asked, message: texts for people.

    facts: figures with which a program can write the message in any language. They are the rule's `demand` and those
    that core/rule_kinds.py lists for its kind.
    """

    rule: str
    passed: bool
    measured: float | str
    asked: str
    message: str
    required: bool = True
    facts: Figures = field(default_factory=dict, hash=False)


def is_repairable(check: Check) -> bool:
    """Whether a repair is needed: a required rule is broken, or kept except for invisible traces."""
    return check.required and (not check.passed or bool(check.facts.get("traces")))


@dataclass(frozen=True)
class Report:
    """The results of a preset's rules for one picture. passed: every required rule is kept.

    repairs: changes that made the picture keep the rules (core/repair.py).
    """

    preset: str
    title: str
    checks: tuple[Check, ...]
    repairs: tuple[Note, ...] = ()

    @property
    def passed(self) -> bool:
        return not self.failed

    @property
    def failed(self) -> tuple[Check, ...]:
        """Checks of the required rules that are broken."""
        return tuple(check for check in self.checks if check.required and not check.passed)

    def to_dict(self) -> dict[str, Any]:
        """Returns the report as JSON values."""
        return {
            "name": self.preset,
            "title": self.title,
            "passed": self.passed,
            "checks": [asdict(check) for check in self.checks],
            "repairs": [asdict(repair) for repair in self.repairs],
        }


class Rule(Protocol):
    """A rule, which measures one property. name: of its kind, as in preset files.

    asked: the demand in words. demand: the same in figures.
    """

    name: ClassVar[str]

    @property
    def required(self) -> bool: ...

    @property
    def why(self) -> str: ...

    @property
    def asked(self) -> str: ...

    @property
    def demand(self) -> Figures: ...

    def check(self, facts: Facts) -> Check: ...
