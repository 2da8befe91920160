"""Python client for a packshot service: `pip install packshot[client]`.

    from packshot.client import Client

    with Client("http://127.0.0.1:8000", "YOUR_KEY") as client:
        mug = client.packshot("mug.jpg", preset="amazon")
        mug.save("mug-amazon")

Needs only httpx, and loads no image processing. AsyncClient is the same on asyncio. docs/how-to/client.md tells more.
"""

from __future__ import annotations

try:
    import httpx as _httpx  # noqa: F401 - to report a missing httpx at once
except ModuleNotFoundError as _error:
    raise ModuleNotFoundError(
        "packshot.client needs httpx. Install it with `pip install 'packshot[client]'`.", name="httpx"
    ) from _error

from packshot.client.about import Account, DayUsage, FormatInfo, Inputs, OptionInfo, PresetInfo, RuleInfo, ServiceInfo
from packshot.client.asynchronous import AsyncClient
from packshot.client.blocking import Client
from packshot.client.errors import (
    BadInput,
    BadWebhook,
    Busy,
    ClientError,
    Conflict,
    NoAccess,
    NoForeground,
    NotFinished,
    NotReached,
    NotUnderstood,
    OutOfCredits,
    Problem,
    ServiceFault,
)
from packshot.client.jobs import Counts, Job, JobPage, JobPhoto, PhotoFailure, WebhookState
from packshot.client.options import OptionFields, Photo
from packshot.client.results import Check, Link, Packshot, Rectangle, Repair, Report, Size
from packshot.client.webhooks import Event, verify_webhook

__all__ = [
    "Account",
    "AsyncClient",
    "BadInput",
    "BadWebhook",
    "Busy",
    "Check",
    "Client",
    "ClientError",
    "Conflict",
    "Counts",
    "DayUsage",
    "Event",
    "FormatInfo",
    "Inputs",
    "Job",
    "JobPage",
    "JobPhoto",
    "Link",
    "NoAccess",
    "NoForeground",
    "NotFinished",
    "NotReached",
    "NotUnderstood",
    "OptionFields",
    "OptionInfo",
    "OutOfCredits",
    "Packshot",
    "Photo",
    "PhotoFailure",
    "PresetInfo",
    "Problem",
    "Rectangle",
    "Repair",
    "Report",
    "RuleInfo",
    "ServiceFault",
    "ServiceInfo",
    "Size",
    "WebhookState",
    "verify_webhook",
]
