"""packshot recognises its own files: outputs next to photos, reports, thumbnails. It mistakes no photo for them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from packshot.batch.own_files import Siblings, is_marked, is_thumbnail, own_outputs, thumbnail_key
from packshot.cli import cli
from packshot.cli.errors import RULES_BROKEN
from packshot.cli.targets import naming
from packshot.core.options import Options
from packshot.core.recipe import WORDS
from packshot.engine.calls import remove
from packshot.engine.presets import preset_names, recipe_for
from tests.batch.kit import fill, made_of, make, outputs
from tests.batch.test_listing import batch_sees, check_sees, remove_sees
from tests.kit.images import as_jpeg, photo

MAKES = {
    "": Options(),
    "white": Options(background="white"),
    "colour": Options(background="#123456"),
    "blur": Options(background="blur"),
    "picture": Options(background_picture=as_jpeg(photo(64, 48))),
    "crop": Options(crop=True),
    "framed": Options(canvas="64x64"),
    "mask": Options(form="mask"),
    **{name: Options(preset=name) for name in preset_names()},
}


def test_every_word_that_an_output_is_called_by_is_known() -> None:
    assert {naming(recipe_for(options)).word for options in MAKES.values()} == MAKES.keys()
    assert MAKES.keys() - {""} <= WORDS | set(preset_names())


def own(marked: dict[str, bool]) -> set[str]:
    siblings = Siblings()
    for key in marked:
        siblings.add(key)
    return set(siblings.own_outputs(marked.__getitem__))


stems = st.sampled_from(["shoe", "shoe-white", "shoe-2", "shelf/shoe", "shelf/deep/a b", "ü-mask"])
endings = st.sampled_from([".jpg", ".jpeg", ".png", ".webp", ".tif"])
words = st.sampled_from(["", *(f"-{word}" for word in sorted(WORDS | set(preset_names())))])
folders = st.sampled_from(["", "shop/", "out/2026/", "shelf/"])


@pytest.mark.slow
@given(st.dictionaries(stems, endings), st.lists(st.tuples(folders, words, words, endings), max_size=4), st.data())
@settings(max_examples=150)
def test_outputs_of_photos_are_passed_over_and_photos_never_are(
    photos: dict[str, str], made: list[tuple[str, str, str, str]], data: st.DataObject
) -> None:
    """Outputs with the names of `remove` and `batch`: next to the photo or in any --out, in one step or two."""
    files = {f"{stem}{ending}": False for stem, ending in photos.items()}
    for folder, first, second, ending in made if photos else []:
        stem = data.draw(st.sampled_from(sorted(photos)))
        once = f"{folder}{stem}{first}{ending}"
        files.setdefault(once, True)
        if files[once]:
            files.setdefault(f"{folder}{stem}{first}{second}{ending}", True)
    assert own(files) == {key for key, marked in files.items() if marked}
    # The same names without a mark are all photos.
    assert own(dict.fromkeys(files, False)) == set()
    # Marked files count as photos too once their source photos are gone.
    assert own({key: True for key, marked in files.items() if marked}) == set()


def test_a_marked_file_with_a_name_of_its_own_is_a_photo() -> None:
    assert own({"shoe.jpg": False, "boot.png": True, "shoe-2.jpg": True, "shoes-white.jpg": True}) == set()


def test_an_output_that_comes_later_is_found_in_its_round() -> None:
    siblings = Siblings()
    siblings.add("shoe.jpg")
    assert list(siblings.own_outputs(lambda _: False)) == []
    siblings.add("shoe-white.jpg")
    assert list(siblings.own_outputs(lambda key: key == "shoe-white.jpg")) == ["shoe-white.jpg"]
    assert list(siblings.own_outputs(lambda _: True)) == []


@pytest.mark.slow
def test_batch_after_remove_in_the_same_folder_makes_the_photos_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = fill(tmp_path / "photos", ["a.jpg", "b.jpg", "b-white.jpg", "deep/c.jpg"])
    wanted = {str(path.relative_to(photos)) for path in photos.rglob("*.jpg")}
    monkeypatch.chdir(photos)
    run = CliRunner()
    for options in ([], ["--background", "white"], ["--format", "webp"]):
        result = run.invoke(cli, ["remove", "a.jpg", "deep/c.jpg", *options], catch_exceptions=False)
        assert result.exit_code == 0, result.output
    result = run.invoke(cli, ["remove", "deep", "--out", "cutouts/deep"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "2 are packshot's own outputs and skipped." not in result.stderr
    assert "3 are packshot's own outputs and skipped." in result.stderr
    summary = make(photos, photos / "shop")
    assert (summary.counts.made, summary.counts.failed, summary.own) == (4, 0, 7)
    assert set(made_of(photos / "shop")) == wanted
    # A later batch into another folder takes none of the first batch's outputs, although its OUT is inside IN.
    make(photos, tmp_path / "other")
    assert set(made_of(tmp_path / "other")) == wanted
    assert "a.png" in check_sees(photos), "check is for finished pictures"


def test_what_another_program_saved_again_is_a_photo(tmp_path: Path) -> None:
    photos = fill(tmp_path / "photos", ["a.jpg"])
    make(photos, tmp_path / "out")
    shutil.copy(tmp_path / "out/a.jpg", photos / "a-white.jpg")
    assert is_marked(photos / "a-white.jpg")
    keys = ["a.jpg", "a-white.jpg"]
    assert own_outputs(photos, keys) == {"a-white.jpg"}
    with Image.open(photos / "a-white.jpg") as image:
        image.save(photos / "a-white.jpg", quality=95)
    assert own_outputs(photos, keys) == set()


def test_only_the_command_line_writes_the_mark(tmp_path: Path) -> None:
    """The library's outputs stay the same, byte for byte; the pixels of both are equal."""
    photos = fill(tmp_path / "photos", ["a.jpg"])
    make(photos, tmp_path / "out", Options(form="cutout"))
    (tmp_path / "library.png").write_bytes(remove((photos / "a.jpg").read_bytes()).data)
    assert is_marked(tmp_path / "out/a.png")
    assert not is_marked(tmp_path / "library.png")
    with Image.open(tmp_path / "out/a.png") as one, Image.open(tmp_path / "library.png") as other:
        assert one.tobytes() == other.tobytes()


def test_a_manifest_that_names_an_output_means_it(tmp_path: Path) -> None:
    photos = fill(tmp_path / "photos", ["a.jpg"])
    make(photos, tmp_path / "out")
    shutil.copy(tmp_path / "out/a.jpg", photos / "a-white.jpg")
    summary = make(photos, tmp_path / "other", manifest=["a-white.jpg\n"])
    assert (summary.counts.made, summary.own) == (1, 0)


@given(st.text("0123456789abcdef", min_size=16, max_size=16), st.sampled_from(["photo", "output"]))
def test_thumbnails_are_known_wherever_they_lie_and_nothing_else_is(fingerprint: str, kind: str) -> None:
    key = thumbnail_key(fingerprint, kind)
    assert is_thumbnail(key)
    assert is_thumbnail(f"any/report/{key}")
    assert not any(map(is_thumbnail, (key[1:], f"{key}.jpg", f"my-{key}", key.replace("webp", "jpg"))))
    assert not is_thumbnail(f"thumbnails/shoe-{kind}.webp")


@pytest.mark.slow
@pytest.mark.parametrize("report", ["out/packshot-report", "out/how it went", "photos/report", "photos"])
def test_a_report_is_no_photo_for_any_command(tmp_path: Path, report: str) -> None:
    photos, out = fill(tmp_path / "photos", ["a.jpg", "deep/b.jpg"]), tmp_path / "out"
    make(photos, out, report=str(tmp_path / report))
    assert len(list((tmp_path / report / "thumbnails").iterdir())) == 4
    for folder in (photos, out):
        for sees in (batch_sees, remove_sees, check_sees):
            assert set(sees(folder)) == {"a.jpg", "deep/b.jpg"}
    assert make(photos, out, report=str(tmp_path / report)).now == 0
    again = make(out, tmp_path / "of outputs")
    assert (again.counts.made, outputs(tmp_path / "of outputs")) == (2, {"a.jpg", "deep/b.jpg"})


APPLE_DOUBLE = bytes.fromhex("0005160700020000") + b"Mac OS X" + bytes(80)


@pytest.mark.slow
def test_apple_doubles_are_no_photos_also_when_they_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`find -exec` and some shells' patterns pass such names. A real photo with such a name is a photo."""
    photos = fill(tmp_path / "photos", ["a.jpg", "._b.jpg"])
    (photos / "._a.jpg").write_bytes(APPLE_DOUBLE)
    monkeypatch.chdir(photos)
    run = CliRunner()
    result = run.invoke(cli, ["remove", "._a.jpg", "a.jpg", "._b.jpg"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "._a.jpg: skipped" in result.stderr
    assert outputs(photos) >= {"a.png", "._b.png"}
    assert not (photos / "._a.png").exists()
    result = run.invoke(cli, ["check", "--preset", "square", "._a.jpg", "a.jpg"], catch_exceptions=False)
    assert (result.exit_code, "skipped" in result.stderr) == (RULES_BROKEN, True)
    summary = make(photos, tmp_path / "out", manifest=["._a.jpg\n", "a.jpg\n", "._b.jpg\n"])
    assert (summary.counts.wanted, summary.counts.made) == (2, 2)
    alone = run.invoke(cli, ["remove", "._a.jpg"])
    assert "No photo was given" in str(alone.exception)
    assert "contains no pictures" in str(run.invoke(cli, ["check", "--preset", "square", "._a.jpg"]).exception)


@pytest.mark.slow
def test_a_second_remove_of_the_same_pattern_leaves_the_first_ones_outputs_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, ["a.jpg", "shirt.jpg", "shirt-white.jpg"])
    monkeypatch.chdir(tmp_path)
    run = CliRunner()
    for _ in range(2):
        names = sorted(path.name for path in tmp_path.glob("*.jpg"))
        result = run.invoke(cli, ["remove", *names, "--background", "white"], catch_exceptions=False)
        assert result.exit_code == 0, result.output
    made = {"a-white.jpg", "shirt-white-white.jpg", "shirt-white.jpg"}
    assert {path.name for path in tmp_path.glob("*-white.jpg")} == made
    assert "a-white.jpg: skipped" in result.stderr
