"""Folders in the layouts of common data sets."""

from __future__ import annotations

from pathlib import Path

import pytest

from evaluation.folders import list_pairs


def made(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


@pytest.mark.parametrize(
    ("files", "pairs"),
    [
        pytest.param(["im/a.jpg", "gt/a.png"], {"a": ("im/a.jpg", "gt/a.png")}, id="plain"),
        pytest.param(
            ["DUTS-TE-Image/x_01.jpg", "DUTS-TE-Mask/x_01.png"],
            {"x_01": ("DUTS-TE-Image/x_01.jpg", "DUTS-TE-Mask/x_01.png")},
            id="a word in the name",
        ),
        pytest.param(
            ["images/0001.jpg", "ground_truth_mask/0001.png"],
            {"0001": ("images/0001.jpg", "ground_truth_mask/0001.png")},
            id="words",
        ),
        pytest.param(
            ["input_training_lowres/GT01.png", "gt_training_lowres/GT01.png"],
            {"GT01": ("input_training_lowres/GT01.png", "gt_training_lowres/GT01.png")},
            id="truths and pictures of one kind",
        ),
        pytest.param(
            ["JPEGImages/480p/bear/0.jpg", "Annotations/480p/bear/0.png"],
            {"480p/bear/0": ("JPEGImages/480p/bear/0.jpg", "Annotations/480p/bear/0.png")},
            id="folders inside",
        ),
        pytest.param(
            ["TE1/im/a.jpg", "TE1/gt/a.png", "TE2/im/a.jpg", "TE2/gt/a.png"],
            {"TE1/a": ("TE1/im/a.jpg", "TE1/gt/a.png"), "TE2/a": ("TE2/im/a.jpg", "TE2/gt/a.png")},
            id="several sets",
        ),
        pytest.param(["Imgs/a.JPG", "Masks/a.PNG"], {"a": ("Imgs/a.JPG", "Masks/a.PNG")}, id="capitals"),
        pytest.param(["img/a.jpg", "mask/a_mask.png"], {"a": ("img/a.jpg", "mask/a_mask.png")}, id="an ending"),
        pytest.param(
            ["im/a.jpg", "gt/a.png", "gt/a.jpg", "mask/a.png"], {"a": ("im/a.jpg", "gt/a.png")}, id="the best truth"
        ),
        pytest.param(
            ["im/a.b.jpg", "gt/a.b.png", "im/.hidden.jpg", "im/notes.txt", "readme.png"],
            {"a.b": ("im/a.b.jpg", "gt/a.b.png")},
            id="other files, dots",
        ),
    ],
)
def test_pairs_are_found(tmp_path: Path, files: list[str], pairs: dict[str, tuple[str, str]]) -> None:
    found = list_pairs(made(tmp_path, *files))
    relative = {
        each.name: (each.photo.relative_to(tmp_path).as_posix(), each.truth.relative_to(tmp_path).as_posix())
        for each in found.pairs
    }
    assert relative == pairs
    assert not found.lonely_photos


def test_a_set_is_named_by_its_folder(tmp_path: Path) -> None:
    made(tmp_path / "shop", "im/a.jpg", "gt/a.png", "more/im/b.jpg", "more/gt/b.png")
    assert [each.group for each in list_pairs(tmp_path / "shop").pairs] == ["shop", "more"]


def test_files_without_partner_are_listed(tmp_path: Path) -> None:
    found = list_pairs(made(tmp_path, "im/a.jpg", "gt/a.png", "im/b.jpg", "gt/c.png"))
    assert [each.name for each in found.pairs] == ["a"]
    assert [path.name for path in found.lonely_photos] == ["b.jpg"]
    assert [path.name for path in found.lonely_truths] == ["c.png"]


@pytest.mark.parametrize("files", [[], ["im/a.jpg", "gt/b.png"], ["a.jpg", "a.png"]], ids=["empty", "none", "flat"])
def test_no_pair_ends_with_what_was_looked_for(tmp_path: Path, files: list[str]) -> None:
    with pytest.raises(SystemExit, match=r"no pair in .* named gt, mask"):
        list_pairs(made(tmp_path, *files))


def test_no_folder_ends_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="nowhere is not a folder"):
        list_pairs(tmp_path / "nowhere")
