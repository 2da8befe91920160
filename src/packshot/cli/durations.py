"""Lengths of time on the command line: 30d, 12h, 45m, 90s."""

from __future__ import annotations

import re
from typing import Any

import click

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_FORM = re.compile(r"(\d{1,6})([smhd])")


class Duration(click.ParamType[float]):
    """A whole number and a unit, as seconds. With `word`, that word stands for None."""

    name = "duration"

    def __init__(self, word: str | None = None) -> None:
        self._word = word

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds; infinity for the word."""
        if isinstance(value, int | float):
            return float(value)
        if value == self._word:
            return float("inf")
        found = _FORM.fullmatch(value.strip().lower())
        if found is None:
            also = f", or {self._word}" if self._word else ""
            self.fail(f"{value!r} is no length of time. Write it as 30d, 12h, 45m or 90s{also}.", param, ctx)
        return float(int(found[1]) * _SECONDS[found[2]])
