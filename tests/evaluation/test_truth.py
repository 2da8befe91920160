"""A truth is the same matte in any kind of file."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from evaluation.truth import fit_truth, read_truth
from packshot.core.geometry import Size

SOFT = np.tile(np.linspace(0, 1, 32, dtype=np.float32), (24, 1))
BINARY = (SOFT > 0.5).astype(np.float32)


def file(values: np.ndarray | Image.Image, kind: str = "PNG", **options: object) -> bytes:
    image = values if isinstance(values, Image.Image) else Image.fromarray(values)
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def levels(truth: np.ndarray, greatest: int = 255) -> np.ndarray:
    return np.rint(truth * greatest).astype(np.uint8 if greatest <= 255 else np.uint16)


def colour_palette() -> Image.Image:
    """A palette as in label maps: 0 is black, 1 and 2 are objects."""
    image = Image.fromarray(levels(BINARY, 1) + levels(BINARY, 1) * (np.arange(24)[:, None] > 12).astype(np.uint8))
    image = Image.frombytes("P", image.size, image.tobytes())
    image.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
    return image


@pytest.mark.parametrize(
    ("data", "truth"),
    [
        pytest.param(file(levels(SOFT)), SOFT, id="gray"),
        pytest.param(file(levels(SOFT), "TIFF"), SOFT, id="tiff"),
        pytest.param(file(levels(SOFT), "JPEG", quality=100), SOFT, id="jpeg"),
        pytest.param(file(levels(SOFT, 65535)), SOFT, id="16 bits"),
        pytest.param(file(levels(SOFT).astype(np.uint16)), SOFT, id="8 bits in 16"),
        pytest.param(file(np.repeat(levels(SOFT)[..., None], 3, 2)), SOFT, id="gray as RGB"),
        pytest.param(file(np.dstack([np.full((24, 32, 3), 90, np.uint8), levels(SOFT)])), SOFT, id="alpha of a cutout"),
        pytest.param(
            file(np.dstack([np.repeat(levels(SOFT)[..., None], 3, 2), np.full((24, 32), 255, np.uint8)])),
            SOFT,
            id="RGBA with an even alpha",
        ),
        pytest.param(file(Image.fromarray(levels(SOFT)).convert("P")), SOFT, id="gray palette"),
        pytest.param(file(levels(BINARY, 1)), BINARY, id="0 and 1"),
        pytest.param(file(Image.fromarray(BINARY > 0)), BINARY, id="one bit"),
        pytest.param(file(np.dstack([levels(BINARY), *[np.zeros((24, 32), np.uint8)] * 2])), BINARY, id="red on black"),
        pytest.param(file(colour_palette()), BINARY, id="labels in a palette"),
        pytest.param(file(np.zeros((24, 32), np.uint8)), np.zeros_like(SOFT), id="nothing"),
    ],
)
def test_every_kind_of_file(data: bytes, truth: np.ndarray) -> None:
    found = read_truth(data)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, truth, atol=0.01)


@pytest.mark.parametrize("data", [b"", b"not an image", file(levels(SOFT))[:60]], ids=["empty", "text", "cut"])
def test_what_is_no_image_is_said_to_be_none(data: bytes) -> None:
    with pytest.raises(ValueError, match="image"):
        read_truth(data)


@pytest.mark.parametrize("size", [Size(64, 48), Size(16, 12), Size(33, 24)])
def test_a_truth_of_another_size_is_fitted(size: Size) -> None:
    fitted = fit_truth(SOFT, size)
    assert fitted.shape == (size.height, size.width)
    np.testing.assert_allclose(fitted.mean(), SOFT.mean(), atol=0.01)
    assert fitted[:, -1].min() > 0.9  # not mirrored, not turned


@pytest.mark.parametrize("size", [Size(24, 32), Size(32, 32)], ids=["turned", "square"])
def test_a_truth_of_another_aspect_does_not_belong(size: Size) -> None:
    with pytest.raises(ValueError, match="32x24"):
        fit_truth(SOFT, size)
