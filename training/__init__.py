"""Training of packshot's own networks: data, augmentation, losses, the loop, export.

Needs torch, in an environment of its own (see training/README.md). Nothing in the package imports this.
"""

import packshot  # noqa: F401 - before ONNX Runtime, whose reports to its makers it turns off
