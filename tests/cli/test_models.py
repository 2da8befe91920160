"""`packshot models`: in this process where that is enough, otherwise as processes."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import re
import resource
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from click.testing import CliRunner, Result

from packshot.cli import cli
from packshot.cli.errors import OutputExists
from packshot.engine.card import InputRule
from packshot.engine.network import load_network
from packshot.engine.weights import ModelEntry, embedded_model, published
from packshot.errors import BadSettings, ChecksumMismatch, InvalidOption, ModelMissing
from packshot.service.build import build
from packshot.service.settings import Settings
from tests.engine import faulty_http as http
from tests.engine.faulty_http import faulty_server
from tests.engine.tiny_onnx import mean_graph, published_graph, write_model
from tests.kit.images import as_jpeg, product

U2NET = published()["u2net"]
DATA = published_graph(U2NET.input, U2NET.output)
BIG = DATA + bytes(1 << 20)

# `packshot`, with the publisher's checksum of u2net replaced by the checksum of a test file.
PUBLISHED_HERE = """
import sys
from dataclasses import replace
from packshot.cli import main
from packshot.engine.weights import ModelEntry, published

published()["u2net"] = replace(published()["u2net"], md5=sys.argv.pop(1))
main()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PACKSHOT_MODELS_DIR", str(tmp_path / "models"))
    return tmp_path / "models"


def models(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["models", *arguments], catch_exceptions=True)


def ok(*arguments: str) -> str:
    result = models(*arguments)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output


def fault(*arguments: str) -> BaseException:
    error = models(*arguments).exception
    assert error is not None
    return error


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def bring(data: bytes, *arguments: str, accepts: bool = True) -> list[str]:
    """The command line of a download in a separate process."""
    yes = ["--yes"] if accepts else []
    return [sys.executable, "-c", PUBLISHED_HERE, md5(data), "models", "download", "u2net", *yes, *arguments]


def test_the_list_says_what_is_here_what_is_not_and_under_which_licence(folder: Path) -> None:
    text = ok("list")
    assert re.search(rf"^\* {embedded_model()} .*Apache-2\.0  \[embedded\]$", text, re.MULTILINE)
    for entry in published().values():
        assert re.search(rf"^  {re.escape(entry.name)} .*{re.escape(entry.licence)}", text, re.MULTILINE)


def test_a_model_is_downloaded_listed_verified_used_and_timed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cast("dict[str, ModelEntry]", published()), "u2net", replace(U2NET, md5=md5(DATA)))
    with faulty_server(DATA) as server:
        ok("download", "u2net", "--accept-licence", "--from", server.url)
        assert "already" in ok("download", U2NET.name)  # neither asks for the licence again, nor downloads
        assert len(server.asked) == 1
    assert ok("use", U2NET.name).strip() == U2NET.name
    assert re.search(rf"^\* u2net .*Apache-2\.0.*{folder}", ok("list"), re.MULTILINE)
    assert f"{U2NET.name}: SHA-256 is correct" in ok("verify")
    timing = json.loads(ok("bench", "--runs", "2", "--json"))
    assert (timing["model"], timing["provider"], timing["side_px"]) == (U2NET.name, "CPUExecutionProvider", 320)
    assert 0 < timing["median_ms"] <= timing["p95_ms"]
    assert ok("use", "--reset").strip() == embedded_model()
    (folder / f"{U2NET.name}.onnx").write_bytes(DATA[:-1])
    assert isinstance(fault("verify"), ChecksumMismatch)
    assert isinstance(fault("use", U2NET.name), ChecksumMismatch)
    assert ok("use").strip() == embedded_model()


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        (["download", "u2netp"], InvalidOption, "--accept-licence"),
        (["download", "nothing"], InvalidOption, "models list"),
        (["use", "u2net"], ModelMissing, "models download u2net"),
        (["bench", "u2net"], ModelMissing, "models download u2net"),
        (["bench", "--side", "100"], InvalidOption, "multiple"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_may_not_or_cannot_be_done_says_what_to_do(
    folder: Path, arguments: list[str], kind: type[Exception], words: str
) -> None:
    with faulty_server(DATA) as server:
        error = fault(*arguments, *(["--from", server.url] if arguments[0] == "download" else []))
        assert server.asked == []
    assert type(error) is kind
    assert words in str(error)
    assert not list(folder.glob("*.onnx"))


def test_the_licence_is_shown_before_it_is_asked_for(folder: Path) -> None:
    result = models("download", "u2net")
    assert "Apache-2.0" in result.output
    assert published()["u2net"].licence_url in result.output


@pytest.mark.slow
@pytest.mark.parametrize(("answer", "is_brought"), [(b"y\n", True), (b"n\n", False)])
def test_at_a_terminal_the_licence_is_asked_for(folder: Path, answer: bytes, is_brought: bool) -> None:
    ours, theirs = pty.openpty()
    with faulty_server(DATA) as server:
        os.write(ours, answer)
        command = bring(DATA, "--from", server.url, accepts=False)
        result = subprocess.run(command, stdin=theirs, capture_output=True, text=True, check=False)
        assert len(server.asked) == is_brought
    os.close(ours)
    os.close(theirs)
    assert "Do you accept the licence?" in result.stderr
    assert result.stdout == ""
    assert (result.returncode == 0) == is_brought == (folder / f"{U2NET.name}.onnx").exists()


@pytest.mark.slow
def test_a_killed_download_is_gone_on_with(folder: Path) -> None:
    part = folder / f"{U2NET.name}.onnx.part"
    with faulty_server(BIG, http.silent(len(BIG) // 2)) as server:
        with subprocess.Popen(bring(BIG, "--from", server.url), stderr=subprocess.DEVNULL) as first:
            deadline = time.monotonic() + 60
            while not (part.exists() and part.stat().st_size) and time.monotonic() < deadline:
                time.sleep(0.02)
            first.kill()
        left = part.stat().st_size
        assert not list(folder.glob("*.onnx"))
        subprocess.run(bring(BIG, "--from", server.url), check=True, capture_output=True)
        assert server.ranges() == [None, f"bytes={left}-"]
    assert (folder / f"{U2NET.name}.onnx").read_bytes() == BIG


def test_proxies_of_the_environment_are_honoured(folder: Path) -> None:
    with faulty_server(DATA) as proxy:
        mirror = "http://models.invalid/mirror"
        environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        environment |= {"http_proxy": proxy.url, "PACKSHOT_MODELS_URL": mirror}
        subprocess.run(bring(DATA), env=environment, check=True, capture_output=True)
        assert proxy.asked[0].path == f"{mirror}/{U2NET.file}"


@pytest.mark.slow
def test_a_full_disk_is_said_in_words_and_leaves_no_model(folder: Path) -> None:
    with faulty_server(BIG) as server:
        result = subprocess.run(
            bring(BIG, "--from", server.url),
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
        )
    assert result.returncode == 78
    assert "cannot be written" in result.stderr
    assert "Traceback" not in result.stderr
    assert not list(folder.glob("*.onnx"))


def test_a_card_is_written_for_a_graph_of_ones_own_and_makes_it_a_model(tmp_path: Path) -> None:
    own, photo = tmp_path / "mine.onnx", tmp_path / "photo.jpg"
    rule = InputRule(64, 32, "stretch", (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
    own.write_bytes(published_graph(rule, "logit"))
    options = ["--side", "64", "--mean", ".5", ".5", ".5", "--std", ".25", ".25", ".25", "--output", "logit"]
    ok("card", str(own), *options, "--licence", "MIT")
    assert load_network(str(own)).card.input == rule
    red = np.zeros((90, 120, 3), np.uint8)
    red[20:70, 30:90] = (255, 40, 40)
    photo.write_bytes(as_jpeg(red))
    assert CliRunner().invoke(cli, ["remove", str(photo), "--model", str(own)]).exit_code == 0
    assert photo.with_suffix(".png").exists()
    assert type(fault("card", str(own), *options, "--licence", "MIT")) is OutputExists


def test_no_card_is_written_for_a_graph_that_does_not_run_as_it_would_say(tmp_path: Path) -> None:
    own = tmp_path / "mine.onnx"
    own.write_bytes(mean_graph(height=96, width=96))
    assert isinstance(fault("card", str(own), "--side", "64", "--licence", "MIT"), BadSettings)
    assert isinstance(fault("card", str(own), "--side", "65", "--licence", "MIT"), InvalidOption)
    assert not own.with_suffix(".json").exists()


def test_option_wins_over_environment_and_environment_over_choice(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(as_jpeg(product(120, 90)[0]))
    own = str(write_model(tmp_path))
    ok("use", own)

    def error_of(*arguments: str) -> str:
        return str(CliRunner().invoke(cli, ["remove", str(photo), "--out", "-", *arguments]).exception)

    Path(own).unlink()
    assert own in error_of()
    monkeypatch.setenv("PACKSHOT_MODEL", "from-the-environment")
    assert "from-the-environment" in error_of()
    assert "from-the-option" in error_of("--model", "from-the-option")


def test_a_device_that_is_not_there_is_an_error_before_any_photo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("CUDA is here")
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(as_jpeg(product(120, 90)[0]))
    monkeypatch.setenv("PACKSHOT_DEVICE", "cuda")
    error = CliRunner().invoke(cli, ["remove", str(photo)]).exception
    assert isinstance(error, BadSettings)
    assert "packshot[gpu]" in error.hint
    assert not (tmp_path / "photo.png").exists()
    with pytest.raises(BadSettings, match="CUDA"):
        build(Settings.from_environment({"PACKSHOT_STATE_DIR": str(tmp_path), "PACKSHOT_DEVICE": "CUDA"}))
