"""Webhooks of a service: whether one is genuine, and what it says.

They are signed by Standard Webhooks 1.0: the HMAC-SHA256 of `ID.TIMESTAMP.BODY` in base64, with the secret of the
account. While the service changes its own secret, a webhook has a signature by each of the two.
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
    """The headers of a request: a dict, or what Flask, Django, Starlette or httpx has."""

    def items(self) -> Iterable[tuple[str, str]]: ...


@dataclass(frozen=True)
class Event:
    """A webhook that is genuine.

    id: the same in every try, so that a receiver can tell what it has had. type: "job.finished". timestamp: when this
    try was made. job: with its first 20 photos; `client.job(event.job.id)` has all.
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
    """Check that a webhook comes from the service, unchanged and just now.

    Parameters
    ----------
    body
        The bytes as they came: JSON that was read and written again has another signature.
    headers
        Of the request. Case does not matter.
    secret
        `webhook_secret` of the account. Several while it changes; one of them must match.
    tolerance_s
        The most that the time of the webhook may differ from this machine's.
    now
        Seconds since 1970.

    Raises
    ------
    BadWebhook
        It is not genuine, or too old. Answer with 400.
    NotUnderstood
        It is genuine, and of a newer service than this client knows.
    ValueError
        The secret is none.
    """
    keys = [_key(each) for each in ([secret] if isinstance(secret, str) else secret)]
    if not keys:
        raise ValueError("There is no secret. Take webhook_secret of the account.")
    given = {name.lower(): value for name, value in headers.items()}
    missing = [name for name in _NAMES if not given.get(name)]
    if missing:
        raise BadWebhook(f"The request has no header {missing[0]}.", hint="Is it a webhook of packshot's?")
    message_id, sent_at, signatures = (given[name] for name in _NAMES)
    # Texts are compared, not the bytes behind them: base64 has several texts for the same bytes.
    signed = f"{message_id}.{sent_at}.".encode(errors="surrogatepass") + body
    expected = [b"v1," + base64.b64encode(hmac.digest(key, signed, "sha256")) for key in keys]
    found = [each.encode(errors="surrogatepass") for each in signatures.split(" ")]
    if not any(hmac.compare_digest(mine, theirs) for mine in expected for theirs in found):
        raise BadWebhook(
            "No signature of the webhook matches.",
            hint="Give the body as it came, and the webhook_secret of the key that began the job.",
        )
    _check_age(sent_at, tolerance_s, now())
    return _read(message_id, body)


def _key(secret: str) -> bytes:
    """Raises ValueError. The secret itself is not shown: errors end in logs."""
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except ValueError:
        key = b""
    if not key:
        raise ValueError(f"The secret is no webhook_secret of an account: {_PREFIX} and base64.")
    return key


def _check_age(sent_at: str, tolerance_s: float, now_s: float) -> None:
    if not (sent_at.isascii() and sent_at.isdecimal() and len(sent_at) <= _LONGEST_TIMESTAMP):
        raise BadWebhook("The header webhook-timestamp is no number of seconds.")
    age_s = now_s - int(sent_at)
    if abs(age_s) > tolerance_s:
        when = "old" if age_s > 0 else "ahead"
        raise BadWebhook(
            f"The webhook is {abs(age_s):.0f} s {when}; {tolerance_s:.0f} s are allowed.",
            hint="Somebody may have sent it again. Or a clock is wrong.",
        )


def _read(message_id: str, body: bytes) -> Event:
    try:
        said = json.loads(body)
        sent_at = datetime.fromisoformat(said["timestamp"])
        return Event(message_id, str(said["type"]), sent_at, Job.from_json(said["data"]))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise NotUnderstood(
            f"The webhook is genuine, and this client cannot read it: {error!r}.", hint="Update packshot[client]."
        ) from error
