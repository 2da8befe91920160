from __future__ import annotations

import re
from pathlib import Path

import pytest

from packshot.engine.weights import (
    DEFAULT_MODEL,
    EIGHT_BIT_MODEL,
    choose_default,
    default_model,
    downloaded_cards,
    embedded_cards,
    embedded_model,
    find_card,
    models_folder,
    verify,
)
from packshot.errors import BadSettings, ChecksumMismatch, ModelMissing
from tests.engine.tiny_onnx import card_for, mean_graph, write_model


def test_every_embedded_model_is_the_file_that_its_card_pins() -> None:
    names = [card.name for card in embedded_cards()]
    assert {DEFAULT_MODEL, EIGHT_BIT_MODEL} <= set(names)
    for name in names:
        verify(*find_card(name))


def test_embedded_models_say_where_they_come_from() -> None:
    for card in embedded_cards():
        assert card.licence
        assert card.data
        assert card.known_failures


def test_an_unknown_name_lists_what_there_is() -> None:
    with pytest.raises(ModelMissing, match=re.escape(DEFAULT_MODEL)):
        find_card("no-such-model")


def test_a_published_model_that_is_not_here_says_how_it_gets_here(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="packshot models download u2net"):
        find_card("u2net", tmp_path)


def test_a_users_own_graph_is_found_by_its_path(tmp_path: Path) -> None:
    path = write_model(tmp_path, name="mine")
    card, found = find_card(str(path))
    assert (card.name, found) == ("mine", path)
    verify(card, found)


def test_a_graph_without_a_card_is_missing_one(tmp_path: Path) -> None:
    path = write_model(tmp_path)
    path.with_suffix(".json").unlink()
    with pytest.raises(ModelMissing, match=r"tiny\.json.*packshot models card"):
        find_card(str(path))


def test_a_card_of_another_graph_is_refused(tmp_path: Path) -> None:
    path = write_model(tmp_path, file="other.onnx")
    with pytest.raises(BadSettings, match=r"other\.onnx"):
        find_card(str(path))


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: data[:-1] + bytes([data[-1] ^ 1])])
def test_a_cut_or_altered_graph_is_refused(tmp_path: Path, damage) -> None:
    path = write_model(tmp_path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ChecksumMismatch):
        verify(*find_card(str(path)))


def test_a_card_without_its_graph_is_missing_it(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match=r"gone\.onnx"):
        verify(card_for(mean_graph()), tmp_path / "gone.onnx")


def test_a_misspelt_name_is_guessed() -> None:
    with pytest.raises(ModelMissing, match="Did you mean birefnet-general"):
        find_card("birefnet-genral")


@pytest.mark.parametrize("name", ["../tiny", "sub/tiny", ".", ".."])
def test_a_name_does_not_lead_out_of_the_folder(tmp_path: Path, name: str) -> None:
    write_model(tmp_path)
    (tmp_path / "models").mkdir()
    with pytest.raises(ModelMissing):
        find_card(name, tmp_path / "models")


def test_a_users_own_model_in_the_folder_has_a_name(tmp_path: Path) -> None:
    path = write_model(tmp_path)
    assert find_card("tiny", tmp_path) == find_card(str(path))
    (tmp_path / "broken.json").write_text("{}")
    broken, tiny = downloaded_cards(tmp_path)
    assert isinstance(broken, BadSettings)
    assert tiny == find_card("tiny", tmp_path)[0]


def test_the_chosen_default_is_kept_and_given_up(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    assert default_model(folder) == embedded_model()
    choose_default("u2net", folder)
    assert default_model(folder) == "u2net"
    choose_default(None, folder)
    assert default_model(folder) == embedded_model()


def test_a_gpu_and_a_processor_without_byte_products_get_the_exact_network(monkeypatch: pytest.MonkeyPatch) -> None:
    assert embedded_model("cuda") == DEFAULT_MODEL
    for gains, name in ((True, EIGHT_BIT_MODEL), (False, DEFAULT_MODEL)):
        monkeypatch.setattr("packshot.engine.weights.computes_eight_bits", lambda gains=gains: gains)
        assert embedded_model("cpu") == name


def test_a_chosen_path_holds_wherever_one_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_model(tmp_path)
    monkeypatch.chdir(tmp_path)
    choose_default("tiny.onnx", tmp_path)
    monkeypatch.chdir("/")
    assert find_card(default_model(tmp_path))[1] == path


def test_the_models_folder_is_the_named_one_or_the_users_own(tmp_path: Path) -> None:
    assert models_folder({"PACKSHOT_MODELS_DIR": str(tmp_path), "XDG_DATA_HOME": "/data"}) == tmp_path
    assert models_folder({"XDG_DATA_HOME": "/data"}) == Path("/data/packshot/models")
    assert models_folder({"PACKSHOT_MODELS_DIR": " "}).is_relative_to(Path.home())


PERMISSIVE = {"Apache-2.0", "BSD-3-Clause", "CC-BY-4.0", "CC0", "MIT"}


def test_every_set_of_the_clean_network_has_a_permissive_licence() -> None:
    card = find_card("packshot-3-clean")[0]
    backbone, *sets = card.data
    assert "weights Apache-2.0" in backbone.terms
    assert sets
    for source in sets:
        terms = re.split(r"[,;] ", source.terms)
        assert all(part == "own" or part.split()[-1] in PERMISSIVE for part in terms), source
    assert card.edges is None  # the edge refiner has learned from other pictures
    assert "before" not in card.training  # it continues no network that has
