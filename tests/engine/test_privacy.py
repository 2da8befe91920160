"""Running the network sends no data: ONNX Runtime would, and would keep an identifier in the home folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PHOTO = Path(__file__).parents[2] / "examples" / "bear.jpg"
LIBRARY = "import packshot, sys; packshot.remove_background(open(sys.argv[1], 'rb').read())"


@pytest.mark.slow
@pytest.mark.parametrize("command", [["-c", LIBRARY, str(PHOTO)], ["-m", "packshot", "models", "bench"]])
def test_the_runtime_does_not_report_home(command: list[str], tmp_path: Path) -> None:
    # It sends nothing when it believes that it runs in a test.
    quiet = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    done = subprocess.run([sys.executable, *command], env=quiet, check=True, capture_output=True)
    assert b"telemetry" not in done.stderr.lower()
    assert [path for path in tmp_path.rglob("*") if "packshot" not in str(path)] == []
