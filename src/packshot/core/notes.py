"""Notes about what could not be done as requested: a code with figures for programs, and sentences for people.

Repairs are notes too; core/repair.py has their codes.

| code | figures | |
|---|---|---|
| `enlarged-less` | what, size, frame, wanted, most | needs enlarging `wanted` times; `most` times are allowed |
| `too-small` | what, size, frame, asked | the output is smaller than min_px, given as `asked` |
| `reaches-edge` | edges | the product touches the photo's edges and may be cut off there |
| `no-shadow` | | the photo's own shadow was requested, but none was found |

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
"""Named figures as JSON values. A program can write the sentence from them in any language."""


@dataclass(frozen=True)
class Note:
    """Something that could not be done as requested, or a repair.

    code: stable. message: for people. facts: its figures, by name. str() returns the message.
    """

    code: NoteCode | RepairCode
    message: str
    facts: Figures = field(default_factory=dict, hash=False)

    def __str__(self) -> str:
        return self.message


def enlarged_less(what: What, size: Size, frame: Size, *, wanted: float, most: float) -> Note:
    """Returns the note. wanted: scale that the frame needs. most: largest allowed scale, below `wanted`."""
    limit = "but enlarging is not allowed" if most == 1 else f"but at most {most:.3g} times is allowed"
    message = (
        f"The {what} fills less of the frame than requested. It is {size} px. The frame of {frame} px needs it "
        f"{wanted:.2f} times as large, {limit} (max_upscale)."
    )
    facts: Figures = {"what": what, "size": size, "frame": frame, "wanted": round(wanted, 4), "most": most}
    return Note("enlarged-less", message, facts)


def too_small(what: What, size: Size, frame: Size, *, asked_px: int) -> Note:
    """Returns the note. asked_px: the requested longest side, more than the frame has."""
    message = (
        f"The longest side is {frame.longest} px instead of {asked_px} px (min_px), because the {what} has only "
        f"{size} px. Photograph it from closer or with more pixels, or raise max_upscale."
    )
    return Note("too-small", message, {"what": what, "size": size, "frame": frame, "asked": asked_px})


def reaches_edge(edges: tuple[str, ...]) -> Note:
    """Returns the note. edges: one or more of the photo's edges, named as by core.geometry.reached_edges."""
    plural = "edges" if len(edges) > 1 else "edge"
    message = f"The product reaches the photo's {' and '.join(edges)} {plural}, and may be cut off there."
    return Note("reaches-edge", message, {"edges": edges})


NO_SHADOW = Note(
    "no-shadow",
    "No shadow could be told from the photo's background, so none was kept. Use shadow soft or contact instead.",
)
