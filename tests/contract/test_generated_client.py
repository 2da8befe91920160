"""The proof of a drop-in: a client that a public generator makes from the vendor's file works with this service."""

from __future__ import annotations

import importlib
import io
import json
import pkgutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import get_type_hints

import httpx
import pytest
from PIL import Image

from tests.contract.repair import repaired_contract
from tests.kit.images import good
from tests.kit.server import Running


@pytest.fixture(scope="module")
def client_package(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """The package that openapi-python-client generates from the repaired file, imported."""
    folder = tmp_path_factory.mktemp("generated")
    (folder / "contract.json").write_text(json.dumps(repaired_contract()))
    (folder / "config.yaml").write_text("post_hooks: []")  # no formatters: they would have to be on the PATH
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--path", "contract.json"]
    options = ["--config", "config.yaml", "--meta", "none", "--output-path", "vendor_client", "--fail-on-warning"]
    subprocess.run([*command, *options], cwd=folder, check=True, capture_output=True, timeout=60)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        return importlib.import_module("vendor_client")


@pytest.fixture(scope="module")
def endpoint(client_package: ModuleType) -> ModuleType:
    """The module of the file's only operation; the generator names it after the operation's hash."""
    path = [str(Path(next(iter(client_package.__path__))) / "api")]
    modules = [found.name for found in pkgutil.walk_packages(path, "vendor_client.api.") if not found.ispkg]
    assert len(modules) == 1
    return importlib.import_module(modules[0])


@pytest.mark.slow
@pytest.mark.parametrize("form", [None, "mask", "whiteBK", "crop"])
def test_a_generated_client_sends_a_photo_and_downloads_the_result(
    running: Running, client_package: ModuleType, endpoint: ModuleType, form: str | None
) -> None:
    types = importlib.import_module("vendor_client.types")
    body_type = get_type_hints(endpoint.sync_detailed)["body"]
    body = body_type(image=types.File(io.BytesIO(good("jpeg", 160, 120)), file_name="photo.jpg"))
    if form is not None:
        body.return_form = next(
            choice(form)
            for name, choice in vars(importlib.import_module("vendor_client.models")).items()
            if name.endswith("ReturnForm")
        )
    with client_package.Client(base_url=running.base_url, timeout=httpx.Timeout(20)) as client:
        answer = endpoint.sync_detailed(client=client, body=body, x_api_market_key=running.new_key())
    assert answer.status_code == 200
    assert answer.parsed.error_code == 0
    picture = Image.open(io.BytesIO(httpx.get(answer.parsed.data.image_url).content))
    assert picture.mode == {None: "RGBA", "mask": "L", "whiteBK": "RGB", "crop": "RGBA"}[form]
