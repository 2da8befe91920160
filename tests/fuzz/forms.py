"""Request bodies as one byte string for a fuzzer: a byte for the kind of request, then the body."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from random import Random
from urllib.parse import urlencode

from packshot.core.options import OPTIONS
from tests.fuzz.mutate import patched

PATHS = ("/v1/packshots", "/v1.0/removebg", "/cutout/commodity/commodity")
TYPES = (
    "multipart/form-data; boundary=frontier",
    "application/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
)
_MULTIPART, _JSON, _URLENCODED = 0, 1, 2
_CHUNKS = (1 << 20, 1, 7, 64)
PHOTO = b"\x89PNG\r\n\x1a\n0123"


def packed(path: int, kind: int, body: bytes, chunk: int = 0) -> bytes:
    """A body, after the byte for its kind of request."""
    return bytes([path + len(PATHS) * (kind + len(TYPES) * chunk)]) + body


def read_head(data: bytes) -> tuple[str, str, list[bytes]]:
    """Path, Content-Type and the body in chunks."""
    rest, path = divmod(data[0], len(PATHS))
    rest, kind = divmod(rest, len(TYPES))
    step, body = _CHUNKS[rest % len(_CHUNKS)], data[1:]
    return PATHS[path], TYPES[kind], [body[at : at + step] for at in range(0, len(body), step)]


def multipart(parts: Mapping[str, str | bytes]) -> bytes:
    """A multipart form; values of type bytes become files."""
    body = b""
    for name, value in parts.items():
        file = '; filename="a.png"\r\nContent-Type: image/png' if isinstance(value, bytes) else ""
        content = value if isinstance(value, bytes) else value.encode()
        body += (
            f'--frontier\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode() + content + b"\r\n"
        )
    return body + b"--frontier--\r\n"


_WISHES = {name: option.examples[0] for name, option in OPTIONS.items() if option.examples and name != "preset"}
_FIELDS = {
    "size": "auto",
    "format": "jpg",
    "bg_color": "81d4fa80",
    "crop": "true",
    "crop_margin": "10% 5px",
    "roi": "0% 0% 90% 90%",
    "scale": "80%",
    "position": "50% 20%",
    "channels": "rgba",
    "shadow_type": "drop",
    "shadow_opacity": "50",
    "semitransparency": "true",
    "type": "product",
}
_BASE64 = base64.b64encode(PHOTO).decode()

SEEDS: Mapping[str, Callable[[], bytes]] = {
    "photo": lambda: packed(0, _MULTIPART, multipart({"image": PHOTO})),
    "wishes": lambda: packed(0, _MULTIPART, multipart({"image": PHOTO, **_WISHES})),
    "json part": lambda: packed(0, _MULTIPART, multipart({"image": PHOTO, "options": json.dumps(_WISHES)})),
    "files": lambda: packed(
        0, _MULTIPART, multipart({"image": PHOTO, "background_picture": PHOTO, "touch_up": PHOTO}), chunk=2
    ),
    "second dialect": lambda: packed(1, _MULTIPART, multipart({"image_file": PHOTO, **_FIELDS})),
    "second dialect, json": lambda: packed(1, _JSON, json.dumps({"image_file_b64": _BASE64, **_FIELDS}).encode()),
    "second dialect, form": lambda: packed(
        1, _URLENCODED, urlencode({"image_file_b64": _BASE64, **_FIELDS}).encode(), chunk=3
    ),
    "third dialect": lambda: packed(2, _MULTIPART, multipart({"image": PHOTO, "return_form": "mask"}), chunk=1),
}

# Typical traps for form readers: numbers in other alphabets, halves of characters, signs, nesting.
WORDS = (
    *(b"\xff", b"\xed\xa0\x80", b"\0", "\u0661\u0662".encode(), "\u00b2".encode(), b"1e999", b"-0", b"nan", b"1_0"),
    *(b"9" * 5000, b"9" * 400, b'{"canvas": 7}', b'"\\ud800"', b"{" * 3000, b"[" * 3000),
    *(b"null", b"true", b'{"a":{}}', b"%", b"%ff", b"&&", b"=;"),
    *(b"\r\n", b"--frontier", b"--frontier--", b'; filename=""', b"; name*=utf-8''x", b"Content-Disposition: "),
    b"\r\n\r\n",
    *(name.encode() for name in OPTIONS),
    *(name.encode() for name in _FIELDS),
)


def mutate(data: bytes, random: Random) -> bytes:
    """Insert a word, overwrite with a word, or apply the general mutations."""
    for _ in range(random.randint(1, 4)):
        at, word = random.randrange(len(data) + 1), random.choice(WORDS)
        if random.random() < 0.5:
            over = len(word) if random.random() < 0.5 else 0
            data = data[:at] + word + data[at + over :]
        else:
            data = patched(data, random, whole=True)
    return data
