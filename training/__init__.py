"""Training of packshot's own networks: data, augmentation, losses, the loop, export.

Needs torch, in an environment of its own (see training/README.md). Nothing in the package imports this.
"""
