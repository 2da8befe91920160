"""Notes: what could not be done as asked, as a code with its figures for programs and as sentences for people.

Repairs (core/repair.py has their codes) are such notes too.

| code | figures | |
|---|---|---|
| `enlarged-less` | what, size, frame, wanted, most | it needs to be `wanted` times as large, and `most` are allowed |
| `too-small` | what, size, frame, asked | the output is smaller than min_px, which is `asked` |
| `reaches-edge` | edges | the product touches the photo's edges, and may be cut off there |
| `no-shadow` | | the photo's own shadow was asked for, and there is none to tell from its ground |

what: "product" or "photo". size, frame: width and height in px. edges: of left, upper, right and lower.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from packshot.core.geometry import Size

NoteCode = Literal["enlarged-less", "too-small", "reaches-edge", "no-shadow"]
RepairCode = Literal[
    "enlarged",
    "scaled-down",
    "frame-fitted",
    "ground-cleaned",
    "quality-lowered",
    "quality-raised",
    "first-picture",
    "colours-converted",
    "depth-reduced",
]
What = Literal["product", "photo"]

Figure = bool | int | float | str | tuple[int, ...] | tuple[str, ...]
Figures = Mapping[str, Figure]
"""Named figures as JSON holds them: what a program needs to write a sentence itself, in any language."""


@dataclass(frozen=True)
class Note:
    """Something that could not be done as asked, or a repair.

    code: stable. message: for people. facts: the figures in it, by name. As text it is its message.
    """

    code: NoteCode | RepairCode
    message: str
    facts: Figures = field(default_factory=dict, hash=False)

    def __str__(self) -> str:
        return self.message


def enlarged_less(what: What, size: Size, frame: Size, *, wanted: float, most: float) -> Note:
    """wanted: times that the frame asks for. most: times that are allowed, fewer than that."""
    limit = "but it may not be enlarged" if most == 1 else f"but it may be enlarged {most:.3g} times at most"
    message = (
        f"The {what} fills less of the frame than asked. It is {size} px, and the frame of {frame} px needs it "
        f"{wanted:.2f} times as large, {limit} (max_upscale)."
    )
    facts: Figures = {"what": what, "size": size, "frame": frame, "wanted": round(wanted, 4), "most": most}
    return Note("enlarged-less", message, facts)


def too_small(what: What, size: Size, frame: Size, *, asked_px: int) -> Note:
    """asked_px: of the longest side, more than the frame has."""
    message = (
        f"The longest side is {frame.longest} px and not {asked_px} px as asked (min_px), because the {what} has only "
        f"{size} px. Photograph it from nearer or with more pixels, or allow more enlargement with max_upscale."
    )
    return Note("too-small", message, {"what": what, "size": size, "frame": frame, "asked": asked_px})


def reaches_edge(edges: tuple[str, ...]) -> Note:
    """edges: those of the photo that the product reaches, one at least, as core.geometry.reached_edges names them."""
    plural = "edges" if len(edges) > 1 else "edge"
    message = f"The product reaches the photo's {' and '.join(edges)} {plural}, and may be cut off there."
    return Note("reaches-edge", message, {"edges": edges})


NO_SHADOW = Note(
    "no-shadow",
    "The photo has no shadow that can be told from its ground, so none was kept. Use shadow soft or contact instead.",
)
