"""Downloads a published network: fetch, verify, pin it with a card, and only then give the file its name."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

from packshot.engine.card import ModelCard
from packshot.engine.transfer import BY_HAND, RETRIES, Transfer, Watcher
from packshot.engine.weights import ModelEntry, find_card, verify
from packshot.errors import BadSettings, ChecksumMismatch, ModelMissing, PackshotError
from packshot.retry import RetryPolicy


def is_here(entry: ModelEntry, folder: Path) -> bool:
    """Whether the folder already has the network with the right checksum, so that no download is needed."""
    try:
        card, path = find_card(entry.name, folder)
        verify(card, path)
    except PackshotError:
        return False
    return entry.sha256 in {"", card.sha256}


def download(
    entry: ModelEntry,
    folder: Path,
    *,
    source: str | None = None,
    retries: RetryPolicy = RETRIES,
    watcher: Watcher | None = None,
) -> ModelCard:
    """Download a published network into the folder, unless it exists there. Safe in several processes at once.

    The download goes to NAME.onnx.part, which a later run resumes. The file becomes NAME.onnx when its checksums fit:
    the SHA-256 and size where they are known, else the publisher's MD5. NAME.json then pins SHA-256 and size.

    Parameters
    ----------
    entry
        Which network.
    source
        None for the publisher's own URL; or a mirror's URL, a folder, or the file itself.

    Raises
    ------
    ModelMissing
        The network cannot be fetched.
    ChecksumMismatch
        The data is not the published file; nothing of it is kept.
    BadSettings
        The folder cannot be written.
    """
    watcher = watcher or Watcher()
    with _writing(folder), _alone(folder, entry.name, watcher):
        if not is_here(entry, folder):
            _install(entry, folder, source or entry.url, retries, watcher)
    return find_card(entry.name, folder)[0]


def _install(entry: ModelEntry, folder: Path, source: str, retries: RetryPolicy, watcher: Watcher) -> None:
    part = folder / f"{entry.name}.onnx.part"
    begun = part.exists()
    _bring(entry, source, part, retries, watcher)
    try:
        card = _checked(entry, part, source)
    except ChecksumMismatch:
        if not begun:
            raise
        watcher.notice("the rest of an earlier download does not fit; starting again")
        _bring(entry, source, part, retries, watcher)
        card = _checked(entry, part, source)
    # The graph first: without its card it does not count as a model, so a crash in between leaves nothing to load.
    part.replace(folder / card.file)
    written = folder / f"{entry.name}.json.part"
    written.write_text(card.to_json(), encoding="utf-8")
    written.replace(folder / f"{entry.name}.json")


def _bring(entry: ModelEntry, source: str, part: Path, retries: RetryPolicy, watcher: Watcher) -> None:
    """Fetch from a URL, a file, or a folder that holds the file under the publisher's name or ours."""
    if urlsplit(source).scheme in {"http", "https"}:
        url = source if source.endswith(".onnx") else f"{source.rstrip('/')}/{quote(entry.file)}"
        Transfer(url, part, entry.bytes, watcher, retries=retries).run()
        return
    files = [Path(source), Path(source) / entry.file, Path(source) / part.stem]
    found = next((file for file in files if file.is_file()), None)
    if found is None:
        raise ModelMissing(f"{source} has no {entry.file}.", hint=f"Download it from {entry.url}.", model=entry.name)
    shutil.copyfile(found, part)


def _checked(entry: ModelEntry, part: Path, source: str) -> ModelCard:
    """The card of the fetched file, if it is the published one; otherwise deletes the file."""
    with part.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        md5 = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    size_bytes = part.stat().st_size
    wrong = [
        f"{what} {came} instead of {known}"
        for what, came, known in (
            ("size", size_bytes, entry.bytes),
            ("SHA-256", sha256, entry.sha256),
            ("MD5", md5, entry.md5),
        )
        if known and came != known
    ]
    if wrong:
        part.unlink()
        raise ChecksumMismatch(
            f"The file from {source} is not {entry.name}: {', '.join(wrong)}.",
            hint=f"The copy was deleted. {BY_HAND}",
            model=entry.name,
        )
    return entry.card_for(sha256, size_bytes)


@contextlib.contextmanager
def _alone(folder: Path, name: str, watcher: Watcher) -> Iterator[None]:
    """Allows one process at a time per model. The lock file stays, since deleting it would cause a race."""
    if not folder.is_absolute():
        raise BadSettings("This user has no home directory for models.", hint="Set PACKSHOT_MODELS_DIR to a folder.")
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f".{name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            watcher.notice(f"another process is downloading {name}; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Turns file errors into BadSettings. Network errors are already PackshotErrors here."""
    try:
        yield
    except OSError as error:
        raise BadSettings(
            f"The models folder {folder} cannot be written: {error.strerror}.",
            hint="Free disk space or change its permissions, or set PACKSHOT_MODELS_DIR to another folder.",
        ) from error
