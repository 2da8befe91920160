"""A job, decided at the entry point before any pixel is decoded, and the work on it, stage by stage."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

from packshot.core import codecs
from packshot.core.codecs import LIBRARY_LIMITS, Header, Limits
from packshot.core.confidence import Signs
from packshot.core.frame import Frame
from packshot.core.geometry import Box
from packshot.core.options import OPTIONS
from packshot.core.picture import Float32, Foreground, Picture
from packshot.core.plain_ground import PlainGround
from packshot.core.recipe import Recipe
from packshot.core.render import Rendering
from packshot.core.rules import Report
from packshot.engine.network import Network
from packshot.errors import InputError, InvalidOption


@dataclass(frozen=True, eq=False)
class Job:
    """One photo and its recipe, checked as far as it can be checked without decoding pixels.

    recipe: what to make. header: what `probe` said of the photo. data: the bytes of the photo's file.
    """

    recipe: Recipe
    header: Header
    data: bytes


def make_job(data: bytes, recipe: Recipe, limits: Limits = LIBRARY_LIMITS, *, header: Header | None = None) -> Job:
    """Check a photo, and the pictures that came as options beside it, by their first bytes.

    Parameters
    ----------
    limits
        What the entry point accepts. A picture among the options may be smaller than a photo.
    header
        The photo's header, where the caller has probed it already.

    Raises
    ------
    packshot.errors.InputError
        The photo or an option cannot be used; the message says what to do.
    """
    header = header or codecs.probe(data, limits)
    small = replace(limits, min_side_px=1)
    for name, picture in recipe.auxiliary.items():
        with _as_option(name, "used"):
            codecs.probe(picture, small)
    return Job(recipe, header, data)


@lru_cache(maxsize=2)  # a catalogue lays the same picture behind every product
def decode_auxiliary(name: str, data: bytes) -> Picture:
    """Decode a picture that came as the option `name`. It may be small: a brush layer is scaled to the photo.

    Raises: InvalidOption.
    """
    with _as_option(name, "read"):
        return codecs.decode(data, Limits(min_side_px=1))


@contextmanager
def _as_option(name: str, verb: str) -> Iterator[None]:
    try:
        yield
    except InputError as error:
        raise InvalidOption(
            f"{name} cannot be {verb}: {error.message}", hint=error.hint, field=name, allowed=OPTIONS[name].accepts
        ) from error


@dataclass(frozen=True, eq=False)
class MatteResult:
    """A matte, and all that was found out with it.

    matte: float32 (H, W) in 0..1, at the picture's size. confidence: as in Result. most: the greatest alpha of the
    picture, in 0..1, which the matte cannot exceed. ground: what lies behind the product, where that is plain.
    signs: what the confidence was told by; None where no network was asked.
    """

    matte: Float32
    confidence: float | None
    most: float = 1.0
    ground: PlainGround | None = None
    signs: Signs | None = None


class Work:
    """All that is known of one photo so far. Each stage reads what earlier ones left and adds its own.

    Until a stage has run, what it adds is not there. `part` is the picture or its region of interest, which lies at
    `box`. `hints` belong to the part: a human's corrections, as core/touch_up.py reads them. `own` is the part's own
    alpha where that separates anything; `cut_out` says that it cuts the product out. `asks` says whether the network
    has something to look at: `view`, which is opaque; `rgb`, its network input; and `seen`, the same in 0..255.
    """

    job: Job
    picture: Picture
    backdrop: Picture | None
    part: Picture
    box: Box
    hints: Float32 | None
    own: Float32 | None
    cut_out: bool
    asks: bool
    view: Picture
    rgb: Float32
    seen: Float32
    answer: Float32
    coarse: Float32
    ground: PlainGround | None
    contested: Float32 | None
    matte: Float32
    signs: Signs
    found: MatteResult
    product: Box
    visible: Box
    frame: Frame
    foreground: Foreground | None = None
    rendering: Rendering
    encoded: bytes
    report: Report | None = None

    def __init__(self, recipe: Recipe, network: Network) -> None:
        self.recipe = recipe
        self.network = network
        self.laps_ms: dict[str, float] = {}

    @property
    def around(self) -> Box:
        """The box that the frame is made for: that of all foreground, or of what is visible where a share is asked."""
        return self.product if self.recipe.framing.fill is None else self.visible


class Stage(NamedTuple):
    """name: of the stage, for the benchmark. step: the word under which its time is told to callers and metrics.

    when: whether it has anything to do; None for always.
    """

    name: str
    step: str
    run: Callable[[Work], None]
    when: Callable[[Work], bool] | None = None


def follow(stages: Iterable[Stage], work: Work) -> Work:
    """Run the stages that have something to do, one after the other, and note how long each took."""
    for stage in stages:
        if stage.when is None or stage.when(work):
            started_s = time.perf_counter()
            stage.run(work)
            work.laps_ms[stage.name] = 1000 * (time.perf_counter() - started_s)
    return work
