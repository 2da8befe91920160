from __future__ import annotations

import socket
import time
from pathlib import Path

import numpy as np
import pytest

from packshot.engine.transfer import Transfer, Watcher
from packshot.errors import BadSettings, ChecksumMismatch, ModelMissing
from packshot.retry import RetryPolicy
from tests.engine import faulty_http as http
from tests.engine.faulty_http import faulty_server

DATA = np.random.default_rng(1).bytes(300_000)
RETRIES = RetryPolicy(attempts=3, first_pause_s=0.01, longest_pause_s=0.05)


class Notes(Watcher):
    def __init__(self) -> None:
        self.done: list[tuple[int, int | None]] = []
        self.said: list[str] = []

    def progress(self, done_bytes: int, total_bytes: int | None) -> None:
        self.done.append((done_bytes, total_bytes))

    def notice(self, text: str) -> None:
        self.said.append(text)


def fetch(
    url: str,
    file: Path,
    retries: RetryPolicy = RETRIES,
    expected_bytes: int | None = None,
    silence_s: float = 20.0,
) -> Notes:
    notes = Notes()
    Transfer(f"{url}/net.onnx", file, expected_bytes, notes, retries=retries, silence_s=silence_s).run()
    return notes


def test_a_file_comes_whole_and_its_progress_is_told(tmp_path: Path) -> None:
    with faulty_server(DATA) as server:
        notes = fetch(server.url, tmp_path / "part", expected_bytes=len(DATA))
    assert (tmp_path / "part").read_bytes() == DATA
    assert notes.done[-1] == (len(DATA), len(DATA))
    assert [done for done, _ in notes.done] == sorted(done for done, _ in notes.done)


def test_a_cut_is_gone_on_with_where_it_happened_and_only_with_the_same_file(tmp_path: Path) -> None:
    with faulty_server(DATA, http.cut(100_000)) as server:
        notes = fetch(server.url, tmp_path / "part")
        assert server.ranges() == [None, "bytes=100000-"]
        assert server.asked[1].headers["If-Range"] == server.etag
    assert (tmp_path / "part").read_bytes() == DATA
    assert "100000 of 300000" in notes.said[0]


@pytest.mark.slow
def test_a_server_that_falls_silent_is_left_and_asked_again(tmp_path: Path) -> None:
    with faulty_server(DATA, http.silent(50_000)) as server:
        fetch(server.url, tmp_path / "part", silence_s=1.5)
        assert server.ranges()[-1] == "bytes=50000-"
    assert (tmp_path / "part").read_bytes() == DATA


@pytest.mark.slow
def test_a_busy_server_is_given_the_time_that_it_asks_for(tmp_path: Path) -> None:
    retries = RetryPolicy(attempts=3, first_pause_s=0.01, longest_pause_s=5)
    began = time.monotonic()
    with faulty_server(DATA, http.status(503, Retry_After=1), http.status(500)) as server:
        fetch(server.url, tmp_path / "part", retries)
    assert time.monotonic() - began >= 1
    assert (tmp_path / "part").read_bytes() == DATA


@pytest.mark.parametrize("answer", [http.whole, http.other_part])
def test_a_server_that_is_deaf_to_ranges_never_yields_a_patchwork(tmp_path: Path, answer: http.Answer) -> None:
    with faulty_server(DATA, http.cut(70_000), answer) as server:
        fetch(server.url, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == DATA


def test_a_file_that_changed_meanwhile_is_fetched_from_its_beginning(tmp_path: Path) -> None:
    new = DATA[::-1]

    def changes(ask: http.Handler) -> None:
        http.cut(70_000)(ask)
        ask.server.data, ask.server.etag = new, '"second"'

    with faulty_server(DATA, changes) as server:
        fetch(server.url, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == new


def test_what_is_all_here_is_not_fetched_again(tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(DATA)
    with faulty_server(DATA) as server:
        fetch(server.url, tmp_path / "part")
        assert len(server.asked) == 1
    assert (tmp_path / "part").read_bytes() == DATA


def test_a_part_that_is_longer_than_the_file_is_thrown_away(tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(DATA + DATA)
    with faulty_server(DATA) as server:
        fetch(server.url, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == DATA


def test_a_length_that_the_server_does_not_tell_is_found_out(tmp_path: Path) -> None:
    with faulty_server(DATA, http.chunked(ends=False), http.chunked(ends=True)) as server:
        notes = fetch(server.url, tmp_path / "part")
        assert len(server.asked) == 2
    assert (tmp_path / "part").read_bytes() == DATA
    assert notes.done[-1] == (len(DATA), None)


def test_a_redirect_is_followed_and_keeps_the_range(tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(DATA[:1000])
    with faulty_server(DATA) as store, faulty_server(b"", http.redirect(f"{store.url}/elsewhere")) as server:
        fetch(server.url, tmp_path / "part")
        assert store.ranges() == ["bytes=1000-"]
    assert (tmp_path / "part").read_bytes() == DATA


@pytest.mark.parametrize("code", [401, 403, 404, 410])
def test_a_refusal_is_final_and_says_what_else_can_be_done(tmp_path: Path, code: int) -> None:
    with faulty_server(DATA, http.status(code)) as server, pytest.raises(ModelMissing, match=rf"{code}.*--from"):
        fetch(server.url, tmp_path / "part")
    assert len(server.asked) == 1


def test_patience_ends_and_what_came_stays_for_the_next_run(tmp_path: Path) -> None:
    with faulty_server(DATA, http.cut(1000), http.status(502), http.status(502)) as server:
        with pytest.raises(ModelMissing, match="resumes where it stopped"):
            fetch(server.url, tmp_path / "part")
        assert (tmp_path / "part").read_bytes() == DATA[:1000]
        fetch(server.url, tmp_path / "part")
        assert server.ranges()[-1] == "bytes=1000-"
    assert (tmp_path / "part").read_bytes() == DATA


def test_nobody_there_is_said_in_words(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(ModelMissing, match=r"refused.*--from"):
        fetch(f"http://127.0.0.1:{port}", tmp_path / "part")


def test_a_file_of_another_size_is_not_even_begun(tmp_path: Path) -> None:
    with faulty_server(DATA) as server, pytest.raises(ChecksumMismatch, match="300000"):
        fetch(server.url, tmp_path / "part", expected_bytes=4_574_861)
    assert not (tmp_path / "part").exists()


def test_more_than_the_disk_holds_is_refused_before_it_is_fetched(tmp_path: Path) -> None:
    def huge(ask: http.Handler) -> None:
        ask.head(200, Content_Length=1 << 60)

    with faulty_server(DATA, huge) as server, pytest.raises(BadSettings, match="MB free"):
        fetch(server.url, tmp_path / "part")
