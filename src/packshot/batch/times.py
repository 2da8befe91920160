"""When something happened, as the journal and the decisions have it: text that sorts by time."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> str:
    """ISO 8601 in UTC, to the millisecond: of what a batch and a person have made, the later one counts."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
