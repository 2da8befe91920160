"""GET /api/common/query-credits: what a key has left, in the vendor's envelope.

The pinned contract describes the photo's endpoint alone. `data` here is what clients of the vendor read: a list of
pools of credits, whose balances they add up. There is one kind of credit in this service, so there is one pool.
"""

from __future__ import annotations

from typing import Self

from fastapi import APIRouter, Security
from fastapi.security import APIKeyHeader
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from packshot.api.ailab.envelope import Envelope, ErrorDetail
from packshot.api.ailab.routes import ERRORS, KEY_HEADERS
from packshot.api.answers import request_id_of
from packshot.api.keys import admit, key_of
from packshot.service.accounts import KeyInfo
from packshot.service.build import Service

PATH = "/api/common/query-credits"
# A key without an end of credits has that many, for programs which look whether there are enough.
ENDLESS_CREDITS = 1_000_000


class Pool(BaseModel):
    """Credits of one kind. What is not known here is 0."""

    unique_sign: str = Field(description="Names the key; it is no secret.")
    name: str = Field(description="What the operator calls the key.")
    balance: int = Field(description=f"Credits left; {ENDLESS_CREDITS} where there is no end of them.")
    total: int = Field(description="Credits left and spent.")
    last_recharge_balance: int = 0
    balance_warning: int = 0
    first_buy_time: int = Field(description="When the key was made, in seconds since 1970.")
    last_update_time: int = Field(description="When it was last used, in seconds since 1970.")

    @classmethod
    def of(cls, key: KeyInfo) -> Self:
        balance = ENDLESS_CREDITS if key.credits is None else key.credits
        return cls(
            unique_sign=key.id,
            name=key.name,
            balance=balance,
            total=balance + key.used,
            first_buy_time=int(key.created_at),
            last_update_time=int(key.last_used_at or key.created_at),
        )


class CreditsEnvelope(Envelope):
    """The envelope of the credits query."""

    data: list[Pool]


def router(service: Service) -> APIRouter:
    """The route over the parts of a service."""
    routes = APIRouter(tags=["Drop-in contract"])

    async def query_credits(request: Request) -> Response:
        key = await admit(service, request, key_of(request, KEY_HEADERS))
        request_id = request_id_of(request)
        envelope = CreditsEnvelope(
            request_id=request_id,
            log_id=request_id,
            error_code=0,
            error_detail=ErrorDetail(status_code=200),
            data=[Pool.of(key)],
        )
        return JSONResponse(envelope.model_dump(), headers={"Cache-Control": "no-store"})

    routes.add_api_route(
        PATH,
        query_credits,
        methods=["GET"],
        summary="The credits of a key",
        operation_id="queryCredits",
        response_model=CreditsEnvelope,
        responses={status: ERRORS[status] for status in (401, 403, 405, 429, 500, 503)},
        dependencies=[Security(APIKeyHeader(name=name, scheme_name=name, auto_error=False)) for name in KEY_HEADERS],
    )
    return routes
