"""How good a network is, measured on the very line that serves: `python -m evaluation`, and sheets to look at."""

import packshot  # noqa: F401 - before ONNX Runtime, whose reports to its makers it turns off
