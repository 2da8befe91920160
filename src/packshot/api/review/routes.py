"""The endpoints of the review's page, whoever serves it: `packshot review` here, or a service behind its keys.

Every endpoint is a function of an Asked, which knows the place, the person and where work may run.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from packshot.api.errors import UnknownPath
from packshot.api.page.routes import Page, site_files, version_of
from packshot.api.upload import UploadLimits, read_fields
from packshot.batch.review import Review
from packshot.batch.review.making import AGAIN, TOUCH_UP
from packshot.batch.review.photos import Shown, as_csv, described
from packshot.errors import InvalidOption

T = TypeVar("T")

PREFIX = "/v1/reviews"
MOST_PHOTOS = 5_000
"""Photos that the page shows. Beyond it a browser takes seconds to open it; the worst are among them."""

_BODY = UploadLimits(
    file_bytes={"touch_up": TOUCH_UP.max_bytes or 0},
    deadline_s=30.0,
    how="Send multipart/form-data with the fields of a decision: docs/review.md.",
)
# Pictures may show somebody's goods of tomorrow; one that is made again has another address.
_PRIVATE = {"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff"}


class Look(Protocol):
    """Runs what reads files, on a thread."""

    def __call__(self, work: Callable[[], T], /) -> Awaitable[T]: ...


class Work(Protocol):
    """Runs what makes pictures, on a thread and in its turn. pixels: of the photo."""

    def __call__(self, work: Callable[[], T], /, pixels: int) -> Awaitable[T]: ...


@dataclass(frozen=True)
class Asked:
    """A request to the review of one place.

    name: of the place. by: the person, as far as known.
    """

    request: Request
    review: Review
    name: str
    by: str
    look: Look
    work: Work

    @property
    def _photo(self) -> str:
        return str(self.request.path_params["photo"])

    async def find(self) -> Shown:
        return await self.look(lambda: self.review.find(self._photo))


async def list_photos(asked: Asked) -> Response:
    """GET PREFIX/{place}/photos: what needs a person first."""

    def listed() -> bytes:
        photos = asked.review.photos()
        said = {
            "place": asked.name,
            "by": asked.by,
            "count": len(photos),
            "options": AGAIN,
            "photos": [described(shown) for shown in photos[:MOST_PHOTOS]],
        }
        return json.dumps(said).encode()

    return Response(await asked.look(listed), media_type="application/json", headers=_PRIVATE)


async def list_changes(asked: Asked) -> Response:
    """GET PREFIX/{place}/changes: the last revision of every photo that has one."""

    def changes() -> dict[str, int]:
        return {shown.id: shown.revision for shown in asked.review.photos() if shown.revision}

    return JSONResponse(await asked.look(changes), headers=_PRIVATE)


async def tell_photo(asked: Asked) -> Response:
    """GET PREFIX/{place}/photos/{photo}. Pictures that a killed process left unmade are made first."""
    shown = await asked.find()
    if shown.in_force is not None and await asked.look(lambda: asked.review.lacks(shown)):
        shown = await asked.work(lambda: asked.review.settle(shown), shown.pixels)
    return _told(shown)


async def send_photo(asked: Asked) -> Response:
    """GET PREFIX/{place}/photos/{photo}/photo."""
    shown = await asked.find()
    return _picture(*await asked.work(lambda: asked.review.photo(shown), shown.pixels))


async def send_output(asked: Asked) -> Response:
    """GET PREFIX/{place}/photos/{photo}/outputs/{output}."""
    shown, place = await asked.find(), str(asked.request.path_params["output"])
    number = int(place) if place.isdecimal() and len(place) < 4 else -1
    return _picture(*await asked.look(lambda: asked.review.output(shown, number)))


async def send_preview(asked: Asked) -> Response:
    """POST PREFIX/{place}/photos/{photo}/preview: the product cut out, with what the field touch_up has painted."""
    fields = await read_fields(asked.request, _BODY)
    shown, touch_up = await asked.find(), _file(fields)
    return _picture(await asked.work(lambda: asked.review.preview(shown, touch_up), shown.pixels), "image/webp")


async def decide(asked: Asked) -> Response:
    """POST PREFIX/{place}/photos/{photo}/decisions.

    Fields: verdict, or restore with a revision to go back to; revision, the last one that the person has seen; by;
    comment; options as a JSON object for "again"; the file touch_up for "corrected".
    """
    fields = await read_fields(asked.request, _BODY)
    seen, verdict, by = _number(fields, "revision"), _text(fields, "verdict"), _text(fields, "by") or asked.by
    comment, options, touch_up = _text(fields, "comment"), _options(fields), _file(fields)
    restore = _number(fields, "restore") if "restore" in fields else None
    shown, review = await asked.find(), asked.review
    if shown.revision != seen:
        raise review.decisions.conflict(shown.source)

    def judge() -> Shown:
        return review.judge(shown, verdict, by=by, comment=comment)  # type: ignore[arg-type] # it checks the word

    def make() -> Shown:
        if restore is not None:
            return review.restore(shown, restore, by=by)
        if verdict == "corrected":
            if touch_up is None:
                raise InvalidOption("Nothing is painted.", hint="Send what was painted as the file touch_up.")
            return review.correct(shown, touch_up, by=by, comment=comment)
        return review.again(shown, options, by=by, comment=comment)

    makes = restore is not None or verdict in {"corrected", "again"}
    return _told(await (asked.work(make, shown.pixels) if makes else asked.look(judge)))


async def send_table(asked: Asked) -> Response:
    """GET PREFIX/{place}/decisions.csv."""
    text = await asked.look(lambda: as_csv(asked.review.photos()))
    headers = {**_PRIVATE, "Content-Disposition": 'attachment; filename="decisions.csv"'}
    return Response(text.encode("utf-8", "backslashreplace"), media_type="text/csv; charset=utf-8", headers=headers)


Handle = Callable[[Asked], Awaitable[Response]]

ROUTES: tuple[tuple[str, str, Handle], ...] = (
    ("GET", "/photos", list_photos),
    ("GET", "/changes", list_changes),
    ("GET", "/decisions.csv", send_table),
    ("GET", "/photos/{photo}", tell_photo),
    ("GET", "/photos/{photo}/photo", send_photo),
    ("GET", "/photos/{photo}/outputs/{output}", send_output),
    ("POST", "/photos/{photo}/preview", send_preview),
    ("POST", "/photos/{photo}/decisions", decide),
)
"""Below PREFIX/{place}."""


def place_of(request: Request, reviews: Mapping[str, Review]) -> tuple[str, Review]:
    """The place that a request names. Raises: UnknownPath."""
    name = str(request.path_params["place"])
    if name not in reviews:
        raise UnknownPath("There is no such review.", hint=f"GET {PREFIX} lists those that there are.")
    return name, reviews[name]


def read_review_page(*, with_keys: bool) -> Page:
    """The page's files: those of the service's page, which it shares modules with, and its own over them.

    with_keys: whether the page asks for an access key.
    """
    files = {**site_files("packshot.api.page"), **site_files("packshot.api.review")}
    version = version_of(files)
    own = files["index.html"].replace(b"VERSION", version.encode())
    files["index.html"] = own.replace(b"WITH_KEYS", b"yes" if with_keys else b"no")
    return Page(files, version)


async def on_a_thread(work: Callable[[], T]) -> T:
    return await asyncio.to_thread(work)


def _told(shown: Shown) -> Response:
    return JSONResponse(described(shown), headers=_PRIVATE)


def _picture(data: bytes, media_type: str) -> Response:
    # An output is a picture file; were it anything else, no browser would run it.
    headers = {**_PRIVATE, "Content-Security-Policy": "default-src 'none'; sandbox"}
    return Response(data, media_type=media_type, headers=headers)


def _text(fields: Mapping[str, object], name: str) -> str:
    value = fields.get(name, "")
    if not isinstance(value, str):
        raise InvalidOption(f"The field {name} is no text.", hint="See docs/review.md.", field=name)
    return value.strip()


def _number(fields: Mapping[str, object], name: str) -> int:
    text = _text(fields, name)
    if not text.isdecimal() or len(text) > 6:
        raise InvalidOption(
            f"The field {name} is {text[:40]!r}.",
            hint="Give the number of the revision that you have seen.",
            field=name,
        )
    return int(text)


def _options(fields: Mapping[str, object]) -> dict[str, str]:
    said: Any = None
    with suppress(ValueError, RecursionError):
        said = json.loads(_text(fields, "options") or "{}")
    if not isinstance(said, dict) or not all(isinstance(value, str) for value in said.values()):
        raise InvalidOption("The field options is no JSON object of texts.", hint='Such as {"rotate": "90"}.')
    return said


def _file(fields: Mapping[str, object]) -> bytes | None:
    value = fields.get("touch_up") or None
    if value is not None and not isinstance(value, bytes):
        raise InvalidOption("The field touch_up is no file.", hint="Send a gray PNG file.", field="touch_up")
    return value
