"""Download a URL into a file: resumes where the file ends, and retries after a cut. Knows nothing of models.

Only `packshot models download` uses it, with a URL from published.toml or from the operator. urllib is enough, and it
honours http_proxy, https_proxy and no_proxy. The caller compares the checksum.
"""

from __future__ import annotations

import contextlib
import http.client
import re
import shutil
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from packshot.errors import BadSettings, ChecksumMismatch, ModelMissing
from packshot.retry import RetryPolicy

CHUNK_BYTES = 1 << 20
BY_HAND = "Or download the file another way and use `--from FOLDER`."
RETRIES = RetryPolicy(attempts=5, first_pause_s=1.0, longest_pause_s=30.0)
"""For attempts that bring no new bytes."""
SILENCE_S = 30.0
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})


class Watcher:
    """Receives the progress of a download. This base class ignores it."""

    def progress(self, done_bytes: int, total_bytes: int | None) -> None:
        """Bytes on disk, and the total where the server gave one."""

    def notice(self, text: str) -> None:
        """A message for a person: a second attempt, or waiting for another process."""


class _Again(Exception):
    """This attempt failed; a retry may succeed. `pause_s` is the pause that the server requested, 0 for none."""

    def __init__(self, why: str, pause_s: float = 0.0) -> None:
        super().__init__(why)
        self.pause_s = pause_s


class Transfer:
    """One download of a URL into a file, over as many connections as needed."""

    def __init__(
        self,
        url: str,
        file: Path,
        expected_bytes: int | None,
        watcher: Watcher,
        *,
        retries: RetryPolicy = RETRIES,
        silence_s: float = SILENCE_S,
    ) -> None:
        self._url, self._file, self._expected_bytes = url, file, expected_bytes
        self._watcher, self._retries, self._silence_s = watcher, retries, silence_s
        self._etag = ""  # of the last response: the next one must continue the same file

    def run(self) -> None:
        """Return when the file has the length that the server gave.

        Raises
        ------
        ModelMissing
            The server refuses, or every attempt failed to reach it.
        ChecksumMismatch
            The server's file has another size than expected; nothing was downloaded.
        BadSettings
            The disk is full or the file cannot be written.
        """
        failures = 0
        while True:
            before = self._have()
            try:
                return self._attempt(before)
            except _Again as error:
                failures = 1 if self._have() >= before + CHUNK_BYTES else failures + 1
                pause_s = self._retries.pause_s(failures)
                if pause_s is None:
                    hint = f"Run the same command again later: it resumes where it stopped. {BY_HAND}"
                    raise ModelMissing(f"{self._url} could not be downloaded: {error}.", hint=hint) from error
                pause_s = min(max(pause_s, error.pause_s), self._retries.longest_pause_s)
                self._watcher.notice(f"{error}; attempt {failures + 1} of {self._retries.attempts} in {pause_s:.1f} s")
                time.sleep(pause_s)

    def _attempt(self, have: int) -> None:
        with self._answer(have) as answer:
            if answer is None:  # the server says that the file is complete
                return
            start = _start(answer) if answer.status == http.HTTPStatus.PARTIAL_CONTENT else 0
            if start not in {0, have}:
                raise _Again(f"the server continued at byte {start} instead of {have}")
            self._etag = answer.headers.get("ETag", "")
            total = _total(answer, start)
            if total is not None:
                self._check_room(total, start)
            total = total or self._expected_bytes
            done = self._copy(answer, start, total)
        if total is not None and done < total:
            raise _Again(f"the connection ended after {done} of {total} bytes")

    @contextlib.contextmanager
    def _answer(self, have: int) -> Iterator[http.client.HTTPResponse | None]:
        """The server's response. Network errors become _Again, or a final error where a retry cannot help."""
        try:
            with urllib.request.urlopen(self._request(have), timeout=self._silence_s) as answer:  # noqa: S310
                yield answer
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and have:
                if f"*/{have}" in error.headers.get("Content-Range", ""):
                    yield None
                    return
                self._file.unlink()
                raise _Again("the server's file is shorter than the part already downloaded") from error
            if error.code in _AGAIN:
                raise _Again(f"the server answered {error.code}", _retry_after_s(error)) from error
            raise ModelMissing(f"{self._url} answered {error.code} {error.reason}.", hint=BY_HAND) from error
        except urllib.error.URLError as error:
            if isinstance(error.reason, ssl.SSLCertVerificationError):
                raise ModelMissing(f"{self._url}: {error.reason}.", hint=BY_HAND) from error
            raise _Again(str(error.reason)) from error
        except (http.client.HTTPException, OSError) as error:
            raise _again(error) from error

    def _request(self, have: int) -> urllib.request.Request:
        headers = {"User-Agent": f"packshot/{version('packshot')}", "Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
            if self._etag.startswith('"'):  # a weak ETag does not identify the bytes
                headers["If-Range"] = self._etag
        return urllib.request.Request(self._url, headers=headers)  # noqa: S310 - the caller's is http or https

    def _copy(self, answer: http.client.HTTPResponse, start: int, total: int | None) -> int:
        """Write the body from byte `start` on, and return where it ended: at the total, or earlier."""
        done = start
        with _disk(self._file), self._file.open("ab") as file:
            file.truncate(start)
            while done != total and (chunk := _read(answer)):
                file.write(chunk)
                done += len(chunk)
                self._watcher.progress(done, total)
        return done

    def _check_room(self, total: int, start: int) -> None:
        if self._expected_bytes not in {None, total}:
            raise ChecksumMismatch(
                f"{self._url} has {total} bytes; this model has {self._expected_bytes}.",
                hint="The server sent something else: a proxy's page, or another file of that name.",
            )
        free = shutil.disk_usage(self._file.parent).free
        if free < total - start:
            raise BadSettings(
                f"{self._file.parent} has {free / 1e6:.0f} MB free; {(total - start) / 1e6:.0f} MB are needed.",
                hint="Make room, or set PACKSHOT_MODELS_DIR to another folder.",
            )

    def _have(self) -> int:
        return self._file.stat().st_size if self._file.exists() else 0


@contextlib.contextmanager
def _disk(path: Path) -> Iterator[None]:
    """Turns disk errors into BadSettings: disk and network errors are both OSErrors, but a retry cannot fix a disk."""
    try:
        yield
    except OSError as error:
        raise BadSettings(
            f"{path} cannot be written: {error.strerror}.", hint="Make room, or set PACKSHOT_MODELS_DIR."
        ) from error


def _read(answer: http.client.HTTPResponse) -> bytes:
    """The bytes available, up to CHUNK_BYTES; empty at the end, or after the connection closed."""
    try:
        return answer.read1(CHUNK_BYTES)
    except (http.client.HTTPException, OSError) as error:
        raise _again(error) from error


def _again(error: Exception) -> _Again:
    return _Again(str(error) or type(error).__name__)


def _start(answer: http.client.HTTPResponse) -> int:
    found = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    if found is None:
        raise _Again("the server sent a partial file without its range")
    return int(found[1])


def _total(answer: http.client.HTTPResponse, start: int) -> int | None:
    """Bytes of the whole file; None if unknown, as in a chunked response."""
    length = answer.headers.get("Content-Length", "")
    return start + int(length) if length.isdecimal() else None


def _retry_after_s(error: urllib.error.HTTPError) -> float:
    asked = error.headers.get("Retry-After", "")
    return float(asked) if asked.isdecimal() else 0.0
