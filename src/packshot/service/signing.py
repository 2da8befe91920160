"""Result links that expire: HMAC-SHA256 over the result's name and its expiry, with room for a second secret."""

from __future__ import annotations

import base64
import hmac
import time
from collections.abc import Callable, Sequence

from packshot.errors import BadSignature, ResultExpired

# Keeps a signature apart from anything else that might ever be signed with the same secret.
_PURPOSE = b"packshot-result-1:"


class UrlSigner:
    """Signs and checks. The first secret signs, all verify, so that a secret can be changed without breaking links."""

    def __init__(self, secrets: Sequence[bytes | str], now: Callable[[], float] = time.time) -> None:
        if not secrets:
            raise ValueError("a signer needs a secret")
        self._secrets = [secret.encode() if isinstance(secret, str) else bytes(secret) for secret in secrets]
        self._now = now

    def sign(self, result_id: str, expires: int) -> str:
        """The signature of a result until `expires`, seconds since 1970: 43 URL-safe characters."""
        return _signature(self._secrets[0], result_id, str(expires))

    def verify(self, result_id: str, expires: str, signature: str) -> None:
        """Check a link as it came from outside: the signature first, so that only true links learn about expiry.

        Raises
        ------
        BadSignature
            The link was not made here, or was altered in any character.
        ResultExpired
            The link is true and its time is over.
        """
        # Digits only: then the text that is signed can be split in one way alone.
        canonical = expires.isascii() and expires.isdecimal()
        given = _as_bytes(signature)
        true = [hmac.compare_digest(given, _signature(key, result_id, expires).encode()) for key in self._secrets]
        if not (canonical and any(true)):
            raise BadSignature("This link was not made here, or was altered.", hint="Use the link as it was given.")
        if self._now() >= int(expires):
            raise ResultExpired("This result's time is over.", hint="Send the photo again.", expires=int(expires))


def _signature(secret: bytes, result_id: str, expires: str) -> str:
    message = _PURPOSE + _as_bytes(expires) + b":" + _as_bytes(result_id)
    return base64.urlsafe_b64encode(hmac.digest(secret, message, "sha256")).rstrip(b"=").decode()


def _as_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")  # any text may stand in a URL; none of it may end in a 500
