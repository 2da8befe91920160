"""Reads, makes and writes one photo of a batch, in a local thread or in a worker process of a cluster."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Literal

from PIL import Image, ImageOps

from packshot.batch.even import even_framing, placed
from packshot.batch.evenness import measure_picture
from packshot.batch.listing import Item, Photo, Placing
from packshot.batch.mattes import GivenMatte, KeptMatte, corrected
from packshot.batch.own_files import thumbnail_key
from packshot.batch.times import now
from packshot.core.codecs.software import PACKSHOT
from packshot.core.options import Options
from packshot.core.recipe import Recipe
from packshot.engine.job import Job, Work, follow, make_job
from packshot.engine.network import Network, load_network
from packshot.engine.pipeline import FINDING, run_all
from packshot.engine.presets import recipes_for
from packshot.engine.result import Result
from packshot.errors import FileTooLarge, InputError, PackshotError
from packshot.storage.blocking import open_storage

# Photos are read into memory. Medium format cameras write TIFFs of 150 MB; a file above 1 GB is not a photo.
MAX_PHOTO_BYTES = 1_000_000_000

Row = dict[str, Any]
"""All facts about one output, as JSON values: a line of the journal or of the report."""


@dataclass(frozen=True)
class BatchSettings:
    """The settings of `process`. They are sent to workers, so they contain no open files or connections.

    photos, out: places, as for open_storage. options: for every photo. model, device, threads: as for load_network.
    thumbnails: the place for small pictures, under thumbnails/; None for no small pictures.
    """

    photos: str
    out: str
    options: Options = field(default_factory=Options)
    model: str | None = None
    device: Literal["cpu", "cuda"] = "cpu"
    threads: int = 1
    thumbnails: str | None = None


@dataclass(frozen=True)
class Failure:
    """The reason for a failure: the parts of a PackshotError that can be sent between processes."""

    slug: str
    message: str
    hint: str = ""

    @staticmethod
    def of(error: PackshotError) -> Failure:
        return Failure(error.slug, error.message, error.hint)


@dataclass(frozen=True)
class Outcome:
    """The outcome of an item: either `made`, the facts about the output, or `failure`, the reason.

    seconds: processing time of the photo, divided by the number of outputs made together.
    """

    item: Item
    made: Row | None = None
    failure: Failure | None = None
    seconds: float = 0.0
    thumbnails: tuple[str, ...] = ()

    def row(self) -> Row:
        """The outcome as a line of the journal."""
        item, failure = self.item, self.failure
        return {
            "source": item.source,
            "version": item.version,
            "output": item.output,
            "fingerprint": item.fingerprint,
            "at": now(),
            "seconds": round(self.seconds, 3),
            "ok": failure is None,
            **({"thumbnails": list(self.thumbnails)} if self.thumbnails else {}),
            **(self.made or {}),
            **({} if failure is None else {"error": vars(failure)}),
        }


Outcomes = tuple[Outcome, ...]
"""The outcomes of one photo's items."""


_NONE: tuple[str, ...] = ()


def failed(photo: Photo, failure: Failure, seconds: float = 0.0, thumbnails: tuple[str, ...] = _NONE) -> Outcomes:
    """Outcomes in which all items of a photo have the same failure."""
    each_s = seconds / len(photo.items)
    return tuple(Outcome(item, failure=failure, seconds=each_s, thumbnails=thumbnails) for item in photo.items)


def process(photo: Photo, settings: BatchSettings) -> Outcomes:
    """Make all wanted outputs of one photo with one matte. Never raises: an error becomes the photo's outcome."""
    return _with_photo(photo, settings, _make)


def measure(photo: Photo, settings: BatchSettings) -> Outcomes:
    """Find and store the matte of a photo of an even catalogue, and measure its product. Never raises.

    Returns one outcome whose `made` is the journal's `measured`, or the failure for each item.
    """
    return _with_photo(photo, settings, _measure)


def _with_photo(
    photo: Photo, settings: BatchSettings, work: Callable[[Photo, BatchSettings, bytes], Outcomes]
) -> Outcomes:
    started = time.perf_counter()
    data, small = b"", _NONE
    try:
        check_bytes(photo)
        data = open_storage(settings.photos).get(photo.source)
        outcomes = work(photo, settings, data)
        each_s = (time.perf_counter() - started) / len(outcomes)
        return tuple(replace(outcome, seconds=each_s) for outcome in outcomes)
    except PackshotError as error:
        failure = Failure.of(error)
        # A photo with an InputError gets no thumbnail: Pillow would decode it without our checks.
        small = () if isinstance(error, InputError) else _write_thumbnail(settings, photo.name, "photo", data)
    except Exception as error:  # noqa: BLE001 - one photo never stops the rest
        failure = Failure("internal", f"{type(error).__name__}: {error}"[:500], "This is a bug in packshot.")
    return failed(photo, failure, time.perf_counter() - started, small)


def _make(photo: Photo, settings: BatchSettings, data: bytes) -> Outcomes:
    recipes = recipes_for(own_options(photo.own, settings.options))
    wanted = tuple(_recipe(recipes[item.place], item, photo) for item in photo.items)
    job = make_job(data, wanted)
    network = shared_network(settings.model, settings.device, settings.threads)
    results = run_all(job, network, software=PACKSHOT, mattes=_mattes(photo, settings, job))
    small = _write_thumbnail(settings, photo.name, "photo", data)
    return tuple(_write(item, result, small, settings) for item, result in zip(photo.items, results, strict=True))


def _recipe(recipe: Recipe, item: Item, photo: Photo) -> Recipe:
    return recipe if item.placing is None else placed(recipe, item.placing, photo.own)


def _mattes(photo: Photo, settings: BatchSettings, job: Job) -> GivenMatte | KeptMatte | None:
    out = open_storage(settings.out)
    if photo.matte is not None:
        return corrected(out.get(photo.matte), job.header.size)
    return KeptMatte(out, photo.measure, photo.kept) if photo.measure else None


_BEFORE, _AFTER = (
    tuple(stage for stage in FINDING if (stage.name in {"measure", "turn"}) == after and stage.name != "foreground")
    for after in (False, True)
)


def _measure(photo: Photo, settings: BatchSettings, data: bytes) -> Outcomes:
    recipe = recipes_for(own_options(photo.own, settings.options))[0]
    recipe = replace(recipe, framing=even_framing(recipe.framing, settings.options))
    work = Work(recipe, shared_network(settings.model, settings.device, settings.threads))
    work.job = make_job(data, recipe)
    mattes = work.mattes = _mattes(photo, settings, work.job)
    follow(_BEFORE, work)
    if isinstance(mattes, KeptMatte) and (kept := mattes.find(recipe)) is not None:
        work.found = kept  # rounded to 8 bits, like the matte of the final picture
    follow(_AFTER, work)
    facts = mattes.facts if isinstance(mattes, KeptMatte) else None
    return (Outcome(photo.items[0], {"size": list(work.visible.size), **(facts or {})}),)


def own_options(own: Mapping[str, str], options: Options) -> Options:
    """The options for one photo: its own options override the batch's; conflicting batch options are dropped."""
    if not own:
        return options
    room = {"margin", "fill"}  # both set the room around the product, and exclude each other
    either = room if room & own.keys() else set()
    kept = {name: value for name, value in options.given().items() if name not in either}
    return Options.from_fields(own).over(Options(**kept))


def _write(item: Item, result: Result, small: tuple[str, ...], settings: BatchSettings) -> Outcome:
    """Write one output. A failed write does not stop the other outputs of the photo."""
    try:
        open_storage(settings.out).put(item.output, result.data, result.media_type)
    except PackshotError as error:
        return Outcome(item, failure=Failure.of(error), thumbnails=small)
    small += _write_thumbnail(settings, item.fingerprint, "output", result.data)
    return Outcome(item, made(result, item.placing), thumbnails=small)


def made(result: Result, placing: Placing | None = None) -> Row:
    """All facts about an output, as JSON values. placing: in an even catalogue; the picture is then measured too."""
    report = result.report
    even: Row = {}
    if placing is not None:
        even["even"] = {**placing._asdict(), "figures": measure_picture(result.data, result.product)}
    return {
        "media_type": result.media_type,
        "bytes": len(result.data),
        "width": result.size.width,
        "height": result.size.height,
        "photo": list(result.photo_size),
        "box": list(result.box),
        "product": list(result.product),
        "confidence": None if result.confidence is None else round(result.confidence, 4),
        "review": bool(result.review),
        "notes": [note.message for note in result.notes],
        "preset": None if report is None else report.to_dict(),
        **even,
    }


def check_bytes(photo: Photo) -> None:
    """Raises: FileTooLarge, before a huge file, such as a disk image named .jpg, fills the memory."""
    if photo.size_bytes > MAX_PHOTO_BYTES:
        raise FileTooLarge(
            f"The file has {photo.size_bytes:,} bytes; at most {MAX_PHOTO_BYTES:,} are allowed.",
            hint="Check that it is a photo.",
        )


def _write_thumbnail(settings: BatchSettings, identity: str, kind: str, data: bytes) -> tuple[str, ...]:
    """Write a small picture. Returns its key; () if that failed, because the report works without it."""
    if settings.thumbnails is None or not data or (small := thumbnail(data)) is None:
        return ()
    name = thumbnail_key(identity, kind)
    try:
        open_storage(settings.thumbnails).put(name, small, "image/webp")
    except PackshotError:
        return ()
    return (name,)


_loading = threading.Lock()


def shared_network(model: str | None, device: Literal["cpu", "cuda"], threads: int) -> Network:
    """The network. The first call in a process loads it; all threads share it."""
    with _loading:
        return _load(model, device, threads)


@cache
def _load(model: str | None, device: Literal["cpu", "cuda"], threads: int) -> Network:
    return load_network(model, threads=threads, device=device)


SIDE_PX = 240
QUALITY = 70


def thumbnail(data: bytes) -> bytes | None:
    """A picture file as a small upright WebP; None if Pillow cannot read it.

    Only for files that core/codecs has read before: core/codecs rejects decompression bombs and damaged files.
    """
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.draft("RGB", (SIDE_PX, SIDE_PX))  # decodes a JPEG at down to an eighth of its size
            upright = ImageOps.exif_transpose(image)
            small = upright if upright.mode in {"RGB", "RGBA", "L"} else upright.convert("RGBA")
            small.thumbnail((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS, reducing_gap=2.0)
            out = io.BytesIO()
            small.save(out, "WEBP", quality=QUALITY, method=2)
            return out.getvalue()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
