"""The line as the library gives it: photos in, renderings out, by the network that ships."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import packshot
from packshot.core.confidence import Calibration
from packshot.core.picture import to_unit
from packshot.engine.card import ModelCard
from packshot.engine.network import Network
from packshot.engine.remove import FORMS, Form, default_network, remove
from packshot.errors import InvalidOption, NoForeground, UnsupportedFormat
from tests.kit.images import as_jpeg, as_png, photo

EXAMPLES = Path(__file__).parents[2] / "examples"


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


class _With:
    """A network with another card."""

    def __init__(self, network: Network, card: ModelCard) -> None:
        self.card, self.predict = card, network.predict


def iou(matte: np.ndarray, truth: np.ndarray) -> float:
    ours, theirs = matte > 0.5, truth > 0.5
    return float((ours & theirs).sum() / (ours | theirs).sum())


@pytest.mark.parametrize("name", sorted(path.stem for path in (EXAMPLES / "truth").glob("*.png")))
def test_the_network_that_ships_finds_the_product_of_every_example(name: str) -> None:
    result = remove((EXAMPLES / f"{name}.jpg").read_bytes(), form="mask")
    truth = to_unit(np.asarray(Image.open(EXAMPLES / "truth" / f"{name}.png")))
    # 0.8 is where a picture begins to need a hand (docs/quality.md); a network that fails one of these is no update.
    assert iou(to_unit(np.asarray(opened(result.data))), truth) > 0.8


def test_every_form_is_what_it_says() -> None:
    data = (EXAMPLES / "bear.jpg").read_bytes()
    results: dict[Form, packshot.Result] = {form: remove(data, form=form) for form in FORMS}
    images = {form: opened(result.data) for form, result in results.items()}
    assert {form: image.mode for form, image in images.items()} == {
        "cutout": "RGBA",
        "mask": "L",
        "white": "RGB",
        "crop": "RGBA",
    }
    for form, result in results.items():
        assert images[form].size == result.size
        assert Image.MIME[images[form].format or ""] == result.media_type
    cutout, box = np.asarray(images["cutout"]), results["cutout"].box
    assert results["crop"].size == box.size
    assert np.array_equal(np.asarray(images["mask"]), cutout[..., 3])
    assert np.array_equal(np.asarray(images["crop"])[..., 3], cutout[box.slices][..., 3])
    assert not cutout[cutout[..., 3] == 0].any()


def test_transparency_that_a_picture_came_with_stays() -> None:
    rgb = photo(160, 120, 1)
    alpha = np.zeros((120, 160), np.uint8)
    alpha[:, 60:] = 255
    result = opened(packshot.remove_background(as_png(np.dstack([rgb, alpha]))))
    assert not np.asarray(result)[:, :60, 3].any()
    assert np.asarray(result)[:, 60:, 3].any()


def test_a_cutout_of_a_cutout_loses_next_to_nothing() -> None:
    once = packshot.remove_background((EXAMPLES / "bear.jpg").read_bytes())
    twice = packshot.remove_background(once)
    first, second = (to_unit(np.asarray(opened(data))[..., 3]) for data in (once, twice))
    assert iou(second, first) > 0.95


def test_the_confidence_is_the_cards_and_none_without_a_calibration() -> None:
    network, data = default_network(), (EXAMPLES / "bear.jpg").read_bytes()
    curve = Calibration(network.card.sha256, -2.0, 5.0, 0.6, 100, 0.7, 0.08, 0.01, 0.35)
    known, unknown = (_With(network, replace(network.card, confidence=each)) for each in (curve, None))
    sure = {remove(data, form=form, network=known).confidence for form in FORMS}
    assert len(sure) == 1
    assert 0.5 < sure.pop() < 1  # an easy photo: the stability is over 0.8
    assert remove(data, network=unknown).confidence is None


def test_threads_share_one_network_and_agree() -> None:
    data = as_jpeg(photo(200, 160, 2))
    alone = packshot.remove_background(data)
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda _: packshot.remove_background(data), range(8))) == {alone}
        assert len(set(pool.map(lambda _: id(default_network()), range(8)))) == 1


def test_mistakes_are_named() -> None:
    with pytest.raises(InvalidOption, match="poster"):
        packshot.remove_background(b"", form="poster")  # type: ignore[arg-type]
    with pytest.raises(UnsupportedFormat, match="GIF"):
        packshot.remove_background(b"GIF89a" + bytes(40))
    with pytest.raises(NoForeground):
        packshot.remove_background(as_png(np.full((64, 64, 3), 200, np.uint8)))
