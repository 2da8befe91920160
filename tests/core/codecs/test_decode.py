"""Good and odd files decode to the picture that a person would see."""

from __future__ import annotations

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from packshot.core.codecs import decode
from tests.kit import files
from tests.kit.images import ODD, as_bmp, as_jpeg, as_png, as_webp, good, noise, photo, product
from tests.kit.orientations import STORED


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("order", ["<", ">"])
def test_all_orientations_give_the_same_upright_picture(orientation: int, order: str) -> None:
    upright, alpha = product(48, 40, seed=1)
    rgba = np.dstack([upright, alpha])
    chunk = files.png_chunk(b"eXIf", files.exif_block(orientation, order=order))
    data = files.raw_png(STORED[orientation](rgba), 6, 8, extra=chunk)
    picture = decode(data)
    assert np.array_equal(picture.rgb, upright)
    assert np.array_equal(picture.alpha, alpha)


@pytest.mark.parametrize("kind", ["jpeg", "webp"])
def test_every_format_with_exif_obeys_it(kind: str) -> None:
    upright = photo(64, 48)
    stored = np.ascontiguousarray(STORED[6](upright))
    write = as_jpeg if kind == "jpeg" else as_webp
    exif = b"Exif\0\0" + files.exif_block(6)
    turned, plain = decode(write(stored, exif=exif)), decode(write(stored))
    assert turned.size == (64, 48)
    assert np.array_equal(STORED[6](turned.rgb), plain.rgb)


@pytest.mark.parametrize(("colour_type", "bit_depth"), files.PNG_DEPTHS)
def test_every_png_depth_is_rounded_to_8_bits(colour_type: int, bit_depth: int) -> None:
    full = 2**bit_depth - 1
    shape = (40, 41, files.PNG_CHANNELS[colour_type])
    samples = np.random.default_rng(7).integers(0, full + 1, shape)
    palette = np.random.default_rng(8).integers(0, 256, (full + 1, 3), np.uint8) if colour_type == 3 else None
    extra = b"" if palette is None else files.png_chunk(b"PLTE", palette.tobytes())
    picture = decode(files.raw_png(samples, colour_type, bit_depth, extra))

    rounded = (samples * 510 + full) // (2 * full)  # round(255 v / full), in whole numbers
    expected = rounded[..., :3] if colour_type in {2, 6} else np.repeat(rounded[..., :1], 3, axis=2)
    expected = expected if palette is None else palette[samples[..., 0]]
    assert np.array_equal(picture.rgb, expected)
    assert (picture.alpha is None) == (colour_type not in {4, 6})
    if picture.alpha is not None:
        assert np.array_equal(picture.alpha, rounded[..., -1])


@pytest.mark.parametrize("bit_depth", [1, 2, 4, 8, 16])
def test_transparent_gray_level_is_alpha(bit_depth: int) -> None:
    samples = np.random.default_rng(3).integers(0, min(2**bit_depth, 20), (40, 40, 1))
    key = int(samples[5, 5, 0])
    extra = files.png_chunk(b"tRNS", key.to_bytes(2, "big"))
    picture = decode(files.raw_png(samples, 0, bit_depth, extra))
    assert np.array_equal(picture.alpha, np.where(samples[..., 0] == key, 0, 255))


@pytest.mark.parametrize("bit_depth", [8, 16])
def test_transparent_colour_is_alpha_at_full_depth(bit_depth: int) -> None:
    samples = np.full((40, 40, 3), 2 ** (bit_depth - 1), np.int64)
    samples[:20] += 1  # at 16 bits: equals the other pixels once rounded to 8 bits
    key = b"".join(int(value).to_bytes(2, "big") for value in samples[0, 0])
    picture = decode(files.raw_png(samples, 2, bit_depth, files.png_chunk(b"tRNS", key)))
    assert picture.alpha is not None
    assert not picture.alpha[:20].any()
    assert (picture.alpha[20:] == 255).all()


def test_palette_alpha() -> None:
    samples = np.random.default_rng(3).integers(0, 4, (40, 40, 1))
    extra = files.png_chunk(b"PLTE", bytes(range(12))) + files.png_chunk(b"tRNS", bytes([0, 100, 200]))
    picture = decode(files.raw_png(samples, 3, 2, extra))
    assert np.array_equal(picture.alpha, np.array([0, 100, 200, 255])[samples[..., 0]])


@pytest.mark.parametrize("write", [as_png, as_webp, as_bmp])
def test_alpha_that_is_opaque_throughout_is_none(write) -> None:
    opaque = np.dstack([photo(64, 48), np.full((48, 64), 255, np.uint8)])
    assert decode(write(opaque)).alpha is None


def test_webp_alpha_is_kept() -> None:
    rgb, alpha = product(64, 48)
    picture = decode(as_webp(np.dstack([rgb, alpha]), lossless=True, exact=True))
    assert np.array_equal(picture.alpha, alpha)
    assert np.array_equal(picture.rgb, rgb)


@pytest.mark.parametrize("size", [(32, 32), (33, 300), (640, 480), (2000, 32)])
def test_a_webp_of_one_colour_needs_28_bytes(size: tuple[int, int]) -> None:
    """RFC 9649: the header of a lossless file ends after 25 bytes, and pixels of one colour need no bits."""
    width, height = size
    fields = ((width - 1, 14), (height - 1, 14), (0, 1), (0, 3))  # no alpha; version 0
    # No transform, no colour cache, no further Huffman codes; five codes of one symbol each, which take no bits.
    codes = [(0, 1), (0, 1), (0, 1)]
    for level in (10, 200, 30, 255, None):  # green, red, blue, alpha, distances
        codes += [(1, 1), (0, 1), (0, 1), (0, 1)] if level is None else [(1, 1), (0, 1), (1, 1), (level, 8)]
    number, at = 0, 0
    for value, length in (*fields, *codes):
        number, at = number | value << at, at + length
    stream = b"\x2f" + number.to_bytes(-(-at // 8), "little")
    chunk = b"VP8L" + struct.pack("<I", len(stream)) + stream + bytes(len(stream) % 2)
    picture = decode(b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk)
    assert picture.size == size
    assert (picture.rgb == [200, 10, 30]).all()


def test_bmp_whose_alpha_is_zero_throughout_is_opaque() -> None:
    rgba = np.dstack([photo(64, 48), np.zeros((48, 64), np.uint8)])
    masks = np.array([0xFF0000, 0xFF00, 0xFF, 0xFF000000], "<u4").tobytes()
    header = files.bmp_header(64, -48, 32, offset=14 + 108, compression=3, header_bytes=108) + masks
    data = header.ljust(14 + 108, b"\0") + np.ascontiguousarray(rgba[..., [2, 1, 0, 3]]).tobytes()
    picture = decode(data)
    assert picture.alpha is None
    assert np.array_equal(picture.rgb, rgba[..., :3])


@pytest.mark.parametrize("write", [as_png, as_bmp, lambda image: as_webp(image, lossless=True)])
def test_lossless_formats_are_exact(write) -> None:
    image = noise(61, 47)
    assert np.array_equal(decode(write(image)).rgb, image)


def test_interlaced_png_is_exact() -> None:
    image, passes = noise(37, 41), []
    for left, top, across, down in (
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    ):
        rows = image[top::down, left::across].reshape(len(image[top::down]), -1)
        passes.append(np.hstack([np.zeros((len(rows), 1), np.uint8), rows]).tobytes())
    data = files.png_file(files.png_header(37, 41, interlace=1), zlib.compress(b"".join(passes)))
    assert np.array_equal(decode(data).rgb, image)


def test_jpeg_pixels_are_those_of_an_independent_decoder() -> None:
    for options in ({}, {"progressive": True}, {"subsampling": 0}, {"restart_marker_rows": 1}):
        data = as_jpeg(photo(161, 119), **options)
        reference = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
        assert np.array_equal(decode(data).rgb, reference), options


@pytest.mark.parametrize("name", ODD)
def test_odd_files_are_read(name: str) -> None:
    picture = decode(ODD[name]())
    assert picture.rgb.dtype == np.uint8
    assert picture.rgb.shape[2] == 3
    assert min(picture.size) >= 32


@pytest.mark.parametrize("name", ["multi-picture jpeg", "animated png", "animated webp"])
def test_of_several_pictures_the_first_is_read(name: str) -> None:
    first, read = photo(160, 120).astype(int), decode(ODD[name]()).rgb
    assert abs(read - first).mean() < 3  # another seed's photo differs by more than 20


@pytest.mark.parametrize("name", [name for name in ODD if "profile" in name or "EXIF" in name or "orientation" in name])
def test_broken_metadata_changes_nothing(name: str) -> None:
    assert np.array_equal(decode(ODD[name]()).rgb, decode(good("png" if name.startswith("png") else "jpeg")).rgb)


def srgb_from_linear(linear: np.ndarray) -> np.ndarray:
    """IEC 61966-2-1: converts linear light in 0..1 to 0..255."""
    linear = np.clip(linear, 0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


# XYZ adapted to D50, converted to linear sRGB: the inverse of the sRGB profile's primaries (ICC, sRGB v2
# characterisation).
SRGB_D50 = np.array([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]])


def adobe_to_srgb(rgb: np.ndarray) -> np.ndarray:
    """By the definitions of both spaces, in float64."""
    linear = (rgb / 255) ** files.ADOBE_GAMMA @ np.array(files.ADOBE_RGB)
    return srgb_from_linear(linear @ np.linalg.inv(SRGB_D50).T)


def test_adobe_rgb_becomes_srgb_by_the_definition_of_both() -> None:
    lattice = np.stack(np.meshgrid(*[np.arange(0, 256, 25)] * 3), axis=-1).reshape(-1, 11, 3).astype(np.uint8)
    picture = decode(as_png(np.kron(lattice, np.ones((1, 4, 1), np.uint8)), icc_profile=files.rgb_profile()))
    expected = adobe_to_srgb(lattice.astype(float))
    # LittleCMS computes 8-bit matrix profiles in 1.14 fixed point: its steps are widest in dark tones.
    assert np.abs(picture.rgb[:, ::4] - expected).max() < 2
    assert np.abs(lattice - expected).max() > 50


def test_gray_profile_is_obeyed() -> None:
    levels = np.tile(np.arange(256, dtype=np.uint8), (40, 1))
    picture = decode(as_png(levels, icc_profile=files.gray_profile(gamma=1.8)))
    assert np.abs(picture.rgb[0] - srgb_from_linear((levels[0] / 255) ** 1.8)[:, None]).max() < 2


def test_cmyk_without_profile_subtracts_ink_from_light() -> None:
    ink = np.random.default_rng(2).integers(0, 256, (5, 5, 4), np.uint8)
    blocks = cv2.resize(ink, (80, 80), interpolation=cv2.INTER_NEAREST)
    data = as_jpeg(Image.fromarray(blocks, "CMYK"), quality=100, subsampling=0)
    light = (255.0 - ink[..., :3]) * (255.0 - ink[..., 3:]) / 255
    assert np.abs(decode(data).rgb[8::16, 8::16] - light).max() < 6  # a JPEG at quality 100


def test_cmyk_goes_through_its_profile() -> None:
    ink = np.zeros((64, 64, 4), np.uint8)
    ink[:32, :, 0] = 255
    ink[:, 32:, 3] = 255
    lab = (60, -40, -30)
    data = as_jpeg(Image.fromarray(ink, "CMYK"), quality=100, subsampling=0, icc_profile=files.cmyk_profile(lab))
    rgb = decode(data).rgb
    to_srgb = ImageCms.buildTransform(ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB")
    pixel = Image.frombytes("LAB", (1, 1), bytes([round(lab[0] * 2.55), lab[1] & 255, lab[2] & 255]))
    cyan = np.asarray(to_srgb.apply(pixel))[0, 0]
    assert np.abs(rgb[8, 8].astype(int) - cyan).max() <= 4
    assert rgb[48, 8].min() >= 253
    assert rgb[8, 48].max() <= 2


def test_an_srgb_profile_changes_no_pixel() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert np.array_equal(decode(as_png(noise(), icc_profile=profile)).rgb, noise())


def test_a_profile_for_other_samples_is_ignored() -> None:
    assert np.array_equal(decode(as_png(noise(), icc_profile=files.gray_profile(1.0))).rgb, noise())
