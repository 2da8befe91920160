"""Habits from other tools, and typing mistakes."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from packshot.cli import cli
from packshot.cli.habits import ALIASES, FLAGS
from packshot.cli.targets import output_format, told_apart
from packshot.core.codecs.formats import BY_SUFFIX, FORMATS
from packshot.errors import InvalidOption
from tests.kit.images import as_jpeg, as_png, photo


def invoked(*arguments: str | Path, stdin: bytes = b"") -> Result:
    return CliRunner().invoke(cli, list(map(str, arguments)), input=stdin)


def meant(*arguments: str) -> list[str]:
    """The command in the hint, split as a shell does."""
    result = invoked(*arguments)
    assert isinstance(result.exception, InvalidOption), result.output
    return shlex.split(result.exception.hint.partition("packshot ")[2])


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder: two photos, one of them with a bad name, and a folder of photos."""
    monkeypatch.chdir(tmp_path)
    for name in ("in.jpg", "it's a photo.jpg", "photos/1.jpg"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_bytes(as_jpeg(photo(96, 72, len(name))))
    return tmp_path


@pytest.mark.parametrize(
    ("typed", "command"),
    [
        ("i in.png out.png", "remove in.png --out out.png"),
        ("i -m u2net -a -om in.png out.png", "remove in.png --out out.png --model u2net --form mask"),
        ("i --model=u2net --alpha-matting in.png out.png", "remove in.png --out out.png --model u2net"),
        ("i -bgc 255 255 255 255 in.png out.png", "remove in.png --out out.png --background 'rgb(255, 255, 255)'"),
        ("i", "remove -"),
        ("p photos out", "remove photos --out out"),
        ("p -w photos out", "batch photos out --watch"),
        ("s", "serve"),
        ("s -p 7000 --host 0.0.0.0 -l info", "serve --port 7000 --host 0.0.0.0"),
        ("-i in.jpg -o out.png", "remove in.jpg -o out.png"),
        ("--input in.jpg --output 'a b.png'", "remove in.jpg --out 'a b.png'"),
        ("in.jpg", "remove in.jpg"),
        ("in.jpg out.png --crop", "remove in.jpg --out out.png --crop"),
        ('"it\'s a photo.jpg" in.jpg', 'remove "it\'s a photo.jpg" in.jpg'),
        ("photos", "remove photos --out cutouts/"),
        ("photos/ cut", "remove photos/ --out cut"),
        ("rm in.jpg", "remove in.jpg"),
        ("remvoe in.jpg --crop", "remove in.jpg --crop"),
        ("Remove in.jpg", "remove in.jpg"),
        ("sreve --port 1", "serve --port 1"),
        ("help remove", "remove --help"),
        ("version", "--version"),
        ("-v", "--version"),
        ("--crop remove in.jpg", "remove --crop in.jpg"),
        ("remove in.jpg --overwrite", "remove in.jpg --force"),
        ("remove -i in.jpg --output x.png", "remove in.jpg --out x.png"),
        ("remove in.jpg --bg=white", "remove in.jpg --background white"),
        ("models card in.jpg --overwrite --side 8", "models card in.jpg --force --side 8"),
    ],
)
def test_other_tools_shapes_and_near_misses_are_answered_with_the_whole_command(
    here: Path, typed: str, command: str
) -> None:
    before = sorted(here.rglob("*"))
    assert meant(*shlex.split(typed)) == shlex.split(command)
    assert sorted(here.rglob("*")) == before, "nothing ran"


names = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=12).map(
    lambda text: f"x{text}.jpg"
)


@settings(max_examples=20)
@given(st.sampled_from(["i", "rm", "remov", "cutout", "-i"]), names, names)
def test_a_hint_keeps_every_name_whole_and_its_command_is_understood(word: str, photo_: str, out: str) -> None:
    words = meant(word, photo_, "-o", out)
    assert words[0] == "remove"
    assert {photo_, out} <= set(words)
    command = cli.get_command(click.Context(cli), "remove")
    assert command is not None
    context = command.make_context("remove", words[1:])
    assert (context.params["inputs"], context.params["out"]) == ((photo_,), out)


def test_what_the_tables_translate_to_exists_here() -> None:
    commands = cli.list_commands(click.Context(cli))
    assert set(ALIASES.values()) <= set(commands)
    assert not set(ALIASES) & set(commands)
    flags = {
        flag
        for name in ("remove", "batch")
        if (command := cli.get_command(click.Context(cli), name)) is not None
        for param in command.params
        for flag in param.opts
    }
    assert {word for row in FLAGS.values() for word in row.words if word.startswith("-")} <= flags


def test_a_misspelt_flag_is_answered_with_the_nearest(here: Path) -> None:
    result = invoked("remove", "in.jpg", "--backgroud", "white")
    assert result.exit_code == 2
    assert "--background" in result.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (["remove", "./nowhere.jpg"], "./nowhere.jpg does not exist."),
        (["remove", "*.tiff"], "No file matches *.tiff."),
        (["remove", ""], "A name is empty."),
        (["remove", "in.jpg", "-o", ""], "A name is empty."),
        (["remove", "https://shop/a b.jpg"], "curl -L 'https://shop/a b.jpg' | packshot remove -"),
        (["remove", "s3://raw/2026", "-o", "x"], "packshot batch s3://raw/2026 OUT"),
        (["remove", "in.jpg", "-o", "s3://shop/x.png"], "Use packshot batch to write to buckets."),
        (
            ["remove", "photos/", "--out", "./photos"],
            "--out ./photos is the folder of the photos: outputs could",
        ),
        (["remove", "photos/", "cut.png"], "Several photos cannot go to one file, cut.png."),
        (["remove", "in.jpg", "it's a photo.jpg", "-o", "one.png"], "Several photos cannot go to one file, one.png."),
        (["remove", "in.jpg", "cut"], "packshot remove in.jpg --out cut.png"),
        (["remove", "-", "-", "-o", "x/"], "appears more than once"),
        (["remove", "in.jpg", "--out", "/dev/null", "--format", "png"], "/dev/null is not a regular file."),
        (["remove", "in.jpg", "--out", "-", "--json"], "Give --out FILE."),
        (["remove", "in.jpg", "--max-upscale", "9"], "--max-upscale is 9.0."),
        (["remove", "in.jpg", "--min-px", "90", "--max-px", "80"], "--min-px is 90, but --max-px is 80. Use a smaller"),
        (
            ["remove", "in.jpg", "--background", "white", "--background-picture", "in.jpg"],
            "--background-picture is set",
        ),
        (["remove", "in.jpg", "--touch-up", "empty.png"], "--touch-up is an empty file."),
        (["remove", "in.jpg", "--touch-up", "it.txt"], "--touch-up cannot be used: "),
        (["check", "nowhere.jpg", "--preset", "amazn"], "--preset is 'amazn'."),
        (["check", "empty", "--preset", "amazon"], "empty contains no pictures."),
        (["presets", "amazn"], "preset is 'amazn'."),
    ],
)
def test_errors_name_what_was_typed(here: Path, typed: list[str], words: str) -> None:
    (here / "empty.png").touch()
    (here / "it.txt").write_text("text")
    (here / "empty").mkdir()
    before = sorted(here.rglob("*"))
    result = invoked(*typed)
    assert result.exit_code != 0
    assert words in f"{result.stderr} {result.exception}"
    assert sorted(here.rglob("*")) == before


@pytest.mark.slow
def test_a_file_that_cannot_be_read_is_named_once_and_as_typed(here: Path) -> None:
    (here / "photos/bad.jpg").write_text("no picture")
    result = invoked("remove", "./photos", "-o", "./cut", "-q")
    assert result.exit_code == 65
    assert "./photos/bad.jpg: This file is text" in result.stderr
    assert "./photos/1.jpg -> ./cut/1.png" in invoked("remove", "./photos", "-o", "./cut", "--force").stderr
    assert invoked("check", "./no.jpg", "--preset", "amazon").stderr.count("./no.jpg") == 1


endings = st.sampled_from([*BY_SUFFIX, ".txt", ".PNG", ".Jpeg", ".dat", ""])
asked_formats = st.sampled_from([None, *(name for name, row in FORMATS.items() if row.written)])


@settings(max_examples=100)
@given(endings, asked_formats, st.booleans())
def test_an_ending_decides_the_format_or_is_refused(ending: str, asked: str | None, several: bool) -> None:
    inputs = ("a.jpg", "b.jpg") if several else ("a.jpg",)
    row = BY_SUFFIX.get(ending.lower())
    try:
        got = output_format(inputs, f"somewhere/out{ending}", asked)
    except InvalidOption:
        assert (row is not None) if several else row is None or not row.written or asked not in {None, row.name}
        return
    if several:
        assert row is None, "a folder named like a picture"
        assert got == asked
    elif row is None:
        assert got == asked
        assert asked is not None
    else:
        assert got == row.name
        assert row.written
        assert asked in {None, row.name}


KINDS = ["absent", "jpeg", "opaque png", "clear png", "empty", "folder"]


def put(path: Path, kind: str) -> Path:
    clear = photo(16, 16)
    if kind == "folder":
        path.mkdir()
    elif kind == "jpeg":
        path.write_bytes(as_jpeg(clear))
    elif kind == "empty":
        path.touch()
    elif kind != "absent":
        from PIL import Image

        path.write_bytes(as_png(Image.fromarray(clear).convert("RGBA") if kind == "clear png" else clear))
    return path


@pytest.mark.slow
@settings(max_examples=150)
@given(
    st.sampled_from(KINDS),
    st.sampled_from(KINDS),
    st.sampled_from([".jpg", ".png", ".bmp", "", ".txt"]),
    st.booleans(),
)
def test_a_second_name_is_an_output_only_where_that_is_certain(
    tmp_path_factory: pytest.TempPathFactory, first: str, second: str, ending: str, force: bool
) -> None:
    place = tmp_path_factory.mktemp("two")
    a, b = put(place / f"a{'.png' if 'png' in first else '.jpg'}", first), place / f"b{ending}"
    put(b, second)
    names_ = (str(a), str(b))
    try:
        inputs, out = told_apart(names_, None, typed=names_, force=force, has_format=False)
    except InvalidOption:
        return
    if out is None:
        assert inputs == names_
        return
    assert (inputs, out) == (names_[:1], names_[1])
    if second in {"jpeg", "opaque png", "clear png"} and first != "folder":
        assert not force, "an existing file, possibly a photo, was about to be replaced"
        assert second == "clear png"
        assert first != "clear png"


def test_a_photo_and_its_output_are_told_apart_on_every_run(here: Path) -> None:
    made = invoked("remove", "in.jpg", "out.png")
    assert made.exit_code == 0, made.stderr
    assert made.stderr.startswith("in.jpg -> out.png")
    again = invoked("remove", "in.jpg", "out.png")
    assert again.exit_code == 0
    assert "out.png exists already. To make it again: packshot remove in.jpg --out out.png --force" in again.stderr
    forced = invoked("remove", "in.jpg", "out.png", "--force")
    assert isinstance(forced.exception, InvalidOption)
    assert "packshot remove in.jpg --force --out out.png" in str(forced.exception)
    assert sorted(path.name for path in here.iterdir()) == ["in.jpg", "it's a photo.jpg", "out.png", "photos"]


def test_two_photos_of_one_kind_stay_two_photos(here: Path) -> None:
    result = invoked("remove", "in.jpg", "it's a photo.jpg")
    assert result.exit_code == 0, result.stderr
    assert (here / "in.png").exists()
    assert (here / "it's a photo.png").exists()


@pytest.mark.slow
def test_a_second_folder_and_a_folder_for_one_photo_are_outputs(here: Path) -> None:
    assert invoked("remove", "photos/", "cut").exit_code == 0
    assert invoked("remove", "in.jpg", "cut").exit_code == 0
    assert invoked("remove", "in.jpg", "-o", "new/").exit_code == 0
    assert invoked("remove", "-", "new/", stdin=Path("in.jpg").read_bytes()).exit_code == 0
    made = sorted(path.relative_to(here).as_posix() for path in here.rglob("*.png"))
    assert made == ["cut/1.png", "cut/in.png", "new/in.png", "new/stdin.png"]


def test_version_and_help_have_their_short_flags() -> None:
    assert invoked("-V").output == invoked("--version").output != ""
    for command in cli.list_commands(click.Context(cli)):
        assert invoked(command, "-h").output == invoked(command, "--help").output


@pytest.mark.slow
def test_one_photo_loads_nothing_that_it_does_not_need(here: Path) -> None:
    code = (
        "import gc, sys\nusual = gc.get_threshold()\n"
        "sys.argv[1:] = ['remove', 'in.jpg', '-q']\nimport packshot.cli\n"
        "assert 'click' not in sys.modules, 'Ctrl-C has its meaning first'\n"
        "try:\n    packshot.cli.main()\nexcept SystemExit as end:\n    assert not end.code\n"
        "heavy = ('asyncio', 'ssl', 'sqlite3', 'fastapi', 'pydantic', 'packshot.service', 'packshot.batch.progress',\n"
        "         'packshot.cli.keys', 'packshot.cli.serve', 'packshot.cli.models', 'packshot.cli.batch')\n"
        "print([name for name in heavy if name in sys.modules], usual == gc.get_threshold())"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[] True\n", "garbage collection runs normally while photos are made"
