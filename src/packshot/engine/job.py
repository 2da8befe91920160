"""A job, checked at the entry point before any pixel is decoded, and its work, stage by stage."""

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
    """One photo and its recipes, checked without decoding pixels.

    recipes: one for each picture to make; they differ only in the steps after the matte. header: `probe`'s result for
    the photo. data: the bytes of the photo's file, or its pixels where a program that uses the library has no file.
    beside_px: pixels of the pictures that came as options.
    """

    recipes: tuple[Recipe, ...]
    header: Header
    data: bytes | Raster
    beside_px: int = 0

    @property
    def recipe(self) -> Recipe:
        """The first recipe, for everything that all recipes share."""
        return self.recipes[0]

    def memory_bytes(self) -> int:
        """The peak memory of the work, in bytes, without the files themselves.

        Computed as bytes per pixel of the photo or of the output, whichever has more (`python -m bench.memory`). The
        worst cases are a photo that is semi-transparent everywhere, from alpha or a touch-up, and libaom. With several
        pictures, the product's colours stay in memory for the next one.
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
    """Check a photo and the pictures that came as options, by their first bytes.

    Parameters
    ----------
    data
        As in Job.
    limits
        The entry point's limits. A picture among the options may be smaller than a photo.
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
    """Decodes files to pictures and encodes pictures to files: core.codecs itself, or processes that run it."""

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


# A batch puts the same picture behind every product. A larger one is not cached: the process would never free it.
_KEPT_AUXILIARIES, _KEPT_BYTES = 2, 40 << 20
_auxiliaries: OrderedDict[tuple[str, bytes], Picture] = OrderedDict()
_auxiliaries_lock = threading.Lock()


def decode_auxiliary(name: str, data: bytes, decoder: Codecs = codecs) -> Picture:
    """Decode a picture that came as the option `name`. It may be small: a touch-up layer is scaled to the photo.

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
    """A photo as it came, with the requested outputs. Nothing has been parsed yet.

    data: the bytes of the photo's file. recipe: one or several recipes, or a function that derives them from the
    photo's header.
    limits: the entry point's limits. photo_id: the photo's id where it is stored for its key and paid for once; None
    where every call counts as a new photo.
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
    """Tells work on another thread to stop because no client waits for it. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cancelled = False
        self._stops: set[Callable[[], None]] = set()

    def cancel(self) -> None:
        """Ends the work before its next stage, and calls the functions given to `stopped_by` at once."""
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
        """Calls `stop` if the work is cancelled inside this context. Raises: Cancelled."""
        with self._lock:
            self.check()
            self._stops.add(stop)
        try:
            yield
        finally:
            with self._lock:
                self._stops.discard(stop)


class Cancelled(Exception):
    """The work was cancelled: its deadline has passed, or its client has disconnected."""


@contextmanager
def as_option(name: str, verb: str) -> Iterator[None]:
    """Turns an error of a picture that came as the option `name` into an InvalidOption."""
    try:
        yield
    except InputError as error:
        raise InvalidOption(
            f"{name} cannot be {verb}: {error.message}", hint=error.hint, field=name, allowed=OPTIONS[name].accepts
        ) from error


@dataclass(frozen=True, eq=False)
class MatteResult:
    """A matte, with the measurements made along the way.

    matte: float32 (H, W) in 0..1, at the picture's size. confidence: as in Result. most: the greatest alpha of the
    picture, in 0..1, which the matte cannot exceed. ground: the colours behind the product, where those are plain.
    signs: the measurements behind the confidence; None where no network ran.
    """

    matte: Float32
    confidence: float | None
    most: float = 1.0
    ground: GroundColours | None = None
    signs: Signs | None = None


class Mattes(Protocol):
    """The cached mattes of one photo. Thread-safe.

    Apart from photo and network, a matte depends on two options alone: `roi` and `touch_up`.
    """

    def find(self, recipe: Recipe) -> MatteResult | None:
        """The cached matte for a recipe; None if it is not cached."""
        ...

    def keep(self, recipe: Recipe, matte: MatteResult) -> None:
        """Cache a matte, if there is room."""
        ...


class Work:
    """The state of one photo's work. Each stage reads the results of earlier stages and adds its own.

    `codecs` reads and writes files; `cancellation` is checked before each stage. `software` is the program name for
    the output's metadata; None for none. `mattes` are the photo's cached mattes, if caching is on; `recalled` says
    that the matte came from this cache.
    A stage's attributes do not exist before the stage has run. `part` is the picture or its region of interest, which
    lies at `box`. `hints` belong to the part: a human's corrections, as core/touch_up.py reads them. `own` is the
    part's own alpha where that separates anything; `cut_out` says that it cuts the product out. `asks` says whether
    the network runs. Its inputs are `view`, which is opaque; `rgb`, the network input; and `seen`, the same in 0..255.
    `first_answer` is its output; a second look narrows `part`, `box` and all of these, and changes `answer`.
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
    first_answer: Float32
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
        """The work on one more picture: keeps the photo's state, drops the state of other pictures."""
        other = copy(self)
        other.recipe, other.laps_ms = recipe, {}
        return other

    @property
    def around(self) -> Box:
        """The box to frame: of all foreground, or of the visible part where an option gives the product's share."""
        return self.product if self.recipe.framing.fill is None else self.visible


class Stage(NamedTuple):
    """name: of the stage, for the benchmark. step: the name of its timing for callers and metrics.

    when: whether the stage has work to do; None for always.
    """

    name: str
    step: str
    run: Callable[[Work], None]
    when: Callable[[Work], bool] | None = None


def unless(condition: Callable[[Work], bool], stages: Iterable[Stage]) -> Iterator[Stage]:
    """The same stages, skipped where the condition holds."""
    for stage in stages:
        yield stage._replace(when=partial(_has_use, condition, stage.when))


def _has_use(condition: Callable[[Work], bool], when: Callable[[Work], bool] | None, work: Work) -> bool:
    return not condition(work) and (when is None or when(work))


def follow(stages: Iterable[Stage], work: Work) -> Work:
    """Run the stages that have work to do, in order, and record how long each took. Raises: Cancelled."""
    for stage in stages:
        if stage.when is None or stage.when(work):
            work.cancellation.check()
            started_s = time.perf_counter()
            stage.run(work)
            work.laps_ms[stage.name] = 1000 * (time.perf_counter() - started_s)
    return work
