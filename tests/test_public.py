"""What `import packshot` promises."""

from __future__ import annotations

import subprocess
import sys

import packshot


def test_public_names_are_sorted_and_there() -> None:
    assert packshot.__all__ == sorted(packshot.__all__)
    for name in packshot.__all__:
        assert getattr(packshot, name) is not None
    assert set(packshot.__all__) == set(dir(packshot))


def test_importing_is_silent_and_loads_no_runtime() -> None:
    code = "import sys, packshot; print([m for m in ('onnxruntime', 'cv2', 'numpy', 'fastapi') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (result.stdout, result.stderr) == ("[]\n", "")
