"""AVIF and HEIC: cropped, turned, deep and tiled pictures, and stills next to a film, appear as specified."""

from __future__ import annotations

import base64
import io
import struct
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from packshot.core.codecs import LIBRARY_LIMITS, Limits, decode, probe
from packshot.errors import ImageTooLarge, UnreadableImage, UnsupportedFormat
from tests.kit.heifs import Part, as_avif, as_heic, box, clap, container, grid_of, size_of, taken_apart
from tests.kit.images import photo, product

SMALL = Limits(min_side_px=1)
WRITERS: list[tuple[bytes, Callable[..., bytes]]] = [(b"avif", as_avif), (b"heic", as_heic)]
both = pytest.mark.parametrize(("brand", "write"), WRITERS)
Property = tuple[bytes, bytes]


@cache
def with_alpha(write: Callable[..., bytes]) -> list[Part]:
    return taken_apart(write(np.dstack([photo(90, 70), product(90, 70)[1]])))


@cache
def grid(brand: bytes, write: Callable[..., bytes]) -> list[Part]:
    """128x64 px of two tiles."""
    tiles = [taken_apart(write(photo(64, 64, seed)))[0] for seed in (1, 2)]
    size = size_of(128, 64)
    return [Part(b"grid", grid_of(2, 1, 128, 64), [size], [(b"dimg", [2, 3])]), *tiles]


def pixels(data: bytes) -> np.ndarray:
    """RGBA; asserts that the header states the same size. A crop may leave no transparency."""
    picture = decode(data, SMALL)
    assert probe(data, SMALL).size == picture.size
    alpha = np.full(picture.rgb.shape[:2], 255, np.uint8) if picture.alpha is None else picture.alpha
    return np.dstack([picture.rgb, alpha])


@st.composite
def shapes(draw: Any, size: tuple[int, int]) -> tuple[list[Property], Callable[[np.ndarray], np.ndarray]]:
    """Properties that crop and turn, in any order, and the equivalent operation in numpy."""
    properties: list[Property] = []
    steps: list[Callable[[np.ndarray], np.ndarray]] = []
    for kind in draw(st.lists(st.sampled_from(["clap", "irot", "imir"]), min_size=1, max_size=3, unique=True)):
        if kind == "clap":
            left, top = draw(st.integers(0, size[0] - 1)), draw(st.integers(0, size[1] - 1))
            width, height = draw(st.integers(1, size[0] - left)), draw(st.integers(1, size[1] - top))
            properties.append(clap(size, left, top, width, height))
            steps.append(lambda a, x=left, y=top, w=width, h=height: a[y : y + h, x : x + w])
            size = width, height
        elif kind == "irot":
            angle = draw(st.integers(0, 3))
            properties.append((b"irot", bytes([angle])))
            steps.append(lambda a, k=angle: np.rot90(a, k))
            size = size[::-1] if angle % 2 else size
        else:
            axis = draw(st.integers(0, 1))
            properties.append((b"imir", bytes([axis])))
            steps.append(lambda a, x=axis: np.flip(a, x))

    def made(samples: np.ndarray) -> np.ndarray:
        for step in steps:
            samples = step(samples)
        return samples

    return properties, made


@pytest.mark.slow
@both
@given(shape=shapes((90, 70)))
@settings(max_examples=25)
def test_a_picture_and_its_alpha_are_cropped_and_turned(brand: bytes, write: Callable[..., bytes], shape: Any) -> None:
    properties, made = shape
    plain = with_alpha(write)
    shaped = [replace(part, properties=[*part.properties, *properties]) for part in plain]
    assert np.array_equal(pixels(container(brand, shaped)), made(pixels(container(brand, plain))))


@both
@given(shape=shapes((128, 64)))
@settings(max_examples=10)
def test_a_grid_is_cropped_and_turned(brand: bytes, write: Callable[..., bytes], shape: Any) -> None:
    properties, made = shape
    first, *tiles = grid(brand, write)
    plain = pixels(container(brand, [first, *tiles]))
    assert np.abs(plain[:, :64, :3].astype(int) - photo(64, 64, 1)).max() <= 2
    shaped = replace(first, properties=[*first.properties, *properties])
    assert np.array_equal(pixels(container(brand, [shaped, *tiles])), made(plain))


@both
def test_a_picture_that_shows_another_one_turned_again(brand: bytes, write: Callable[..., bytes]) -> None:
    inner = with_alpha(write)[0]
    inner = replace(inner, properties=[*inner.properties, clap((90, 70), 3, 4, 50, 40)], refers=())
    outer = Part(b"iden", b"", [size_of(40, 50), (b"irot", b"\1")], [(b"dimg", [1])])
    shown = pixels(container(brand, [inner, outer], primary=2))
    assert np.array_equal(shown[..., :3], np.rot90(pixels(container(brand, with_alpha(write)))[4:44, 3:53, :3]))


@both
@pytest.mark.parametrize(
    "numbers",
    [
        (20, 1, 20, 1, 200, 1, 0, 1),  # outside the picture
        (20, 1, 20, 1, 0, 0, 0, 1),
        (20, 0, 20, 1, 0, 1, 0, 1),
        (0, 1, 20, 1, 0, 1, 0, 1),
        (-5, 1, 20, 1, 0, 1, 0, 1),
    ],
)
def test_a_crop_that_makes_no_sense_is_passed_over(
    brand: bytes, write: Callable[..., bytes], numbers: Sequence[int]
) -> None:
    first, *rest = with_alpha(write)
    odd = replace(first, properties=[*first.properties, (b"clap", struct.pack(">8i", *numbers))])
    assert pixels(container(brand, [odd, *rest])).shape == (70, 90, 4)


@both
@pytest.mark.parametrize(
    ("numbers", "box"),
    [
        ((31, 1, 30, 1, 0, 1, 0, 1), (29, 20, 60, 50)),
        ((83, 3, 97, 2, -6, 3, -5, 1), (29, 5, 57, 54)),
        ((500, 1, 30, 1, 0, 1, 0, 1), (0, 20, 90, 50)),
        ((40, 1, 30, 1, -40, 1, 30, 1), (0, 50, 25, 70)),
    ],
)
def test_fractions_are_rounded_and_a_crop_ends_at_the_border(
    brand: bytes, write: Callable[..., bytes], numbers: Sequence[int], box: tuple[int, ...]
) -> None:
    """The expected boxes follow libheif 1.23."""
    first, _ = with_alpha(write)
    odd = replace(first, properties=[*first.properties, (b"clap", struct.pack(">8i", *numbers))])
    left, top, right, bottom = box
    assert np.array_equal(pixels(container(brand, [odd])), pixels(container(brand, [first]))[top:bottom, left:right])


@both
def test_the_limit_on_pixels_is_for_what_is_decoded_and_that_on_sides_for_what_is_shown(
    brand: bytes, write: Callable[..., bytes]
) -> None:
    first, *rest = with_alpha(write)
    data = container(brand, [replace(first, properties=[*first.properties, clap((90, 70), 0, 0, 40, 40)]), *rest])
    assert probe(data, Limits(max_side_px=40)).size == (40, 40)
    with pytest.raises(ImageTooLarge, match="90x70 px"):
        probe(data, Limits(max_pixels=6_000))


@both
def test_a_property_that_is_unknown_and_essential_is_not_passed_over(brand: bytes, write: Callable[..., bytes]) -> None:
    """The property is called irot and then renamed: it stays essential."""
    first, *rest = with_alpha(write)
    data = container(brand, [replace(first, properties=[*first.properties, (b"irot", b"\1")]), *rest])
    with pytest.raises(UnsupportedFormat, match="irox, which is not supported"):
        decode(data.replace(b"irot", b"irox"))


@both
@pytest.mark.parametrize("kind", [b"iovl", b"unci", b"jpeg", b"tili", b"av02"])
@pytest.mark.parametrize("inside", [False, True])
def test_a_picture_of_another_kind_is_refused_as_one_and_not_as_damage(
    brand: bytes, write: Callable[..., bytes], kind: bytes, inside: bool
) -> None:
    parts = list(grid(brand, write) if inside else with_alpha(write)[:1])
    parts[-1] = replace(parts[-1], kind=kind)
    with pytest.raises(UnsupportedFormat, match=f"kind {kind.decode()}, which is not supported"):
        probe(container(brand, parts), LIBRARY_LIMITS)


def test_a_film_without_a_still_picture_is_refused_as_one_and_not_as_damage() -> None:
    """Such a file needs no main item, and even no items."""
    out = io.BytesIO()
    frames = [Image.fromarray(photo(64, 48, seed)) for seed in range(3)]
    frames[0].save(out, "AVIF", save_all=True, append_images=frames[1:])
    for missing in (b"pitm", b"meta"):
        with pytest.raises(UnsupportedFormat, match="a film without a still picture"):
            probe(out.getvalue().replace(missing, b"free"), LIBRARY_LIMITS)
    with pytest.raises(UnreadableImage, match="no main picture"):
        probe(container(b"avif", with_alpha(as_avif)).replace(b"pitm", b"free"), LIBRARY_LIMITS)


@given(st.integers(32, 200), st.integers(32, 150))
@settings(max_examples=15)
def test_a_layer_may_be_smaller_than_the_largest(width: int, height: int) -> None:
    """The boxes a1op and lsel choose the visible layer of an AV1 stream, and its size."""
    image = np.broadcast_to(np.linspace(20, 230, 200).astype(np.uint8)[None, :, None], (150, 200, 3))
    (whole,) = taken_apart(as_avif(np.ascontiguousarray(image)))
    others = [each for each in whole.properties if each[0] != b"ispe"]
    for chosen in ((b"a1op", b"\0"), (b"lsel", b"\xff\xff")):
        one = replace(whole, properties=[size_of(width, height), chosen, *others])
        rgb = decode(container(b"avif", [one])).rgb
        assert rgb.shape == (height, width, 3)
        assert np.abs(rgb[height // 2, :, 0] - np.linspace(20, 230, width)).max() < 8


@pytest.mark.slow
def test_a_layer_does_not_hide_how_large_the_largest_is() -> None:
    (whole,) = taken_apart(as_avif(np.zeros((2100, 2100, 3), np.uint8)))
    others = [each for each in whole.properties if each[0] != b"ispe"]
    one = replace(whole, properties=[size_of(64, 64), (b"a1op", b"\0"), *others])
    with pytest.raises(UnreadableImage, match="px in all"):
        probe(container(b"avif", [one]), LIBRARY_LIMITS)


@pytest.mark.parametrize("twelve", [False, True])
@pytest.mark.parametrize("mode", ["I;16", "LA;16", "RGB;16", "RGBA;16", "RGBa;16"])
def test_every_depth_and_number_of_channels(mode: str, twelve: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    rgb, alpha = photo(64, 48), np.maximum(product(64, 48)[1], 100)
    colour = rgb if mode.startswith("RGB") else rgb[..., :1]
    samples = colour if mode in {"I;16", "RGB;16"} else np.dstack([colour, alpha])
    picture = decode(deep_heic(samples, mode, twelve, monkeypatch))
    assert np.abs(picture.rgb.astype(int) - colour).mean() < 1
    assert np.array_equal(picture.alpha, alpha) if samples.shape[2] % 2 == 0 else picture.alpha is None


def deep_heic(samples: np.ndarray, mode: str, twelve: bool, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """A HEIC of 10 or 12 bits, from 8-bit samples."""
    import pillow_heif

    monkeypatch.setattr(pillow_heif.options, "SAVE_HDR_TO_12_BIT", twelve)
    scaled = samples.astype(float) * 257
    if mode[-4] == "a":
        scaled[..., :-1] *= scaled[..., -1:] / 65535
    out = io.BytesIO()
    height, width = samples.shape[:2]
    image = pillow_heif.from_bytes(mode, (width, height), np.rint(scaled).astype(np.uint16).tobytes())
    image.save(out, quality=-1, chroma=444)
    return out.getvalue()


@pytest.mark.parametrize("deep_alpha", [False, True])
def test_alpha_of_another_depth_than_the_colour(deep_alpha: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = np.dstack([photo(64, 48), product(64, 48)[1]])
    deep = taken_apart(deep_heic(samples, "RGBA;16", False, monkeypatch))
    plain = taken_apart(as_heic(samples))
    (colour, _), (_, alpha) = (plain, deep) if deep_alpha else (deep, plain)
    picture = decode(container(b"heic", [colour, alpha]))
    assert np.array_equal(picture.alpha, samples[..., 3])
    assert np.abs(picture.rgb.astype(int) - samples[..., :3]).mean() < 1


def test_an_avif_of_10_bits() -> None:
    """Encoded by SVT-AV1: a red ramp from 20 and a green ramp from 30, 3 per px."""
    stream = base64.b85decode(
        "5&#Mc00002um7E2I0!O65CEfs000rd0Dy4j39i8}s(8R4Qm6T?C-r*7Ug0MMEM|-|Yw-KVKmU?v`fD^@zsb8W8`>C2x{KaiXlM"
    )
    properties = [
        size_of(64, 64),
        (b"av1C", bytes([0x81, 0, 0x4C, 0])),
        (b"pixi", b"\0\0\0\0\3\x0a\x0a\x0a"),
        (b"colr", b"nclx" + struct.pack(">HHHB", 1, 13, 6, 0)),
    ]
    y, x = np.mgrid[:64, :64]
    expected = np.dstack([20 + 3 * x, 30 + 3 * y, np.full_like(x, 90)])
    picture = decode(container(b"avif", [Part(b"av01", stream, properties)]))
    assert np.abs(picture.rgb.astype(int) - expected).mean() < 1


@both
@given(data=st.data())
@settings(max_examples=15)
def test_a_still_beside_a_film_is_read_whatever_the_order_of_the_brands(
    brand: bytes, write: Callable[..., bytes], data: st.DataObject
) -> None:
    film = {b"avif": b"avis", b"heic": b"hevc"}[brand]
    first, *others = data.draw(st.permutations([brand, film, b"mif1", b"msf1", b"iso8", b"miaf"]))
    track = box(b"moov", box(b"trak", data.draw(st.binary(max_size=40))))
    file = container(first, with_alpha(write), brands=b"".join(others), behind=track)
    assert np.array_equal(pixels(file), pixels(container(brand, with_alpha(write))))
