"""`packshot review` as a user starts it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from packshot.core.options import Options
from tests.batch.kit import fill, make
from tests.kit.server import PATIENCE_S

COMMAND = [sys.executable, "-m", "packshot", "review"]


@pytest.mark.slow
def test_it_prints_an_address_that_works_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    out = tmp_path / "out"
    make(fill(tmp_path / "photos", ["a.jpg", "b.jpg"]), out, Options(background="white"))
    with subprocess.Popen([*COMMAND, str(out), "--no-open"], stderr=subprocess.PIPE, text=True) as review:
        assert review.stderr is not None
        try:
            said = review.stderr.readline()
            found = re.fullmatch(r"2 photos to review: (http://127\.0\.0\.1:\d+/[\w-]{20,}/review)\n", said)
            assert found is not None, said
            with httpx.Client(
                timeout=PATIENCE_S, transport=httpx.HTTPTransport(retries=5)
            ) as http:  # it listens before it responds
                assert http.get(found[1]).status_code == 200
                listed = http.get(f"{found[1].removesuffix('review')}v1/reviews/here/photos").json()
            assert [photo["source"] for photo in listed["photos"]] == ["a.jpg", "b.jpg"]
        finally:
            review.send_signal(signal.SIGINT)
        review.communicate(timeout=PATIENCE_S)
    assert review.returncode in {0, 130, -signal.SIGINT}


@pytest.mark.slow
@pytest.mark.parametrize("what", ["nothing", "a folder of photos"])
def test_a_place_that_no_batch_has_written_is_refused_with_a_hint(tmp_path: Path, what: str) -> None:
    place = tmp_path / "nothing" if what == "nothing" else fill(tmp_path / "photos", ["a.jpg"])
    ended = subprocess.run([*COMMAND, str(place)], capture_output=True, text=True, check=False, env=os.environ)
    assert ended.returncode != 0
    assert "contains no batch" in ended.stderr
    assert "packshot batch" in ended.stderr
    assert "Traceback" not in ended.stderr
