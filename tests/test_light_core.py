"""`pip install packshot` without extras: the library and the command line, and no web framework and no database."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from PIL import Image

from tests.kit.heifs import as_heic
from tests.kit.images import as_jpeg, product

PHOTO = product(320, 240)[0]
HEAVY = "alembic fastapi limits mako prometheus_client pydantic sqlalchemy starlette uvicorn h11 httpx obstore pyarrow"


def brought_by(requirement: str, seen: dict[str, Distribution]) -> Iterator[Distribution]:
    """The distributions that installing `requirement` brings, including their dependencies."""
    wanted = Requirement(requirement)
    extras = [{"extra": extra} for extra in ("", *wanted.extras)]
    found = distribution(wanted.name)
    key = f"{wanted.name.lower()}[{','.join(sorted(wanted.extras))}]"
    if key in seen:
        return
    seen[key] = found
    yield found
    for line in found.requires or ():
        needed = Requirement(line)
        if needed.marker is None or any(needed.marker.evaluate(extra) for extra in extras):
            yield from brought_by(f"{needed.name}[{','.join(needed.extras)}]", seen)


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with only the plain package and its dependencies."""
    folder = tmp_path_factory.mktemp("light")
    for each in brought_by("packshot", {}):
        for name in {path.parts[0] for path in each.files or () if path.parts[0] not in {"..", "/", "__pycache__"}}:
            if not (folder / name).exists() and not name.endswith(".pth"):
                (folder / name).symlink_to(Path(str(each.locate_file(name))))
    if not (folder / "packshot").exists():  # an editable install from the checkout
        (folder / "packshot").symlink_to(Path(__file__).parent.parent / "src/packshot")
    return folder


def python(light: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PACKSHOT_", "PYTHON"))}
    command = [sys.executable, "-S", *arguments]  # -S: no site-packages
    return subprocess.run(
        command, env=environment | {"PYTHONPATH": str(light)}, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_the_command_line_makes_a_cutout_and_a_batch(light: Path, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "a.jpg").write_bytes(as_jpeg(PHOTO))
    (photos / "b.heic").write_bytes(as_heic(PHOTO))
    one = python(light, "-m", "packshot", "remove", str(photos / "a.jpg"))
    assert one.returncode == 0, one.stderr
    with Image.open(photos / "a.png") as cutout:
        assert cutout.mode == "RGBA"
    (photos / "a.png").unlink()
    batch = python(light, "-m", "packshot", "batch", str(photos), str(tmp_path / "out"))
    assert batch.returncode == 0, batch.stderr
    assert {path.name for path in (tmp_path / "out").glob("*.png")} == {"a.png", "b.png"}


@pytest.mark.slow
def test_the_library_loads_nothing_of_the_service(light: Path, tmp_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(as_jpeg(PHOTO))
    code = (
        f"import sys, json, packshot; data = open({str(photo)!r}, 'rb').read()\n"
        "size = len(packshot.remove_background(data))\n"
        f"print(json.dumps([size, [name for name in {HEAVY.split()} if name in sys.modules]]))"
    )
    done = python(light, "-c", code)
    assert done.returncode == 0, done.stderr
    size, loaded = json.loads(done.stdout)
    assert size > 1000
    assert loaded == []


@pytest.mark.slow
@pytest.mark.parametrize("command", [["serve"], ["keys", "list"], ["keys", "create", "me"], ["health"]], ids=" ".join)
def test_commands_of_the_service_say_what_to_install(light: Path, command: list[str]) -> None:
    done = python(light, "-m", "packshot", *command)
    assert done.returncode == 78
    assert "pip install 'packshot[service]'" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_the_server_for_agents_says_what_to_install(light: Path) -> None:
    done = python(light, "-m", "packshot", "mcp")
    assert done.returncode == 78
    assert "pip install 'packshot[mcp]'" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_help_of_every_command_needs_no_service(light: Path) -> None:
    code = (
        "import click\nfrom packshot.cli import cli\nfrom click.testing import CliRunner\n"
        "def walk(command, words):\n"
        "    assert CliRunner().invoke(cli, [*words, '--help']).exit_code == 0, words\n"
        "    for name in command.list_commands(None) if isinstance(command, click.Group) else ():\n"
        "        walk(command.get_command(None, name), [*words, name])\n"
        "walk(cli, [])"
    )
    done = python(light, "-c", code)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("extra", ["postgresql", "redis", "storage", "tracing", "url"])
def test_an_extra_of_the_service_brings_the_service(extra: str) -> None:
    assert "fastapi" in {each.name for each in brought_by(f"packshot[{extra}]", {})}
