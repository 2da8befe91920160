"""Bytes to pictures and back: the only package that touches encoded images.

decoding.py decodes (sniff, header, limits, pixels, colour, orientation), encoding.py encodes, and formats.py is the
table of formats. Each format has one module, which loads on first use. Its `header` reads a few bytes and trusts none
of them. Its `pixels` hands a cleaned stream to the format's only decoder. Its `write` encodes, for output formats.
docs/decisions/0002-codecs.md has the measurements behind the choices.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from packshot.core.codecs.formats import BY_SUFFIX, FORMATS, PIXELS, WRITTEN, Header, Raster

if TYPE_CHECKING:
    from packshot.core.codecs.decoding import decode as decode
    from packshot.core.codecs.decoding import probe as probe
    from packshot.core.codecs.decoding import read as read
    from packshot.core.codecs.decoding import to_picture as to_picture
    from packshot.core.codecs.encoding import encode as encode
    from packshot.core.codecs.limits import LIBRARY_LIMITS as LIBRARY_LIMITS
    from packshot.core.codecs.limits import Limits as Limits

__all__ = [
    "BY_SUFFIX",
    "FORMATS",
    "LIBRARY_LIMITS",
    "PIXELS",
    "WRITTEN",
    "Header",
    "Limits",
    "Raster",
    "decode",
    "encode",
    "probe",
    "read",
    "to_picture",
]

_MODULES = {
    "LIBRARY_LIMITS": "limits",
    "Limits": "limits",
    "decode": "decoding",
    "encode": "encoding",
    "probe": "decoding",
    "read": "decoding",
    "to_picture": "decoding",
}


def __getattr__(name: str) -> Any:
    # The table must load without numpy, for `packshot --help`.
    if name not in _MODULES:
        raise AttributeError(f"module 'packshot.core.codecs' has no attribute {name!r}")
    return getattr(import_module(f"packshot.core.codecs.{_MODULES[name]}"), name)
