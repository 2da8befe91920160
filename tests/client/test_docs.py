"""Every program in docs/how-to/client.md runs unchanged, against a real service."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.client.kit import made
from tests.kit import images
from tests.kit.scripted import answers, hangs_up, says, scripted
from tests.kit.server import Running

PAGE = (Path(__file__).parents[2] / "docs/how-to/client.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
FUNCTION, USE = re.findall(r"```js\n(.*?)```", PAGE, re.DOTALL)
NODE = shutil.which("node")
with_node = pytest.mark.skipif(NODE is None, reason="there is no node here")


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder with the photos that the page names."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "packshots").mkdir()
    for name in ("mug.jpg", "photos/a.jpg", "photos/b.jpg"):
        (tmp_path / name).write_bytes(images.good("jpeg"))
    (tmp_path / "photos/c.jpg").write_bytes(b"not a picture")
    return tmp_path


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)


def for_service(program: str, running: Running) -> str:
    return program.replace("http://127.0.0.1:8000", running.base_url).replace("YOUR_KEY", running.new_key())


@pytest.mark.slow
def test_the_python_of_the_page_does_what_it_says(desk: Path, running: Running) -> None:
    one, house, many, job, _, failing = PYTHON  # test_webhooks.py runs the receiver
    for program in (one, house):
        done = run(desk, sys.executable, "-c", for_service(program, running))
        assert (done.returncode, done.stderr) == (0, "")
    assert (desk / "mug-amazon.jpg").read_bytes().startswith(b"\xff\xd8")
    assert (desk / "mug.webp").read_bytes()[8:12] == b"WEBP"

    for program in (many, job):
        done = run(desk, sys.executable, "-c", for_service(program, running))
        assert (done.returncode, done.stderr) == (0, "")
        assert {file.name for file in (desk / "packshots").iterdir()} == {"a.jpg", "b.jpg"}
        assert done.stdout.startswith("c.jpg: ")
        shutil.rmtree(desk / "packshots")
        (desk / "packshots").mkdir()

    done = run(desk, sys.executable, "-c", for_service(failing, running))
    assert done.stdout.startswith("invalid-option {'field': 'margin'")


@pytest.mark.slow
@with_node
def test_the_javascript_of_the_page_does_what_it_says(desk: Path, running: Running) -> None:
    (desk / "use.mjs").write_text(FUNCTION + for_service(USE, running))
    done = run(desk, "node", "use.mjs")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("image/jpeg ")


CALL = """
try {
  const service = { url: process.argv[2], key: "k", deadlineMs: 9000 };
  const shot = await packshot(new Blob(["photo"]), { crop: true }, service);
  console.log(shot.url);
} catch (error) {
  console.log(error.message, error.slug);
}
"""


@pytest.mark.slow
@with_node
def test_the_javascript_tries_again_and_says_why_not(desk: Path) -> None:
    (desk / "call.mjs").write_text(FUNCTION + CALL)
    with scripted(hangs_up, answers(503, Retry_After=1), says(made("https://x.example.com/1"))) as server:
        assert run(desk, "node", "call.mjs", server.url).stdout == "https://x.example.com/1\n"
        assert len({asked.headers["Idempotency-Key"] for asked in server.asked}) == 1
        assert server.asked[2].parts()["crop"][1] == b"true"
    refusal = says({"detail": "No.", "slug": "locked-key"}, 403)
    later = says({"detail": "Full.", "slug": "queue-full"}, 503, Retry_After="Fri, 31 Dec 2100 23:59:59 GMT")
    for answer, words in ((refusal, "No. locked-key\n"), (later, "Full. queue-full\n")):
        with scripted(answer) as server:
            assert run(desk, "node", "call.mjs", server.url).stdout == words
