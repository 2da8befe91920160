"""A job: which photo, and what is to be made of it. Decided once, at the entry point, before any pixel is decoded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache

from packshot.core import codecs
from packshot.core.codecs import LIBRARY_LIMITS, Header, Limits
from packshot.core.options import OPTIONS
from packshot.core.picture import Picture
from packshot.core.recipe import Recipe
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
        with _as_option(name):
            codecs.probe(picture, small)
    return Job(recipe, header, data)


@lru_cache(maxsize=2)  # a catalogue lays the same picture behind every product
def decode_auxiliary(name: str, data: bytes) -> Picture:
    """Decode a picture that came as the option `name`. It may be small: a brush layer is scaled to the photo.

    Raises: InvalidOption.
    """
    with _as_option(name):
        return codecs.decode(data, Limits(min_side_px=1))


@contextmanager
def _as_option(name: str) -> Iterator[None]:
    try:
        yield
    except InputError as error:
        raise InvalidOption(
            f"{name} cannot be used: {error.message}", hint=error.hint, field=name, allowed=OPTIONS[name].accepts
        ) from error
