"""The review in a running service: for the places that the operator names, with the service's keys and queue."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TypeVar

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from packshot.api.dialect import BEARER, Call, Dialect, Endpoint
from packshot.api.page.routes import page_router
from packshot.api.review.routes import PREFIX, ROUTES, Asked, Handle, on_a_thread, place_of, read_review_page
from packshot.batch.review import Review
from packshot.errors import DeadlineExceeded, StorageError
from packshot.service.build import Service
from packshot.service.settings import Settings
from packshot.storage.blocking import open_storage

T = TypeVar("T")

BYTES_PER_PIXEL = 50
"""Maximum memory per pixel: the value of engine/job.py for a picture with alpha, plus a matte."""


def open_reviews(settings: Settings) -> dict[str, Review]:
    """Open the reviews that the settings name. Raises: SetupError; InvalidOption for an invalid place."""
    return {
        name: Review(open_storage(place), device=settings.device, threads=settings.threads)
        for name, place in settings.review_places.items()
    }


def dialect(reviews: Mapping[str, Review]) -> Dialect:
    """The endpoints below PREFIX. Every key of the service can access every review."""

    async def list_reviews(_: Call) -> Response:
        said = [{"place": name, "title": name} for name in reviews]
        return JSONResponse({"reviews": said}, headers={"Cache-Control": "no-store"})

    places = (Endpoint("GET", (PREFIX,), list_reviews), *(_endpoint(reviews, *route) for route in ROUTES))
    return Dialect("Review", places, key_headers=(BEARER, "x-api-key"), takes_any_key=True)


def router() -> APIRouter:
    """GET and HEAD of the page and its files. They are public: they contain no batch data, and the page needs a key."""
    return page_router(read_review_page(with_keys=True), at="/review", files_at="/review")


def _endpoint(reviews: Mapping[str, Review], method: str, path: str, handle: Handle) -> Endpoint:
    async def answer(call: Call) -> Response:
        name, review = place_of(call.request, reviews)
        work = partial(_in_the_queue, call.service, call.key.id)
        try:
            return await handle(Asked(call.request, review, name, call.key.name, on_a_thread, work))
        except StorageError as error:
            # The original message names files and buckets, which must not appear in logs.
            raise type(error)("The storage of this review failed.", hint="Tell the operator, or retry later.") from None

    return Endpoint(method, (f"{PREFIX}/{{place}}{path}",), answer)


async def _in_the_queue(service: Service, key: str, work: Callable[[], T], pixels: int = 0) -> T:
    """Run work on pictures in the service's queue. It costs no credit."""
    deadline_s = service.settings.deadline_s
    running: Awaitable[T] = service.admission.run(work, key=key, memory_bytes=BYTES_PER_PIXEL * pixels)
    try:
        async with asyncio.timeout(deadline_s):
            return await running
    except TimeoutError as error:
        raise DeadlineExceeded(
            f"The pictures were not made within {deadline_s:g} seconds.",
            hint="They may be ready soon: reload the page.",
            deadline_s=deadline_s,
        ) from error
