"""Messages never ask people in a browser to install anything: they name no package, extra or module."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest

import packshot
from packshot import errors
from packshot.api.app import DIALECTS, OPTIONAL
from packshot.api.page.routes import read_page
from packshot.core.codecs.formats import FORMATS
from tests.api.test_every_error import KINDS
from tests.kit.server import Running

ROOT = Path(packshot.__file__).parent
ROOMS = ("core", "engine", "storage", "service", "api")
TOLD = re.compile(
    r"\bpips?\b|\bpip3\b|\buv\b|\bapt\b|packshot\[|\binstall|\bthe extra\b|site-packages|"
    r"\bpillow\b|\bonnxruntime\b|\bpi.heif\b|\bsimplejpeg\b|\bobstore\b|\bhttpx\b|\bpsycopg\b|\buvicorn\b|\bstarlette\b",
    re.IGNORECASE,
)


def sentences() -> Iterator[tuple[str, str, str]]:
    """Place, class and text of each error that the service raises with its own text, except set-up errors."""
    ours = {kind.__name__ for kind in KINDS if not issubclass(kind, errors.SetupError)}
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            place = str(path.relative_to(ROOT))
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                name = getattr(getattr(node, "func", None), "id", getattr(getattr(node, "func", None), "attr", ""))
                if isinstance(node, ast.Call) and name in ours:
                    for part in ast.walk(node):
                        if isinstance(part, ast.Constant) and isinstance(part.value, str):
                            yield f"{place}:{node.lineno}", name, part.value


@pytest.mark.slow
def test_no_error_that_a_caller_meets_speaks_of_installing() -> None:
    found = list(sentences())
    assert len({name for _, name, _ in found}) > 20, "the search for errors is wrong"
    assert not [(place, text) for place, _, text in found if TOLD.search(text)]


def test_errors_of_the_set_up_are_told_to_nobody() -> None:
    """Set-up errors are for the operator, who finds them in the log."""
    for kind in KINDS:
        if not issubclass(kind, errors.SetupError):
            continue
        for dialect in (*DIALECTS, *OPTIONAL.values()):
            row, told = dialect.errors.told(kind("It needs packshot[postgresql].", hint="pip install packshot[all]"))
            body = str(dialect.errors.body(told, row, "ID"))
            assert row.status == 500
            assert not TOLD.search(body), dialect.name


@pytest.mark.slow
def test_the_page_the_docs_and_the_answers_without_a_key_speak_of_no_package(running: Running) -> None:
    site = resources.files("packshot.api.page") / "site"
    files = [each for each in site.iterdir() if each.name.endswith((".js", ".html"))]
    texts = {each.name: each.read_text(encoding="utf-8") for each in files}
    texts |= {path: running.http.get(path).text for path in ("/", "/docs", "/openapi.json", "/v1/about", "/nowhere")}
    for path in ("/v1/packshots", "/v1.0/removebg", "/cutout/commodity/commodity"):
        texts[path] = running.http.post(path).text
    for name, text in texts.items():
        assert not TOLD.search(text), (name, TOLD.search(text))


@pytest.mark.parametrize("path", ["/v1/account", "/api/common/query-credits", "/v1.0/account"])
@pytest.mark.parametrize("key", [None, "pk_1", "pk_" + "0" * 49])
def test_a_refused_key_is_told_where_one_comes_from(running: Running, path: str, key: str | None) -> None:
    names = {"authorization": "Bearer ", "x-api-key": "", "x-api-market-key": ""}
    headers = {} if key is None else {name: prefix + key for name, prefix in names.items()}
    answer = running.http.get(path, headers=headers)
    assert answer.status_code in {401, 403}
    assert "`packshot keys link`" in answer.text
    assert "ask the operator of this service" in answer.text


def test_the_page_is_whole_whatever_its_help() -> None:
    page = read_page("key.help.elsewhere")
    index = page.files["index.html"].decode()
    assert 'data-t="key.help.elsewhere"' in index
    assert not re.search(r"KEY_HELP|VERSION", index)
    assert all(row.title not in index for row in FORMATS.values()), "the table names the formats, not the page"
