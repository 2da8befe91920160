"""The curl lines of the guides to HTTP, the paid API and automations work; http.md and api.md name every field."""

from __future__ import annotations

import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from docs.generate import FOLDER
from docs.openapi import own_document
from packshot.api.errors import PROBLEM_DETAILS, Problem
from packshot.api.native.form import FACTS
from packshot.api.native.models import Packshot
from tests.kit.images import good
from tests.kit.native import send
from tests.kit.server import Running

GUIDE = (FOLDER / "how-to/http.md").read_text(encoding="utf-8")
PAGE = (FOLDER / "reference/api.md").read_text(encoding="utf-8")
LINE = re.compile(r"^    (curl (?:[^\\\n]|\\\n)*)", re.MULTILINE)
LINES = LINE.findall(GUIDE)
DROP_IN = [
    line
    for line in LINE.findall((FOLDER / "how-to/from-the-paid-api.md").read_text(encoding="utf-8"))
    if "TASK_ID" not in line
]

IN_WORKFLOWS = re.findall(r"^ +(curl .*)", (FOLDER / "how-to/automations.md").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
@pytest.mark.parametrize(
    "line", [*LINES, *DROP_IN, *IN_WORKFLOWS], ids=lambda line: re.sub(r".*/v1", "/v1", line.replace("\\\n", ""))[:60]
)
def test_the_lines_to_paste_work(running: Running, line: str, tmp_path: Path) -> None:
    photos = {"photo.jpg", "mug.jpg", "pot.jpg"}
    for name in photos:
        (tmp_path / name).write_bytes(good("jpeg"))
    key = running.new_key()
    command = re.sub(r"http://127.0.0.1:8000|https://packshot.example.com", running.base_url, line)
    command = command.replace("YOUR_KEY", key)
    if "PHOTO_ID" in line:
        command = command.replace("PHOTO_ID", send(running, good("jpeg"), key=key).headers["x-packshot-photo"])
    done = subprocess.run(
        ["bash", "-c", f"{command} --silent --show-error --fail-with-body"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    made = [path for path in tmp_path.iterdir() if path.name not in photos]
    assert made or done.stdout.startswith("{")
    for path in made:
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                assert archive.testzip() is None
            continue
        kind = {".jpg": "JPEG"}.get(path.suffix, path.suffix[1:].upper())
        with Image.open(path) as image:
            assert image.format == kind


def test_there_are_lines_for_every_route() -> None:
    native = {"/v1/packshots", "/v1/checks", "/v1/jobs", "/v1/account", "/v1/about"}
    assert routes(LINES) == native
    assert routes(DROP_IN) >= {"/api/common/query-credits", "/cutout/commodity/commodity"}


def routes(lines: list[str]) -> set[str]:
    return {re.findall(r"8000(/[\w/-]+)", line)[0] for line in lines}


def test_the_guide_shows_every_member() -> None:
    for name in (*Packshot.model_fields, *Problem.model_fields):
        assert f'"{name}"' in GUIDE


def test_the_guide_says_what_to_do_about_every_status() -> None:
    table = "\n".join(line for line in GUIDE.splitlines() if re.match(r"\| \d{3}", line))
    assert {int(status) for status in re.findall(r"\b\d{3}\b", table)} >= {
        row.status for row in PROBLEM_DETAILS.table.values()
    }


@pytest.mark.slow
def test_the_reference_names_every_operation_member_header_and_status() -> None:
    for path, item in own_document()["paths"].items():
        for method, operation in item.items():
            if path.startswith("/v1/"):
                assert f"`{method.upper()} {path}`" in PAGE
                for status in operation["responses"]:
                    assert re.search(rf"^\| .*\b{status}\b", PAGE, re.MULTILINE)
    for name in (*Packshot.model_fields, *Problem.model_fields, *FACTS):
        assert f"`{name}`" in PAGE
