"""The proof for code written with the vendor's own SDK: with only the address changed, every cutout works."""

from __future__ import annotations

import asyncio
import io
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import httpx
import pytest
from ailabtools import AILabClient
from ailabtools.errors import AILabApiError
from PIL import Image

from tests.kit.images import good
from tests.kit.server import Running

Answer = dict[str, Any]
METHODS = {
    "cutoutProductBackgroundRemoval": ("image_url", ["mask", "whiteBK", "crop"]),
    "cutoutUniversalBackgroundRemoval": ("image_url", ["mask", "whiteBK", "crop"]),
    "cutoutHumanBackgroundRemoval": ("image_url", ["mask", "whiteBK", "crop"]),
    "cutoutFoodBackgroundRemoval": ("image_url", ["mask", "whiteBK"]),
    "cutoutClothingBackgroundRemoval": ("elements", ["mask", "whiteBK"]),
    "cutoutHdHumanBodyBackgroundRemoval": ("elements", []),
}
"""The SDK's synchronous methods for removing backgrounds: the field with the result, and the forms."""
MODES = {None: "RGBA", "mask": "L", "whiteBK": "RGB", "crop": "RGBA"}
NODE_PACKAGE = "AILABTOOLS_NODE"
"""Environment variable: a folder with the vendor's npm package in node_modules, if the registry lacks it."""


def called(running: Running, key: str, call: Callable[[AILabClient], Coroutine[Any, Any, Answer]]) -> Answer:
    async def run() -> Answer:
        client = AILabClient(api_key=key, base_url=running.base_url)
        try:
            return await call(client)
        finally:
            await client.aclose()

    return asyncio.run(run())


def mode_of(url: str) -> str:
    return Image.open(io.BytesIO(httpx.get(url).content)).mode


def test_the_call_of_its_readme(running: Running) -> None:
    photo = {"image": io.BytesIO(good("jpeg")), "returnForm": "whiteBK"}
    answer = called(running, running.new_key(), lambda client: client.background.remove(photo))
    assert mode_of(answer["data"]["image_url"]) == "RGB"


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_every_method_that_removes_a_background(running: Running, method: str) -> None:
    place, forms = METHODS[method]
    for form in [None, *forms]:
        photo = {"image": good("jpeg"), "returnForm": form}
        answer = called(running, running.new_key(), lambda client, photo=photo: getattr(client.cutout, method)(photo))
        data = answer["data"]
        assert mode_of(data["image_url"] if place == "image_url" else data[place][0]["image_url"]) == MODES[form]


def test_the_large_photo_and_its_task(running: Running) -> None:
    key = running.new_key()

    async def work(client: AILabClient) -> Answer:
        task = await client.cutout.cutoutHDUniversalBackgroundRemoval({"image": good("jpeg", 300, 200)})
        done: Answer = await client.wait_for_task(task["task_id"], interval=0.05, timeout=30)
        return done

    assert mode_of(called(running, key, work)["data"]["image_url"]) == "RGBA"


def test_a_task_that_fails_is_raised(running: Running) -> None:
    async def work(client: AILabClient) -> Answer:
        task = await client.cutout.cutoutHDUniversalBackgroundRemoval({"image": flat()})
        done: Answer = await client.wait_for_task(task["task_id"], interval=0.05, timeout=30)
        return done

    with pytest.raises(RuntimeError, match="failed"):
        called(running, running.new_key(), work)


def test_credits_and_errors(running: Running) -> None:
    key = running.new_key(1)
    pools = called(running, key, lambda client: client.common.commonQueryCredits({}))["data"]
    assert {pool["unique_sign"]: pool["balance"] for pool in pools}["common"] == 1
    photo = {"image": good("jpeg")}
    called(running, key, lambda client: client.background.remove(photo))
    with pytest.raises(AILabApiError) as caught:
        called(running, key, lambda client: client.background.remove(photo))
    assert (caught.value.detail.status_code, caught.value.detail.code) == (429, "ERROR_NOT_ENOUGH_CREDITS")
    assert caught.value.request_id == caught.value.log_id
    assert "credits" in str(caught.value)


def flat() -> bytes:
    picture = io.BytesIO()
    Image.new("RGB", (120, 90), (200, 200, 200)).save(picture, "PNG")
    return picture.getvalue()


NODE = """
const { AILabClient } = require("ailabtools");
const { readFileSync } = require("fs");
const [baseUrl, apiKey, path] = process.argv.slice(2);
const client = new AILabClient({ apiKey, baseUrl });
const image = readFileSync(path);
async function main() {
  const made = {};
  made.readme = (await client.background.remove({ image, returnForm: "whiteBK" })).data.image_url;
  for (const name of ["Product", "Universal", "Human", "Food"]) {
    made[name] = (await client.cutout[`cutout${name}BackgroundRemoval`]({ image, returnForm: "mask" })).data.image_url;
  }
  for (const name of ["Clothing", "HdHumanBody"]) {
    made[name] = (await client.cutout[`cutout${name}BackgroundRemoval`]({ image })).data.elements[0].image_url;
  }
  const task = await client.cutout.cutoutHDUniversalBackgroundRemoval({ image });
  const done = await client.waitForTask(task.task_id, { intervalMs: 100, timeoutMs: 30000 });
  made.Hd = done.data.image_url;
  const credits = await client.common.commonQueryCredits({});
  let refused;
  try {
    await client.background.remove({ image, returnForm: "nothing" });
  } catch (error) {
    refused = { code: error.code, requestId: error.requestId };
  }
  console.log(JSON.stringify({ made, sign: credits.data[0].unique_sign, refused }));
}
main().catch((error) => { console.error(error); process.exit(1); });
"""


@pytest.mark.slow
def test_the_package_for_node(running: Running, tmp_path: Path) -> None:
    if not shutil.which("node"):
        pytest.skip("needs Node.js")
    folder = Path(os.environ.get(NODE_PACKAGE) or tmp_path)
    if NODE_PACKAGE not in os.environ:
        install = ["npm", "install", "--no-audit", "--no-fund", "--silent", "ailabtools"]
        if subprocess.run(install, cwd=tmp_path, capture_output=True, timeout=120, check=False).returncode:
            pytest.skip(f"the registry has no package ailabtools; name a folder that has it in {NODE_PACKAGE}")
    (tmp_path / "photo.jpg").write_bytes(good("jpeg", 160, 120))
    (tmp_path / "calls.js").write_text(NODE)
    done = subprocess.run(
        ["node", tmp_path / "calls.js", running.base_url, running.new_key(), tmp_path / "photo.jpg"],
        env={**os.environ, "NODE_PATH": str(folder / "node_modules")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert {name: mode_of(url) for name, url in told["made"].items()} == {
        "readme": "RGB",
        **dict.fromkeys(["Product", "Universal", "Human", "Food"], "L"),
        **dict.fromkeys(["Clothing", "HdHumanBody", "Hd"], "RGBA"),
    }
    assert told["sign"] == "common"
    assert told["refused"]["code"] == "UNSUPPORTED_PARAMETER_VALUES"
    assert told["refused"]["requestId"]
