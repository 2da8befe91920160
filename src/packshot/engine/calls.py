"""The library's calls: photos as a program holds them in, results out.

Importing this module loads no image library and no runtime; the first call does.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypedDict, TypeVar, Unpack, overload

from packshot.core.codecs.formats import BY_SUFFIX
from packshot.core.codecs.limits import LIBRARY_LIMITS, Limits
from packshot.core.options import OPTIONS, Form, MetadataRule, Options, ShadowKind, check_names, options_help
from packshot.core.values import RGB
from packshot.engine.result import Result
from packshot.errors import InvalidOption

if TYPE_CHECKING:
    from concurrent.futures import Future

    import numpy as np
    import numpy.typing as npt
    from PIL.Image import Image

    from packshot.core.recipe import Recipe
    from packshot.engine.job import Cancellation
    from packshot.engine.network import Network


class BinaryFile(Protocol):
    """A file that is open for reading in binary, or anything with such a `read`."""

    def read(self) -> bytes: ...


if TYPE_CHECKING:
    Photo = (
        bytes
        | bytearray
        | memoryview
        | str
        | os.PathLike[str]
        | BinaryFile
        | Image
        | npt.NDArray[np.uint8 | np.uint16 | np.bool_]
    )


class OptionFields(TypedDict, total=False):
    """Every option as a keyword; `help(packshot.Options)` explains each. None means "not said"."""

    preset: str | list[str] | tuple[str, ...] | None
    repair: bool | None
    form: Form | None
    format: Literal["jpeg", "png", "webp", "tiff", "avif"] | None
    quality: int | None
    background: str | RGB | None
    background_picture: Photo | None
    rotate: float | None
    crop: bool | None
    margin: str | float | None
    canvas: str | tuple[int, int] | None
    fill: str | float | None
    position: str | None
    max_upscale: float | None
    min_px: int | None
    max_px: int | None
    shadow: ShadowKind | None
    shadow_opacity: str | float | None
    roi: str | tuple[float, float, float, float] | None
    touch_up: Photo | None
    metadata: MetadataRule | None


_Call = TypeVar("_Call", bound=Callable[..., object])


def _explained(call: _Call) -> _Call:
    """Adds to a call's help what its options are."""
    call.__doc__ = f"{call.__doc__}\n    Options\n    -------\n{options_help()}\n"
    return call


@_explained
def remove(
    photo: Photo,
    options: Options | None = None,
    *,
    network: Network | None = None,
    limits: Limits | None = None,
    **said: Unpack[OptionFields],
) -> Result:
    """Make a cutout, a mask or a packshot of a photo, with all that is known of it. Safe from threads.

        result = packshot.remove("mug.jpg", background="white", crop=True, margin="5%")
        result.save("mug-white.jpg")

    Parameters
    ----------
    photo
        A path (str or Path), the bytes of a file, an open binary file (read from where it stands), a PIL image, or a
        numpy array in sRGB: (height, width) gray, (height, width, 3) RGB or (height, width, 4) RGBA, of uint8, uint16
        or bool. OpenCV has BGR: give image[..., ::-1]. Files may be JPEG, PNG, WebP, HEIC, TIFF, AVIF, GIF and BMP.
        Colour profile and EXIF orientation are followed, also those that a PIL image carries.
    options
        All options as one object; by default a cutout: a PNG with straight alpha, of the photo's size.
    network
        By default the one that `packshot models use` chose, else the embedded one; as packshot.load_network gives it.
    limits
        What photos are accepted; by default up to 50 million pixels, with sides of 32 px at least.
    said
        Options as keywords, which go over those of `options`. The pictures among them may be anything that `photo` may.

    Returns
    -------
    The output: `.data` (bytes), `.image` (PIL), `.matte` (numpy), `.save(path)`, and what is known of it.

    Raises
    ------
    TypeError
        `photo` or `options` is nothing that is taken.
    packshot.errors.InputError
        The photo or an option cannot be used; the message says what to do. InvalidOption names the option.
    packshot.errors.NoForeground
        Nothing in the photo stands out.
    packshot.errors.StorageRefused
        The path cannot be read; FileMissing: it is not there. As all the above but TypeError, a PackshotError.
    """
    from packshot.engine.network import default_network  # noqa: PLC0415 - loads all of the pipeline

    limits = limits or LIBRARY_LIMITS
    recipe = _recipe(options, said, limits)
    return _make(photo, recipe, limits, network or default_network())


@_explained
def remove_for(
    photo: Photo,
    presets: Iterable[str],
    options: Options | None = None,
    *,
    network: Network | None = None,
    limits: Limits | None = None,
    **said: Unpack[OptionFields],
) -> dict[str, Result]:
    """A picture of a photo for each of several marketplaces, of one matte: by the presets' names.

        for name, result in packshot.remove_for("mug.jpg", ["amazon", "etsy"]).items():
            result.save(f"{name}/mug.jpg")

    Takes and raises what `packshot.remove` takes and raises.
    """
    from packshot.engine.network import default_network  # noqa: PLC0415 - loads all of the pipeline
    from packshot.engine.presets import recipes_for  # noqa: PLC0415

    limits = limits or LIBRARY_LIMITS
    names = [presets] if isinstance(presets, str) else list(presets)
    recipes = recipes_for(_options(options, {**said, "preset": names}, limits))
    results = _run(photo, recipes, limits, network or default_network(), None)
    return {str(recipe.preset): result for recipe, result in zip(recipes, results, strict=True)}


@_explained
def remove_background(
    photo: Photo,
    options: Options | None = None,
    *,
    network: Network | None = None,
    limits: Limits | None = None,
    **said: Unpack[OptionFields],
) -> bytes:
    """The bytes of `packshot.remove`'s output: by default those of a PNG with straight alpha.

        png = packshot.remove_background("mug.jpg")

    Takes and raises what `packshot.remove` takes and raises.
    """
    return remove(photo, options, network=network, limits=limits, **said).data


@overload
def remove_many(
    photos: Iterable[Photo],
    options: Options | None = None,
    *,
    jobs: int | None = None,
    return_exceptions: Literal[False] = False,
    network: Network | None = None,
    limits: Limits | None = None,
    **said: Unpack[OptionFields],
) -> Generator[Result]: ...


@overload
def remove_many(
    photos: Iterable[Photo],
    options: Options | None = None,
    *,
    jobs: int | None = None,
    return_exceptions: Literal[True],
    network: Network | None = None,
    limits: Limits | None = None,
    **said: Unpack[OptionFields],
) -> Generator[Result | Exception]: ...


@_explained
def remove_many(
    photos: Iterable[Photo],
    options: Options | None = None,
    *,
    jobs: int | None = None,
    return_exceptions: bool = False,
    network: Network | None = None,
    limits: Limits | None = None,
    **said: Unpack[OptionFields],
) -> Generator[Result | Exception]:
    """What `packshot.remove` makes of many photos, in their order, by several threads.

        photos = sorted(Path("photos").glob("*.jpg"))
        for photo, result in zip(photos, packshot.remove_many(photos, preset="amazon"), strict=True):
            result.save(photo.with_suffix(".packshot.jpg"))

    Photos are taken as they are needed, at most twice `jobs` ahead of the results, so that there may be any number of
    them. A photo must not be changed before its result has come. Leaving the loop, or closing the generator, ends the
    threads. For a folder that is to be gone through once and resumed there is `packshot batch`.

    Parameters
    ----------
    photos
        What `packshot.remove` takes, one after the other: a list, a generator, Path(folder).glob("*.jpg").
    jobs
        Photos at a time; by default one for each processor.
    return_exceptions
        Whether the error of a photo that fails comes in the place of its result. Else it is raised there, and ends it.
    options, network, limits, said
        As in `packshot.remove`, for all photos.

    Yields
    ------
    A Result for each photo.

    Raises
    ------
    What `packshot.remove` raises: of the options at once, of a photo in its place, with a note that says which one.
    """
    from packshot.engine.photos import check_photos  # noqa: PLC0415 - loads all of the pipeline

    check_photos(photos)
    limits = limits or LIBRARY_LIMITS
    recipe = _recipe(options, said, limits)
    if jobs is not None and (isinstance(jobs, bool) or not isinstance(jobs, int) or jobs < 1):
        raise InvalidOption(f"jobs is {jobs!r}.", hint="Give a whole number from 1 on.", field="jobs")
    return _results(photos, recipe, limits, network, jobs or _processors(), keep_errors=return_exceptions)


def _results(
    photos: Iterable[Photo],
    recipe: Recipe,
    limits: Limits,
    network: Network | None,
    jobs: int,
    *,
    keep_errors: bool,
) -> Generator[Result | Exception]:
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - `remove` needs none

    from packshot.engine.job import Cancellation  # noqa: PLC0415 - loads all of the pipeline
    from packshot.engine.network import default_network  # noqa: PLC0415

    shared, cancellation = network or default_network(), Cancellation()
    waiting: deque[Future[Result]] = deque()

    def make(number: int, photo: Photo) -> Result:
        try:
            return _make(photo, recipe, limits, shared, cancellation)
        except Exception as error:
            name = f": {os.fspath(photo)[:200]}" if isinstance(photo, str | Path) else ""
            error.add_note(f"It is photo {number}{name}")
            raise

    pool = ThreadPoolExecutor(jobs, thread_name_prefix="packshot")
    try:
        for number, photo in enumerate(photos, 1):
            waiting.append(pool.submit(make, number, photo))
            if len(waiting) == 2 * jobs:
                yield _outcome(waiting.popleft(), keep_errors=keep_errors)
        pool.shutdown(wait=False)  # threads end with the last photo, also where nobody asks for more after its result
        while waiting:
            yield _outcome(waiting.popleft(), keep_errors=keep_errors)
    finally:
        cancellation.cancel()
        pool.shutdown(cancel_futures=True)


def _outcome(future: Future[Result], *, keep_errors: bool) -> Result | Exception:
    error = future.exception()
    if isinstance(error, Exception) and keep_errors:
        return error
    return future.result()


def _make(
    photo: Photo, recipe: Recipe, limits: Limits, network: Network, cancellation: Cancellation | None = None
) -> Result:
    return _run(photo, (recipe,), limits, network, cancellation)[0]


def _run(
    photo: Photo, recipes: tuple[Recipe, ...], limits: Limits, network: Network, cancellation: Cancellation | None
) -> tuple[Result, ...]:
    from packshot.engine.job import make_job  # noqa: PLC0415 - loads all of the pipeline
    from packshot.engine.photos import read_photo  # noqa: PLC0415
    from packshot.engine.pipeline import run_all  # noqa: PLC0415

    job = make_job(read_photo(photo, limits), recipes, limits)
    return run_all(job, network, cancellation=cancellation, keep_matte=True)


def _recipe(options: Options | None, said: Mapping[str, Any], limits: Limits) -> Recipe:
    """What to make, one picture of each photo. Raises TypeError, InvalidOption, StorageRefused."""
    from packshot.engine.presets import recipe_for  # noqa: PLC0415 - loads all of the pipeline

    return recipe_for(_options(options, said, limits))


def _options(options: Options | None, said: Mapping[str, Any], limits: Limits) -> Options:
    from packshot.engine.job import as_option  # noqa: PLC0415 - loads all of the pipeline
    from packshot.engine.photos import as_file  # noqa: PLC0415

    if options is not None and not isinstance(options, Options):
        raise _no_options(options)
    check_names(said)
    given = {name: value for name, value in said.items() if value is not None}
    for name, value in given.items():
        if OPTIONS[name].kind == "file":
            with as_option(name, "read"):
                given[name] = as_file(value, replace(limits, min_side_px=1), name)
    own = Options(**given)
    return own if options is None else own.over(options)


def _no_options(options: object) -> TypeError:
    kind = type(options).__name__
    if isinstance(options, Mapping):
        return TypeError(f"The options are keywords, not a {kind}: packshot.remove(photo, **options).")
    if isinstance(options, str | os.PathLike) and Path(options).suffix.lower() in BY_SUFFIX:
        return TypeError("Behind the photo come options, and no path: packshot.remove(photo).save(path) writes a file.")
    return TypeError(
        f'The options are a packshot.Options or keywords, such as packshot.remove(photo, preset="amazon"), not {kind}.'
    )


def _processors() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
