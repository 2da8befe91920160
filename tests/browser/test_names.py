"""Names of downloads: the same as the command line's, and valid on every system."""

from __future__ import annotations

import io
import os
import re
import struct
import subprocess
import tempfile
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from playwright.sync_api import Browser, Page

from packshot.batch.listing import make_naming, photos_in
from packshot.core.options import Options
from packshot.engine.presets import recipe_for
from packshot.errors import InvalidOption
from packshot.storage.blocking import open_storage
from tests.kit.server import Running

pytestmark = pytest.mark.browser

DEVICES = re.compile(
    r"(con|prn|aux|nul|com[0-9\u00b9\u00b2\u00b3]|lpt[0-9\u00b9\u00b2\u00b3]|conin\$|conout\$) *(\.|$)", re.IGNORECASE
)
FOR_ZIP = """async ([names, hour]) => {
    const { zip } = await import("/page/now/zip.js");
    const files = names.map((name, index) => ({ name, blob: new Blob([`content ${index}`]) }));
    return [...new Uint8Array(await (await zip(files, new Date(2026, 10, 22, hour, 4, 6))).arrayBuffer())];
}"""


@pytest.fixture(scope="module")
def page(browser: Browser, running: Running) -> Iterator[Page]:
    with browser.new_page() as page:
        page.goto(f"{running.base_url}/healthz")
        page.set_content('<input type="file" id="pick" multiple>')
        yield page


def output_names(page: Page, photos: Sequence[dict[str, str]]) -> list[str]:
    names: list[str] = page.evaluate(
        """async (photos) => (await import("/page/now/names.js")).outputNames(photos)""", photos
    )
    return names


def photo(path: str, *, word: str = "", extension: str = "png", top: str = "") -> dict[str, str]:
    return {
        "name": path.rpartition("/")[2],
        "path": f"{top}{path}" if top else "",
        "word": word,
        "extension": extension,
    }


def folded(name: str) -> str:
    """Two names with the same result are one file on Windows and macOS."""
    return unicodedata.normalize("NFC", name.casefold())


def is_legal(name: str) -> bool:
    """Whether Windows, macOS and Linux allow this file name, in a folder of a user."""
    parts = name.split("/")
    return len(name) <= 210 and all(
        part not in {"", ".", ".."}
        and not re.search(r'[\x00-\x1f\x7f-\x9f<>:"|?*\\]', part)
        and not part.endswith((".", " "))
        and not DEVICES.match(part)
        and len(part.encode()) <= 255
        for part in parts
    )


LETTERS = st.text("aAb\u00e9\u00c9e\u0301\u00fc\u676f -_().2", min_size=1, max_size=6)
KEYS = st.builds(
    lambda folders, stem, suffix: "/".join([*folders, stem + suffix]),
    st.lists(LETTERS, max_size=2),
    LETTERS,
    st.sampled_from([".jpg", ".png", ".JPEG", ".tif"]),
)


@settings(max_examples=40)
@given(
    keys=st.lists(KEYS, min_size=1, max_size=8, unique=True),
    wishes=st.sampled_from([{}, {"preset": "amazon"}, {"crop": True}]),
)
@example(keys=["cup.jpg", "cup.png", "Cup.tif"], wishes={})
@example(keys=["a/cup.jpg", "b/cup.jpg", "cup.v2.jpg", "cup"], wishes={"background": "blur"})
def test_a_folder_gives_the_names_that_the_command_line_gives(
    page: Page, keys: list[str], wishes: dict[str, Any]
) -> None:
    recipe = recipe_for(Options(**wishes))
    naming = make_naming(recipe, "network", recipe.word)
    with tempfile.TemporaryDirectory() as folder:
        for key in keys:
            path = Path(folder, key)
            assume(not any(part in {".", ".."} for part in key.split("/")))
            assume(not any(above.is_file() for above in path.parents) and not path.is_dir())
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        items = [naming.item(entry) for entry in photos_in(open_storage(folder))]
    expected = [unicodedata.normalize("NFC", item.output) for item in items]
    given_photos = [
        photo(item.source, word=recipe.word, extension=naming.suffix.removeprefix("."), top="shop/") for item in items
    ]
    names = output_names(page, given_photos)
    assert len({folded(name) for name in names}) == len(names)
    times = Counter(map(folded, expected))
    for name, from_the_command_line in zip(names, expected, strict=True):
        if times[folded(from_the_command_line)] == 1 and is_legal(from_the_command_line):
            assert name == from_the_command_line
        assert is_legal(name)
        assert name.endswith(naming.suffix)


def test_names_that_come_twice_get_a_number_and_nobody_loses_a_name_of_ones_own(page: Page) -> None:
    photos = [photo(name, word="amazon", extension="jpg") for name in ("cup.jpg", "cup.png", "CUP.tif", "cup-2.jpg")]
    assert output_names(page, photos) == ["cup-amazon.jpg", "cup-amazon-2.jpg", "CUP-amazon-3.jpg", "cup-2-amazon.jpg"]
    names = ["a.png", "A.png", "a.png", "a-2.png", "b"]
    unique = page.evaluate("""async (names) => (await import("/page/now/names.js")).uniqueNames(names)""", names)
    assert unique == ["a.png", "A-3.png", "a-4.png", "a-2.png", "b"]


def test_photos_of_several_folders_keep_them_and_those_of_one_do_not(page: Page) -> None:
    cups = [photo("cup.jpg", top="cups/"), photo("deep/cup.jpg", top="cups/")]
    assert output_names(page, cups) == ["cup.png", "deep/cup.png"]
    assert output_names(page, [*cups, photo("cup.jpg", top="mugs/")]) == [
        "cups/cup.png",
        "cups/deep/cup.png",
        "mugs/cup.png",
    ]
    assert output_names(page, [*cups, photo("cup.jpg")]) == ["cups/cup.png", "cups/deep/cup.png", "cup.png"]


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.text(max_size=300), st.lists(st.text(max_size=90), max_size=5)), min_size=1, max_size=5),
    st.sampled_from(["", "amazon"]),
)
@example([("con.jpg", []), ("CON.x.jpg", ["..", "nul", " . "]), ("a:b?.jpg", ["c:"]), ("..", ["../.."])], "")
@example([("\ud83d.jpg", []), ("\u676f" * 200, ["\u676f" * 100] * 3), ("b.jpg", ["a.png"]), ("a.jpg", [])], "amazon")
def test_any_names_become_such_that_every_system_takes(
    page: Page, files: list[tuple[str, list[str]]], above: str
) -> None:
    photos = [
        {"name": name, "path": "/".join([*folders, name]), "word": word, "extension": "png", "folder": above}
        for (name, folders), word in zip(files, ["", "amazon"] * len(files), strict=False)
    ]
    names = output_names(page, photos)
    assert all(is_legal(name) for name in names)
    assert all(name.startswith(f"{above}/") for name in names if above)
    assert len({name.casefold() for name in names}) == len(names)
    folders = {
        "/".join(name.split("/")[:depth]).casefold() for name in names for depth in range(1, name.count("/") + 1)
    }
    assert not folders & {name.casefold() for name in names}


def test_one_picture_alone_is_called_like_its_photo_without_folders(page: Page) -> None:
    name = page.evaluate(
        """async (photo) => (await import("/page/now/names.js")).outputName(photo)""",
        photo("deep/T\u00e0sse 1.2.jpeg", word="white", extension="jpg", top="shop/"),
    )
    assert name == "T\u00e0sse 1.2-white.jpg"


WISHES = st.fixed_dictionaries(
    {},
    optional={
        "preset": st.sampled_from(["amazon", "square"]),
        "form": st.sampled_from(["cutout", "mask", "flattened"]),
        "format": st.sampled_from(["jpeg", "png", "webp", "tiff"]),
        "background": st.sampled_from(["transparent", "white", "#fff", "#ffffff", "#F4EFE6", "blur", "rgb(1, 2, 3)"]),
        "crop": st.just("true"),
        "canvas": st.sampled_from(["1:1", "2000x2000"]),
        "margin": st.just("5%"),
        "position": st.just("bottom"),
        "max_px": st.just("2000"),
        "max_upscale": st.just("2"),
        "shadow": st.just("contact"),
    },
)


@settings(max_examples=80)
@given(wishes=WISHES, has_picture=st.booleans())
def test_the_word_in_a_name_is_the_one_of_the_recipe(page: Page, wishes: dict[str, str], has_picture: bool) -> None:
    typed: dict[str, Any] = {"crop": bool, "max_px": int, "max_upscale": float}
    meant = {name: typed.get(name, str)(text) for name, text in wishes.items()}
    if has_picture:
        meant["background_picture"] = b"a picture"
    try:
        word = recipe_for(Options(**meant)).word
    except InvalidOption:
        assume(False)
    said = page.evaluate(
        """async ([options, picture]) => {
            globalThis.offer ??= await (await fetch("/v1/about")).json();
            return (await import("/page/now/names.js")).wordOf(options, { picture, formats: offer.formats });
        }""",
        [wishes, has_picture],
    )
    assert said == word


def test_a_dropped_folder_says_where_its_files_lay(page: Page) -> None:
    paths = page.evaluate(
        """async () => {
            const { takePhotos, pathOf } = await import("/page/now/drop.js");
            const photo = (name) => new File(["x"], name, { type: "image/jpeg" });
            const file = (name) => ({ name, isFile: true, file: (done) => done(photo(name)) });
            const reader = (parts) => ({ readEntries: (done) => done(parts.shift()) });
            const folder = (name, ...inside) => ({ name, isFile: false, createReader: () => reader([inside, []]) });
            const deep = folder("deep", folder("deeper", file("b.jpg")));
            const roots = [folder("shop", file("a.jpg"), deep), file("c.jpg")];
            const items = roots.map((root) => ({ webkitGetAsEntry: () => root }));
            const event = new DragEvent("drop");
            Object.defineProperty(event, "dataTransfer", { value: { types: ["Files"], items, files: [] } });
            return new Promise((resolve) => {
                takePhotos({ formats: [], inputs: { formats: [] } }, (files) => resolve(files.map(pathOf)));
                document.dispatchEvent(event);
            });
        }"""
    )
    assert paths == ["shop/a.jpg", "shop/deep/deeper/b.jpg", ""]


@pytest.mark.parametrize("how", ["unzip", "python"])
def test_unpacked_it_is_files_that_one_can_read_under_their_names(page: Page, how: str, tmp_path: Path) -> None:
    keys = [
        "Tasse blau.jpg",
        "\u676f\u5b50/\u00fc.jpg",
        "\u676f\u5b50/U\u0308.png",
        "\ud83c\udfba.jpg",
        "a.v2.jpg",
        "con.jpg",
    ]
    names = output_names(page, [photo(key, top="shop/") for key in keys])
    data = bytes(page.evaluate(FOR_ZIP, [names, 13]))
    file, out = tmp_path / "packshots.zip", tmp_path / "out"
    file.write_bytes(data)
    if how == "unzip":
        tested = subprocess.run(
            ["unzip", "-d", out, file],
            env={**os.environ, "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (tested.returncode, tested.stderr) == (0, "")
    else:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            assert archive.testzip() is None
            archive.extractall(out)
    found = {path.relative_to(out).as_posix(): path for path in out.rglob("*") if path.is_file()}
    assert found.keys() == set(names)
    assert [found[name].read_text() for name in names] == [f"content {index}" for index in range(len(names))]
    if how == "unzip":
        assert {path.stat().st_mode & 0o777 for path in found.values()} <= {0o644, 0o640, 0o600}


def test_the_directory_says_utf8_and_a_plain_file_of_unix(page: Page) -> None:
    data = bytes(page.evaluate(FOR_ZIP, [["\u00e4/\u00f6.jpg", "b.png"], 13]))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = archive.infolist()
    assert [entry.filename for entry in entries] == ["\u00e4/\u00f6.jpg", "b.png"]
    for entry in entries:
        assert entry.flag_bits == 1 << 11
        assert (entry.create_system, entry.external_attr >> 16, entry.external_attr & 0xFFFF) == (3, 0o100644, 0)
        assert entry.date_time == (2026, 11, 22, 13, 4, 6)
        flags, length = struct.unpack_from("<2xH18xH", data, entry.header_offset + 4)
        assert (flags, data[entry.header_offset + 30 :][:length].decode()) == (1 << 11, entry.filename)
