"""examples/woocommerce.py and shopify.py write packshots into a shop, resume after a failure, and undo everything."""

from __future__ import annotations

import io
import json
import runpy
import ssl
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from PIL import Image

import packshot
from tests.examples.shops import (
    PASSWORD,
    TOKEN,
    USER,
    FakeShopify,
    FakeWooCommerce,
    Fault,
    as_json,
    serving,
)
from tests.kit import images
from tests.kit.server import Running

EXAMPLES = Path(__file__).parents[2] / "examples"
PHOTOS = {name: images.as_jpeg(images.photo(160, 120, seed)) for seed, name in enumerate(["a.jpg", "b.jpg", "c.jpg"])}
PHOTOS["d.png"] = images.as_png(images.photo(160, 120, 3))
BROKEN = {"e.jpg": b"no picture"}
AGAIN = {"Retry-After": "0"}

Run = Callable[..., str]

made_once = cache(packshot.remove)
"""The real call, cached: each photo takes its time once, not in every test."""
tls_once = cache(ssl.create_default_context)
"""Each run would read the list of authorities again, which takes 0.1 s; the small shops use no TLS."""


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Runs a program as `python examples/NAME ARGUMENTS` does, with its journal in tmp_path; returns its output."""
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.setattr(packshot, "remove", made_once)
    monkeypatch.setattr(ssl, "create_default_context", tls_once)
    for name, value in {
        "WORDPRESS_USER": USER,
        "WORDPRESS_APP_PASSWORD": PASSWORD,
        "SHOPIFY_TOKEN": TOKEN,
    }.items():
        monkeypatch.setenv(name, value)

    def run(name: str, *arguments: object) -> str:
        monkeypatch.setattr("time.sleep", lambda _s: None)
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments), "--state", str(tmp_path / "state")])
        try:
            runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        except SystemExit as end:
            return f"{capsys.readouterr().out}{end.code}"
        return capsys.readouterr().out

    return run


@pytest.fixture
def woo() -> Iterator[FakeWooCommerce]:
    shop = FakeWooCommerce({**PHOTOS, **BROKEN}, {1: ["a.jpg", "e.jpg", "b.jpg"], 2: [], 7: ["c.jpg"]})
    with serving(shop):
        yield shop


@pytest.fixture
def shopify() -> Iterator[FakeShopify]:
    shop = FakeShopify({**PHOTOS, **BROKEN}, {"1": ["a.jpg", "e.jpg", "d.png"], "2": ["c.jpg", "a.jpg"]})
    with serving(shop):
        yield shop


def is_square(data: bytes) -> bool:
    with Image.open(io.BytesIO(data)) as image:
        return image.width == image.height


def test_nothing_is_written_unless_it_is_asked(run: Run, woo: FakeWooCommerce, tmp_path: Path) -> None:
    said = run("woocommerce.py", "run", woo.address, "--all")
    assert woo.writes == []
    assert "2 products would be changed" in said and "Product 1, picture 2: unchanged" in said
    assert len(list((tmp_path / "state/packshots").iterdir())) == 3
    assert not (tmp_path / "state/journal.jsonl").exists()


def test_woocommerce_shows_packshots_in_the_same_places_and_undo_the_old_ones(run: Run, woo: FakeWooCommerce) -> None:
    before, media = woo.shown(), set(woo.media)
    assert "2 products changed" in run("woocommerce.py", "run", woo.address, "--all", "--write")
    after = woo.shown()
    for product in before:
        assert [each[1:3] for each in after[product]] == [each[1:3] for each in before[product]]  # names and texts
    assert [is_square(each[3]) for each in (after[1][0], after[1][2], after[7][0])] == [True] * 3
    assert after[1][1] == before[1][1]  # it is unreadable

    writes = len(woo.writes)
    assert "0 products" in run("woocommerce.py", "run", woo.address, "--all", "--write")
    assert len(woo.writes) == writes
    assert "2 products would be changed" in run("woocommerce.py", "undo", woo.address)
    assert woo.shown() == after

    run("woocommerce.py", "undo", woo.address, "--write")
    assert woo.shown() == before and set(woo.media) == media
    assert "0 products" in run("woocommerce.py", "undo", woo.address, "--write")


def test_pictures_that_a_person_should_look_at_are_not_written(
    run: Run, woo: FakeWooCommerce, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packshot, "remove", lambda *photo, **said: replace(made_once(*photo, **said), review=True))
    assert "check it" in run("woocommerce.py", "run", woo.address, "--write")
    assert woo.writes == []


def test_too_many_requests_are_sent_again(run: Run, woo: FakeWooCommerce) -> None:
    for method in ("GET", "POST", "PUT"):
        too_many = as_json({"message": "Too many"}, 429, **AGAIN)
        woo.faults += [Fault(lambda asked, method=method: asked.method == method, too_many)]
    assert "2 products changed" in run("woocommerce.py", "run", woo.address, "--all", "--write")
    assert woo.faults == []
    assert is_square(woo.shown()[7][0][3])


@pytest.mark.slow
@pytest.mark.parametrize("done", [False, True], ids=["before it is done", "after it is done"])
@pytest.mark.parametrize(("method", "path"), [("POST", "media"), ("PUT", "products/1"), ("PUT", "products/7")])
def test_a_run_goes_on_after_a_failure_and_can_still_be_undone(
    run: Run, woo: FakeWooCommerce, method: str, path: str, done: bool
) -> None:
    before = woo.shown()
    broken = as_json({"code": "internal_server_error"}, 500)
    woo.faults.append(Fault(lambda asked: asked.method == method and path in asked.path, broken, done))
    assert "Run the same command again" in run("woocommerce.py", "run", woo.address, "--all", "--write")
    run("woocommerce.py", "run", woo.address, "--all", "--write")
    after = woo.shown()
    assert all(is_square(after[product][place][3]) for product, place in ((1, 0), (1, 2), (7, 0)))
    assert [each[1:3] for each in after[1]] == [each[1:3] for each in before[1]]
    run("woocommerce.py", "undo", woo.address, "--write")
    assert woo.shown() == before


@pytest.mark.slow
@pytest.mark.parametrize("done", [False, True], ids=["before it is done", "after it is done"])
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_an_undo_goes_on_after_a_failure(run: Run, woo: FakeWooCommerce, method: str, done: bool) -> None:
    before, media = woo.shown(), set(woo.media)
    run("woocommerce.py", "run", woo.address, "--all", "--write")
    woo.faults.append(Fault(lambda asked: asked.method == method, as_json({}, 500), done))
    assert "Stopped" in run("woocommerce.py", "undo", woo.address, "--write")
    said = run("woocommerce.py", "undo", woo.address, "--write")
    assert woo.shown() == before and set(woo.media) == media, said


def test_undo_leaves_alone_what_somebody_has_changed_since(run: Run, woo: FakeWooCommerce) -> None:
    before = woo.shown()
    run("woocommerce.py", "run", woo.address, "--all", "--write")
    woo.products[1].reverse()
    changed = woo.shown()[1]
    assert "pictures have changed since" in run("woocommerce.py", "undo", woo.address, "--write")
    assert (woo.shown()[1], woo.shown()[7]) == (changed, before[7])
    run("woocommerce.py", "undo", woo.address, "--write", "--force")
    assert woo.shown() == before


@pytest.mark.slow
def test_a_service_can_do_the_work(
    run: Run, woo: FakeWooCommerce, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PACKSHOT_KEY", running.new_key())
    run("woocommerce.py", "run", woo.address, "--all", "--write", "--service", running.base_url)
    assert is_square(woo.shown()[7][0][3])


def test_shopify_replaces_the_content_of_pictures_and_undo_brings_it_back(run: Run, shopify: FakeShopify) -> None:
    before = shopify.shown()
    said = run("shopify.py", "run", shopify.address, "--all", "--write")
    assert "2 products changed" in said
    after = shopify.shown()
    for product in before:
        assert [each[:2] for each in after[product]] == [each[:2] for each in before[product]]
    assert is_square(shopify.files["a.jpg"]) and is_square(shopify.files["c.jpg"])
    assert Image.open(io.BytesIO(shopify.files["d.png"])).format == "PNG"
    assert shopify.files["e.jpg"] == BROKEN["e.jpg"]
    assert shopify.media["gid://shopify/MediaImage/a.jpg"].version == 2  # once, although two products show it
    assert "0 products" in run("shopify.py", "run", shopify.address, "--all", "--write")
    run("shopify.py", "undo", shopify.address, "--write")
    assert shopify.shown() == before


def test_shopify_is_asked_again_when_its_points_are_used_up(run: Run, shopify: FakeShopify) -> None:
    cost = {
        "requestedQueryCost": 70,
        "throttleStatus": {"maximumAvailable": 1000, "currentlyAvailable": 66, "restoreRate": 50},
    }
    errors = [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]
    throttled = as_json({"errors": errors, "extensions": {"cost": cost}})
    for word in (b"pageInfo", b"fileUpdate"):
        shopify.faults.append(Fault(lambda asked, word=word: word in asked.body, throttled))
    assert "2 products changed" in run("shopify.py", "run", shopify.address, "--all", "--write")
    assert shopify.faults == []


@pytest.mark.slow
@pytest.mark.parametrize("done", [False, True], ids=["before it is done", "after it is done"])
@pytest.mark.parametrize("word", [b"stagedUploadsCreate", b"fileUpdate", b"nodes(ids"])
def test_shopify_goes_on_after_a_failure_and_can_still_be_undone(
    run: Run, shopify: FakeShopify, tmp_path: Path, word: bytes, done: bool
) -> None:
    before = shopify.shown()
    shopify.faults.append(Fault(lambda asked: word in asked.body, (502, {}, b"Bad gateway"), done))
    assert "Run the same command again" in run("shopify.py", "run", shopify.address, "--all", "--write")
    run("shopify.py", "run", shopify.address, "--all", "--write")
    assert is_square(shopify.files["a.jpg"]) and is_square(shopify.files["c.jpg"])
    run("shopify.py", "undo", shopify.address, "--write")
    assert shopify.shown() == before


def test_a_journal_whose_last_line_was_cut_off_still_counts(run: Run, woo: FakeWooCommerce, tmp_path: Path) -> None:
    before = woo.shown()
    run("woocommerce.py", "run", woo.address, "--all", "--write")
    journal = tmp_path / "state/journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-20])  # a kill during the write of the last `written`
    run("woocommerce.py", "run", woo.address, "--all", "--write")
    steps = [json.loads(line)["step"] for line in journal.read_bytes().splitlines() if line.endswith(b"}")]
    assert steps.count("written") == 2
    run("woocommerce.py", "undo", woo.address, "--write")
    assert woo.shown() == before
