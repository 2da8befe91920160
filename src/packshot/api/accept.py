"""Which of several media types a client likes best: its Accept header, read as RFC 9110 has it (section 12.5.1)."""

from __future__ import annotations

import re
from collections.abc import Sequence

_RANGE = re.compile(r"\s*([\w!#$&^.+*-]+)/([\w!#$&^.+*-]+)\s*(;.*)?", re.DOTALL)
_QUALITY = re.compile(r";\s*q\s*=\s*([^;\s]*)", re.IGNORECASE)


def preferred(accept: str, offers: Sequence[str]) -> str | None:
    """The offer that an Accept header prefers, or None where it takes none of them.

    The most specific range that matches an offer says its quality. Of equals the one that was named more exactly comes
    first (an HTTP library's "application/json, */*" means JSON), then the one that is offered first. A header that
    says nothing takes anything; parts of it that cannot be read are passed over.
    """
    ranges = [found for part in accept.split(",") if (found := _range(part))]
    if not ranges:
        return offers[0]
    liked = {offer: _liking(offer, ranges) for offer in offers}
    best = max(offers, key=lambda offer: liked[offer])
    return best if liked[best][0] > 0 else None


def _range(part: str) -> tuple[str, str, float] | None:
    """(type, subtype, quality) of one part, or None."""
    found = _RANGE.fullmatch(part)
    if not found:
        return None
    quality = _QUALITY.search(found[3] or "")
    try:
        value = float(quality[1]) if quality else 1.0
    except ValueError:
        return None
    return (found[1].lower(), found[2].lower(), value) if 0 <= value <= 1 else None


def _liking(offer: str, ranges: list[tuple[str, str, float]]) -> tuple[float, int]:
    """(quality, specificity): 2 for the type itself, 1 for image/*, 0 for */*."""
    kind, _, subtype = offer.partition("/")
    said = {
        (2 if sub == subtype else 1 if main == kind else 0): quality
        for main, sub, quality in ranges
        if main in {kind, "*"} and sub in {subtype, "*"} and not (main == "*" and sub != "*")
    }
    exactness = max(said, default=0)
    return said.get(exactness, 0.0), exactness
