"""Asset files for scenes: scans, scenery, floors and light probes, unpacked once from DATA's zips."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ZIPS = ("models-00.zip", "backgrounds-00.zip")
# Scans with holes, ragged walls or merged neighbours, found by eye on a sheet of all 78.
BROKEN = frozenset(
    {
        "022_windex_bottle",
        "028_skillet_lid",
        "038_padlock",
        "042_adjustable_wrench",
        "063-a_marbles",
        "070-a_colored_wood_blocks",
        "073-d_lego_duplo",
        "073-f_lego_duplo",
    }
)
# Without clic2025: most of its photos show people, and a person behind a product would wrongly count as background.
SCENERY = ("budgie", "elementary", "popos")


@dataclass(frozen=True)
class Assets:
    """Sorted paths, so that a pick in 0..1 gives the same file on every machine."""

    scans: tuple[Path, ...]
    scenery: tuple[Path, ...]
    floors: tuple[Path, ...]
    hdris: tuple[Path, ...]


def choose(paths: tuple[Path, ...], pick: float) -> Path:
    """The path at a position in [0, 1) of the list."""
    return paths[int(pick * len(paths))]


def unpack(data: Path, folder: Path, scenery: Sequence[str] = SCENERY) -> Assets:
    """Unpack DATA's zips into a folder unless they are there already, and list them.

    scenery: the folders of photos behind products, for scenes from some sources only.
    """
    for name in ZIPS:
        done = folder / f"{name}.done"
        if not done.exists():
            with zipfile.ZipFile(data / name) as archive:
                archive.extractall(folder)
            done.touch()
    return Assets(
        scans=tuple(path for path in sorted(folder.glob("ycb/*/textured.obj")) if path.parent.name not in BROKEN),
        scenery=tuple(path for name in scenery for path in sorted((folder / name).glob("*.webp"))),
        floors=tuple(sorted((folder / "textures").glob("*.webp"))),
        hdris=tuple(sorted((folder / "hdri").glob("*.hdr"))),
    )
