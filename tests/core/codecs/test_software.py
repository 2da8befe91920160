"""The Software tag, which marks the command line's own outputs: written in every format, read in small pieces."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image

from packshot.core.codecs import FORMATS, WRITTEN, decode, encode
from packshot.core.codecs.exif import sanitize, with_software
from packshot.core.codecs.software import PACKSHOT, Read, read_software
from packshot.core.picture import UInt8
from tests.core.codecs.test_exif import MAIN, camera_block, fields
from tests.kit.images import ODD, product
from tests.kit.tiffs import STRUCTURE

Tag = ExifTags.Base
RGB, ALPHA = product(64, 48)
MOST_READS, MOST_BYTES = 25, 8192


class Counted:
    """A file that counts the bytes read."""

    def __init__(self, data: bytes) -> None:
        self.data, self.pieces = data, [0]

    def read(self, offset: int, length: int) -> bytes:
        piece = self.data[offset : offset + length]
        self.pieces.append(len(piece))
        return piece


def read_in_pieces(data: bytes) -> str | None:
    """The file's Software tag; asserts that reading takes few bytes, whatever the file's length."""
    counted = Counted(data)
    read: Read = counted.read
    said = read_software(read)
    assert len(counted.pieces) <= MOST_READS
    assert sum(counted.pieces) <= MOST_BYTES
    return said


RENDERINGS: dict[str, tuple[UInt8, UInt8 | None]] = {
    "flattened": (RGB, None),
    "cutout": (RGB, ALPHA),
    "mask": (ALPHA, None),
}
outputs = st.sampled_from(
    [(kind, name) for kind in sorted(WRITTEN) for name in RENDERINGS if WRITTEN[kind].alpha or name != "cutout"]
)
cameras = st.none() | st.builds(
    lambda orientation, order, software: sanitize(
        camera_block(orientation, order=order, main={Tag.Software: software})
    ),
    st.integers(1, 8),
    st.sampled_from("<>"),
    st.text(st.characters(codec="ascii", exclude_characters="\0"), min_size=1, max_size=60),
)


def pixels(data: bytes) -> list[np.ndarray]:
    """The pixels by packshot, by Pillow, and by OpenCV where it can; OpenCV applies the EXIF orientation."""
    with Image.open(io.BytesIO(data)) as image:
        turned = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        return [decode(data).rgb, np.asarray(image), np.empty(0) if turned is None else turned]


@pytest.mark.slow
@given(outputs, cameras)
@settings(max_examples=60)
def test_an_output_names_its_maker_in_every_format_and_is_otherwise_the_same(
    output: tuple[str, str], camera: bytes | None
) -> None:
    kind, (rgb, alpha) = output[0], RENDERINGS[output[1]]
    plain = encode(rgb, alpha, format=kind, exif=camera)
    marked = encode(rgb, alpha, format=kind, exif=with_software(camera, PACKSHOT))
    assert read_in_pieces(marked) == PACKSHOT
    assert read_in_pieces(plain) != PACKSHOT
    assert len(marked) - len(plain) <= 120
    for one, other in zip(pixels(marked), pixels(plain), strict=True):
        assert np.array_equal(one, other)
    with Image.open(io.BytesIO(marked)) as image:
        said = {tag: value for tag, value in image.getexif().items() if kind != "tiff" or tag not in STRUCTURE}
    # Without the photo's own block, the block holds only the name: no place, no camera, no date.
    kept = {} if camera is None else fields(camera)[0]
    assert said.keys() == kept.keys() | {Tag.Software}
    assert said[Tag.Software] == PACKSHOT
    assert camera is None or {tag: said[tag] for tag in MAIN} == MAIN
    exif = decode(marked).exif
    assert exif is not None
    if camera is not None:  # camera and place stay
        assert fields(exif)[1:] == fields(camera)[1:]


@pytest.mark.slow
@given(st.sampled_from(sorted(WRITTEN)), st.data())
@settings(max_examples=150)
def test_a_broken_file_has_no_maker_and_costs_no_more(kind: str, data: st.DataObject) -> None:
    whole = encode(RGB, format=kind, exif=with_software(None, PACKSHOT))
    noise = data.draw(st.binary(min_size=1, max_size=40) | st.sampled_from([b"\xff" * 8, bytes(8), b"\x7f" * 40]))
    at = data.draw(st.integers(0, min(len(whole), 600)) | st.integers(max(0, len(whole) - 600), len(whole)))
    read_in_pieces(whole[:at] + noise + whole[at + len(noise) :])
    read_in_pieces(whole[:at])


@pytest.mark.parametrize("name", sorted(ODD))
def test_photos_of_all_kinds_are_not_packshots_own(name: str) -> None:
    assert read_in_pieces(ODD[name]()) != PACKSHOT


def test_other_files_have_no_maker() -> None:
    assert {read_in_pieces(data) for data in (b"", b"GIF89a", b"packshot", b"BM" + bytes(60))} == {None}
    assert set(WRITTEN) < set(FORMATS)
