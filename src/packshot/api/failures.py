"""The answer to an error, in the words of the dialect that the path belongs to. Every handler of errors asks here."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from packshot.api.ailab import envelope
from packshot.api.answers import Failure
from packshot.api.native import problem
from packshot.api.removebg import errors as removebg
from packshot.errors import PackshotError

# The first prefix that a path begins with decides; a dialect is a line here and a folder beside this file.
DIALECTS: tuple[tuple[str, Failure], ...] = (
    ("/v1.0/", removebg.failure),
    ("/v1/", problem.failure),
    ("", envelope.failure),  # whatever else, also the empty path of `GET ?a HTTP/1.1`
)


def failure(request: Request, error: PackshotError) -> Response:
    """What `error` looks like under this request's path."""
    answer = next(answer for prefix, answer in DIALECTS if request.url.path.startswith(prefix))
    return answer(request, error)
