from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packshot.engine.card import DataSource, Graph, InputRule, ModelCard, read_card
from packshot.errors import BadSettings, ModelMissing

FULL: dict[str, Any] = {
    "name": "shoes-2",
    "file": "shoes-2.onnx",
    "sha256": "0123456789abcdef" * 4,
    "bytes": 1000,
    "input": {"side_px": 320, "multiple": 32, "fit": "longest", "mean": [0.5, 0, 0.25], "std": [1, 0.5, 2]},
    "output": "logit",
    "licence": "MIT",
    "confidence": {
        "sha256": "0123456789abcdef" * 4,
        "intercept": -2,
        "weights": {"stability": 5.5, "cut": -2},
        "review_below": 0.6,
        "pictures": 500,
        "rank_correlation": 0.7,
        "mean_error": 0.08,
        "calibration_error": 0.01,
        "caught": 0.35,
        "caught_damage": 0.2,
    },
    "graph": {"opset": 17, "parameters": 10, "weights": "float16"},
    "data": [{"name": "shoes", "count": 12, "source": "our shop", "terms": "own photos"}],
    "seeds": [1, 2],
    "scores": {"shoes val": {"mae": 0.01}},
    "known_failures": ["laces"],
}
REQUIRED = ("name", "file", "sha256", "bytes", "input", "output", "licence")


def read(folder: Path, value: Any) -> ModelCard:
    path = folder / "card.json"
    path.write_text(json.dumps(value))
    return read_card(path)


def test_every_field_is_read(tmp_path: Path) -> None:
    card = read(tmp_path, FULL)
    assert card.input == InputRule(320, 32, "longest", (0.5, 0.0, 0.25), (1.0, 0.5, 2.0))
    assert card.confidence is not None
    assert (card.confidence.intercept, card.confidence.pictures) == (-2.0, 500)
    assert card.graph == Graph(17, 10, "float16")
    assert card.data == (DataSource("shoes", 12, "our shop", "own photos"),)
    assert (card.seeds, card.known_failures) == ((1, 2), ("laces",))
    assert card.scores["shoes val"]["mae"] == 0.01


def test_a_minimal_card_is_enough_and_leaves_the_input_as_it_is(tmp_path: Path) -> None:
    minimal = {name: FULL[name] for name in REQUIRED} | {"input": {"side_px": 64, "multiple": 32, "fit": "stretch"}}
    assert read(tmp_path, minimal).input == InputRule(64, 32, "stretch", (0, 0, 0), (1, 1, 1))


TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
UNITS = st.floats(0, 1)
CARDS = st.builds(
    ModelCard,
    name=TEXTS,
    file=st.just("a.onnx"),
    sha256=st.text("0123456789abcdef", min_size=64, max_size=64),
    bytes=st.integers(0),
    input=st.builds(InputRule, st.sampled_from([320, 1024]), st.just(32), mean=st.tuples(UNITS, UNITS, UNITS)),
    scores=st.dictionaries(TEXTS, st.dictionaries(TEXTS, UNITS, max_size=2), max_size=2),
    known_failures=st.lists(TEXTS, max_size=3).map(tuple),
)


@given(card=CARDS)
def test_what_is_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, card: ModelCard) -> None:
    path = tmp_path_factory.getbasetemp() / "card.json"
    path.write_text(card.to_json(), encoding="utf-8")
    assert read_card(path) == card


@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_field_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadSettings, match=name):
        read(tmp_path, {key: value for key, value in FULL.items() if key != name})


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"colour": "red"}, "colour"),
        ({"bytes": "1000"}, "card.bytes"),
        ({"bytes": True}, "card.bytes"),
        ({"bytes": 1000.0}, "card.bytes"),
        ({"name": None}, "card.name"),
        ({"output": "matte"}, "card.output"),
        ({"input": [320]}, "card.input"),
        ({"input": FULL["input"] | {"fit": "crop"}}, "card.input.fit"),
        ({"input": FULL["input"] | {"mean": [0, 0]}}, "card.input.mean"),
        ({"input": FULL["input"] | {"mean": [0, 0, "0"]}}, r"card.input.mean\[2\]"),
        ({"input": FULL["input"] | {"std": [1, 1, 0]}}, "std"),
        ({"input": FULL["input"] | {"side_px": 300}}, "multiple"),
        ({"input": FULL["input"] | {"padding": 1}}, "padding"),
        ({"data": [{"name": "shoes"}]}, r"card.data\[0\]"),
        ({"data": {}}, "card.data"),
        ({"seeds": [1.5]}, r"card.seeds\[0\]"),
        ({"scores": {"val": 1}}, "card.scores.val"),
        ({"sha256": "abc"}, "sha256"),
        ({"sha256": "0" * 64}, "confidence was fitted to another file"),
        ({"confidence": FULL["confidence"] | {"weights": {"stability": -1}}}, "stability"),
        ({"confidence": {"intercept": 1}}, "card.confidence lacks"),
        ({"file": "../elsewhere.onnx"}, "file"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(tmp_path: Path, changes: dict[str, Any], named: str) -> None:
    with pytest.raises(BadSettings, match=named):
        read(tmp_path, FULL | changes)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "\ufffd"])
def test_what_is_not_a_card_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "card.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadSettings, match=r"card\.json"):
        read_card(path)


def test_no_card_is_a_missing_model(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match=r"none\.json"):
        read_card(tmp_path / "none.json")
