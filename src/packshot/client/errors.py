"""Every error of the client.

    ClientError
     |- NotReached         no answer came: no connection, silence, or the time was over
     |- NotUnderstood      an answer came, and it is not one of packshot's
     |- NotFinished        the time to wait for a job is over
     |- BadWebhook         a request that is no webhook of the service
     '- Problem            the service says what is wrong
         |- BadInput       the photo or an option; the same request will fail again
         |   '- NoForeground   the photo was read, and nothing in it stands out
         |- NoAccess       the key, and what it allows
         |   '- OutOfCredits
         |- Conflict       the idempotency key belongs to another request
         |- Busy           too many requests; the same one later will do
         '- ServiceFault   the service, or something between, failed

The tree stands apart from packshot.errors: those are what went wrong inside a service, these what a caller of one can
do something about. Temporary ones (Busy, 502 to 504, NotReached) were tried again before they are raised.
"""

from __future__ import annotations

import http
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from packshot.client.jobs import Job

# What RFC 9457 and packshot say themselves; all other members are the figures behind the words.
_SAID = frozenset({"type", "title", "status", "detail", "slug", "hint", "request_id", "instance"})


class ClientError(Exception):
    """Base of all. `message` says what happened, `hint` what to do about it."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class NotReached(ClientError):
    """No answer came. `__cause__` is httpx's own error, where there was one."""


class NotUnderstood(ClientError):
    """An answer that is not packshot's: another service's, or a page of something in between."""


class NotFinished(ClientError):
    """The time to wait for a job is over, and it goes on. `job` is how it stood last."""

    def __init__(self, message: str, job: Job, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.job = job


class BadWebhook(ClientError):
    """A request that says it is a webhook of the service, and is not, or is too old."""


class Problem(ClientError):
    """What the service says.

    status: of HTTP. slug: a stable name, "" when something before the service answered. fields: such as `field` and
    `allowed`. request_id: names the request in the operator's log. retry_after_s: what the service asked for.
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
    """The exception for an answer of 400 or above, whatever its body is."""
    said = _members(body)
    slug = str(said.get("slug", ""))
    kind = _BY_SLUG.get(slug) or _BY_STATUS.get(status) or (BadInput if status < 500 else ServiceFault)
    return kind(
        str(said.get("detail") or said.get("title") or f"The service answered {status} {_phrase(status)}.".strip()),
        status=status,
        hint=str(said.get("hint", "")),
        slug=slug,
        fields={name: value for name, value in said.items() if name not in _SAID},
        request_id=str(said.get("request_id") or request_id),
        retry_after_s=retry_after_s,
    )


def _members(body: bytes) -> Mapping[str, Any]:
    """What the body says, if it is an object; a page of a proxy says nothing."""
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
