"""Which file becomes which: the plan of a `packshot remove`, made before anything is computed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from packshot.errors import InvalidOption

STDIO = "-"
PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".webp"})
SUFFIX_OF_FORM = {"cutout": ".png", "mask": ".png", "white": ".jpg", "crop": ".png"}


@dataclass(frozen=True)
class Job:
    """One photo and the file that it becomes; None stands for stdin or stdout."""

    source: Path | None
    target: Path | None

    @property
    def name(self) -> str:
        return "stdin" if self.source is None else str(self.source)


def make_plan(inputs: tuple[str, ...], *, form: str, out: str | None) -> list[Job]:
    """The jobs for files, folders and "-" as given on the command line.

    Raises
    ------
    InvalidOption
        An input does not exist, a folder has no --out, several photos would go to one file, or two photos would
        become the same file.
    """
    jobs: list[Job] = []
    several = len(inputs) > 1 or any(Path(item).is_dir() for item in inputs if item != STDIO)
    for item in inputs:
        if item == STDIO:
            jobs.append(Job(None, None if out in {None, STDIO} else Path(str(out))))
        elif Path(item).is_dir():
            jobs += _folder(Path(item), form, out)
        else:
            jobs.append(Job(Path(item), _target(Path(item), form, out, several=several)))
    _check(jobs, several=several, out=out)
    return jobs


def _folder(folder: Path, form: str, out: str | None) -> list[Job]:
    if out is None or out == STDIO:
        raise InvalidOption(
            f"{folder} is a folder.", hint="Say where its cutouts shall go: --out FOLDER.", field="--out"
        )
    photos = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURE_SUFFIXES and path.is_file())
    if not photos:
        raise InvalidOption(f"{folder} holds no photo.", hint=f"Looked for {', '.join(sorted(PICTURE_SUFFIXES))}.")
    inside = Path(out).resolve()
    # An --out inside the folder holds the results of an earlier run: they are not photos.
    photos = [path for path in photos if not path.resolve().is_relative_to(inside)]
    return [Job(path, _renamed(Path(out) / path.relative_to(folder), form, path)) for path in photos]


def _target(source: Path, form: str, out: str | None, *, several: bool) -> Path | None:
    if not source.is_file():
        raise InvalidOption(f"{source} does not exist.", hint="Give photos, folders, or - for stdin.", field="PHOTO")
    if out is None:
        return _renamed(source, form, source)
    if out == STDIO:
        return None
    if several or Path(out).is_dir() or out.endswith("/"):
        return _renamed(Path(out) / source.name, form, source)
    return Path(out)


def _renamed(path: Path, form: str, source: Path) -> Path:
    """photo.jpg -> photo.png, photo-mask.png, photo-white.jpg, photo-crop.png; never the photo itself."""
    suffix = SUFFIX_OF_FORM[form]
    renamed = path.with_suffix(suffix) if form == "cutout" else path.with_name(f"{path.stem}-{form}{suffix}")
    if renamed.resolve() == source.resolve():
        return path.with_name(f"{path.stem}-{form}{suffix}")
    return renamed


def _check(jobs: list[Job], *, several: bool, out: str | None) -> None:
    if several and out is not None and (out == STDIO or Path(out).is_file()):
        raise InvalidOption("Several photos cannot go to one file.", hint="Give a folder: --out FOLDER.", field="--out")
    taken: dict[Path, Job] = {}
    for job in jobs:
        if job.target is None:
            continue
        other = taken.setdefault(job.target.resolve(), job)
        if other is not job:
            raise InvalidOption(
                f"{other.name} and {job.name} would both become {job.target}.",
                hint="Rename one of them, or run them with different --out folders.",
            )
