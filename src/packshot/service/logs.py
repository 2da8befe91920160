"""Logging of a running service: one line an event on stderr, with its time in UTC."""

from __future__ import annotations

import logging
import time


def set_up_logging(level: str) -> None:
    """Send the logs of packshot and of the server to stderr. `level` is "debug", "info", "warning" or "error"."""
    formatter = logging.Formatter("%(asctime)sZ %(levelname)s %(name)s %(message)s", "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("uvicorn.error").setLevel(max(logging.WARNING, logging.getLogger().level))
