"""Probes for whatever watches over the process."""

from __future__ import annotations

from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from packshot import __version__
from packshot.api.dialect import Call, Dialect, Endpoint


class Health(BaseModel):
    """What a probe answers when all is well."""

    status: str = "ok"
    version: str = __version__


async def healthz(_: Call) -> Response:
    """The process answers."""
    return JSONResponse(Health().model_dump())


async def readyz(call: Call) -> Response:
    """The next request would be served."""
    await call.service.check_ready()
    return await healthz(call)


NEUTRAL = Dialect(
    "Probes",
    (
        Endpoint("GET", ("/healthz",), healthz, "Is the process alive?", "healthz", needs_key=False, model=Health),
        Endpoint(
            "GET",
            ("/readyz",),
            readyz,
            "Would the next request be served?",
            "readyz",
            needs_key=False,
            failures=(502, 503),
            model=Health,
        ),
    ),
)
