"""The commands of README and tutorial, run exactly as they are: in a clean clone, and in a folder with a few photos."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.kit.heifs import as_heic
from tests.kit.images import product
from tests.kit.processes import free_port
from tests.kit.s3 import S3
from tests.kit.server import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).parent.parent.parent
ADDRESS = "http://127.0.0.1:8000"


def blocks(page: str = "README.md") -> list[str]:
    """A page's code: blocks of lines that are indented by four."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = re.findall(r"^(?:    .*\n(?:\n(?=    ))?)+", text, re.MULTILINE)
    return [re.sub(r"^    ", "", block, flags=re.MULTILINE).strip() for block in found]


def block(start: str) -> str:
    """The one block that begins with this."""
    (found,) = [each for each in blocks() if each.startswith(start)]
    return found


TUTORIAL = blocks("docs/tutorial.md")
COMMANDS = [line for each in blocks() if each.startswith("packshot ") for line in each.splitlines()]
PLACES = [line for line in COMMANDS if "s3://" in line]
REVIEWS = [line for line in COMMANDS if line.startswith("packshot review ")]


def environment(home: Path) -> dict[str, str]:
    """A new user's: nothing is set, and `packshot` is on the PATH."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PACKSHOT_", "VIRTUAL_ENV"))}
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return inherited | {"HOME": str(home), "XDG_DATA_HOME": str(home / "data"), "PATH": path}


def run(line: str, folder: Path, home: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-ec", line],
        cwd=folder,
        env=environment(home) | variables,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clone") / "packshot"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
    return folder


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with the files that the README names."""
    folder = tmp_path / "work"
    (folder / "photos").mkdir(parents=True)
    picture = Image.open(ROOT / "examples/bear.jpg")
    for name in ("photo.jpg", "photos/one.jpg", "photos/two.jpg"):
        picture.save(folder / name)
    on_white = run("packshot remove photo.jpg --preset google -q --out other.jpg", folder, tmp_path)
    assert on_white.returncode == 0, on_white.stderr
    return folder


def test_every_block_is_run_by_a_test() -> None:
    starts = ("make ", "python3 -m venv ", "curl ", '{"request_id"', "packshot ", "import packshot")
    assert [each for each in blocks() if not each.startswith(starts)] == []
    assert len(COMMANDS) >= 7
    assert PLACES


@pytest.fixture
def served(clone: Path, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """`make serve`, as it stands there, but on a free port: its address, and all that it printed."""
    port = str(free_port())
    log = tmp_path / "log"
    line = next(line for line in block("make ").splitlines() if line.startswith("make serve"))
    with log.open("w") as out:
        process = subprocess.Popen(
            ["bash", "-ec", line],
            cwd=clone,
            env=environment(tmp_path) | {"PACKSHOT_PORT": port},
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            wait_until(lambda: "curl" in log.read_text() or process.poll() is not None, 300)
            yield f"http://127.0.0.1:{port}", log.read_text()
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(60)


def test_a_service_from_a_clone_answers_the_line_to_paste(served: tuple[str, str], clone: Path, tmp_path: Path) -> None:
    address, printed = served
    (key,) = set(re.findall(r"#key=(\S+)", printed))
    shown = json.loads(block('{"request_id"').replace("…, ", "").replace("…", "x"))
    line = block("curl ").replace("YOUR_KEY", key).replace(ADDRESS, address)
    answer = json.loads(run(line, clone, tmp_path).stdout)
    assert answer["error_code"] == 0, answer
    assert shown.keys() <= answer.keys()
    assert re.fullmatch(rf"{address}/cutout/results/\S+\.png\?expires=\S+", answer["data"]["image_url"])
    (tmp_path / "phone.heic").write_bytes(as_heic(product(320, 240)[0]))
    heic = run(
        f"curl -sf -H 'x-api-key: {key}' -F image=@phone.heic {address}/v1/packshots -o cutout.png", tmp_path, tmp_path
    )
    assert heic.returncode == 0, heic
    with Image.open(tmp_path / "cutout.png") as cutout:
        assert cutout.size == (320, 240)

    create, call = (each for each in TUTORIAL if each.startswith(("packshot keys ", "curl ")))
    own = run(create, clone, tmp_path).stdout.strip()
    called = run(call.replace("YOUR_KEY", own).replace(ADDRESS, address), clone, tmp_path)
    assert called.returncode == 0, called.stderr
    with Image.open(clone / "mug.jpg") as packshot:
        assert packshot.size == (1000, 1000)


def test_the_tutorial_installs_and_starts_as_the_readme_does() -> None:
    """So the tests of the README's blocks run them."""
    assert block("make ").startswith(TUTORIAL[0])
    lines = [line.partition("#")[0].strip() for line in block("python3 -m venv ").splitlines()]
    assert [line.strip() for line in TUTORIAL[1].splitlines()] == lines[:2]


def test_the_tutorial_makes_what_it_says(tmp_path: Path) -> None:
    work = tmp_path / "work"
    shutil.copytree(ROOT / "examples", work / "examples")
    remove, batch, review = TUTORIAL[2:5]
    removed = run(remove, work, tmp_path)
    assert removed.returncode == 0, removed.stderr
    assert sorted(path.name for path in (work / "pictures").iterdir()) == ["mug-amazon.jpg", "mug-etsy.jpg"]
    assert "Amazon main image: passed" in removed.stdout + removed.stderr
    made = run(batch, work, tmp_path)
    assert made.returncode == 0, made.stderr
    assert "6 made, 0 failed" in made.stderr
    assert "0 failed, 0 to look at" in run(batch.splitlines()[-1], work, tmp_path).stderr, "it continues"
    started = run(f"timeout --signal INT 8 {review} --no-open", work, tmp_path)
    assert "6 photos to review: http://127.0.0.1:" in started.stderr
    assert len(TUTORIAL) == 7, "a block that no test runs"


@pytest.mark.release
def test_an_environment_of_ones_own(clone: Path, tmp_path: Path) -> None:
    installed = run(f"{block('python3 -m venv ')}\ncommand -v packshot\npackshot --version", clone, tmp_path)
    assert installed.returncode == 0, installed.stderr
    assert str(tmp_path / ".packshot/bin/packshot") in installed.stdout


@pytest.mark.parametrize("line", [line for line in COMMANDS if line not in {*PLACES, *REVIEWS}])
def test_a_command_does_what_its_remark_says(line: str, photos: Path, tmp_path: Path) -> None:
    done = run(line, photos, tmp_path)
    assert done.returncode == 0, done.stderr
    if remark := re.search(r"# (\S+\.(?:png|jpg|webp))", line):
        assert (photos / remark[1]).exists()
    if folder := re.search(r"--out (\S+)/", line) or re.match(r"packshot batch \S+ (\S+)/", line):
        presets = re.search(r"--preset (\S+)", line)
        others = {"packshot-report", ".packshot"}
        made = [path for path in (photos / folder[1]).rglob("*.*g") if not others & set(path.parts)]
        assert len(made) == 2 * (presets[1].count(",") + 1 if presets else 1)


@pytest.mark.parametrize("line", REVIEWS)
def test_a_review_of_what_a_batch_has_made(line: str, photos: Path, tmp_path: Path) -> None:
    out = shlex.split(line, comments=True)[2]
    assert run(f"packshot batch photos/ {out} --preset amazon,etsy", photos, tmp_path).returncode == 0
    started = run(f"timeout --signal INT 8 {line.replace(out, f'{out} --no-open')}", photos, tmp_path)
    assert "2 photos to review: http://127.0.0.1:" in started.stderr


PUT = (
    "import sys; from pathlib import Path; from packshot.storage.blocking import open_storage\n"
    "open_storage(sys.argv[1]).put('one.jpg', Path(sys.argv[2]).read_bytes(), 'image/jpeg')"
)


@pytest.mark.parametrize("line", PLACES)
def test_a_command_for_buckets(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared_s3: S3) -> None:
    for name, value in shared_s3.environment.items():
        monkeypatch.setenv(name, value)
    places = [word for word in shlex.split(line) if word.startswith("s3://")]
    for bucket in {place.split("/")[2] for place in places}:
        shared_s3.make_bucket(bucket)
    # By a process of its own: this one may know another server behind such names.
    put = f"python -c {shlex.quote(PUT)} {places[0]} {ROOT / 'examples/bear.jpg'}"
    assert run(put, tmp_path, tmp_path).returncode == 0
    done = run(line, tmp_path, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "1 made, 0 failed" in done.stderr


@pytest.mark.parametrize("page", ["README.md", "docs/how-to/library.md"])
def test_the_library(page: str, photos: Path, tmp_path: Path) -> None:
    """All of the page's programs, one behind the other."""
    every = blocks(page)
    begin = next(number for number, each in enumerate(every) if each.startswith("import packshot"))
    program = photos / "program.py"
    program.write_text("\n".join(every[begin:] if page != "README.md" else [every[begin]]))
    done = run("python program.py", photos, tmp_path)
    assert done.returncode == 0, done.stderr
