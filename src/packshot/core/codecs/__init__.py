"""Bytes to pictures and back: the only place that touches an encoded image.

decode.py is the way in (sniff, header, limits, pixels, colour, orientation), encode.py the way out. Each format has one
file with two functions: `header` reads a few bytes and trusts none of them, `pixels` hands a cleaned stream to the
single decoder that reads it. docs/decisions/0002-codecs.md has the measurements behind the choices.
"""

from packshot.core.codecs.decode import READABLE, SUFFIXES, decode, probe, read
from packshot.core.codecs.encode import EXTENSIONS, MEDIA_TYPES, encode, encode_jpeg, encode_mask_png, encode_png
from packshot.core.codecs.limits import LIBRARY_LIMITS, Header, Limits

__all__ = [
    "EXTENSIONS",
    "LIBRARY_LIMITS",
    "MEDIA_TYPES",
    "READABLE",
    "SUFFIXES",
    "Header",
    "Limits",
    "decode",
    "encode",
    "encode_jpeg",
    "encode_mask_png",
    "encode_png",
    "probe",
    "read",
]
