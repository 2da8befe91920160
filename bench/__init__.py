"""Benchmarks: `python -m bench`. Figures are medians of one run on one machine; only compare figures of one run."""

import packshot  # noqa: F401 - before ONNX Runtime: it turns the runtime's telemetry off
