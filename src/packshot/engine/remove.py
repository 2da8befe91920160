"""The line: the bytes of a photo in, the bytes of a packshot out. Everything a request computes is on this page."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from packshot.core import codecs
from packshot.core.codecs import LIBRARY_LIMITS, Limits
from packshot.core.compose import crop, cutout, flatten, mask
from packshot.core.confidence import confidence
from packshot.core.decide import decide
from packshot.core.foreground import estimate_foreground
from packshot.core.geometry import Box, Size, network_size
from packshot.core.matte import bounding_box, is_empty, is_flat, network_input, refine
from packshot.core.picture import Float32, Picture
from packshot.errors import InvalidOption, NoForeground

if TYPE_CHECKING:
    from packshot.engine.edges import EdgeRefiner
    from packshot.engine.network import Network

Form = Literal["cutout", "mask", "white", "crop"]
FORMS: tuple[Form, ...] = get_args(Form)


@dataclass(frozen=True)
class Result:
    """An encoded rendering.

    data: the bytes of a PNG, or of a JPEG for the form "white".
    media_type: "image/png" or "image/jpeg".
    size: of the rendering, px.
    box: where the product lies in the photo, px.
    confidence: how good the matte is likely to be, 0..1: the IoU that mattes like it have in the mean. None when the
        network's card has no calibration.
    """

    data: bytes
    media_type: str
    size: Size
    box: Box
    confidence: float | None = None


@dataclass(frozen=True, eq=False)
class Found:
    """What a network found in a picture.

    matte: float32 (H, W) in 0..1, at the picture's size. confidence: as in Result.
    """

    matte: Float32
    confidence: float | None


def remove_background(data: bytes, *, form: Form = "cutout") -> bytes:
    """Remove the background of a photo with the default network.

    Parameters
    ----------
    data
        The bytes of a JPEG, PNG, BMP or WebP file.
    form
        "cutout": PNG with straight alpha, size of the photo. "crop": the same without the empty margins.
        "mask": the matte as gray PNG. "white": the product on white, JPEG.

    Returns
    -------
    The bytes of the PNG or JPEG file.

    Raises
    ------
    packshot.errors.InputError
        The file or the form cannot be used; the message says what to do.
    packshot.errors.NoForeground
        Nothing in the photo stands out.
    """
    return remove(data, form=form).data


def remove(
    data: bytes, *, form: Form = "cutout", network: Network | None = None, limits: Limits = LIBRARY_LIMITS
) -> Result:
    """The same with a network and limits of the caller's choice; also says where the product is. Safe from threads."""
    check_form(form)
    picture = codecs.decode(data, limits)
    found = find_matte(picture, network or default_network())
    matte, box = found.matte, find_box(found.matte)
    if form == "mask":
        return Result(codecs.encode_mask_png(mask(matte)), "image/png", picture.size, box, found.confidence)
    if form == "crop":
        picture, matte = crop(picture, matte, box)
    foreground = estimate_foreground(picture, matte)
    if form == "white":
        jpeg = codecs.encode_jpeg(flatten(foreground, matte))
        return Result(jpeg, "image/jpeg", picture.size, box, found.confidence)
    return Result(codecs.encode_png(*cutout(foreground, matte)), "image/png", picture.size, box, found.confidence)


def find_matte(picture: Picture, network: Network) -> Found:
    """The matte at the picture's size: coarse from the network, then refined on the picture.

    First by the guided filter, then by the edge refiner that the network's card names, if any.
    """
    rule = network.card.input
    size = network_size(picture.size, side_px=rule.side_px, multiple=rule.multiple, fit=rule.fit)
    rgb = network_input(picture, size)
    if is_flat(rgb):
        return Found(np.zeros(picture.rgb.shape[:2], np.float32), None)
    answer = network.predict(rgb)
    coarse = decide(answer)
    matte = refine(picture, coarse)
    if network.card.edges:
        matte = edge_refiner(network.card.edges).refine(picture, coarse, matte)
    return Found(matte, confidence(answer, network.card.confidence))


def find_box(matte: Float32) -> Box:
    """The box of the foreground.

    Raises
    ------
    NoForeground
        Nothing in the matte is foreground.
    """
    box = bounding_box(matte)
    if box is None or is_empty(matte):
        raise NoForeground(
            "Nothing in this picture stands out as a product.",
            hint="Send a photo in which the product is in full view and differs from what is behind it.",
        )
    return box


def check_form(form: str) -> None:
    """Raise InvalidOption unless the form is one of FORMS."""
    if form not in FORMS:
        raise InvalidOption(
            f"form is {form!r}, which is not one of the forms.",
            hint=f"Use one of {', '.join(FORMS)}.",
            field="form",
            value=form,
            allowed=FORMS,
        )


_loading = threading.Lock()


def default_network() -> Network:
    """The network that `packshot models use` chose, else the embedded one; loaded once, one session for all threads."""
    with _loading:  # cache alone would let two first calls load it twice
        return _load_default()


def edge_refiner(name: str) -> EdgeRefiner:
    """The edge refiner of a name, loaded by the first call and kept; one session serves all threads."""
    with _loading:
        return _load_edge_refiner(name)


@cache
def _load_edge_refiner(name: str) -> EdgeRefiner:
    from packshot.engine.edges import load_edge_refiner  # noqa: PLC0415 - the runtime takes 0.1 s to import

    return load_edge_refiner(name)


@cache
def _load_default() -> Network:
    from packshot.engine.network import load_network  # noqa: PLC0415 - the runtime takes 0.1 s to import

    return load_network()
