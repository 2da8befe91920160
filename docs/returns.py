"""Extends griffe for the site: a "Returns" or "Yields" section without a type gets that of the annotation."""

from __future__ import annotations

import re
from typing import Any

import griffe

_RETURNS = re.compile(r"(^(?:Returns\n-------|Yields\n------)\n)((?:(?!\n).+\n?)+)", re.MULTILINE)


class ReturnsAsText(griffe.Extension):
    """Puts a type before the sentence of such a section, which the numpy style would take for the type."""

    def on_function(self, *, func: griffe.Function, **_: Any) -> None:
        """Called by griffe for each function that it has read."""
        if func.docstring is not None:
            func.docstring.value = _RETURNS.sub(lambda found: _typed(found, func), func.docstring.value)


def _typed(found: re.Match[str], func: griffe.Function) -> str:
    lines = found[2].splitlines()
    if any(line.startswith(" ") for line in lines):  # it has a type already
        return found[0]
    return f"{found[1]}{func.returns}\n" + "".join(f"    {line}\n" for line in lines)
