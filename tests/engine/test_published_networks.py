"""The ONNX interface of the published networks, by graphs with the same signatures; the real files are not here."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from packshot import remove
from packshot.core.codecs import decode
from packshot.core.geometry import Size
from packshot.core.matte import network_input
from packshot.core.options import Options
from packshot.engine.matting import find_matte
from packshot.engine.network import OnnxNetwork, load_network
from packshot.engine.weights import ModelEntry, published
from tests.engine.tiny_onnx import published_graph
from tests.kit.images import as_png

# One of each signature: its registry entry, the name of its input and its number of outputs.
SIGNATURES = [
    ("u2net", "input.1", 7),
    ("isnet-general-use", "img", 12),
    ("birefnet-general", "input_image", 1),
]


def network(folder: Path, name: str, input_name: str, outputs: int) -> OnnxNetwork:
    entry = published()[name]
    data = published_graph(entry.input, entry.output, input_name=input_name, outputs=outputs)
    card = entry.card_for(hashlib.sha256(data).hexdigest(), len(data))
    (folder / card.file).write_bytes(data)
    (folder / f"{name}.json").write_text(card.to_json(), encoding="utf-8")
    return load_network(name, folder=folder)


@pytest.mark.parametrize(("name", "input_name", "outputs"), SIGNATURES)
def test_output_0_is_the_matte_normalised_as_the_card_says_and_never_stretched(
    tmp_path: Path, name: str, input_name: str, outputs: int
) -> None:
    net = network(tmp_path, name, input_name, outputs)
    side = net.card.input.side_px
    ramp = np.broadcast_to(np.linspace(0.2, 0.6, side, dtype=np.float32), (side, side))
    rgb = np.stack([ramp, np.full_like(ramp, 0.9), np.zeros_like(ramp)])[None]
    matte = net.predict(rgb)
    expected = 1 / (1 + np.exp(-8 * (ramp - 0.5))) if net.card.output == "logit" else ramp
    np.testing.assert_allclose(matte, expected, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "input_name", "outputs"), SIGNATURES)
def test_a_wide_picture_goes_into_the_square_and_comes_back_in_its_own_shape(
    tmp_path: Path, name: str, input_name: str, outputs: int
) -> None:
    rgb = np.full((180, 420, 3), (0, 90, 120), np.uint8)
    truth = np.zeros((180, 420), bool)
    truth[40:120, 250:380] = True
    rgb[truth] = (255, 60, 30)
    matte = find_matte(decode(as_png(rgb)), network(tmp_path, name, input_name, outputs)).matte
    found = matte >= 0.5
    assert (found & truth).sum() / (found | truth).sum() > 0.97


def test_a_picture_is_not_divided_by_its_own_maximum(tmp_path: Path) -> None:
    dark = np.full((64, 64, 3), (0, 10, 40), np.uint8)
    dark[16:48, 16:48] = (180, 10, 40)  # the brightest pixels, at only 180 of 255
    seen = network_input(decode(as_png(dark)), Size(320, 320))
    matte = network(tmp_path, *SIGNATURES[0]).predict(seen)
    np.testing.assert_allclose(matte[160, 160], 180 / 255, atol=1e-4)


def test_a_published_network_serves_the_line(tmp_path: Path) -> None:
    rgb = np.zeros((90, 60, 3), np.uint8)
    rgb[20:70, 10:40] = (255, 80, 80)
    result = remove(as_png(rgb), Options(crop=True), network=network(tmp_path, *SIGNATURES[0]))
    assert result.media_type == "image/png"
    assert abs(result.box.size.width - 30) <= 4
    assert abs(result.box.size.height - 50) <= 4


@pytest.mark.parametrize("entry", published().values(), ids=lambda entry: entry.name)
def test_an_entry_can_be_fetched_checked_and_judged_by_its_licence(entry: ModelEntry) -> None:
    assert entry.url.startswith("https://")
    assert entry.file.endswith(".onnx")
    assert entry.licence_url.startswith("https://")
    assert len(entry.md5) == 32
    assert entry.bytes or entry.about_mb
    assert entry.licence in {"Apache-2.0", "MIT"}  # shops may use all of them


def test_the_page_on_models_has_every_entry_with_its_licence() -> None:
    page = (Path(__file__).parents[2] / "docs" / "how-to/networks.md").read_text(encoding="utf-8")
    for entry in published().values():
        assert f"| {entry.name} | {entry.input.side_px} px | {entry.output} | {entry.licence}" in page
