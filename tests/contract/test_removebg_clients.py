"""Published clients of remove.bg work with this service, unchanged except for the address in a copy of them."""

from __future__ import annotations

import base64
import importlib
import importlib.util
import io
import json
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image
from removebg import RemoveBg

from tests.kit.images import as_jpeg, photo
from tests.kit.server import Running, serving

ADDRESS = "https://api.remove.bg"
SIZE = (400, 300)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photos") / "photo.jpg"
    path.write_bytes(as_jpeg(photo(*SIZE)))
    return path


@pytest.fixture(scope="module")
def url(source: Path) -> Iterator[str]:
    """The photo's URL on a web server."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=source.parent)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/{source.name}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service that opens URLs, including those of this machine."""
    folder = tmp_path_factory.mktemp("state")
    with serving(folder, workers=1, url_input="http", url_input_networks="127.0.0.0/8") as running:
        yield running


def readdress(folder: Path, suffix: str, address: str) -> None:
    """Replace the address in a client's sources."""
    changed = 0
    for path in folder.rglob(f"*{suffix}"):
        text = path.read_text(encoding="utf-8")
        changed += ADDRESS in text
        path.write_text(text.replace(ADDRESS, address), encoding="utf-8")
    assert changed, f"{folder.name} has no address"


@pytest.fixture
def python_client(running: Running, tmp_path: Path) -> Iterator[Callable[[str], ModuleType]]:
    """A client from the package index, imported from a copy by its module's name."""
    with pytest.MonkeyPatch.context() as patch:

        def load(name: str) -> ModuleType:
            spec = importlib.util.find_spec(name)
            if spec is None or not spec.submodule_search_locations:
                pytest.skip(f"needs the package {name}, of the group dev")
            copy = tmp_path / f"copy_of_{name}"
            shutil.copytree(spec.submodule_search_locations[0], copy, ignore=shutil.ignore_patterns("__pycache__"))
            readdress(copy, ".py", running.base_url)
            patch.syspath_prepend(tmp_path)
            return importlib.import_module(copy.name)

        yield load


def size_of(picture: bytes) -> tuple[str | None, tuple[int, int]]:
    with Image.open(io.BytesIO(picture)) as opened:
        return opened.format, opened.size


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Exception ignored in. <_io.FileIO:pytest.PytestUnraisableExceptionWarning")
def test_remove_bg_api(running: Running, python_client: Callable[[str], ModuleType], source: Path, url: str) -> None:
    module = python_client("remove_bg_api")
    key = running.new_key(5)
    client = module.RemoveBg(key)
    assert size_of(client.remove_bg_file(str(source), size="full")) == ("PNG", SIZE)
    assert size_of(client.remove_bg_bytes(source.read_bytes(), data={"size": "full", "format": "JPG"}))[0] == "JPEG"
    text = base64.b64encode(source.read_bytes())
    assert size_of(client.remove_bg_base64(text, data={"size": "auto", "bg_color": "transparent"})) == ("PNG", SIZE)
    assert size_of(client.remove_bg_url(url))[0] == "PNG"
    with pytest.raises(module.Errors.ApiErrorCode400):
        client.remove_bg_url("http://169.254.169.254/latest/meta-data")
    assert client.account.balance() == running.credits_of(key) == 1
    assert client.account.get_balance_dict()["payg"] == client.account.balance()
    with pytest.raises(module.Errors.ApiErrorCode403):
        module.RemoveBg("pk_wrong")


def test_removebg(running: Running, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A separate file covers its other methods."""
    monkeypatch.setattr("removebg.removebg.API_ENDPOINT", f"{running.base_url}/v1.0/removebg")
    client = RemoveBg(running.new_key(), str(tmp_path / "error.log"))
    client.remove_background_from_img_url(url, size="full", new_file_name=str(tmp_path / "out.png"))
    assert size_of((tmp_path / "out.png").read_bytes()) == ("PNG", SIZE)


@pytest.mark.slow
def test_removebgplus(
    running: Running, python_client: Callable[[str], ModuleType], source: Path, tmp_path: Path
) -> None:
    module = python_client("removebgplus")
    client = module.RemoveBg(running.new_key())
    client.remove_from_file(str(source), str(tmp_path / "out.png"))
    assert size_of((tmp_path / "out.png").read_bytes()) == ("PNG", SIZE)
    (tmp_path / "text.jpg").write_bytes(b"no picture")
    with pytest.raises(Exception, match="This file is text"):
        client.remove_from_file(str(tmp_path / "text.jpg"), str(tmp_path / "none.png"))


PACKAGES = ("remove.bg@1.3.0", "removebg-wrapper@1.0.3")
CALLS = """
const fs = require("fs");
const client = require("remove.bg");
const wrapper = require("removebg-wrapper");
const [key, path, url] = process.argv.slice(2);
const refused = (errors) => ({ code: errors[0].code });
(async () => {
  const told = {};
  const file = { path, apiKey: key, size: "full", crop: true, format: "png", outputFile: "file.png" };
  const base64 = { base64img: fs.readFileSync(path).toString("base64"), apiKey: key, size: "auto", bg_color: "fff" };
  const made = await client.removeBackgroundFromImageFile(file);
  told.charged = made.creditsCharged;
  told.width = made.resultWidth;
  fs.writeFileSync("base64", (await client.removeBackgroundFromImageBase64(base64)).base64img, "base64");
  const fromUrl = { url, apiKey: key, outputFile: "url.png" };
  told.url = await client.removeBackgroundFromImageUrl(fromUrl).then(() => ({ code: "fetched" }), refused);
  told.wrong = await client.removeBackgroundFromImageFile({ ...file, scale: "nothing" }).then(() => {}, refused);
  await wrapper.rbFromImageFile(path, key); // it writes output.png, and does not say when
  console.log(JSON.stringify(told));
})();
"""


@pytest.mark.slow
def test_two_clients_of_npm(running: Running, source: Path, url: str, tmp_path: Path) -> None:
    if not shutil.which("npm"):
        pytest.skip("needs Node.js and npm")
    command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(tmp_path), *PACKAGES]
    installed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False)
    if installed.returncode:
        pytest.skip(f"npm cannot install {' and '.join(PACKAGES)}: {installed.stderr[-200:]}")
    for name in PACKAGES:
        readdress(tmp_path / "node_modules" / name.partition("@")[0], ".js", running.base_url)
    (tmp_path / "calls.js").write_text(CALLS)
    arguments = ["node", "--no-deprecation", "calls.js", running.new_key(), str(source), url]
    ran = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
    told = json.loads(ran.stdout)
    assert (told["charged"], told["wrong"]) == ("1", {"code": "invalid_scale"})
    assert told["url"] == {"code": "fetched"}
    kind, size = size_of((tmp_path / "file.png").read_bytes())
    assert (kind, str(size[0])) == ("PNG", told["width"])
    assert size_of((tmp_path / "base64").read_bytes()) == ("JPEG", SIZE)
    assert size_of((tmp_path / "output.png").read_bytes()) == ("PNG", SIZE)
