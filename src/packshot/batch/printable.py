"""Text that may hold a file's name, made safe to show: names may hold whatever bytes they like but 0 and the slash."""

from __future__ import annotations

import unicodedata


def printable(text: str) -> str:
    """The text with every character that is not seen written as an escape; the rest as it is.

    Escaped are control characters (a terminal would obey them), line breaks, marks that turn the direction of writing
    or have no width, and bytes that are no text (as \\\\xff). Spaces of all kinds stay. Text that was escaped before
    does not change.
    """
    return text if text.isprintable() else "".join(map(_shown, text))


def _shown(character: str) -> str:
    if character.isprintable() or unicodedata.category(character) == "Zs":
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is no UTF-8, as the system's names come
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")
