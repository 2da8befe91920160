"""Timestamps of the journal and the decisions, as text that sorts by time."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> str:
    """The current time, ISO 8601 in UTC, in milliseconds. The later one of a batch's and a person's output counts."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
