"""Training of packshot's own networks: data, augmentation, losses, the loop, export.

Needs torch, in a separate environment (see training/README.md). Nothing in the package imports this.
"""

import packshot  # noqa: F401 - before ONNX Runtime: it turns the runtime's telemetry off
