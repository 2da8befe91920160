"""Talk to a packshot service from Python: `pip install packshot[client]`.

    from packshot.client import Client

    with Client("http://127.0.0.1:8000", "YOUR_KEY") as client:
        mug = client.packshot("mug.jpg", preset="amazon")
        mug.save("mug-amazon")

It needs httpx alone and loads none of the image work. AsyncClient does the same on asyncio. docs/client.md tells more.
"""

from __future__ import annotations

try:
    import httpx as _httpx  # noqa: F401 - only to say at once that it is missing
except ModuleNotFoundError as _error:
    raise ModuleNotFoundError(
        "packshot.client needs httpx. Install it with `pip install 'packshot[client]'`.", name="httpx"
    ) from _error

from packshot.client.asynchronous import AsyncClient
from packshot.client.blocking import Client
from packshot.client.errors import (
    BadInput,
    Busy,
    ClientError,
    Conflict,
    NoAccess,
    NoForeground,
    NotReached,
    NotUnderstood,
    OutOfCredits,
    Problem,
    ServiceFault,
)
from packshot.client.options import OptionFields, Photo
from packshot.client.results import (
    Check,
    FormatInfo,
    Inputs,
    Link,
    OptionInfo,
    Packshot,
    PresetInfo,
    Rectangle,
    Repair,
    Report,
    RuleInfo,
    ServiceInfo,
    Size,
)

__all__ = [
    "AsyncClient",
    "BadInput",
    "Busy",
    "Check",
    "Client",
    "ClientError",
    "Conflict",
    "FormatInfo",
    "Inputs",
    "Link",
    "NoAccess",
    "NoForeground",
    "NotReached",
    "NotUnderstood",
    "OptionFields",
    "OptionInfo",
    "OutOfCredits",
    "Packshot",
    "Photo",
    "PresetInfo",
    "Problem",
    "Rectangle",
    "Repair",
    "Report",
    "RuleInfo",
    "ServiceFault",
    "ServiceInfo",
    "Size",
]
