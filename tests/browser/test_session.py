"""The session that survives a reload (session.js): in a real IndexedDB, in tabs of a real browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playwright.sync_api import Browser, BrowserContext, Page

from tests.kit.browser import CHROMIUM, PLAIN_HOST
from tests.kit.server import Running

pytestmark = pytest.mark.browser

QUIET = "/healthz"  # a document of the same origin that does not run the page
OPEN = """async () => {
    const { Session } = await import("/page/now/session.js");
    globalThis.told = [];
    globalThis.session = await Session.open();
    for (const kind of ["full", "room"]) session.addEventListener(kind, () => told.push(kind));
    return session.works;
}"""
SAVE = """async ([id, text, name]) => {
    const file = new File([text], name ?? `${id}.jpg`, { type: "image/jpeg" });
    session.savePhoto(id, { file, strokes: [{ x: 1.5 }] });
    await session.flush();
}"""
LOAD = """async () => {
    const { page, photos } = await session.load();
    return { page, photos: await Promise.all(photos.map(async ({ file, ...rest }) =>
        ({ ...rest, name: file.name, type: file.type, text: await file.text() }))) };
}"""
ROWS = """() => new Promise((resolve, reject) => {
    const request = indexedDB.open("packshot-session");
    request.onerror = () => reject(request.error);
    request.onsuccess = () => {
        const names = [...request.result.objectStoreNames];
        const transaction = request.result.transaction(names);
        const found = {};
        for (const name of names) {
            transaction.objectStore(name).getAllKeys().onsuccess = ({ target }) => { found[name] = target.result; };
        }
        transaction.oncomplete = () => { request.result.close(); resolve(found); };
    };
})"""


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    with browser.new_context() as context:
        yield context


def opened(page: Page, address: str) -> Page:
    page.goto(address + QUIET)
    assert page.evaluate(OPEN)
    return page


@pytest.fixture
def tab(context: BrowserContext, running: Running) -> Page:
    return opened(context.new_page(), running.base_url)


@contextmanager
def on_disk(browser: Browser, profile: Path) -> Iterator[BrowserContext]:
    """A browser with its profile on the disk: the other tests' browsers keep data in memory, as private windows do."""
    options: Any = {"executable_path": CHROMIUM, "args": ["--no-sandbox"]}
    with browser.browser_type.launch_persistent_context(profile, **options) as context:
        yield context


def texts(tab: Page) -> list[str]:
    return [photo["text"] for photo in tab.evaluate(LOAD)["photos"]]


def counts(tab: Page) -> dict[str, int]:
    return {name: len(keys) for name, keys in tab.evaluate(ROWS).items()}


def test_a_reload_keeps_photos_their_order_and_the_settings(tab: Page, running: Running) -> None:
    tab.evaluate("() => session.savePage({ preset: 'amazon', picture: new File(['behind'], 'wall.png') })")
    for number in (3, 1, 2):
        tab.evaluate(SAVE, [number, f"photo {number}"])
    opened(tab, running.base_url)
    kept = tab.evaluate(LOAD)
    assert kept["photos"][0] == {
        "id": 3,
        "order": 1,
        "strokes": [{"x": 1.5}],
        "name": "3.jpg",
        "type": "image/jpeg",
        "text": "photo 3",
    }
    assert [photo["id"] for photo in kept["photos"]] == [3, 1, 2]
    assert kept["page"]["preset"] == "amazon"
    assert tab.evaluate("async () => (await session.load()).page.picture.text()") == "behind"


def test_what_was_saved_last_is_kept_when_the_tab_goes_at_once(tab: Page, running: Running) -> None:
    tab.evaluate("async () => { session.savePhoto(1, { name: 'early' }); await session.flush(); }")
    tab.evaluate("() => { session.savePhoto(1, { name: 'late' }); }")
    opened(tab, running.base_url)
    assert tab.evaluate("async () => (await session.load()).photos.map(({ name }) => name)") == ["late"]


def test_tabs_have_sessions_of_their_own_also_a_duplicated_one(
    tab: Page, context: BrowserContext, running: Running
) -> None:
    check_tabs(tab, context, running.base_url)


def test_over_plain_http_too(context: BrowserContext, running: Running) -> None:
    address = f"http://{PLAIN_HOST}:{running.service.settings.port}"
    tab = opened(context.new_page(), address)
    assert tab.evaluate("() => navigator.locks === undefined")
    check_tabs(tab, context, address)


def check_tabs(tab: Page, context: BrowserContext, address: str) -> None:
    """Reloads, a second tab, a duplicated tab, and a tab that takes over a closed tab's session."""
    tab.evaluate(SAVE, [1, "first"])
    second = opened(context.new_page(), address)
    assert texts(second) == []
    second.evaluate(SAVE, [1, "second"])
    with context.expect_page() as coming:
        tab.evaluate("() => { window.open(location.href); }")  # with a copy of the sessionStorage
    place = "() => sessionStorage.getItem('packshot-session')"
    assert coming.value.evaluate(place) == tab.evaluate(place)
    duplicate = opened(coming.value, address)
    assert texts(duplicate) == []
    duplicate.evaluate(SAVE, [1, "third"])
    for each, text in ((tab, "first"), (second, "second"), (duplicate, "third")):
        assert texts(opened(each, address)) == [text]
    second.close()
    assert texts(opened(context.new_page(), address)) == ["second"]


def test_of_tabs_that_open_at_once_over_plain_http_one_takes_what_is_there(
    context: BrowserContext, running: Running
) -> None:
    address = f"http://{PLAIN_HOST}:{running.service.settings.port}"
    tab = opened(context.new_page(), address)
    tab.evaluate(SAVE, [1, "left"])
    tab.close()
    tabs = [context.new_page() for _ in range(3)]
    for each in tabs:
        each.goto(address + QUIET)
        each.evaluate(f"() => {{ globalThis.opening = ({OPEN})(); }}")
    for each in tabs:
        assert each.evaluate("() => opening")
    assert sorted(texts(each) for each in tabs) == [[], [], ["left"]]


def test_a_tab_that_slept_while_another_took_its_session_writes_nothing_more(
    context: BrowserContext, running: Running
) -> None:
    address = f"http://{PLAIN_HOST}:{running.service.settings.port}"
    sleeper = opened(context.new_page(), address)
    sleeper.evaluate(SAVE, [1, "before"])
    deaf = "BroadcastChannel.prototype.postMessage = () => {}"  # like a frozen tab, which does not respond
    sleeper.evaluate(f"() => {{ {deaf}; }}")
    other = opened(context.new_page(), address)
    assert texts(other) == ["before"]
    other.evaluate(SAVE, [1, "after"])
    sleeper.evaluate(SAVE, [1, "from the past"])
    assert sleeper.evaluate("() => [session.works, told]") == [False, ["full"]]
    assert texts(other) == ["after"]


def test_a_session_of_eight_days_ago_is_deleted_and_one_of_six_is_taken(
    tab: Page, context: BrowserContext, running: Running
) -> None:
    others = [tab, *(opened(context.new_page(), running.base_url) for _ in range(2))]
    for days, each in zip((8, 6, 9), others, strict=True):
        each.evaluate(SAVE, [1, f"{days} days"])
        each.evaluate(
            """(days) => new Promise((resolve) => {
                const request = indexedDB.open("packshot-session");
                request.onsuccess = () => {
                    const transaction = request.result.transaction(["sessions"], "readwrite");
                    const id = sessionStorage.getItem("packshot-session");
                    transaction.objectStore("sessions").put({ id, touched: Date.now() - days * 86_400_000 });
                    transaction.oncomplete = () => { request.result.close(); resolve(); };
                };
            })""",
            days,
        )
    keeper = others.pop()  # no tab may delete an old session that is open
    for each in others:
        each.close()
    fresh = opened(context.new_page(), running.base_url)
    assert texts(fresh) == ["6 days"]
    assert counts(fresh) == {"sessions": 2, "records": 2, "blobs": 2}
    assert texts(keeper) == ["9 days"]


def test_clear_empties_the_database_but_for_what_other_tabs_have_open(
    tab: Page, context: BrowserContext, running: Running
) -> None:
    left, other = (opened(context.new_page(), running.base_url) for _ in range(2))
    for each in (tab, left, other):
        each.evaluate(SAVE, [1, "a photo"])
        each.evaluate("async () => { session.savePage({ preset: '' }); await session.flush(); }")
    left.close()
    tab.wait_for_function("async () => (await navigator.locks.query()).held.length === 2")  # released a moment later
    assert counts(tab) == {"sessions": 3, "records": 6, "blobs": 3}
    tab.evaluate("async () => { session.savePhoto(2, { file: new File(['b'], 'b.jpg') }); await session.clear(); }")
    assert counts(tab) == {"sessions": 1, "records": 2, "blobs": 1}
    other.evaluate("() => session.clear()")
    assert counts(other) == {"blobs": 0, "records": 0, "sessions": 0}
    tab.evaluate(SAVE, [3, "afterwards"])
    assert texts(opened(tab, running.base_url)) == ["afterwards"]


def test_a_blob_is_written_once_and_goes_with_the_last_record_that_names_it(tab: Page) -> None:
    written = """(act) => new Promise(async (resolve) => {
        const put = IDBObjectStore.prototype.put;
        const names = [];
        IDBObjectStore.prototype.put = function (...given) { names.push(this.name); return put.apply(this, given); };
        await eval(`(async () => { ${act} })()`);
        await session.flush();
        IDBObjectStore.prototype.put = put;
        resolve(names.filter((name) => name !== "sessions"));
    })"""
    assert tab.evaluate(
        written, "globalThis.one = new File(['1'], '1.jpg'); session.savePhoto(1, { file: one, looked: false });"
    ) == ["records", "blobs"]
    assert tab.evaluate(written, "session.savePhoto(1, { file: one, looked: true });") == ["records"]
    assert tab.evaluate(written, "session.savePage({ picture: one });") == ["records"]
    many = "for (let size = 0; size < 50; size += 1) session.savePhoto(1, { file: one, size });"
    assert tab.evaluate(written, many) == ["records"], "frequent changes are written in their last state"
    assert tab.evaluate(
        written, "const { photos: [{ file }] } = await session.load(); session.savePhoto(2, { file });"
    ) == ["records"], "a loaded blob is known"
    tab.evaluate("async () => { session.removePhoto(1); session.savePage({}); await session.flush(); }")
    assert counts(tab) == {"sessions": 1, "records": 2, "blobs": 1}
    tab.evaluate("async () => { session.removePhoto(2); await session.flush(); }")
    assert counts(tab)["blobs"] == 0
    assert tab.evaluate(written, "session.savePhoto(1, { file: one });") == ["records", "blobs"], "after an undo"


def test_a_file_that_was_chosen_from_the_disk_is_kept_though_it_changes_there(
    browser: Browser, running: Running, tmp_path: Path
) -> None:
    files = [tmp_path / "changed.jpg", tmp_path / "removed.jpg"]
    for file in files:
        file.write_bytes(b"as it was " * 100_000)
    with on_disk(browser, tmp_path / "profile") as context:
        tab = opened(context.pages[0], running.base_url)
        tab.set_content("<input type=file multiple>")
        tab.set_input_files("input", files)
        tab.evaluate(
            """async () => {
                for (const file of document.querySelector("input").files) session.savePhoto(file.name, { file });
                await session.flush();
            }"""
        )
        files[0].write_bytes(b"another one")
        files[1].unlink()
        opened(tab, running.base_url)
        assert texts(tab) == ["as it was " * 100_000] * 2


def test_where_storage_is_forbidden_nothing_is_kept_and_nothing_breaks(
    browser: Browser, running: Running, tmp_path: Path
) -> None:
    (tmp_path / "Default").mkdir()
    forbidden = {"profile": {"default_content_setting_values": {"cookies": 2}}}
    (tmp_path / "Default/Preferences").write_text(json.dumps(forbidden))
    with on_disk(browser, tmp_path) as context:
        tab = context.pages[0]
        tab.goto(running.base_url + QUIET)
        assert tab.evaluate("() => { try { return Boolean(localStorage); } catch { return false; } }") is False
        assert tab.evaluate(OPEN) is False
        tab.evaluate(SAVE, [1, "a photo"])
        tab.evaluate("async () => { session.removePhoto(1); session.savePage({}); await session.clear(); }")
        assert tab.evaluate(LOAD) == {"page": None, "photos": []}
        colours = """async () => { const { rememberColour, recentColours } = await import("/page/now/colours.js");
            rememberColour("#123456"); return recentColours(); }"""
        assert tab.evaluate(colours) == ["#123456"]


def test_a_full_disk_is_told_once_and_what_was_kept_stays(browser: Browser, running: Running, tmp_path: Path) -> None:
    large = """async ([id, bytes]) => {
        session.savePhoto(id, { file: new File([new Uint8Array(bytes)], "a.jpg") });
        await session.flush();
    }"""
    photos = "async () => (await session.load()).photos.map(({ id, file }) => [id, file.size])"
    with on_disk(browser, tmp_path) as context:
        tab = context.pages[0]
        tab.goto(running.base_url + QUIET)
        quota = context.new_cdp_session(tab)
        limit = {"origin": running.base_url, "quotaSize": 3_000_000}
        quota.send("Storage.overrideQuotaForOrigin", limit)
        opened(tab, running.base_url)
        tab.evaluate(large, [1, 1_000_000])
        assert tab.evaluate("() => session.works")
        for number in (2, 3):
            tab.evaluate(large, [number, 5_000_000])
        assert tab.evaluate("() => [session.works, told]") == [False, ["full"]]
        tab.evaluate(large, [4, 1000])
        tab.evaluate(large, [1, 6_000_000])
        assert tab.evaluate(photos) == [[1, 1_000_000], [4, 1000]]
        assert counts(tab) == {"sessions": 1, "records": 2, "blobs": 2}

        quota.send("Storage.overrideQuotaForOrigin", limit | {"quotaSize": 50_000_000})
        tab.evaluate("async () => { session.removePhoto(3); await session.flush(); }")
        assert tab.evaluate("() => [session.works, told]") == [True, ["full", "room"]]
        everything = [[1, 6_000_000], [2, 5_000_000], [4, 1000]]
        assert tab.evaluate(photos) == everything
        opened(tab, running.base_url)
        assert tab.evaluate(photos) == everything


def test_a_hundred_photos_are_saved_at_once_and_written_one_after_the_other(tab: Page) -> None:
    done = tab.evaluate(
        """async () => {
            const file = (_, number) => new File([new Uint8Array(30_000 + number)], "a.jpg");
            const files = Array.from({ length: 100 }, file);
            let turns = 0;
            const timer = setInterval(() => { turns += 1; }, 0);
            files.forEach((file, id) => session.savePhoto(id, { file }));
            await session.flush();
            const { photos } = await session.load();
            clearInterval(timer);
            return { turns, sizes: photos.map(({ file }) => file.size) };
        }"""
    )
    assert done["sizes"] == [30_000 + number for number in range(100)]
    assert done["turns"] > 5, "the page gets its turn meanwhile"


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("save"), st.integers(1, 4), st.text(max_size=5)),
        st.tuples(st.just("remove"), st.integers(1, 4), st.just("")),
        st.tuples(st.sampled_from(["flush", "hurry", "clear"]), st.just(0), st.just("")),
    ),
    max_size=14,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_whatever_is_done_in_whatever_order_the_database_ends_as_it_was_said_last(
    tab: Page, steps: list[tuple[str, int, str]]
) -> None:
    expected: dict[int, str] = {}
    for step, number, text in steps:
        if step == "save":
            expected[number] = text
        elif step == "remove":
            expected.pop(number, None)
        elif step == "clear":
            expected.clear()
    found = tab.evaluate(
        """async (steps) => {
            await session.clear();
            for (const [step, id, text] of steps) {
                if (step === "save") session.savePhoto(id, { file: new File([text], "a.jpg"), again: [{ text }] });
                if (step === "remove") session.removePhoto(id);
                if (step === "flush") await session.flush();
                if (step === "hurry") dispatchEvent(new Event("pagehide"));
                if (step === "clear") session.clear();
            }
            await session.flush();
            const { photos } = await session.load();
            return Promise.all(photos.map(async ({ id, file, again }) => [id, await file.text(), again[0].text]));
        }""",
        steps,
    )
    assert {number: (text, again) for number, text, again in found} == {n: (t, t) for n, t in expected.items()}
    assert counts(tab)["blobs"] == len(expected)
