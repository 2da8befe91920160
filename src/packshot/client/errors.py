"""The errors of the client.

    ClientError
     |- NotReached         no response: no connection, silence, or timeout
     |- NotUnderstood      the response is not from packshot
     |- NotFinished        the time to wait for a job is over
     |- BadWebhook         the request is not a genuine webhook
     '- Problem            an error response of the service
         |- BadInput       wrong photo or option; the same request will fail again
         |   '- NoForeground   the photo contains no product
         |- NoAccess       wrong key, or a key without permission
         |   '- OutOfCredits
         |- Conflict       the idempotency key belongs to another request
         |- Busy           too many requests; the same request will work later
         '- ServiceFault   the service, or a proxy in front of it, failed

This tree is separate from packshot.errors: packshot.errors are failures inside the service, and these are failures that
a caller can handle. Temporary errors (Busy, 502 to 504, NotReached) are raised only after retries.
"""

from __future__ import annotations

import http
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from packshot.client.jobs import Job

# Members defined by RFC 9457 and packshot. All other members are figures of the problem.
_SAID = frozenset({"type", "title", "status", "detail", "slug", "hint", "request_id", "instance"})


class ClientError(Exception):
    """Base class. `message` says what happened, `hint` what to do."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class NotReached(ClientError):
    """No response arrived. `__cause__` is the error of httpx."""


class NotUnderstood(ClientError):
    """The response is not from packshot, but from another service or a proxy."""


class NotFinished(ClientError):
    """The time to wait for a job is over; the job continues. `job`: its last known state."""

    def __init__(self, message: str, job: Job, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.job = job


class BadWebhook(ClientError):
    """A request with an invalid webhook signature, or one that is too old."""


class Problem(ClientError):
    """An error response of the service.

    status: HTTP status. slug: stable name of the error; "" if a proxy answered. fields: more members, such as `field`
    and `allowed`. request_id: id of the request in the operator's log. retry_after_s: seconds from Retry-After.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        hint: str = "",
        slug: str = "",
        fields: Mapping[str, Any] | None = None,
        request_id: str = "",
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.slug = slug
        self.fields: Mapping[str, Any] = fields or {}
        self.request_id = request_id
        self.retry_after_s = retry_after_s


class BadInput(Problem):
    pass


class NoForeground(BadInput):
    pass


class NoAccess(Problem):
    pass


class OutOfCredits(NoAccess):
    pass


class Conflict(Problem):
    pass


class Busy(Problem):
    pass


class ServiceFault(Problem):
    pass


_BY_SLUG: Mapping[str, type[Problem]] = {"no-foreground": NoForeground, "out-of-credits": OutOfCredits}
_BY_STATUS: Mapping[int, type[Problem]] = {
    401: NoAccess,
    402: OutOfCredits,
    403: NoAccess,
    409: Conflict,
    429: Busy,
    503: Busy,
}


def make_problem(status: int, body: bytes, request_id: str, retry_after_s: float | None) -> Problem:
    """The exception for a response with status 400 or above and any body."""
    said = _members(body)
    slug = str(said.get("slug", ""))
    kind = _BY_SLUG.get(slug) or _BY_STATUS.get(status) or (BadInput if status < 500 else ServiceFault)
    return kind(
        str(said.get("detail") or said.get("title") or f"The service returned {status} {_phrase(status)}.".strip()),
        status=status,
        hint=str(said.get("hint", "")),
        slug=slug,
        fields={name: value for name, value in said.items() if name not in _SAID},
        request_id=str(said.get("request_id") or request_id),
        retry_after_s=retry_after_s,
    )


def _members(body: bytes) -> Mapping[str, Any]:
    """The members of a JSON object; empty for any other body, such as a proxy's page."""
    try:
        said = json.loads(body)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _phrase(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return ""
