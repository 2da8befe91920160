"""Part of a download, as a client asks for it that goes on where it was cut off: one range of bytes, RFC 9110."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

_ONE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


def wanted(header: str | None, size_bytes: int) -> range | None:
    """The bytes that a Range header asks for; None for all of them, also where it asks for something unknown.

    An empty range stands for one that lies outside: 416.
    """
    found = _ONE.fullmatch(header.strip()) if header else None
    if found is None or found[0] == "bytes=-":
        return None
    first, last = found[1], found[2]
    if not first:
        return range(max(0, size_bytes - int(last)), size_bytes)
    if last and int(last) < int(first):
        return None
    return range(int(first), min(size_bytes, int(last) + 1) if last else size_bytes)


async def part(chunks: AsyncIterator[bytes], span: range) -> AsyncIterator[bytes]:
    """These bytes of all: what lies before is read and dropped, so that the whole is still compared with its digest."""
    offset = 0
    async for chunk in chunks:
        piece = chunk[max(0, span.start - offset) : max(0, span.stop - offset)]
        offset += len(chunk)
        if piece:
            yield piece
