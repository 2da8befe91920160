"""Probes for whatever watches over the process."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from packshot import __version__
from packshot.api.ailab.envelope import Envelope
from packshot.service.build import Service


class Health(BaseModel):
    """What a probe answers when all is well."""

    status: str = "ok"
    version: str = __version__


def router(service: Service) -> APIRouter:
    """/healthz: the process answers. /readyz: the next request would be served."""
    routes = APIRouter(tags=["Probes"])

    @routes.get("/healthz", summary="Is the process alive?", operation_id="healthz")
    async def healthz() -> Health:
        return Health()

    @routes.get(
        "/readyz",
        summary="Would the next request be served?",
        operation_id="readyz",
        responses={
            502: {"model": Envelope, "description": "The store fails"},
            503: {"model": Envelope, "description": "Shutting down (Retry-After)"},
        },
    )
    async def readyz() -> Health:
        await service.check_ready()
        return Health()

    return routes
