"""The edge refiner: allowed and forbidden changes, and tiles without visible seams."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from packshot.core import codecs
from packshot.core.geometry import Size
from packshot.core.matte import refine
from packshot.core.picture import Float32, Picture, to_unit
from packshot.engine.edges import BATCH, LEAST_PX, MOST_TILES, EdgeRefiner, load_edge_refiner
from packshot.engine.weights import find_card
from packshot.errors import BadSettings, ChecksumMismatch
from tests.core.scenes import coarse_matte, noise, scene
from tests.engine.tiny_onnx import mean_graph, write_model

NAME = "packshot-edges-1-int8"
EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def refiner() -> EdgeRefiner:
    return load_edge_refiner(NAME)


def blurred_truth(truth: Float32, sigma: float = 6) -> Float32:
    """A coarse matte as large as the picture, so that both stay aligned when cropped."""
    return np.asarray(cv2.GaussianBlur(truth, (0, 0), sigma), np.float32)


def error_along_the_edge(matte: Float32, truth: Float32) -> float:
    solid = (truth > 0.5).astype(np.uint8)
    band = cv2.dilate(cv2.morphologyEx(solid, cv2.MORPH_GRADIENT, np.ones((3, 3))), np.ones((21, 21))) > 0
    return float(np.abs(matte - truth)[band].mean())


@pytest.mark.slow
@pytest.mark.parametrize("size", [Size(1200, 900), Size(2400, 1799)])
@pytest.mark.parametrize("softness_px", [0.7, 3.0])
def test_edges_come_nearer_to_the_truth_than_the_guided_filter_brings_them(
    refiner: EdgeRefiner, softness_px: float, size: Size
) -> None:
    made = scene(size, softness_px)
    coarse = coarse_matte(made.matte, 320)
    guided = refine(made.picture, coarse)
    refined = refiner.refine(made.picture, coarse, guided)
    assert error_along_the_edge(refined, made.matte) < error_along_the_edge(guided, made.matte)


@pytest.mark.slow
def test_eight_bits_bring_edges_as_near_to_the_truth_as_floats(refiner: EdgeRefiner) -> None:
    made = scene(Size(1200, 900), 0.7)
    coarse = coarse_matte(made.matte, 320)
    guided = refine(made.picture, coarse)
    small, exact = (
        error_along_the_edge(each.refine(made.picture, coarse, guided), made.matte)
        for each in (refiner, load_edge_refiner(NAME.removesuffix("-int8")))
    )
    assert small < 1.03 * exact


@pytest.mark.slow
def test_noise_of_a_large_photo_stays_out_of_its_edges(refiner: EdgeRefiner) -> None:
    made = scene(Size(2400, 1800))
    speckled = np.random.default_rng(3).normal(0, 12, made.picture.rgb.shape) + made.picture.rgb
    picture = Picture(np.clip(np.rint(speckled), 0, 255).astype(np.uint8))
    coarse = coarse_matte(made.matte, 320)
    guided = refine(picture, coarse)

    def grain(matte: Float32) -> float:
        return float(np.abs(cv2.Laplacian(matte, cv2.CV_32F) - cv2.Laplacian(made.matte, cv2.CV_32F)).sum())

    assert grain(refiner.refine(picture, coarse, guided)) < 0.75 * grain(guided)


@pytest.mark.parametrize("name", ["stool", "mug"])
def test_edges_of_a_photo_come_nearer_to_the_truth(refiner: EdgeRefiner, name: str) -> None:
    picture = codecs.decode((EXAMPLES / f"{name}.jpg").read_bytes())
    truth = to_unit(np.asarray(Image.open(EXAMPLES / "truth" / f"{name}.png")))
    coarse = coarse_matte(truth, 320)
    guided = refine(picture, coarse)
    refined = refiner.refine(picture, coarse, guided)
    assert error_along_the_edge(refined, truth) < 0.9 * error_along_the_edge(guided, truth)


@pytest.mark.slow
@pytest.mark.parametrize("size", [Size(900, 700), Size(2001, 1500)])
def test_only_what_the_coarse_matte_leaves_undecided_changes(refiner: EdgeRefiner, size: Size) -> None:
    made = scene(size)
    coarse = blurred_truth(made.matte)
    guided = refine(made.picture, coarse)
    refined = refiner.refine(made.picture, coarse, guided)
    changed = refined != guided
    assert changed.any()
    assert coarse[changed].min() > 0.02
    assert coarse[changed].max() < 0.98


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_a_decided_picture_is_returned_as_it_is(refiner: EdgeRefiner, level: float) -> None:
    matte = np.full((700, 900), level, np.float32)
    decided = np.full((24, 32), level, np.float32)
    assert refiner.refine(Picture(noise(Size(900, 700))), decided, matte) is matte


def test_a_picture_no_larger_than_a_network_sees_is_left_alone(refiner: EdgeRefiner) -> None:
    size = Size(LEAST_PX - 1, LEAST_PX - 1)
    made = scene(size)
    guided = refine(made.picture, coarse_matte(made.matte))
    assert refiner.refine(made.picture, coarse_matte(made.matte), guided) is guided


@pytest.mark.slow
@pytest.mark.parametrize(
    ("size", "origin", "most"),
    [
        (Size(900, 700), (20, 36), 1e-4),
        (Size(900, 700), (100, 8), 1e-4),
        # An enlarged change ends at its tile, half a pixel of the network's too early.
        (Size(2000, 1500), (24, 40), 0.02),
        (Size(2000, 1500), (104, 8), 0.02),
    ],
)
def test_tiles_leave_no_seams(refiner: EdgeRefiner, size: Size, origin: tuple[int, int], most: float) -> None:
    """Cropping the top and the left shifts all tiles: pixels far from the crop must stay the same."""
    made = scene(size)
    coarse = blurred_truth(made.matte)
    guided = refine(made.picture, coarse)
    whole = refiner.refine(made.picture, coarse, guided)
    top, left = origin
    cut = Picture(np.ascontiguousarray(made.picture.rgb[top:, left:]))
    part = refiner.refine(cut, coarse[top:, left:], guided[top:, left:])
    np.testing.assert_allclose(part[32:, 32:], whole[top + 32 :, left + 32 :], atol=most)


@pytest.mark.parametrize("size", [Size(641, 479), Size(2001, 33), Size(1, 700), Size(1999, 1501)])
def test_any_size_goes(refiner: EdgeRefiner, size: Size) -> None:
    unsure = np.linspace(0, 1, 64 * 64, dtype=np.float32).reshape(64, 64)
    matte = np.asarray(cv2.resize(unsure, size), np.float32)
    refined = refiner.refine(Picture(noise(size)), unsure, matte)
    assert (refined.shape, refined.dtype) == ((size.height, size.width), np.float32)
    assert refined.min() >= 0
    assert refined.max() <= 1


def test_the_given_matte_stays_as_it_is_also_where_a_tile_is_as_wide_as_the_picture(refiner: EdgeRefiner) -> None:
    matte = np.tile(np.linspace(0, 1, 60, dtype=np.float32), (700, 1))
    given = matte.copy()
    refined = refiner.refine(Picture(noise(Size(60, 700))), np.linspace(0, 1, 60, dtype=np.float32)[None], matte)
    assert (refined != given).any()
    assert np.array_equal(matte, given)


class Counting(EdgeRefiner):
    """Counts its runs."""

    runs: int = 0

    def _run(self, *tiles: Float32) -> Float32:  # type: ignore[override]
        self.runs += 1
        return super()._run(*tiles)  # type: ignore[arg-type]


def test_a_picture_that_is_undecided_everywhere_takes_no_longer_than_the_limit(refiner: EdgeRefiner) -> None:
    counting = Counting(*find_card(NAME))
    size = Size(2000, 2000)
    haze = np.full((2000, 2000), 0.5, np.float32)
    refined = counting.refine(Picture(noise(size)), np.full((32, 32), 0.5, np.float32), haze)
    assert 0 < counting.runs <= -(-MOST_TILES // BATCH)
    assert np.isfinite(refined).all()


def test_threads_share_a_refiner_and_agree(refiner: EdgeRefiner) -> None:
    made = scene()
    coarse = coarse_matte(made.matte)
    guided = refine(made.picture, coarse)
    alone = refiner.refine(made.picture, coarse, guided)

    def again(_: int) -> Float32:
        return refiner.refine(made.picture, coarse, guided)

    with ThreadPoolExecutor(3) as pool:
        assert all(np.array_equal(alone, refined) for refined in pool.map(again, range(6)))


def test_an_altered_graph_is_never_loaded(tmp_path: Path) -> None:
    path = write_model(tmp_path)
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(ChecksumMismatch):
        load_edge_refiner(str(path))


def test_a_graph_that_is_no_edge_refiner_is_refused(tmp_path: Path) -> None:
    made = scene()
    coarse = coarse_matte(made.matte)
    with pytest.raises(BadSettings, match="tiny"):
        load_edge_refiner(str(write_model(tmp_path, mean_graph()))).refine(made.picture, coarse, made.matte)
