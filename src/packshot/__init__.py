"""packshot: product photos in, packshots out.

    import packshot

    packshot.remove("mug.jpg").save("mug.png")                          # a cutout
    png = packshot.remove_background(data)                              # bytes in, bytes out
    result = packshot.remove("mug.jpg", preset="amazon", margin="5%")   # options are keywords
    result.image, result.matte, result.confidence                       # PIL, numpy, 0 to 1

    packshot.remove_for("mug.jpg", ["amazon", "etsy"])                  # one picture per marketplace, by its name

    for result in packshot.remove_many(Path("photos").glob("*.jpg"), background="white"):
        ...                                                             # many photos, in threads

A photo is a path, bytes, an open file, a PIL image or a numpy array. help(packshot.remove) describes the inputs, the
results and every option. Any problem with a photo or an option raises a packshot.PackshotError, of a kind in
packshot.errors. Its message says what to do.

Importing loads no model and prints nothing. The first call loads the network, and all threads share it.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from packshot import errors as errors
    from packshot.core.codecs.limits import Limits as Limits
    from packshot.core.options import Options as Options
    from packshot.engine.calls import remove as remove
    from packshot.engine.calls import remove_background as remove_background
    from packshot.engine.calls import remove_for as remove_for
    from packshot.engine.calls import remove_many as remove_many
    from packshot.engine.network import load_network as load_network
    from packshot.engine.result import Result as Result
    from packshot.errors import PackshotError as PackshotError

# Turns off telemetry. From 1.29 on, ONNX Runtime would report every session to its makers, starting with its import. It
# would also store an identifier of the machine in the home folder. Ray would report its clusters.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

__version__ = "0.1.0"

__all__ = [
    "Limits",
    "Options",
    "PackshotError",
    "Result",
    "__version__",
    "errors",
    "load_network",
    "remove",
    "remove_background",
    "remove_for",
    "remove_many",
]

_HOME = {
    "Limits": "packshot.core.codecs.limits",
    "Options": "packshot.core.options",
    "PackshotError": "packshot.errors",
    "Result": "packshot.engine.result",
    "load_network": "packshot.engine.network",
    "remove": "packshot.engine.calls",
    "remove_background": "packshot.engine.calls",
    "remove_for": "packshot.engine.calls",
    "remove_many": "packshot.engine.calls",
}


def __getattr__(name: str) -> Any:
    # Public names load on first use: `packshot --help` must not wait for the network runtime.
    if name == "errors":
        return import_module("packshot.errors")
    if name not in _HOME:
        raise AttributeError(f"module 'packshot' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
