"""The endpoints of the review page, for both of its servers: `packshot review`, and a service with keys.

Every endpoint is a function of an Asked, which holds the place, the person, and the runners for work.
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
"""Maximum photos on the page, worst first. With more, a browser takes seconds to open it."""

_BODY = UploadLimits(
    file_bytes={"touch_up": TOUCH_UP.max_bytes or 0},
    deadline_s=30.0,
    how='Send multipart/form-data with the fields of a decision. See "Review a catalogue" in the documentation.',
)
# Pictures may show unreleased products. A picture that is made again has another URL.
_PRIVATE = {"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff"}


class Look(Protocol):
    """Runs work that reads files, on a thread."""

    def __call__(self, work: Callable[[], T], /) -> Awaitable[T]: ...


class Work(Protocol):
    """Runs work that makes pictures, on a thread, with limited parallelism. pixels: the photo's pixel count."""

    def __call__(self, work: Callable[[], T], /, pixels: int) -> Awaitable[T]: ...


@dataclass(frozen=True)
class Asked:
    """A request to the review of one place.

    name: the place's name. by: the person's name, if known.
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
    """GET PREFIX/{place}/photos: all photos; those that need a person come first."""

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
    """GET PREFIX/{place}/changes: the latest revision of every photo that has one."""

    def changes() -> dict[str, int]:
        return {shown.id: shown.revision for shown in asked.review.photos() if shown.revision}

    return JSONResponse(await asked.look(changes), headers=_PRIVATE)


async def tell_photo(asked: Asked) -> Response:
    """GET PREFIX/{place}/photos/{photo}. First makes pictures that are missing because a process was killed."""
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
    """POST PREFIX/{place}/photos/{photo}/preview: the cutout with the corrections in the field touch_up."""
    fields = await read_fields(asked.request, _BODY)
    shown, touch_up = await asked.find(), _file(fields)
    return _picture(await asked.work(lambda: asked.review.preview(shown, touch_up), shown.pixels), "image/webp")


async def decide(asked: Asked) -> Response:
    """POST PREFIX/{place}/photos/{photo}/decisions.

    Fields:

    - verdict; or restore: the revision to go back to
    - revision: the latest one that the person has seen
    - by: the person's name
    - comment
    - options: a JSON object, for the verdict "again"
    - touch_up: a file, for the verdict "corrected"
    """
    fields = await read_fields(asked.request, _BODY)
    seen, verdict, by = _number(fields, "revision"), _text(fields, "verdict"), _text(fields, "by") or asked.by
    comment, options, touch_up = _text(fields, "comment"), _options(fields), _file(fields)
    restore = _number(fields, "restore") if "restore" in fields else None
    shown, review = await asked.find(), asked.review
    if shown.revision != seen:
        raise review.decisions.conflict(shown.source)

    def judge() -> Shown:
        return review.judge(shown, verdict, by=by, comment=comment)  # type: ignore[arg-type] # judge checks the word

    def make() -> Shown:
        if restore is not None:
            return review.restore(shown, restore, by=by)
        if verdict == "corrected":
            if touch_up is None:
                raise InvalidOption("The correction is missing.", hint="Send the painted picture as the file touch_up.")
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
    """The place in a request's path: (name, review). Raises: UnknownPath."""
    name = str(request.path_params["place"])
    if name not in reviews:
        raise UnknownPath("This review does not exist.", hint=f"GET {PREFIX} lists all reviews.")
    return name, reviews[name]


def read_review_page(*, with_keys: bool) -> Page:
    """Read the page's files: its own, plus those of the service's page, whose modules it shares.

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
    # The policy keeps a browser from running a file that is not a picture.
    headers = {**_PRIVATE, "Content-Security-Policy": "default-src 'none'; sandbox"}
    return Response(data, media_type=media_type, headers=headers)


def _text(fields: Mapping[str, object], name: str) -> str:
    value = fields.get(name, "")
    if not isinstance(value, str):
        raise InvalidOption(
            f"The field {name} is not a text.", hint='See "Review a catalogue" in the documentation.', field=name
        )
    return value.strip()


def _number(fields: Mapping[str, object], name: str) -> int:
    text = _text(fields, name)
    if not text.isdecimal() or len(text) > 6:
        raise InvalidOption(
            f"The field {name} is {text[:40]!r}.",
            hint="Give the number of the latest revision that you have seen.",
            field=name,
        )
    return int(text)


def _options(fields: Mapping[str, object]) -> dict[str, str]:
    said: Any = None
    with suppress(ValueError, RecursionError):
        said = json.loads(_text(fields, "options") or "{}")
    if not isinstance(said, dict) or not all(isinstance(value, str) for value in said.values()):
        raise InvalidOption("The field options is not a JSON object of texts.", hint='Example: {"rotate": "90"}.')
    return said


def _file(fields: Mapping[str, object]) -> bytes | None:
    value = fields.get("touch_up") or None
    if value is not None and not isinstance(value, bytes):
        raise InvalidOption("The field touch_up is not a file.", hint="Send a gray PNG file.", field="touch_up")
    return value
