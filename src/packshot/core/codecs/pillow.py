"""The one door to Pillow's decoders: a named format, a known size, and one kind of error out of it."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image, ImageFile

from packshot.core.codecs.limits import FORMAT_NAMES, Header, damaged

# What Pillow's plugins raise on damaged files. They have no list of it: this one is held by fuzzing.
DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    ArithmeticError,
    LookupError,
    EOFError,
    RuntimeError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)


@contextmanager
def opened(data: bytes, header: Header) -> Iterator[ImageFile.ImageFile]:
    """Open `data` with the decoder of header.format and no other; errors inside become UnreadableImage.

    Pillow must see the size that was checked before, to the pixel. That is stricter than its bomb warning, and does
    not depend on turning warnings into errors, which one thread cannot do for itself before Python 3.14.
    """
    name = FORMAT_NAMES[header.format]
    try:
        with Image.open(io.BytesIO(data), formats=[name]) as image:
            if image.size != header.size:
                raise damaged(name, f"gives two sizes, {header.size} and {image.width}x{image.height} px")
            yield image
    except DECODER_ERRORS as error:
        raise damaged(name, f"is damaged or cut off ({error})") from error
