"""The text of an API key: pk_, 43 random characters (256 bits), 6 characters of checksum.

The prefix lets scanners find leaked keys. The checksum tells a mistyped key from a wrong one and refuses rubbish
without a look into the database; it protects nothing else. What is stored is the SHA-256: with 256 random bits there is
nothing to guess, so a slow hash would only cost time.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string
import zlib

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_PREFIX = "pk_"
_RANDOM_CHARACTERS = 43  # 62**43 > 2**256
_CHECKSUM_CHARACTERS = 6  # 62**6 > 2**32
_FORM = re.compile(f"{_PREFIX}[0-9A-Za-z]{{{_RANDOM_CHARACTERS + _CHECKSUM_CHARACTERS}}}")


def new_api_key() -> str:
    """A fresh key, 52 characters."""
    body = _PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_CHARACTERS))
    return body + _checksum(body)


def is_well_formed(key: str) -> bool:
    """Whether the text can be a key at all: form and checksum."""
    if not _FORM.fullmatch(key):
        return False
    return _checksum(key[:-_CHECKSUM_CHARACTERS]) == key[-_CHECKSUM_CHARACTERS:]


def digest_of(key: str) -> bytes:
    """What is stored of a key."""
    return hashlib.sha256(key.encode()).digest()


def _checksum(body: str) -> str:
    rest, characters = zlib.crc32(body.encode()), ""
    for _ in range(_CHECKSUM_CHARACTERS):
        rest, digit = divmod(rest, len(_ALPHABET))
        characters = _ALPHABET[digit] + characters
    return characters
