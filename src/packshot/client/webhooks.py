"""Verifies and reads webhooks of the service.

The signature follows Standard Webhooks 1.0: the HMAC-SHA256 of `ID.TIMESTAMP.BODY` in base64, with the account's
secret. While the operator rotates the service's secret, a webhook has two signatures.
"""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from packshot.client.errors import BadWebhook, NotUnderstood
from packshot.client.jobs import Job

TOLERANCE_S = 300.0
_PREFIX = "whsec_"
_NAMES = ("webhook-id", "webhook-timestamp", "webhook-signature")
_LONGEST_TIMESTAMP = 15


class Headers(Protocol):
    """The headers of a request: a dict, or the headers of Flask, Django, Starlette or httpx."""

    def items(self) -> Iterable[tuple[str, str]]: ...


@dataclass(frozen=True)
class Event:
    """A genuine webhook.

    id: the same in every try, so that a receiver can detect duplicates. type: "job.finished". timestamp: time of this
    try. job: with its first 20 photos; `client.job(event.job.id)` returns all.
    """

    id: str
    type: str
    timestamp: datetime
    job: Job


def verify_webhook(
    body: bytes,
    headers: Headers,
    secret: str | Sequence[str],
    *,
    tolerance_s: float = TOLERANCE_S,
    now: Callable[[], float] = time.time,
) -> Event:
    """Check that a webhook is from the service, unchanged and recent, and read it.

    Parameters
    ----------
    body
        The raw bytes of the request. Parsed and rewritten JSON has another signature.
    headers
        The headers of the request. Case does not matter.
    secret
        `webhook_secret` of the account; several during a rotation. One of them must match.
    tolerance_s
        Largest difference between the webhook's time and this machine's, seconds.
    now
        Returns the time in seconds since 1970.

    Raises
    ------
    BadWebhook
        The webhook is not genuine, or too old. Respond with 400.
    NotUnderstood
        The webhook is genuine, but from a service that is newer than this client.
    ValueError
        The secret is missing or invalid.
    """
    keys = [_key(each) for each in ([secret] if isinstance(secret, str) else secret)]
    if not keys:
        raise ValueError("The secret is missing. Use webhook_secret of the account.")
    given = {name.lower(): value for name, value in headers.items()}
    missing = [name for name in _NAMES if not given.get(name)]
    if missing:
        raise BadWebhook(f"The request has no header {missing[0]}.", hint="Check that it is a webhook from packshot.")
    message_id, sent_at, signatures = (given[name] for name in _NAMES)
    # Compare texts, not decoded bytes: several base64 texts can decode to the same bytes.
    signed = f"{message_id}.{sent_at}.".encode(errors="surrogatepass") + body
    expected = [b"v1," + base64.b64encode(hmac.digest(key, signed, "sha256")) for key in keys]
    found = [each.encode(errors="surrogatepass") for each in signatures.split(" ")]
    if not any(hmac.compare_digest(mine, theirs) for mine in expected for theirs in found):
        raise BadWebhook(
            "No signature of the webhook matches.",
            hint="Give the raw body, and the webhook_secret of the key that started the job.",
        )
    _check_age(sent_at, tolerance_s, now())
    return _read(message_id, body)


def _key(secret: str) -> bytes:
    """Decode a secret. Raises: ValueError, without the secret, because errors go to logs."""
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except ValueError:
        key = b""
    if not key:
        raise ValueError(f"The secret is not a webhook_secret, which is {_PREFIX} and base64.")
    return key


def _check_age(sent_at: str, tolerance_s: float, now_s: float) -> None:
    if not (sent_at.isascii() and sent_at.isdecimal() and len(sent_at) <= _LONGEST_TIMESTAMP):
        raise BadWebhook("The header webhook-timestamp is not a number of seconds.")
    age_s = now_s - int(sent_at)
    if abs(age_s) > tolerance_s:
        when = "old" if age_s > 0 else "ahead"
        raise BadWebhook(
            f"The webhook is {abs(age_s):.0f} s {when}; {tolerance_s:.0f} s are allowed.",
            hint="Check this machine's clock; or another party has replayed the webhook.",
        )


def _read(message_id: str, body: bytes) -> Event:
    try:
        said = json.loads(body)
        sent_at = datetime.fromisoformat(said["timestamp"])
        return Event(message_id, str(said["type"]), sent_at, Job.from_json(said["data"]))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise NotUnderstood(
            f"The webhook is genuine, but this client cannot read it: {error!r}.", hint="Update packshot[client]."
        ) from error
