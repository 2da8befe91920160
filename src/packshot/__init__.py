"""packshot: product photos in, packshots out.

    import packshot

    photo = open("photo.jpg", "rb").read()
    png = packshot.remove_background(photo)
    result = packshot.remove(photo, packshot.Options(preset="amazon"))

Importing loads no model and prints nothing; the network is loaded by the first call and shared by all threads.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from packshot.core.options import Options as Options
    from packshot.engine.network import load_network as load_network
    from packshot.engine.pipeline import Result as Result
    from packshot.engine.pipeline import remove as remove
    from packshot.engine.pipeline import remove_background as remove_background
    from packshot.errors import PackshotError as PackshotError

# Nobody is told that there are photos here. ONNX Runtime since 1.29 would report every session to its makers, from its
# import on, and keep an identifier of the machine in the home folder; Ray would report its clusters.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

__version__ = "0.1.0"

__all__ = ["Options", "PackshotError", "Result", "__version__", "load_network", "remove", "remove_background"]

_HOME = {
    "Options": "packshot.core.options",
    "PackshotError": "packshot.errors",
    "Result": "packshot.engine.pipeline",
    "load_network": "packshot.engine.network",
    "remove": "packshot.engine.pipeline",
    "remove_background": "packshot.engine.pipeline",
}


def __getattr__(name: str) -> Any:
    # Public names load on first use: `packshot --help` must not wait for the network runtime.
    if name not in _HOME:
        raise AttributeError(f"module 'packshot' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
