"""A photo gives the same result in every in-memory form."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import packshot
from packshot.core.codecs import LIBRARY_LIMITS, Limits, decode
from packshot.engine.photos import as_file, read_photo
from packshot.errors import EmptyFile, FileMissing, FileTooLarge, InputError, InvalidOption, StorageRefused
from tests.kit.images import as_png, good, photo
from tests.kit.orientations import STORED


class _Reading:
    """Any object with a `read`, such as an upload of a web framework."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self) -> bytes:
        return self._data


HOLDS: dict[str, Callable[[bytes], object]] = {
    "bytearray": bytearray,
    "memoryview": memoryview,
    "BytesIO": io.BytesIO,
    "buffered file": lambda data: io.BufferedReader(io.BytesIO(data)),  # type: ignore[arg-type]
    "behind a header": lambda data: _moved(io.BytesIO(b"head" + data), 4),
    "upload": _Reading,
    "PIL image": lambda data: Image.open(io.BytesIO(data)),
    "loaded PIL image": lambda data: Image.open(io.BytesIO(data)).copy(),
}


def _moved(file: io.BytesIO, place: int) -> io.BytesIO:
    file.seek(place)
    return file


@pytest.mark.slow
@pytest.mark.parametrize("name", HOLDS)
def test_the_same_photo_gives_the_same_bytes_in_every_form(name: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = Image.fromarray(np.ascontiguousarray(STORED[6](photo(96, 80))))
    stream = io.BytesIO()
    stored.save(stream, "JPEG", quality=95, exif=exif)
    expected = packshot.remove_background(stream.getvalue(), background="white", metadata="keep")
    held = HOLDS[name](stream.getvalue())
    assert packshot.remove_background(held, background="white", metadata="keep") == expected  # type: ignore[arg-type]


@pytest.mark.slow
def test_an_array_in_srgb_is_the_photo_of_these_pixels() -> None:
    rgb, alpha = photo(96, 80), np.zeros((80, 96), np.uint8)
    alpha[:, 30:] = 255
    for array in (rgb, rgb[..., 0], np.dstack([rgb, alpha])):
        expected = packshot.remove_background(as_png(array))
        assert packshot.remove_background(array) == expected
        assert packshot.remove_background(array.astype(np.uint16) * 257) == expected
        assert packshot.remove_background(Image.fromarray(array)) == expected


@settings(max_examples=20)
@given(st.sampled_from(["path", *HOLDS]), st.binary(min_size=1, max_size=200))
def test_bytes_are_read_from_where_they_are_and_looked_at_later(
    tmp_path_factory: pytest.TempPathFactory, name: str, data: bytes
) -> None:
    if "PIL" in name:
        return
    path = tmp_path_factory.mktemp("photos") / "photo"
    path.write_bytes(data)
    for held in (path, str(path)) if name == "path" else (HOLDS[name](data),):
        assert read_photo(held, LIBRARY_LIMITS) == data


@settings(max_examples=50)
@given(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.complex_numbers(), st.lists(st.binary()),
        st.dictionaries(st.text(), st.binary()), st.tuples(st.integers()), st.sets(st.integers()), st.dates(),
        st.functions(), st.sampled_from([io.BytesIO, Image, np, range(3), object()]),
    )
)  # fmt: skip
def test_anything_else_is_a_type_error_in_one_sentence(thing: object) -> None:
    with pytest.raises(TypeError) as caught:
        packshot.remove(thing)  # type: ignore[arg-type]
    sentence = str(caught.value)
    assert sentence.startswith("A photo is bytes, a path, an open binary file, a PIL image or a numpy array, not ")
    assert sentence.count(". ") == 0
    assert len(sentence) < 200
    if isinstance(thing, list | tuple | set):
        assert "packshot.remove_many" in sentence


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("https://shop.example/a.jpg", "a URL.*Download it"),
        ("s3://bucket/a.jpg", "a URL"),
        ("data:image/png;base64,iVBORw0KGgo", r"a data URL.*b64decode"),
        ("iVBORw0KGgo" * 1000, r"11,000 characters.*b64decode"),
        ("", "empty text"),
        ("a\0b", "not the path"),
    ],
)
def test_a_text_that_is_no_path_is_told_what_it_is(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        packshot.remove(text)


def test_a_path_that_cannot_be_read_is_an_error_of_the_tree(tmp_path: Path) -> None:
    with pytest.raises(FileMissing, match=r"nothing\.jpg does not exist"):
        packshot.remove(tmp_path / "nothing.jpg")
    with pytest.raises(StorageRefused, match=r"is a folder.*remove_many\(Path\("):
        packshot.remove(tmp_path)
    with pytest.raises(StorageRefused, match="cannot be read"):
        packshot.remove(tmp_path / ("n" * 300))


def test_an_open_file_that_gives_no_bytes_says_why(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(good("jpeg"))
    with (tmp_path / "a.jpg").open("ab") as write_only, pytest.raises(StorageRefused, match="for reading"):
        packshot.remove(write_only)  # type: ignore[arg-type]
    with (tmp_path / "a.jpg").open() as text, pytest.raises(TypeError, match=r'open\(path, "rb"\)'):
        packshot.remove(text)  # type: ignore[arg-type]
    written = io.BytesIO()
    Image.fromarray(photo(40, 40)).save(written, "PNG")
    with pytest.raises(EmptyFile, match=r"file\.seek\(0\)"):
        packshot.remove(written)
    with pytest.raises(TypeError, match=r"read\(\) returns str"):
        packshot.remove(_Reading("text"))  # type: ignore[arg-type]


def test_limits_hold_for_every_form() -> None:
    with pytest.raises(FileTooLarge):
        packshot.remove(io.BytesIO(good("png")), limits=Limits(max_bytes=100))
    with pytest.raises(InputError, match="160x120 px"):
        packshot.remove(Image.open(io.BytesIO(good("png"))), limits=Limits(max_side_px=100))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["background_picture", "touch_up"])
def test_a_picture_among_the_options_may_come_in_every_form(name: str, tmp_path: Path) -> None:
    gray = np.tile(np.linspace(0, 255, 40).astype(np.uint8), (30, 1))
    data = as_png(gray)
    (tmp_path / "a.png").write_bytes(data)
    held = [tmp_path / "a.png", str(tmp_path / "a.png"), io.BytesIO(data), Image.fromarray(gray), gray]
    said: dict[str, Any] = {"form": "flattened"}
    expected = packshot.remove(good("jpeg"), **said, **{name: data}).data
    for form in held:
        assert packshot.remove(good("jpeg"), **said, **{name: form}).data == expected
    with pytest.raises(TypeError, match=f"A {name} is bytes"):
        packshot.remove(good("jpeg"), **{name: 3})  # type: ignore[arg-type]
    with pytest.raises(InvalidOption, match=f"{name} cannot be read: .*URL"):
        packshot.remove(good("jpeg"), **{name: "https://shop.example/a.png"})  # type: ignore[arg-type]


@given(st.integers(1, 6), st.integers(1, 6), st.booleans())
def test_pixels_among_the_options_lose_nothing_on_the_way(width: int, height: int, clear: bool) -> None:
    array = np.random.default_rng(width).integers(0, 255, (height, width, 4 if clear else 3), np.uint8)
    if clear:
        array[..., 3] |= 1  # colours under alpha 0 are not kept
    read = decode(as_file(array, Limits(min_side_px=1), "touch_up"), Limits(min_side_px=1))
    np.testing.assert_array_equal(read.rgb, array[..., :3])
    if clear:
        np.testing.assert_array_equal(read.alpha, array[..., 3])
