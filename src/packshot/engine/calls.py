"""The library's calls: they take photos in any form that a program holds, and return results.

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
    """A binary file that is open for reading, or any object with such a `read`."""

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
    """Every option as a keyword; `help(packshot.Options)` explains each. None means "not given"."""

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
    """Appends the list of options to a call's docstring."""
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
    """Make a cutout, a mask or a packshot of a photo, with its metadata. Thread-safe.

        result = packshot.remove("mug.jpg", background="white", crop=True, margin="5%")
        result.save("mug-white.jpg")

    Parameters
    ----------
    photo
        A path (str or Path), the bytes of a file, an open binary file (read from its current position), a PIL image,
        or a numpy array in sRGB. Arrays are (height, width) gray, (height, width, 3) RGB or (height, width, 4) RGBA,
        of uint8, uint16 or bool. OpenCV uses BGR: pass image[..., ::-1]. Files may be JPEG, PNG, WebP, HEIC, TIFF,
        AVIF, GIF and BMP. The colour profile and the EXIF orientation are applied, also those of a PIL image.
    options
        All options as one object; by default a cutout: a PNG with straight alpha, of the photo's size.
    network
        A network from packshot.load_network. Default: the choice of `packshot models use`, else the embedded network.
    limits
        Limits for photos. Default: up to 50 million pixels, with sides of at least 32 px.
    said
        Options as keywords, which override those of `options`. Picture options take the same types as `photo`.

    Returns
    -------
    The output: `.data` (bytes), `.image` (PIL), `.matte` (numpy), `.save(path)`, and its metadata.

    Raises
    ------
    TypeError
        `photo` or `options` has an unsupported type.
    packshot.errors.InputError
        The photo or an option cannot be used; the message says what to do. InvalidOption names the option.
    packshot.errors.NoForeground
        The photo shows no product.
    packshot.errors.StorageRefused
        The path cannot be read; FileMissing: the file does not exist. Every error above except TypeError is a
        PackshotError.
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
    """Make one picture of a photo for each of several marketplaces, from one matte. Returns results by preset name.

        for name, result in packshot.remove_for("mug.jpg", ["amazon", "etsy"]).items():
            result.save(f"{name}/mug.jpg")

    Takes the parameters of `packshot.remove` and raises its errors.
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
    """Return the bytes of `packshot.remove`'s output: by default a PNG with straight alpha.

        png = packshot.remove_background("mug.jpg")

    Takes the parameters of `packshot.remove` and raises its errors.
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
    """Run `packshot.remove` on many photos in several threads. Yields the results in order.

        photos = sorted(Path("photos").glob("*.jpg"))
        for photo, result in zip(photos, packshot.remove_many(photos, preset="amazon"), strict=True):
            result.save(photo.with_suffix(".packshot.jpg"))

    Photos are read on demand, at most twice `jobs` ahead of the results, so any number is possible. Do not change a
    photo before its result has arrived. Leaving the loop, or closing the generator, ends the threads. To process a
    whole folder with resume, use `packshot batch`.

    Parameters
    ----------
    photos
        An iterable of photos as `packshot.remove` takes them: a list, a generator, Path(folder).glob("*.jpg").
    jobs
        Photos in parallel; by default one for each processor.
    return_exceptions
        True yields a failed photo's error in place of its result. False raises the error there and stops.
    options, network, limits, said
        As in `packshot.remove`, for all photos.

    Yields
    ------
    A Result for each photo.

    Raises
    ------
    The errors of `packshot.remove`: for options at once, for a photo in its place, with a note that names the photo.
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
        pool.shutdown(wait=False)  # threads end with the last photo, even if the caller stops reading after its result
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
    """The recipe for one picture of each photo. Raises TypeError, InvalidOption, StorageRefused."""
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
        return TypeError(f"Pass options as keywords, not as a {kind}: packshot.remove(photo, **options).")
    if isinstance(options, str | os.PathLike) and Path(options).suffix.lower() in BY_SUFFIX:
        return TypeError("The second argument is for options, not a path. To save: packshot.remove(photo).save(path).")
    return TypeError(
        f'Pass a packshot.Options or keywords, such as packshot.remove(photo, preset="amazon"), not {kind}.'
    )


def _processors() -> int:
    """The number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
