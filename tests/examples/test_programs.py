"""The programs in examples/ do what their first lines say, from start to end."""

from __future__ import annotations

import csv
import io
import json
import runpy
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.kit import images
from tests.kit.server import Running

EXAMPLES = Path(__file__).parents[2] / "examples"
EXPORT = """\
Handle,Title,Option1 Name,Option1 Value,Variant Price,Image Src,Image Position,Variant Image
mug,"Mug, green",Colour,Green,12.00,https://cdn.shopify.com/s/files/1/files/Mug%20one.png?v=17,1,{variant}
mug,,Colour,Blue,12.00,,,
lamp,Lamp,Title,Default Title,30.00,https://cdn.shopify.com/s/files/1/files/lamp.jpg?v=17,1,
bad,Bad,Title,Default Title,30.00,https://cdn.shopify.com/s/files/1/files/bad.jpg,1,
""".format(variant="https://cdn.shopify.com/s/files/1/files/Mug%20one.png?v=17")


@dataclass(frozen=True)
class Done:
    """The output of a program, and its exit code."""

    said: str
    code: object


Run = Callable[..., Done]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a program as `python examples/NAME ARGUMENTS` does, but in this process, which has already loaded the
    network.
    """

    def run(name: str, *arguments: object) -> Done:
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        code: object = 0
        try:
            runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        except SystemExit as end:
            code = end.code
        return Done(capsys.readouterr().out, code)

    return run


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("columns", ["old", "new"])
def test_shopify_export(run: Run, photos: Path, tmp_path: Path, columns: str) -> None:
    (photos / "mug one.jpg").write_bytes(images.good("jpeg"))
    (photos / "bad.jpg").write_bytes(b"not a picture")
    named = {"Handle": "URL handle", "Image Src": "Product image URL", "Variant Image": "Variant image URL"}
    text = EXPORT
    for old, new in named.items() if columns == "new" else ():
        text = text.replace(old, new)
    (tmp_path / "export.csv").write_text(text, encoding="utf-8-sig")
    done = run("shopify_export.py", tmp_path / "export.csv", photos, tmp_path / "out", "--address", "https://x.com/f/")
    assert done.code == 0

    before, after = list(csv.DictReader(io.StringIO(text))), rows(tmp_path / "out/products_import.csv")
    assert [list(row) for row in after] == [list(row) for row in before]
    picture, variant = (("Image Src", "Variant Image"), tuple(named.values())[1:])[columns == "new"]
    address = "https://x.com/f/Mug_one-packshot.jpg"
    assert after == [{**before[0], picture: address, variant: address}, *before[1:]]
    with Image.open(tmp_path / "out/Mug_one-packshot.jpg") as made:
        assert (made.format, made.width) == ("JPEG", made.height)
    assert "1 of 3 pictures" in done.said
    assert "lamp: no photo" in done.said and "bad: " in done.said


def test_shopify_export_of_something_else(run: Run, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text("Name,Email\n1001,a@example.com\n")
    done = run("shopify_export.py", tmp_path / "orders.csv", photos, tmp_path / "out", "--address", "https://x.com/f")
    assert "Handle or URL handle" in str(done.code)


@pytest.mark.slow
def test_amazon_main_images(run: Run, photos: Path, tmp_path: Path) -> None:
    big = images.as_jpeg(images.photo(640, 640))
    (photos / "B000123456.jpg").write_bytes(big)
    (photos / "400-6381 333931.main.jpg").write_bytes(big)
    (photos / "MUG-7.jpg").write_bytes(images.good("jpeg"))
    (photos / "b000123456.main.png").write_bytes(images.good("png"))
    for name in ("B000123456.PT01.jpg", "CHAIR-3.jpg", "4006381333932.jpg"):
        (photos / name).write_bytes(big)
    (tmp_path / "names.csv").write_text("photo,product\nMUG-7,B0MUG00007\n")
    done = run("amazon_main_images.py", photos, tmp_path / "out", "--names", tmp_path / "names.csv", "--max-upscale", 3)
    assert done.code == 1

    assert {file.name for file in (tmp_path / "out").glob("*.jpg")} == {"B000123456.MAIN.jpg", "4006381333931.MAIN.jpg"}
    assert [file.name for file in (tmp_path / "out/rejected").iterdir()] == ["B0MUG00007.MAIN.jpg"]
    lines = rows(tmp_path / "out/rules.csv")
    assert {line["photo"] for line in lines} == {"B000123456.jpg", "400-6381 333931.main.jpg", "MUG-7.jpg"}
    broken = {line["photo"] for line in lines if line["required"] == "True" and line["passed"] == "False"}
    assert broken == {"MUG-7.jpg"}
    listed = {line.partition(":")[0].strip() for line in done.said.splitlines()[1:]}
    assert listed == {"MUG-7.jpg", "b000123456.main.png", "CHAIR-3.jpg", "4006381333932.jpg"}


@pytest.mark.slow
def test_flask_upload(running: Running) -> None:
    pytest.importorskip("flask", reason="Flask is no dependency; install it to run this")
    from packshot.client import Client

    create_app = runpy.run_path(str(EXAMPLES / "flask_upload/app.py"))["create_app"]
    with Client(running.base_url, running.new_key()) as client:
        browser = create_app(client).test_client()
        assert '<option value="amazon">' in browser.get("/").text

        def send(photo: bytes) -> Any:
            form = {"photo": (io.BytesIO(photo), "photo.jpg"), "preset": "square"}
            return browser.post("/", data=form, content_type="multipart/form-data")

        page = send(images.good("jpeg"))
        assert page.status_code == 200
        assert 'src="data:image/jpeg;base64,' in page.text
        refused = send(b"not a picture")
        assert refused.status_code == 415 and 'role="alert"' in refused.text


@pytest.mark.slow
def test_the_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("mug.jpg", "bear.jpg"):
        (tmp_path / name).write_bytes(images.good("jpeg"))
    monkeypatch.chdir(tmp_path)
    notebook = json.loads((EXAMPLES / "notebook.ipynb").read_text(encoding="utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    names: dict[str, Any] = {}
    for cell in notebook["cells"]:
        assert cell["id"] and not cell.get("outputs")
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), cell["id"], "exec"), names)  # noqa: S102
    assert names["listing"].report.preset == "amazon"
    assert names["sheet"].size == (960, 350)
