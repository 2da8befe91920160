"""The vendor's endpoints that remove a background: the contract's endpoint for products, and related ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from packshot.core.codecs import Limits
from packshot.core.options import Options
from packshot.service.build import contract_limits
from packshot.service.settings import Settings

MIB = 1024 * 1024
CUTOUT = Options()
"""The default without `return_form`: a four-channel PNG."""
FORMS = {"mask": Options(form="mask"), "whiteBK": Options(background="white"), "crop": Options(crop=True)}
UNCROPPED = {name: options for name, options in FORMS.items() if name != "crop"}
_ABOUT = {
    "mask": "`mask`: the matte as gray PNG.",
    "whiteBK": "`whiteBK`: on white, JPEG.",
    "crop": "`crop`: the cutout without its empty margins.",
}


@dataclass(frozen=True)
class Cutout:
    """One endpoint, under the paths of the vendor's shops.

    about: the accepted photos, in words. limits: the same as Limits.
    forms: the values of `return_form`, with their options.
    refused: fields for unsupported features; any value except 0 is rejected.
    in_elements: whether the vendor returns a list of results.
    """

    title: str
    operation_id: str
    paths: tuple[str, ...]
    about: str
    limits: Callable[[Settings], Limits]
    forms: Mapping[str, Options]
    refused: tuple[str, ...] = ()
    in_elements: bool = False

    @property
    def forms_about(self) -> str:
        """The values of `return_form` in words."""
        return " ".join(["Absent or empty: cutout, a four-channel PNG.", *(_ABOUT[name] for name in self.forms)])


def _webp_too(settings: Settings) -> Limits:
    limits = contract_limits(settings)
    return replace(limits, formats=limits.formats | {"webp"})


def _others(max_bytes: int, min_side_px: int, max_side_px: int) -> Callable[[Settings], Limits]:
    """The vendor's limits, capped by the service's. The vendor documents no PNG restrictions for these endpoints."""

    def limits(settings: Settings) -> Limits:
        return Limits(
            max_bytes=min(max_bytes, settings.v1_max_file_bytes),
            min_side_px=max(min_side_px, settings.min_side_px),
            max_side_px=max_side_px,
            max_pixels=settings.v1_max_pixels,
            formats=contract_limits(settings).formats,
        )

    return limits


_HD = _others(40 * MIB, 32, 10_000)
_HD_ABOUT = "JPEG, PNG or BMP; at most 40 MB, sides from 32 to 10,000 px, within the service's pixel limit."
_SMALL_ABOUT = "JPEG, PNG (24, 32 or 48 bits a pixel), BMP or WebP; at most 3 MB, sides from 32 to 1999 px."

PRODUCT = Cutout(
    "Remove the background of a product photo",
    "removeProductBackground",
    (
        "/cutout/commodity/commodity",
        "/api/v1/ailabtools/product-background-removal/cutout/commodity/commodity",
        "/api/cutout/general/commodity-background-removal",
    ),
    "JPEG, PNG (24, 32 or 48 bits a pixel) or BMP; at most 3 MB, sides from 32 to 1999 px.",
    contract_limits,
    FORMS,
)
APPAREL = Cutout(
    "Remove the background of a photo of apparel",
    "removeApparelBackground",
    ("/api/cutout/general/apparel-background-removal",),
    "JPEG, PNG or BMP; at most 5 MB, sides from 50 to 3000 px.",
    _others(5 * MIB, 50, 3000),
    UNCROPPED,
    refused=("cloth_class", "out_mode"),
    in_elements=True,
)
CUTOUTS = (
    PRODUCT,
    Cutout(
        "Remove the background of any photo",
        "removeUniversalBackground",
        ("/cutout/universal/common-image", "/api/cutout/general/universal-background-removal"),
        _SMALL_ABOUT,
        _webp_too,
        FORMS,
    ),
    Cutout(
        "Remove the background of a portrait",
        "removePortraitBackground",
        ("/cutout/portrait/body", "/api/cutout/portrait/portrait-background-removal"),
        _SMALL_ABOUT,
        _webp_too,
        FORMS,
    ),
    Cutout(
        "Remove the background of a photo of food",
        "removeFoodBackground",
        ("/api/cutout/general/food-background-removal",),
        "JPEG, PNG or BMP; at most 4 MB, sides from 40 to 1999 px.",
        _others(4 * MIB, 40, 1999),
        UNCROPPED,
    ),
    APPAREL,
    Cutout(
        "Remove the background of a large portrait",
        "removeHdPortraitBackground",
        ("/api/cutout/portrait/hd-portrait-background-removal",),
        _HD_ABOUT,
        _HD,
        {},
        in_elements=True,
    ),
)
HD = Cutout(
    "Remove the background of a large photo, later",
    "removeHdUniversalBackground",
    ("/api/cutout/general/hd-universal-background-removal",),
    _HD_ABOUT,
    _HD,
    {},
)
"""Returns a task's id, with which clients query the result."""
