"""Measures the quality of a network on the serving pipeline: `python -m evaluation`, and contact sheets."""

import packshot  # noqa: F401 - before ONNX Runtime: it turns the runtime's telemetry off
