"""A job, decided at the entry point before any pixel is decoded, and the work on it, stage by stage."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple, Protocol

from packshot.core import codecs
from packshot.core.codecs import LIBRARY_LIMITS, Header, Limits, Raster
from packshot.core.codecs.limits import check_header
from packshot.core.codecs.pixels import pixels_header
from packshot.core.confidence import Signs
from packshot.core.frame import Frame, make_frame
from packshot.core.geometry import Box, Size
from packshot.core.notes import Note
from packshot.core.options import OPTIONS
from packshot.core.picture import Float32, Foreground, Picture, UInt8
from packshot.core.plain_ground import GroundColours, PlainGround
from packshot.core.recipe import Recipe
from packshot.core.render import Rendering
from packshot.core.rotate import turned_size
from packshot.core.rules import Report
from packshot.core.values import MOST_PIXELS
from packshot.engine.network import Network
from packshot.errors import InputError, InvalidOption

_SOLID_BYTES, _VEIL_BYTES, _AVIF_BYTES, _COLOUR_BYTES = 30, 44, 50, 23
_OPAQUE = frozenset({"jpeg"})  # formats that hold no alpha


@dataclass(frozen=True, eq=False)
class Job:
    """One photo and its recipes, checked as far as it can be checked without decoding pixels.

    recipes: what to make, a picture for each; they differ only in what comes after the matte. header: what `probe` said
    of the photo. data: the bytes of the photo's file; or its pixels, where a program that uses the library has no file.
    beside_px: pixels of the pictures that came as options.
    """

    recipes: tuple[Recipe, ...]
    header: Header
    data: bytes | Raster
    beside_px: int = 0

    @property
    def recipe(self) -> Recipe:
        """The first, for all that the recipes share."""
        return self.recipes[0]

    def memory_bytes(self) -> int:
        """The most that the work will take, beside the bytes of the files.

        By bytes for each pixel of the photo or of the output, whichever has more (`python -m bench.memory`): most where
        all of the photo is a veil, which takes alpha or a touch-up, and in libaom. The colours of a product wait for
        the next picture of several.
        """
        waiting = _COLOUR_BYTES if len(self.recipes) > 1 else 0
        size = self.header.size
        return max(map(self._memory_bytes, self.recipes)) + waiting * size.width * size.height + 8 * self.beside_px

    def _memory_bytes(self, recipe: Recipe) -> int:
        photo, framing = self.header.size, recipe.framing
        turned = turned_size(photo, recipe.rotate)
        frames = [make_frame(framing, size, Box.full(size)).size for size in (turned, Size(*turned[::-1]))]
        largest = max(size.width * size.height for size in (photo, self.header.coded or photo, turned, *frames))
        if framing.min_px:  # a part of the photo may be enlarged to it
            largest = max(largest, min(framing.min_px**2, MOST_PIXELS))
        solid = self.header.format in _OPAQUE and recipe.touch_up is None
        each = _AVIF_BYTES if recipe.format == "avif" else _SOLID_BYTES if solid else _VEIL_BYTES
        return largest * each


def make_job(
    data: bytes | Raster,
    recipes: Recipe | tuple[Recipe, ...],
    limits: Limits = LIBRARY_LIMITS,
    *,
    header: Header | None = None,
) -> Job:
    """Check a photo, and the pictures that came as options beside it, by their first bytes.

    Parameters
    ----------
    data
        As in Job.
    limits
        What the entry point accepts. A picture among the options may be smaller than a photo.
    header
        The photo's header, where the caller has probed it already.

    Raises
    ------
    packshot.errors.InputError
        The photo or an option cannot be used; the message says what to do.
    """
    if header is None:
        header = _checked_header(data, limits) if isinstance(data, Raster) else codecs.probe(data, limits)
    small = replace(limits, min_side_px=1)
    beside_px = 0
    recipes = (recipes,) if isinstance(recipes, Recipe) else recipes
    for name, picture in {each: data for recipe in recipes for each, data in recipe.auxiliary.items()}.items():
        with as_option(name, "used"):
            size = codecs.probe(picture, small).size
            beside_px += size.width * size.height
    return Job(recipes, header, data, beside_px)


def _checked_header(raster: Raster, limits: Limits) -> Header:
    header = pixels_header(raster)
    check_header(header, limits)
    return header


class Codecs(Protocol):
    """Where files become pictures and pictures files: core.codecs itself, or processes that run it."""

    def read(self, data: bytes, header: Header) -> Picture:
        """As core.codecs.read."""
        ...

    def encode(
        self,
        rgb: UInt8,
        alpha: UInt8 | None = None,
        *,
        format: str,  # noqa: A002 - the option's name
        quality: int | None = None,
        exif: bytes | None = None,
    ) -> bytes:
        """As core.codecs.encode."""
        ...


# A catalogue lays the same picture behind every product. A larger one is not kept: it would hold its memory for ever.
_KEPT_AUXILIARIES, _KEPT_BYTES = 2, 40 << 20
_auxiliaries: OrderedDict[tuple[str, bytes], Picture] = OrderedDict()
_auxiliaries_lock = threading.Lock()


def decode_auxiliary(name: str, data: bytes, decoder: Codecs = codecs) -> Picture:
    """Decode a picture that came as the option `name`. It may be small: a brush layer is scaled to the photo.

    Raises: InvalidOption.
    """
    with _auxiliaries_lock:
        kept = _auxiliaries.get((name, data))
    if kept is not None:
        return kept
    with as_option(name, "read"):
        picture = decoder.read(data, codecs.probe(data, Limits(min_side_px=1)))
    if picture.rgb.nbytes <= _KEPT_BYTES:
        with _auxiliaries_lock:
            _auxiliaries[name, data] = picture
            while len(_auxiliaries) > _KEPT_AUXILIARIES:
                _auxiliaries.popitem(last=False)
    return picture


@dataclass(frozen=True, eq=False)
class Submission:
    """A photo as it came, with what is wanted of it. No byte of it has been looked at.

    data: the bytes of the photo's file. recipe: what to make, one picture or several, or how that follows from the
    photo's header.
    limits: what the entry point accepts. photo_id: what the photo is called where it is kept for its key, and paid for
    once; None where every call is a photo of its own.
    """

    data: bytes
    recipe: Recipe | tuple[Recipe, ...] | Callable[[Header], Recipe]
    limits: Limits
    photo_id: str | None = None

    def check(self) -> Job:
        """The job, as `make_job` makes it. Takes milliseconds. Raises what `make_job` raises."""
        if isinstance(self.recipe, Recipe | tuple):
            return make_job(self.data, self.recipe, self.limits)
        header = codecs.probe(self.data, self.limits)
        return make_job(self.data, self.recipe(header), self.limits, header=header)


class Cancellation:
    """Tells work on another thread that nobody waits for it any more. Safe from threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cancelled = False
        self._stops: set[Callable[[], None]] = set()

    def cancel(self) -> None:
        """Ends the work at its next stage, and what `stopped_by` has named at once."""
        with self._lock:
            self._cancelled = True
            for stop in self._stops:
                stop()

    def check(self) -> None:
        """Raises: Cancelled."""
        if self._cancelled:
            raise Cancelled

    @contextmanager
    def stopped_by(self, stop: Callable[[], None]) -> Iterator[None]:
        """While this is open, `stop` is called when the work is cancelled. Raises: Cancelled."""
        with self._lock:
            self.check()
            self._stops.add(stop)
        try:
            yield
        finally:
            with self._lock:
                self._stops.discard(stop)


class Cancelled(Exception):
    """Nobody waits for this work any more: its deadline has passed, or its client has left."""


@contextmanager
def as_option(name: str, verb: str) -> Iterator[None]:
    """What is wrong with a picture that came as the option `name` becomes an InvalidOption that says so."""
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
    picture, in 0..1, which the matte cannot exceed. ground: the colours behind the product, where those are plain.
    signs: what the confidence was told by; None where no network was asked.
    """

    matte: Float32
    confidence: float | None
    most: float = 1.0
    ground: GroundColours | None = None
    signs: Signs | None = None


class Mattes(Protocol):
    """The mattes of one photo that were found before. Safe from threads.

    Beside photo and network a matte depends on two options alone: `roi` and `touch_up`.
    """

    def find(self, recipe: Recipe) -> MatteResult | None:
        """The very matte that a recipe leads to; None where it is not known."""
        ...

    def keep(self, recipe: Recipe, matte: MatteResult) -> None:
        """Remember a matte, if there is room."""
        ...


class Work:
    """All that is known of one photo so far. Each stage reads what earlier ones left and adds its own.

    `codecs` reads and writes files; `cancellation` is looked at before each stage. `software` is the program that the
    output names as its maker; None for none. `mattes` are those of the photo that were found before, if any are kept;
    `recalled` says that the matte is one of them.
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
    edges: tuple[str, ...]
    visible_edges: tuple[str, ...]
    frame: Frame
    foreground: Foreground | None = None
    rendering: Rendering
    encoded: bytes
    report: Report | None = None
    repairs: list[Note]
    mattes: Mattes | None = None
    recalled: bool = False

    def __init__(
        self,
        recipe: Recipe,
        network: Network,
        codec: Codecs = codecs,
        cancellation: Cancellation | None = None,
        software: str | None = None,
    ) -> None:
        self.recipe = recipe
        self.network = network
        self.codecs = codec
        self.software = software
        self.cancellation = cancellation or Cancellation()
        self.laps_ms: dict[str, float] = {}

    def for_picture(self, recipe: Recipe) -> Work:
        """The work on one more picture: all that is known of the photo, and nothing of another picture."""
        other = copy(self)
        other.recipe, other.laps_ms = recipe, {}
        return other

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


def unless(condition: Callable[[Work], bool], stages: Iterable[Stage]) -> Iterator[Stage]:
    """The same stages, which have nothing to do where the condition holds."""
    for stage in stages:
        yield stage._replace(when=partial(_has_use, condition, stage.when))


def _has_use(condition: Callable[[Work], bool], when: Callable[[Work], bool] | None, work: Work) -> bool:
    return not condition(work) and (when is None or when(work))


def follow(stages: Iterable[Stage], work: Work) -> Work:
    """Run the stages that have something to do, one after the other, and note how long each took. Raises: Cancelled."""
    for stage in stages:
        if stage.when is None or stage.when(work):
            work.cancellation.check()
            started_s = time.perf_counter()
            stage.run(work)
            work.laps_ms[stage.name] = 1000 * (time.perf_counter() - started_s)
    return work
