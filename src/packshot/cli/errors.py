"""Errors that only the command line can have; they extend the tree of packshot.errors."""

from __future__ import annotations

from packshot.errors import PackshotError


class OutputExists(PackshotError):
    """A file is in the way, and nothing is overwritten unasked."""

    slug = "output-exists"


class FileAccess(PackshotError):
    """A photo cannot be read or an output cannot be written."""

    slug = "file-access"


class NotHealthy(PackshotError):
    """The service does not answer as it should."""

    slug = "not-healthy"


class TooManyFailures(PackshotError):
    """More photos of a batch failed than may."""

    slug = "too-many-failures"
