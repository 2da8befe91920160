"""Generators of three families turn the described contracts into programs that upload a photo and download a picture.

The default run covers openapi-python-client for the remove.bg form. test_generated_client.py and test_native_client.py
cover it for the other contracts. openapi-generator and openapi-ts are slow. No generated file is edited.
"""

from __future__ import annotations

import importlib
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.contract.repair import repaired_contract
from tests.kit.images import good
from tests.kit.server import Running

GENERATOR = shutil.which("openapi-generator-cli")
needs_generator = pytest.mark.skipif(
    not (GENERATOR and shutil.which("java")),
    reason="needs Java and `pip install openapi-generator-cli urllib3 python-dateutil pydantic` on the PATH",
)
DOCUMENTS = ("pinned", "native", "removebg")
# The pinned file names its operation by a hash that begins with a digit: TypeScript allows no such name.
PINNED = "569af92db1dc5f0cc91c066eff4683ef"


@pytest.fixture(scope="module")
def documents(running: Running, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The repaired vendor's file, and packshot's document, cut to the native API and the remove.bg form."""
    folder = tmp_path_factory.mktemp("documents")

    def part(prefix: str) -> dict[str, Any]:
        found = running.http.get("/openapi.json").json()
        paths = {path: operations for path, operations in found["paths"].items() if path.startswith(prefix)}
        return {**found, "paths": paths}

    contents = {"pinned": repaired_contract(), "native": part("/v1/"), "removebg": part("/v1.0/")}
    for name, content in contents.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return {name: folder / f"{name}.json" for name in contents}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photos") / "photo.jpg"
    path.write_bytes(good("jpeg", 160, 120))
    return path


@pytest.fixture
def arguments(running: Running, source: Path) -> tuple[str, str, Path]:
    """Arguments of a program: the service's address, a key, a photo."""
    return running.base_url, running.new_key(), source


def run(*command: str | Path, folder: Path, timeout_s: float = 110) -> str:
    """The output of a command, which must succeed."""
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=timeout_s, check=False)
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    return ran.stdout


def check(name: str, folder: Path) -> None:
    """Check the picture that a program wrote."""
    with Image.open(folder / "out") as picture:
        assert (picture.format, picture.mode) == {"pinned": ("PNG", "L")}.get(name, ("PNG", "RGBA"))


@pytest.mark.slow
def test_openapi_python_client(running: Running, documents: dict[str, Path], source: Path, tmp_path: Path) -> None:
    # This one setting types the errors, which may come whatever a client accepts; the generator does not know */*.
    (tmp_path / "config.yaml").write_text('post_hooks: []\ncontent_type_overrides: {"*/*": application/json}\n')
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--path", documents["removebg"]]
    options = ["--config", "config.yaml", "--meta", "none", "--output-path", "removebg_client", "--fail-on-warning"]
    run(*command, *options, folder=tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(tmp_path)
        package = importlib.import_module("removebg_client")
        api = importlib.import_module("removebg_client.api.remove_bg_form.removebg")
        account = importlib.import_module("removebg_client.api.remove_bg_form.removebg_account")
        models = importlib.import_module("removebg_client.models")
        types = importlib.import_module("removebg_client.types")
    client = package.AuthenticatedClient(running.base_url, token=running.new_key(7))

    def send(**fields: object) -> Any:
        photo = types.File(io.BytesIO(source.read_bytes()), file_name="photo.jpg")
        return api.sync(client=client, body=models.RemovebgBody(image_file=photo, **fields))

    with client:
        made = send(size=models.RemovebgBodySize("full"), crop=True, bg_color="rgba(0, 0, 255, 0.5)")
        refused = send(scale="nothing")
        left = account.sync(client=client)
    with Image.open(made.payload) as picture:
        assert (picture.format, picture.mode) == ("PNG", "RGBA")
    assert [each.code for each in refused.errors] == ["invalid_scale"]
    assert left.data.attributes.credits_.total == 6


PYTHON = {
    "pinned": """
    api = made.AIBACKGROUNDREMOVALGeneralApi(client)
    found = api.removeBackground(image=photo, return_form="mask", x_api_market_key=key)
    picture = urllib.request.urlopen(found.data.image_url).read()
    try:
        api.removeBackground(image=photo, x_api_market_key="wrong")
    except made.ApiException as error:
        assert error.status == 401, error
""",
    "removebg": """
    api = made.RemoveBgFormApi(client)
    picture = api.removebg(image_file=photo, size="full", crop=True)
    assert api.removebg_account().data.attributes.credits.total
    try:
        api.removebg(image_file=photo, scale="nothing")
    except made.ApiException as error:
        assert (error.status, error.data.errors[0].code) == (400, "invalid_scale"), error
""",
}


@pytest.mark.slow
@needs_generator
@pytest.mark.parametrize("name", ["pinned", "removebg"])  # test_native_client.py covers the native API
def test_openapi_generator_for_python(
    documents: dict[str, Path], arguments: tuple[str, str, Path], tmp_path: Path, name: str
) -> None:
    generate("python", documents[name], tmp_path / "made", "--package-name", "made")
    calls = f"""
import sys, urllib.request
import made
url, key, path = sys.argv[1:]
photo = open(path, "rb").read()
configuration = made.Configuration(host=url, access_token=key, api_key={{"x-api-key": key}})
with made.ApiClient(configuration) as client:{PYTHON[name]}
open("../out", "wb").write(picture)
"""
    (tmp_path / "made" / "calls.py").write_text(calls)
    python = Path(str(GENERATOR)).with_name("python")  # of its own environment
    run(python, "calls.py", *arguments, folder=tmp_path / "made")
    check(name, tmp_path)


def generate(language: str, document: Path, target: Path, *options: str) -> None:
    names = ["--operation-id-name-mappings", f"{PINNED}=removeBackground"]
    command = [str(GENERATOR), "generate", "-i", document, "-g", language, "-o", target, *names, *options]
    run(*command, folder=document.parent)


@pytest.fixture(scope="module")
def node_modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a compiler and a generator for TypeScript."""
    if not shutil.which("npm"):
        pytest.skip("needs Node.js and npm")
    folder = tmp_path_factory.mktemp("node")
    packages = ["typescript@5", "@types/node@20", "@hey-api/openapi-ts@0.95.0"]
    command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder), *packages]
    installed = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=110, check=False)
    if installed.returncode:
        pytest.skip(f"npm cannot install {' '.join(packages)}: {installed.stderr[-200:]}")
    return folder


TYPESCRIPT = """
import { readFileSync, writeFileSync } from "fs";
import * as made from "./made";
const [url, key, path] = process.argv.slice(2);
const photo = new File([readFileSync(path)], "photo.jpg");
const must = (holds: boolean, what: unknown) => { if (!holds) throw new Error(JSON.stringify(what)); };
const download = async (address: string) => (await fetch(address)).blob();
const save = async (picture: Blob) => writeFileSync("out", Buffer.from(await picture.arrayBuffer()));
(async () => {%s})();
"""
FETCH = {
    "pinned": """
  const api = new made.AIBACKGROUNDREMOVALGeneralApi(new made.Configuration({ basePath: url }));
  const found = await api.removeBackground({ image: photo, returnForm: "mask" as any, xApiMarketKey: key });
  await save(await download(found.data!.imageUrl!));
  await api.removeBackground({ image: photo, xApiMarketKey: "wrong" })
    .then(() => must(false, "no refusal"), (error) => must(error.response.status === 401, error));
""",
    "native": """
  const headers = { Accept: "application/json" };
  const api = new made.NativeAPIApi(new made.Configuration({ basePath: url, accessToken: key, headers }));
  await save(await download((await api.makePackshot({ image: photo, crop: true })).url));
  await api.makePackshot({ image: photo, background: "nothing" })
    .then(() => must(false, "no refusal"), (error) => must(error.response.status === 422, error));
""",
    "removebg": """
  const api = new made.RemoveBgFormApi(new made.Configuration({ basePath: url, apiKey: key }));
  await save(await api.removebg({ imageFile: photo, size: "full", crop: true }));
  must((await api.removebgAccount()).data.attributes.credits.total > 0, "no credits");
  const codes = await api.removebg({ imageFile: photo, scale: "nothing" })
    .then(() => [], async (error) => (await error.response.json()).errors.map((each: any) => each.code));
  must(codes[0] === "invalid_scale", codes);
""",
}
OPENAPI_TS = {
    "pinned": """
  client.setConfig({ baseUrl: url });
  const call = Object.values(sdk).find((each) => typeof each === "function") as any;
  const body = { image: photo, return_form: "mask" };
  const sent = (key: string) => call({ body, headers: { "x-api-market-key": key } });
  await save(await download((await sent(key)).data.data.image_url));
  const { response } = await sent("wrong");
  must(response.status === 401, response.status);
""",
    "native": """
  client.setConfig({ baseUrl: url, auth: key, headers: { Accept: "application/json" } });
  const { data } = await sdk.makePackshot({ body: { image: photo, crop: true } });
  await save(await download(data!.url));
  const { error } = await sdk.makePackshot({ body: { image: photo, background: "nothing" } });
  must((error as any).slug === "invalid-option", error);
""",
    "removebg": """
  client.setConfig({ baseUrl: url, auth: key });
  const { data } = await sdk.removebg({ body: { image_file: photo, size: "full", crop: true } });
  await save(data!);
  must((await sdk.removebgAccount()).data!.data.attributes.credits.total > 0, "no credits");
  const { error } = await sdk.removebg({ body: { image_file: photo, scale: "nothing" } });
  must(error!.errors[0].code === "invalid_scale", error);
""",
}
IMPORTS = 'import * as sdk from "./made/sdk.gen";\nimport { client } from "./made/client.gen";'


def compile_and_run(folder: Path, node_modules: Path, program: str, *arguments: str | Path) -> None:
    (folder / "calls.ts").write_text(program)
    modules = node_modules / "node_modules"
    options = ["--target", "es2022", "--module", "commonjs", "--moduleResolution", "node10", "--skipLibCheck"]
    types = ["--typeRoots", modules / "@types", "--types", "node", "--outDir", "js"]
    run("node", modules / "typescript/bin/tsc", *options, "--strict", *types, "calls.ts", folder=folder)
    run("node", "js/calls.js", *arguments, folder=folder)


@pytest.mark.slow
@needs_generator
@pytest.mark.parametrize("name", DOCUMENTS)
def test_openapi_generator_for_typescript(
    documents: dict[str, Path], arguments: tuple[str, str, Path], tmp_path: Path, node_modules: Path, name: str
) -> None:
    generate("typescript-fetch", documents[name], tmp_path / "made")
    compile_and_run(tmp_path, node_modules, TYPESCRIPT % FETCH[name], *arguments)
    check(name, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", DOCUMENTS)
def test_openapi_ts(
    documents: dict[str, Path], arguments: tuple[str, str, Path], tmp_path: Path, node_modules: Path, name: str
) -> None:
    generator = node_modules / "node_modules/.bin/openapi-ts"
    run(generator, "-i", documents[name], "-o", tmp_path / "made", folder=node_modules)
    program = IMPORTS + TYPESCRIPT.replace('import * as made from "./made";', "") % OPENAPI_TS[name]
    compile_and_run(tmp_path, node_modules, program, *arguments)
    check(name, tmp_path)
