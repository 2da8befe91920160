from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from packshot.core.picture import Float32
from packshot.engine.card import read_card
from packshot.engine.download import download, is_here
from packshot.engine.network import load_network
from packshot.engine.transfer import Watcher
from packshot.engine.weights import ModelEntry, published
from packshot.errors import BadSettings, ChecksumMismatch, ModelMissing
from packshot.retry import RetryPolicy
from tests.engine import faulty_http as http
from tests.engine.faulty_http import faulty_server
from tests.engine.tiny_onnx import published_graph

U2NET = published()["u2net"]
DATA = published_graph(U2NET.input, U2NET.output, input_name="input.1", outputs=7)
RETRIES = RetryPolicy(attempts=3, first_pause_s=0.01, longest_pause_s=0.05)


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def entry(data: bytes = DATA, **changes: object) -> ModelEntry:
    """The entry of u2net, with this data in place of the publisher's file."""
    return replace(U2NET, md5=md5(data), **changes)  # type: ignore[arg-type]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")}


def red(side: int) -> Float32:
    return np.broadcast_to(np.array([1, 0, 0], np.float32).reshape(1, 3, 1, 1), (1, 3, side, side)).copy()


def test_a_model_known_by_md5_alone_is_pinned_by_sha256_and_size_and_runs(tmp_path: Path) -> None:
    with faulty_server(DATA) as server:
        download(entry(), tmp_path, source=server.url, retries=RETRIES)
        assert server.asked[0].path == "/u2net.onnx"
    card = read_card(tmp_path / "u2net.json")
    assert (card.sha256, card.bytes) == (hashlib.sha256(DATA).hexdigest(), len(DATA))
    assert names(tmp_path) == {"u2net.onnx", "u2net.json"}
    np.testing.assert_allclose(load_network("u2net", folder=tmp_path).predict(red(320)), 1, atol=1e-5)


@pytest.mark.parametrize(
    "changes", [{}, {"sha256": "ab" * 32}, {"sha256": hashlib.sha256(DATA).hexdigest(), "md5": "0" * 32}]
)
def test_what_is_not_the_published_file_is_never_kept_and_never_loads(tmp_path: Path, changes: dict[str, str]) -> None:
    answers = [] if changes else [http.corrupt]
    with faulty_server(DATA, *answers) as server, pytest.raises(ChecksumMismatch, match="u2net"):
        download(replace(entry(), **changes), tmp_path, source=server.url, retries=RETRIES)
    assert names(tmp_path) == set()
    with pytest.raises(ModelMissing):
        load_network("u2net", folder=tmp_path)


def test_what_an_earlier_run_left_is_gone_on_with(tmp_path: Path) -> None:
    (tmp_path / "u2net.onnx.part").write_bytes(DATA[:100])
    with faulty_server(DATA) as server:
        download(entry(), tmp_path, source=server.url, retries=RETRIES)
        assert server.ranges() == ["bytes=100-"]
    assert is_here(entry(), tmp_path)


def test_what_an_earlier_run_left_of_another_file_does_not_stand_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "u2net.onnx.part").write_bytes(b"another release" * 10)
    with faulty_server(DATA) as server:
        download(entry(), tmp_path, source=server.url, retries=RETRIES)
        assert server.ranges() == ["bytes=150-", None]
    assert is_here(entry(), tmp_path)


def test_what_is_here_is_not_fetched_again_but_what_is_damaged_is(tmp_path: Path) -> None:
    with faulty_server(DATA) as server:
        for _ in range(2):
            download(entry(), tmp_path, source=server.url, retries=RETRIES)
        assert len(server.asked) == 1
        (tmp_path / "u2net.onnx").write_bytes(DATA[:-1])
        download(entry(), tmp_path, source=server.url, retries=RETRIES)
        assert len(server.asked) == 2
    assert (tmp_path / "u2net.onnx").read_bytes() == DATA


@pytest.mark.parametrize("name", ["publishers-name.onnx", "u2net.onnx"])
def test_a_folder_serves_as_well_as_a_server(tmp_path: Path, name: str) -> None:
    stick, folder = tmp_path / "stick", tmp_path / "models"
    stick.mkdir()
    (stick / name).write_bytes(DATA)
    named = entry(url="https://example.com/publishers-name.onnx")
    download(named, folder, source=str(stick))
    (folder / "u2net.json").unlink()
    download(named, folder, source=str(stick / name))
    assert is_here(named, folder)


def test_a_folder_without_the_file_says_where_it_can_be_had(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match=rf"u2net\.onnx.*{U2NET.url}"):
        download(entry(), tmp_path, source=str(tmp_path))


def test_a_wrong_file_in_a_folder_is_refused_and_left_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "u2net.onnx").write_bytes(b"something else")
    with pytest.raises(ChecksumMismatch, match="MD5"):
        download(entry(), tmp_path / "models", source=str(tmp_path))
    assert (tmp_path / "u2net.onnx").read_bytes() == b"something else"
    assert names(tmp_path / "models") == set()


def test_several_at_once_fetch_it_once(tmp_path: Path) -> None:
    waited: list[str] = []

    class Notes(Watcher):
        def notice(self, text: str) -> None:
            waited.append(text)

    def slow(ask: http.Handler) -> None:
        while len(waited) < 3:
            ask.server.over.wait(0.01)
        http.honest(ask)

    with faulty_server(DATA, slow) as server, ThreadPoolExecutor(4) as pool:
        runs = [
            pool.submit(download, entry(), tmp_path, source=server.url, retries=RETRIES, watcher=Notes())
            for _ in range(4)
        ]
        assert len({run.result().sha256 for run in runs}) == 1
        assert len(server.asked) == 1
    assert all("another process" in text for text in waited)
    assert names(tmp_path) == {"u2net.onnx", "u2net.json"}


def test_a_folder_that_cannot_be_made_is_named_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadSettings, match=r"file/models.*PACKSHOT_MODELS_DIR"):
        download(entry(), tmp_path / "file" / "models")
