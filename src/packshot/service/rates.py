"""A rate such as "600/minute": read, and refused in words where it is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packshot.errors import InvalidOption

if TYPE_CHECKING:
    from limits import RateLimitItem


def parse_rate(rate: str) -> RateLimitItem:
    """One limit of at least one request. Raises ValueError."""
    from limits import parse_many  # noqa: PLC0415 - takes 0.2 s to import, and is not needed without a limit

    found = parse_many(rate)
    if [limit.amount > 0 for limit in found] != [True]:
        raise ValueError(rate)
    return found[0]


def checked_rate(rate: str | None) -> str | None:
    """The same rate. Raises InvalidOption."""
    try:
        if rate is not None:
            parse_rate(rate)
    except ValueError as error:
        raise InvalidOption(
            f"{rate!r} is no rate.", hint="Write one limit such as 600/minute or 10/second.", field="rate"
        ) from error
    return rate
