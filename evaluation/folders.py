"""Pairs photos with their truths in a folder of any common layout."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

PHOTO_SUFFIXES = {".jpg", ".jpeg", ".jpe", ".png", ".webp", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".heif"}
TRUTH_SUFFIXES = (".png", ".tif", ".tiff", ".bmp", ".webp", ".jpg", ".jpeg")  # the most exact first

# A word in a folder's name gives its content: im, DUTS-TE-Image, ground_truth_mask, input_training_lowres. Truth words
# win: an "image mask" is a mask. The more reliable a word, the earlier it stands.
TRUTH_WORDS = ("gt", "gts", "groundtruth", "truth", "alpha", "alphas", "matte", "mattes", "mask", "masks",
               "annotation", "annotations", "segmentation", "segmentations", "label", "labels")  # fmt: skip
PHOTO_WORDS = ("im", "ims", "image", "images", "img", "imgs", "jpegimages", "photo", "photos", "picture", "pictures",
               "input", "inputs", "rgb", "original", "originals", "src", "source")  # fmt: skip

# The folders of corrections that `packshot review` writes. A shop's own folder names below them may be any of the words
# above.
REVIEW = {"photos": "photo", "mattes": "truth"}

_TRUTH_ENDING = re.compile(rf"[-_. ]({'|'.join(TRUTH_WORDS)})$", re.IGNORECASE)


@dataclass(frozen=True)
class Files:
    """A photo, its truth, and their labels: the name within the folder, and the set."""

    name: str
    group: str
    photo: Path
    truth: Path

    def read(self) -> tuple[bytes, bytes]:
        return self.photo.read_bytes(), self.truth.read_bytes()


@dataclass(frozen=True)
class Listing:
    """The content of a folder: pairs by name, and files without a partner."""

    pairs: list[Files]
    lonely_photos: list[Path]
    lonely_truths: list[Path]


@dataclass(frozen=True)
class _Place:
    """A file's place: the folder that gives its kind, the parent of that folder, and the path inside without suffix."""

    kind: str
    rank: int
    root: Path
    inside: str


def list_pairs(folder: Path) -> Listing:
    """Pair the pictures below a folder with their truths, by equal paths inside folders such as im/ and gt/.

    Raises: SystemExit if there is no pair; the message says what was expected.
    """
    if not folder.is_dir():
        raise SystemExit(f"{folder} is not a folder")
    place_of = _kept_place if all((folder / name).is_dir() for name in (*REVIEW, "decisions")) else _place
    photos: dict[tuple[Path, str], Path] = {}
    truths: dict[tuple[Path, str], tuple[int, int, Path]] = {}
    for path in sorted(folder.rglob("*")):
        place = place_of(folder, path)
        if place is None:
            continue
        key = (place.root, place.inside)
        if place.kind == "photo":
            photos.setdefault(key, path)
        else:
            found = (place.rank, TRUTH_SUFFIXES.index(path.suffix.lower()), path)
            truths[key] = min(found, truths.get(key, found))
    pairs = [_files(folder, key, photos[key], truths[key][2]) for key in sorted(photos.keys() & truths.keys())]
    if not pairs:
        raise SystemExit(
            f"no pair in {folder}: found {len(photos)} pictures and {len(truths)} truths. Put the pictures in a folder "
            "named im, image, img, photos or similar, and their truths under the same names next to it, in a folder "
            "named gt, mask, alpha or similar"
        )
    return Listing(
        pairs,
        [path for key, path in photos.items() if key not in truths],
        [path for key, (_, _, path) in truths.items() if key not in photos],
    )


def _files(folder: Path, key: tuple[Path, str], photo: Path, truth: Path) -> Files:
    root, inside = key
    group = str(root) if root.parts else folder.resolve().name
    return Files(f"{root}/{inside}" if root.parts else inside, group, photo, truth)


def _place(folder: Path, path: Path) -> _Place | None:
    """A file's place, by the innermost folder whose name gives a kind; None if there is none, or for other files."""
    if path.name.startswith((".", "_")) or path.suffix.lower() not in PHOTO_SUFFIXES or not path.is_file():
        return None
    within = path.relative_to(folder)
    for depth in range(len(within.parts) - 2, -1, -1):
        kind, rank = _kind(within.parts[depth])
        if kind:
            inside = Path(*within.parts[depth + 1 :]).with_suffix("").as_posix()
            inside = _TRUTH_ENDING.sub("", inside) if kind == "truth" else inside
            known = kind == "photo" or path.suffix.lower() in TRUTH_SUFFIXES
            return _Place(kind, rank, Path(*within.parts[:depth]), inside) if known else None
    return None


def _kept_place(folder: Path, path: Path) -> _Place | None:
    """The place of a file from a review, by the outermost folder alone."""
    within = path.relative_to(folder)
    if within.parts[0] not in REVIEW or path.suffix.lower() not in PHOTO_SUFFIXES or not path.is_file():
        return None
    return _Place(REVIEW[within.parts[0]], 0, Path(), Path(*within.parts[1:]).with_suffix("").as_posix())


def _kind(name: str) -> tuple[str, int]:
    """The content of a folder of this name, "photo", "truth" or "", and the position of its word."""
    words = re.split(r"[^a-z]+", name.lower())
    for kind, known in (("truth", TRUTH_WORDS), ("photo", PHOTO_WORDS)):
        if ranks := [known.index(word) for word in words if word in known]:
            return kind, min(ranks)
    return "", 0
