"""Makes text with file names safe to show. File names may contain any byte except 0 and the slash."""

from __future__ import annotations

import unicodedata


def printable(text: str) -> str:
    """The text, with invisible characters replaced by escapes.

    Escapes control characters (a terminal would execute them), line breaks, marks that change the writing direction or
    have no width, and bytes that are not UTF-8 (as \\\\xff). Keeps spaces of all kinds. Escaping
    text twice changes nothing.
    """
    return text if text.isprintable() else "".join(map(_shown, text))


def _shown(character: str) -> str:
    if character.isprintable() or unicodedata.category(character) == "Zs":
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8, as a surrogate escape
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")
