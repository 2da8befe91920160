"""The folders that an agent may use. Checks every path of a call before a file is read or written."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from packshot.batch.process import MAX_PHOTO_BYTES
from packshot.core.codecs.formats import BY_SUFFIX, WRITTEN
from packshot.core.options import listed
from packshot.engine.result import write_whole
from packshot.errors import FileMissing, FileTooLarge, InvalidOption, StorageRefused

_LONGEST_PATH = 4096


@dataclass(frozen=True)
class Folders:
    """The allowed folders.

    allowed: absolute paths without symlinks. Relative paths start at the first one.
    """

    allowed: tuple[Path, ...]

    @classmethod
    def of(cls, folders: Iterable[Path]) -> Folders:
        """Build from folders as the user gave them."""
        return cls(tuple(dict.fromkeys(folder.resolve() for folder in folders)))

    def narrowed(self, roots: Iterable[Path]) -> Folders:
        """The intersection of these folders and `roots`.

        Raises: StorageRefused if it is empty.
        """
        inner: list[Path] = []
        for root in (each.resolve() for each in roots):
            inner += [folder for folder in self.allowed if folder.is_relative_to(root)]
            inner += [root] * any(root.is_relative_to(folder) for folder in self.allowed)
        if not inner:
            raise StorageRefused(
                f"None of the folders that your program has opened is allowed for packshot. Allowed: {self}.",
                hint="Open an allowed folder in your program, or start `packshot mcp` with --ignore-roots.",
            )
        return Folders(tuple(dict.fromkeys(inner)))

    def __str__(self) -> str:
        return listed(self.allowed)

    def path(self, text: str) -> Path:
        """Resolve a path to an absolute one without symlinks, inside the folders. Raises: StorageRefused."""
        if not text or "\0" in text or len(text) > _LONGEST_PATH:
            raise StorageRefused("This is not a valid path.", hint="Give the path of a file in an allowed folder.")
        try:
            path = (self.allowed[0] / Path(text).expanduser()).resolve()
        except (OSError, RuntimeError) as error:  # a symlink loop, or ~user without a home folder
            raise StorageRefused(f"{text} cannot be resolved.", hint="Give another path.") from error
        if not any(path.is_relative_to(folder) for folder in self.allowed):
            raise StorageRefused(
                f"{text} is outside the folders that packshot may use.",
                hint=f"Give a path in {self}. `packshot mcp --allow FOLDER` allows another folder.",
            )
        return path

    def read(self, path: Path) -> bytes:
        """Read a file. path: a result of `path`. Raises: FileMissing, StorageRefused, FileTooLarge."""
        try:
            if not path.is_file():
                _refuse_non_file(path)
            if (size := path.stat().st_size) > MAX_PHOTO_BYTES:
                raise FileTooLarge(f"{path} has {size:,} bytes.", hint="Check that it is a photo.")
            return path.read_bytes()
        except OSError as error:
            raise StorageRefused(f"{path} cannot be read: {error.strerror}.", hint="Check its permissions.") from error


def check_target(target: Path, photo: Path, *, overwrite: bool) -> None:
    """Reject an output that is the photo itself, that exists already, or that has no picture suffix.

    target, photo: results of `Folders.path`. Raises: InvalidOption, StorageRefused.
    """
    row = BY_SUFFIX.get(target.suffix.lower())
    if row is None or not row.written:
        endings = listed(row.suffix for row in WRITTEN.values())
        raise InvalidOption(
            f"packshot cannot write {target.name}: the suffix is not an output format.",
            hint=f"Use the suffix {endings}.",
            field="output",
        )
    if target.is_dir():
        raise StorageRefused(f"{target} is a folder.", hint="Give the name of a file.")
    if target.exists() and target.samefile(photo):
        raise StorageRefused(f"{target} is the photo itself.", hint="Give another output.")
    if target.exists() and not overwrite:
        raise _there(target)


def write(target: Path, data: bytes, *, overwrite: bool) -> None:
    """Write a file atomically, and create its folder. Raises: StorageRefused."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if overwrite:
            write_whole(target, data)
        else:
            _write_new(target, data)
    except FileExistsError as error:
        raise _there(target) from error
    except OSError as error:
        raise StorageRefused(
            f"{target} cannot be written: {error.strerror}.", hint="Check its folder and the free disk space."
        ) from error


def _write_new(target: Path, data: bytes) -> None:
    """Write a new file. Raises: FileExistsError, also if another program creates it first; OSError."""
    with target.open("xb") as file:
        try:
            file.write(data)
            file.flush()
        except OSError:
            with contextlib.suppress(OSError):
                target.unlink()
            raise


def _there(target: Path) -> StorageRefused:
    return StorageRefused(f"{target} already exists.", hint="Give another output, or overwrite=true.")


def _refuse_non_file(path: Path) -> None:
    if path.is_dir():
        raise StorageRefused(f"{path} is a folder.", hint="Give the path of one picture.")
    if path.exists():
        raise StorageRefused(f"{path} is not a regular file.", hint="Give the path of a picture.")
    raise FileMissing(f"The file {path} does not exist.", hint="Check the path.")
