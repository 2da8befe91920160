"""Photo limits in words, and hints that point from an endpoint with narrow limits to /v1/packshots."""

from __future__ import annotations

from packshot import errors
from packshot.api.errors import BodyTooLarge
from packshot.api.upload import OVERHEAD_BYTES
from packshot.core.codecs import Limits
from packshot.core.codecs.formats import FORMATS
from packshot.errors import PackshotError

WIDEST = "/v1/packshots"
_KB, _MB, _MILLION = 1024, 1024 * 1024, 1_000_000


def in_words(limits: Limits) -> str:
    """The photos that the limits allow, with the available formats; completes "accepts ..."."""
    titles = [row.title for name, row in FORMATS.items() if name in limits.formats and row.available]
    said = [f"{', '.join(titles[:-1])} or {titles[-1]}" if len(titles) > 1 else titles[0]]
    if limits.max_bytes is not None:
        said.append(f"of at most {_size(limits.max_bytes)}")
    pixels = f"{limits.max_pixels / _MILLION:g} million pixels"
    if limits.max_side_px is None:
        said.append(f"and {pixels}, with sides of at least {limits.min_side_px} px")
    else:
        said.append(f"and {pixels}," if limits.max_side_px**2 > limits.max_pixels else "")
        said.append(f"with sides of {limits.min_side_px} to {limits.max_side_px} px")
    return " ".join(filter(None, said))


def pointing_on(error: PackshotError, narrow: Limits, wide: Limits) -> PackshotError:
    """Extend an error's hint if WIDEST accepts the photo that this endpoint rejected. Returns other errors unchanged.

    narrow: limits of the endpoint. wide: limits of WIDEST.
    """
    if not _would_do(error, wide):
        return error
    way = (
        f"This endpoint accepts {in_words(narrow)}. For other photos use {WIDEST} with the same key: "
        f"it accepts {in_words(wide)}."
    )
    return type(error)(error.message, hint=f"{error.hint} {way}".strip(), **error.fields)


def _would_do(error: PackshotError, wide: Limits) -> bool:
    """Whether the wide limits accept the photo, as far as the error's fields tell."""
    if isinstance(error, errors.FileTooLarge | BodyTooLarge):
        spare = OVERHEAD_BYTES if isinstance(error, BodyTooLarge) else 0
        return wide.max_bytes is None or _whole(error, "bytes") <= wide.max_bytes + spare
    if isinstance(error, errors.ImageTooLarge):
        return _whole(error, "width") * _whole(error, "height") <= wide.max_pixels
    if isinstance(error, errors.ImageTooSmall):
        return min(_whole(error, "width"), _whole(error, "height")) >= wide.min_side_px
    if isinstance(error, errors.UnsupportedDepth | errors.UnsupportedGrayscale):
        return "colour_type" in error.fields and wide.png_depths is None
    if isinstance(error, errors.UnsupportedFormat):
        kinds = (row for name, row in FORMATS.items() if name in wide.formats and row.available)
        return error.fields.get("kind") in {row.noun for row in kinds}
    return False


def _whole(error: PackshotError, name: str) -> int:
    return int(str(error.fields[name]))


def _size(count: int) -> str:
    """A number of bytes in kB or MB, rounded down."""
    unit, name = (_MB, "MB") if count >= _MB else (_KB, "kB")
    return f"{count * 10 // unit / 10:g} {name}"
