"""Progress of a download on stderr: one moving line at a terminal, a line every ten seconds elsewhere."""

from __future__ import annotations

import sys
import time

import click

from packshot.engine.transfer import Watcher


class Meter(Watcher):
    """Shows megabytes, percentage and speed of one model's download."""

    def __init__(self, name: str) -> None:
        self._name, self._at_terminal = name, sys.stderr.isatty()
        self._every_s = 0.2 if self._at_terminal else 10.0
        self._began_s = self._shown_s = time.monotonic()
        self._began_bytes: int | None = None

    def progress(self, done_bytes: int, total_bytes: int | None) -> None:
        now_s = time.monotonic()
        if self._began_bytes is None:
            self._began_bytes = done_bytes
        if now_s - self._shown_s < self._every_s and done_bytes != total_bytes:
            return
        self._shown_s = now_s
        speed = (done_bytes - self._began_bytes) / 1e6 / max(now_s - self._began_s, 1e-3)
        of = f" of {total_bytes / 1e6:.1f} MB, {done_bytes / total_bytes:.0%}" if total_bytes else " MB"
        self._show(f"{self._name}: {done_bytes / 1e6:.1f}{of}, {speed:.1f} MB/s", ends=done_bytes == total_bytes)

    def notice(self, text: str) -> None:
        self._show(f"{self._name}: {text}", ends=True)

    def _show(self, line: str, *, ends: bool) -> None:
        if self._at_terminal:
            click.echo(f"\r\033[K{line}", nl=ends, err=True)
        else:
            click.echo(line, err=True)
