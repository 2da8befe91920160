"""Rules of marketplaces: facts measured in a picture in, checks with words for people out.

A rule is one thing that can be measured. `required` ones decide whether a picture passes; the others are what
its marketplace recommends, and are said without failing anything. Facts come from core/measure.py,
the kinds of rules are in core/rule_kinds.py.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Protocol

from packshot.core.geometry import Box, Size
from packshot.core.notes import Figures, Note


@dataclass(frozen=True)
class Ground:
    """What lies around the product, more than a JPEG's blur away from it.

    off: the largest difference from the asked colour, of 255, in any channel of any pixel. border_off: the same along
    the picture's border. off_share: the share of its pixels that differ by more than the rule allows. transparent:
    whether something of it is not opaque.
    """

    off: int = 0
    border_off: int = 0
    off_share: float = 0.0
    transparent: bool = False


@dataclass(frozen=True)
class Facts:
    """What was measured in an encoded picture.

    format: "jpeg", "png" and so on. product: its box in the picture, px. edges: those of the picture, or of the photo
    that it was made from, which the product reaches. several, colours, bits: of the file, as FileFacts has them.
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
        """The product's share of the frame along the side where it is tightest."""
        return max(self.product.size.width / self.size.width, self.product.size.height / self.size.height)


@dataclass(frozen=True)
class Check:
    """A rule's verdict. measured: the figure itself; asked and message: for people.

    facts: what a program needs to write the message itself, in any language: the rule's `demand`, and what core/
    rule_kinds.py says of its kind.
    """

    rule: str
    passed: bool
    measured: float | str
    asked: str
    message: str
    required: bool = True
    facts: Figures = field(default_factory=dict, hash=False)


def is_repairable(check: Check) -> bool:
    """Whether a repair is wanted: a required rule is broken, or kept but for traces that no eye sees."""
    return check.required and (not check.passed or bool(check.facts.get("traces")))


@dataclass(frozen=True)
class Report:
    """What a preset's rules say of a picture. passed: every required rule is kept.

    repairs: what was put right so that it keeps them (core/repair.py).
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
        """The required rules that are not kept."""
        return tuple(check for check in self.checks if check.required and not check.passed)

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            "name": self.preset,
            "title": self.title,
            "passed": self.passed,
            "checks": [asdict(check) for check in self.checks],
            "repairs": [asdict(repair) for repair in self.repairs],
        }


class Rule(Protocol):
    """One thing to measure. name: of its kind, as preset files write it.

    asked: what it asks for, in words. demand: the same in figures.
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
