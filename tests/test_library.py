"""Ten first experiments with the library, through its public names alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import packshot
from tests.kit.images import photo

SIZE = (160, 120)


@pytest.fixture(scope="module")
def mug(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A product photo as a camera writes it."""
    path = tmp_path_factory.mktemp("photos") / "mug.jpg"
    Image.fromarray(photo(*SIZE)).save(path, quality=95)
    return path


def test_1_bytes_in_and_the_bytes_of_a_png_out(mug: Path, tmp_path: Path) -> None:
    png = packshot.remove_background(mug.read_bytes())
    (tmp_path / "mug.png").write_bytes(png)
    with Image.open(tmp_path / "mug.png") as cutout:
        assert (cutout.format, cutout.mode, cutout.size) == ("PNG", "RGBA", SIZE)
        assert cutout.getchannel("A").getextrema() == (0, 255)


def test_2_a_path_in_as_text_or_as_a_path(mug: Path) -> None:
    assert packshot.remove_background(str(mug)) == packshot.remove_background(mug)
    with pytest.raises(packshot.PackshotError, match=r"file mog\.jpg does not exist"):
        packshot.remove("mog.jpg")


def test_3_an_open_file_in(mug: Path) -> None:
    with mug.open("rb") as file:
        assert packshot.remove_background(file) == packshot.remove_background(mug)
    with mug.open(encoding="latin-1") as text, pytest.raises(TypeError, match=r'open\(path, "rb"\)'):
        packshot.remove(text)


def test_4_a_pil_image_in_and_a_pil_image_out(mug: Path) -> None:
    with Image.open(mug) as image:
        cutout = packshot.remove(image).image
    assert (cutout.mode, cutout.size) == ("RGBA", SIZE)
    page = Image.new("RGB", cutout.size, "orange")
    page.paste(cutout, mask=cutout)
    assert page.getpixel((0, 0)) == (255, 165, 0)


def test_5_an_array_in_and_the_matte_as_an_array_out(mug: Path) -> None:
    rgb = np.asarray(Image.open(mug))
    result = packshot.remove(rgb)
    assert (result.matte.shape, result.matte.dtype) == (rgb.shape[:2], np.float32)
    assert (result.matte.min(), result.matte.max()) == (0, 1)
    alpha = np.asarray(result.image)[..., 3]
    np.testing.assert_array_equal(np.rint(result.matte * 255), alpha)
    with pytest.raises(TypeError, match=r"float64 has no fixed white: .*astype\(numpy.uint8\)"):
        packshot.remove(rgb / 255)


def test_6_a_white_background_and_a_file_on_the_disk(mug: Path, tmp_path: Path) -> None:
    result = packshot.remove(mug, background="white")
    saved = result.save(tmp_path / "mug-white.jpg")
    with Image.open(saved) as image:
        assert (image.format, image.mode) == ("JPEG", "RGB")
        assert image.getpixel((0, 0)) == (255, 255, 255)
    assert packshot.remove(mug, background=(255, 255, 255)).data == result.data
    with pytest.raises(packshot.PackshotError, match=r"is a JPEG\. Save it as mug-white\.jpg, or ask for format=.png"):
        result.save(tmp_path / "mug-white.png")


def test_7_the_mask_alone(mug: Path) -> None:
    mask = packshot.remove(mug, form="mask").image
    assert mask.mode == "L"
    assert mask.tobytes() == packshot.remove(mug).image.getchannel("A").tobytes()


def test_8_options_as_keywords_as_an_object_and_as_both(mug: Path) -> None:
    said = {"crop": True, "margin": "5%"}
    object_ = packshot.Options(crop=True, margin="5%")
    cropped = packshot.remove(mug, **said)
    assert cropped.data == packshot.remove(mug, object_).data
    wider = packshot.remove(mug, object_, margin=30)
    assert wider.size.width == cropped.product.size.width + 60
    with pytest.raises(TypeError, match=r"remove\(photo, \*\*options\)"):
        packshot.remove(mug, said)
    with pytest.raises(packshot.PackshotError, match=r"no option 'backgroud'\. Did you mean background"):
        packshot.remove(mug, backgroud="white")
    with pytest.raises(packshot.PackshotError, match=r"crop is 'yes', of type str\. Give True or False"):
        packshot.remove(mug, crop="yes")


def test_9_the_rules_of_a_marketplace_at_a_glance(mug: Path) -> None:
    result = packshot.remove(mug, preset="square", background_picture=Image.new("RGB", (40, 40), "navy"))
    assert repr(result).startswith(f"<Result: {result.image.format} {result.size} px, ")
    assert ", square: " in repr(result)
    assert len(repr(result)) < 120
    assert result.report is not None


@pytest.mark.slow
def test_10_a_folder_by_threads(mug: Path, tmp_path: Path) -> None:
    for number in range(5):
        Image.fromarray(photo(*SIZE, number)).save(tmp_path / f"{number}.png")
    photos = sorted(tmp_path.glob("*.png"))
    results = packshot.remove_many(photos, background="white", jobs=2)
    for path, result in zip(photos, results, strict=True):
        assert result.data == packshot.remove_background(path, background="white")

    (tmp_path / "2.png").write_bytes(b"no picture")
    outcomes = list(packshot.remove_many(photos, background="white", jobs=2, return_exceptions=True))
    assert [isinstance(each, packshot.PackshotError) for each in outcomes] == [False, False, True, False, False]
    assert str(photos[2]) in outcomes[2].__notes__[0]
    with pytest.raises(packshot.PackshotError, match="text"):
        list(packshot.remove_many(photos, jobs=2))
