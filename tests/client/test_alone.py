"""The client loads httpx and no image code, and reports a missing httpx."""

from __future__ import annotations

import subprocess
import sys

import packshot.client


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_importing_loads_nothing_of_the_service() -> None:
    heavy = (
        "onnxruntime",
        "numpy",
        "cv2",
        "PIL",
        "fastapi",
        "starlette",
        "pydantic",
        "packshot.core",
        "packshot.engine",
    )
    done = python(f"import sys, packshot.client; print([name for name in {heavy} if name in sys.modules])")
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_without_httpx_it_says_how_to_install_it() -> None:
    done = python("import sys; sys.modules['httpx'] = None; import packshot.client")
    assert done.returncode == 1
    assert "pip install 'packshot[client]'" in done.stderr.splitlines()[-1]


def test_public_names_are_sorted_and_there() -> None:
    assert packshot.client.__all__ == sorted(packshot.client.__all__)
    for name in packshot.client.__all__:
        assert getattr(packshot.client, name) is not None
