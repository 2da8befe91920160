"""Benchmarks: `python -m bench`. Figures are medians of one run on one machine; compare within a run only."""

import packshot  # noqa: F401 - before ONNX Runtime, whose reports to its makers it turns off
