"""Webhooks: signed POST requests to callers' URLs, behind the guard of url_guard.py.

They follow Standard Webhooks 1.0 (standardwebhooks.com), and most languages have libraries for its signatures. A
signature is the HMAC-SHA256 of `ID.TIMESTAMP.BODY`, in base64, with a separate secret for each API key. Every secret of
the service signs, so that one can be changed without a break.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packshot.service.environment import variable_of
from packshot.service.url_guard import UrlGuard

if TYPE_CHECKING:
    from packshot.service.settings import Settings

PAUSES_S = (5, 30, 120, 600, 3600, 3 * 3600, 8 * 3600)
"""Pauses before the second attempt, the third and so on. After the last attempt the webhook has failed."""
DEADLINE_S = 15.0
AT_ONCE = 8
"""Webhooks that one replica sends at the same time."""
_GONE = 410
_PURPOSE = b"packshot-webhook-1:"
_HINT = "Leave it out, and read the job with GET /v1/jobs/ID."

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Delivery:
    """The outcome of an attempt. problem: the failure, or "". is_final: whether another attempt is useless."""

    problem: str = ""
    is_final: bool = False


class Webhooks:
    """Signs and sends webhooks. One instance serves all jobs."""

    def __init__(self, settings: Settings, secrets: Sequence[str], now: Callable[[], float]) -> None:
        """secrets: of the service. Raises BadSettings if webhooks are on and packshot[url] is not installed."""
        self._secrets = [secret.encode() for secret in secrets]
        self._now = now
        self.guard = UrlGuard(
            settings.webhooks, settings.webhook_hosts, settings.webhook_networks, AT_ONCE, variable_of("webhooks")
        )

    def close(self) -> None:
        self.guard.close()

    def secret(self, key_id: str) -> str:
        """The secret with which a key's owner verifies signatures, in the form of Standard Webhooks."""
        return "whsec_" + base64.b64encode(self._key(self._secrets[0], key_id)).decode()

    def check(self, url: str, field: str) -> None:
        """Check the text of a webhook's URL, without a DNS lookup.

        Raises
        ------
        UrlRefused
        """
        why = "this service sends no webhooks"
        self.guard.check_on(field=field, why=why, hint=f"{_HINT} The operator of the service can turn them on")
        self.guard.check_text(url, field=field, hint=_HINT)

    async def send(self, url: str, message_id: str, body: bytes, key_id: str) -> Delivery:
        """Make one attempt. message_id: the same in every attempt, so that a receiver recognises repeats."""
        try:
            async with asyncio.timeout(DEADLINE_S):
                status = await self._post(url, self._headers(message_id, body, key_id), body)
        except TimeoutError:
            return Delivery("The URL did not answer in time.")
        except ValueError as error:
            return Delivery(f"The URL {error}.")
        except ConnectionError as error:
            return Delivery(f"The URL {error}.")
        if 200 <= status < 300:
            return Delivery()
        hint = "; redirects are not followed" if 300 <= status < 400 else ""
        return Delivery(f"The URL returned the HTTP status {status}{hint}.", is_final=status == _GONE)

    async def _post(self, url: str, headers: dict[str, str], body: bytes) -> int:
        from packshot.service.url_connection import answer  # noqa: PLC0415 - an extra

        target = self.guard.read(url)
        self.guard.check(target)
        addresses = await self.guard.addresses(target, self.guard.look_up(target))
        async with answer(target, addresses, self.guard.tls, DEADLINE_S, body=body, headers=headers) as response:
            return response.status  # the body is not read

    def _headers(self, message_id: str, body: bytes, key_id: str) -> dict[str, str]:
        timestamp = str(int(self._now()))
        signed = f"{message_id}.{timestamp}.".encode() + body
        signatures = [hmac.digest(self._key(secret, key_id), signed, "sha256") for secret in self._secrets]
        return {
            "Content-Type": "application/json",
            "Webhook-Id": message_id,
            "Webhook-Timestamp": timestamp,
            "Webhook-Signature": " ".join(f"v1,{base64.b64encode(each).decode()}" for each in signatures),
        }

    @staticmethod
    def _key(secret: bytes, key_id: str) -> bytes:
        return hmac.digest(secret, _PURPOSE + key_id.encode(), "sha256")
