"""A client that a public generator makes from /openapi.json calls the native API and works."""

from __future__ import annotations

import importlib
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import httpx
import pytest
from PIL import Image

from tests.kit.images import good
from tests.kit.server import Running


@pytest.fixture(scope="module")
def document(running: Running, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The native API's part of /openapi.json, in a file."""
    found = running.http.get("/openapi.json").json()
    found["paths"] = {path: operations for path, operations in found["paths"].items() if path.startswith("/v1/")}
    path = tmp_path_factory.mktemp("native") / "native.json"
    path.write_text(json.dumps(found))
    return path


@pytest.fixture(scope="module")
def client_package(document: Path) -> ModuleType:
    """The package that openapi-python-client generates from the document, imported."""
    folder = document.parent
    (folder / "config.yaml").write_text("post_hooks: []")  # no formatters: they would have to be on the PATH
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--path", document.name]
    options = ["--config", "config.yaml", "--meta", "none", "--output-path", "native_client", "--fail-on-warning"]
    subprocess.run([*command, *options], cwd=folder, check=True, capture_output=True, timeout=60)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        return importlib.import_module("native_client")


@pytest.mark.slow
def test_a_generated_client_makes_checks_and_asks(running: Running, client_package: ModuleType) -> None:
    make, check, about = (
        importlib.import_module(f"native_client.api.native_api.{name}")
        for name in ("make_packshot", "check_picture", "about")
    )
    models = importlib.import_module("native_client.models")
    file = importlib.import_module("native_client.types").File
    base = client_package.AuthenticatedClient(
        running.base_url, token=running.new_key(), timeout=httpx.Timeout(20), headers={"Accept": "application/json"}
    )

    def photo() -> object:
        return file(io.BytesIO(good("jpeg")), file_name="photo.jpg")

    with base as client:
        body = models.MakePackshotBody(
            image=photo(), preset="square", crop=True, quality=80, max_upscale=1.5,
            format_=models.MakePackshotBodyFormat("jpeg"),
        )  # fmt: skip
        made = make.sync(client=client, body=body)
        beside = models.MakePackshotBodyOptions(background="#eeeeee", crop=True)
        plain = make.sync(client=client, body=models.MakePackshotBody(image=photo(), options=beside))
        refused = make.sync(client=client, body=models.MakePackshotBody(image=photo(), background="nothing"))
        picture = httpx.get(made.url).content
        judged = check.sync(
            client=client,
            body=models.CheckPictureBody(
                image=file(io.BytesIO(picture), file_name="a.jpg"), preset=models.CheckPictureBodyPreset("square")
            ),
        )
        known = about.sync(client=client)
    assert Image.open(io.BytesIO(picture)).size == (made.width, made.height)
    assert made.preset.name == judged.preset.name == "square"
    assert plain.media_type == "image/jpeg"
    assert isinstance(refused, models.Problem)
    assert (refused.slug, refused.additional_properties["field"]) == ("invalid-option", "background")
    assert "square" in {preset.name for preset in known.presets}


CALLS = """
import sys, packshot_v1 as made
base_url, key, path = sys.argv[1:]
photo = open(path, "rb").read()
with made.ApiClient(made.Configuration(host=base_url, access_token=key)) as client:
    api = made.NativeAPIApi(client)
    found = api.make_packshot(image=photo, preset="square", quality=80, idempotency_key="1")
    again = api.make_packshot(image=photo, options={"background": "#eee", "crop": True, "max_upscale": 1.5})
    assert found.preset.name == "square" and again.media_type == "image/jpeg", (found, again)
    assert api.check_picture(image=photo, preset="amazon").preset.checks
    assert api.about().version
    try:
        api.make_packshot(image=photo, background="nothing")
    except made.ApiException as error:
        assert error.status == 422, error
"""


@pytest.mark.slow
@pytest.mark.skipif(
    not (shutil.which("openapi-generator-cli") and shutil.which("java")),
    reason="needs Java and `pip install openapi-generator-cli urllib3 python-dateutil` on the PATH",
)
def test_the_widely_used_generator_does_too(running: Running, document: Path) -> None:
    folder = document.parent
    options = ["-g", "python", "-o", "other", "--package-name", "packshot_v1"]
    command = ["openapi-generator-cli", "generate", "-i", document.name, *options]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=120)
    (folder / "other" / "calls.py").write_text(CALLS)
    (folder / "photo.jpg").write_bytes(good("jpeg"))
    python = Path(shutil.which("openapi-generator-cli") or "").with_name("python")  # of its own environment
    arguments = ["calls.py", running.base_url, running.new_key(), "../photo.jpg"]
    subprocess.run([python, *arguments], cwd=folder / "other", check=True, timeout=60)
