"""The pipeline as the library runs it: photos in, renderings out, by the shipped network."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import packshot
from packshot import remove
from packshot.core.codecs import WRITTEN
from packshot.core.confidence import Calibration
from packshot.core.geometry import Box
from packshot.core.options import Options
from packshot.core.picture import to_unit
from packshot.engine.card import ModelCard
from packshot.engine.network import Network, default_network
from packshot.errors import InvalidOption, NoForeground, UnsupportedFormat
from tests.kit.images import as_jpeg, as_png, photo

EXAMPLES = Path(__file__).parents[2] / "examples"
BEAR = (EXAMPLES / "bear.jpg").read_bytes()


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


class _With:
    """A network with another card."""

    def __init__(self, network: Network, card: ModelCard) -> None:
        self.card, self.predict = card, network.predict


def iou(matte: np.ndarray, truth: np.ndarray) -> float:
    ours, theirs = matte > 0.5, truth > 0.5
    return float((ours & theirs).sum() / (ours | theirs).sum())


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(path.stem for path in (EXAMPLES / "truth").glob("*.png")))
def test_the_network_that_ships_finds_the_product_of_every_example(name: str) -> None:
    result = remove((EXAMPLES / f"{name}.jpg").read_bytes(), Options(form="mask"))
    truth = to_unit(np.asarray(Image.open(EXAMPLES / "truth" / f"{name}.png")))
    # Below 0.8 a picture needs manual work (docs/explanation/quality.md). A network that fails one of these cannot be
    # an update.
    assert iou(to_unit(np.asarray(opened(result.data))), truth) > 0.8


@pytest.mark.slow
def test_every_form_and_format_is_what_it_says() -> None:
    cutout, mask = remove(BEAR), remove(BEAR, Options(form="mask"))
    rgba = np.asarray(opened(cutout.data))
    assert opened(cutout.data).mode == "RGBA"
    assert opened(mask.data).mode == "L"
    assert np.array_equal(np.asarray(opened(mask.data)), rgba[..., 3])
    assert not rgba[rgba[..., 3] == 0].any()
    for name, row in WRITTEN.items():
        white = remove(BEAR, Options.from_fields({"background": "white", "format": name}))
        assert white.media_type == row.media_type
        assert opened(white.data).mode == "RGB"
        assert opened(white.data).size == white.size == cutout.size


@pytest.mark.slow
def test_a_crop_is_the_cutouts_box() -> None:
    cutout, crop = remove(BEAR), remove(BEAR, Options(crop=True))
    assert crop.size == crop.box.size == cutout.box.size
    assert crop.product == Box.full(crop.size)
    whole, part = (np.asarray(opened(result.data)) for result in (cutout, crop))
    assert np.array_equal(part, whole[cutout.box.slices])


def test_the_products_place_in_the_output_is_told() -> None:
    result = remove(BEAR, Options(canvas="700x500", fill="60%", position="left"))
    alpha = np.asarray(opened(result.data))[..., 3]
    rows, columns = np.flatnonzero(alpha.any(1)), np.flatnonzero(alpha.any(0))
    found = Box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    assert tuple(result.product) == pytest.approx(tuple(found), abs=4)  # the faintest rim vanishes in scaling
    assert max(result.product.size.width / 700, result.product.size.height / 500) == pytest.approx(0.6, abs=0.01)
    assert result.photo_size == (960, 1200)


def test_only_what_lies_in_the_region_of_interest_is_product() -> None:
    result = remove(BEAR, Options(form="mask", roi="0% 0% 50% 100%"))
    mask = np.asarray(opened(result.data))
    assert mask[:, :480].any()
    assert not mask[:, 480:].any()


@pytest.mark.slow
def test_a_painted_correction_is_the_last_word() -> None:
    painted = np.full((120, 96), 128, np.uint8)
    painted[100:115, 5:30] = 255
    painted[:60] = 0
    mask = np.asarray(opened(remove(BEAR, Options(form="mask", touch_up=as_png(painted))).data))
    assert (mask[1020:1130, 70:280] == 255).all()
    assert not mask[:580].any()
    without = np.asarray(opened(remove(BEAR, Options(form="mask")).data))
    assert np.array_equal(mask[700:950, 300:], without[700:950, 300:])


def test_a_correction_that_only_keeps_saves_a_picture_with_nothing_in_it() -> None:
    painted = np.full((64, 64), 128, np.uint8)
    painted[20:40, 20:40] = 255
    flat = as_png(np.full((64, 64, 3), 200, np.uint8))
    assert remove(flat, Options(touch_up=as_png(painted))).box == pytest.approx(Box(20, 20, 40, 40), abs=1)


@pytest.mark.slow
def test_a_preset_frames_the_product_and_reports_its_rules() -> None:
    result = remove(BEAR, Options(preset="amazon", min_px=900))
    assert result.report is not None
    verdicts = {check.rule: check.passed for check in result.report.checks if check.required}
    assert verdicts["background"]
    assert verdicts["fill"]
    assert result.size.width == result.size.height
    assert remove(BEAR).report is None


def test_exif_is_kept_only_when_asked() -> None:
    data = io.BytesIO()
    exif = Image.Exif()
    exif[0x0110] = "Packshot One"
    opened(BEAR).save(data, "JPEG", exif=exif)
    for options, kept in [(Options(format="jpeg"), None), (Options(format="jpeg", metadata="keep"), "Packshot One")]:
        assert opened(remove(data.getvalue(), options).data).getexif().get(0x0110) == kept


@pytest.mark.slow
def test_a_shadow_that_the_photo_does_not_have_is_said() -> None:
    assert [note.code for note in remove(BEAR, Options(shadow="photo")).notes] == ["no-shadow"]
    assert not remove(BEAR, Options(shadow="soft")).notes


@pytest.mark.slow
def test_an_empty_brush_layer_corrects_nothing() -> None:
    layer = as_png(np.zeros((60, 48, 4), np.uint8))
    assert remove(BEAR, Options(touch_up=layer)).data == remove(BEAR).data


def test_the_steps_are_timed() -> None:
    result = remove(BEAR)
    assert set(result.timings_ms) == {"decode", "matte", "render", "encode"}
    assert all(value >= 0 for value in result.timings_ms.values())


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


@pytest.mark.slow
def test_the_confidence_is_the_cards_and_none_without_a_calibration() -> None:
    network, data = default_network(), (EXAMPLES / "bear.jpg").read_bytes()
    curve = Calibration(network.card.sha256, -2.0, {"stability": 5.0}, 0.6, 100, 0.7, 0.08, 0.01, 0.35, 0.3)
    known, unknown = (_With(network, replace(network.card, confidence=each)) for each in (curve, None))
    sure = {remove(data, options, network=known).confidence for options in (Options(), Options(form="mask"))}
    assert len(sure) == 1
    assert 0.5 < sure.pop() < 1  # an easy photo: the stability is over 0.8
    assert remove(data, network=unknown).confidence is None
    assert not remove(data, network=unknown).review
    doubtful = _With(network, replace(network.card, confidence=replace(curve, review_below=1.0)))
    assert remove(data, network=doubtful).review
    assert not remove(data, network=known).review


@pytest.mark.slow
def test_threads_share_one_network_and_agree() -> None:
    data = as_jpeg(photo(200, 160, 2))
    alone = packshot.remove_background(data)
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda _: packshot.remove_background(data), range(8))) == {alone}
        assert len(set(pool.map(lambda _: id(default_network()), range(8)))) == 1


def test_mistakes_are_named() -> None:
    with pytest.raises(InvalidOption, match="poster"):
        packshot.remove_background(b"", packshot.Options(form="poster"))  # type: ignore[arg-type]
    with pytest.raises(InvalidOption, match="background_picture"):
        packshot.remove_background(BEAR, Options(background_picture=b"not a picture"))
    with pytest.raises(InvalidOption, match="roi"):
        packshot.remove_background(BEAR, Options(roi="2000 0 3000 100"))
    with pytest.raises(UnsupportedFormat, match="PDF"):
        packshot.remove_background(b"%PDF-1.7" + bytes(40))
    with pytest.raises(NoForeground):
        packshot.remove_background(as_png(np.full((64, 64, 3), 200, np.uint8)))
