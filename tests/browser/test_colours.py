"""Colours as people type them, recent colours, and the sample photos."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageColor
from playwright.sync_api import Browser, Page

from packshot.core import values
from tests.kit.server import Running

pytestmark = pytest.mark.browser

CHANNEL = st.integers(0, 255)


@pytest.fixture(scope="module")
def page(browser: Browser, running: Running) -> Iterator[Page]:
    with browser.new_page() as page:
        page.goto(f"{running.base_url}/healthz")
        yield page


def parsed(page: Page, *texts: str) -> list[str | None]:
    found: list[str | None] = page.evaluate(
        """async (texts) => texts.map((await import("/page/now/colours.js")).parseColour)""", texts
    )
    return found


TYPED = st.one_of(
    st.sampled_from(sorted(ImageColor.colormap)),
    st.from_regex(r"\A#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})\Z"),
    st.builds("rgb({}, {}, {})".format, CHANNEL, CHANNEL, CHANNEL),
    st.builds("rgb({},{},{})".format, CHANNEL, CHANNEL, CHANNEL),
)


@settings(max_examples=50)
@given(text=TYPED, around=st.sampled_from(["", " ", "\t", "\n"]), upper=st.booleans())
def test_what_the_service_reads_as_a_colour_the_page_reads_as_the_same(
    page: Page, text: str, around: str, upper: bool
) -> None:
    text = f"{around}{text.upper() if upper else text}{around}"
    assert parsed(page, text) == [values.colour_text(values.colour(text))]


@settings(max_examples=25)
@given(CHANNEL, CHANNEL, CHANNEL)
def test_a_colour_may_be_pasted_as_other_programs_write_it(page: Page, red: int, green: int, blue: int) -> None:
    code = f"{red:02x}{green:02x}{blue:02x}"
    texts = [f"color: #{code};", f'"#{code.upper()}"', f"0x{code}", f"{red}, {green}, {blue}", f"{red} {green} {blue}"]
    texts += [
        f"rgb({red} {green} {blue})",
        f"rgba({red}, {green}, {blue}, 1)",
        f"background-color:rgb({red},{green},{blue});",
    ]
    assert parsed(page, *texts) == [f"#{code}"] * len(texts)


def test_other_forms_of_css_are_read_and_all_else_is_no_colour(page: Page) -> None:
    assert parsed(page, "hsl(120, 100%, 50%)", "hsl(0 0% 50%)", "rebeccapurple") == ["#00ff00", "#808080", "#663399"]
    none = ["", " ", "#", "#12", "#12345", "#1234567", "transparent", "currentColor", "inherit", "blurple", "rgb(1, 2)"]
    none += ["rgba(1, 2, 3, 0.5)", "256, 0, 0", "1, 2", "url(x)", "#ff00ff80", "red; color: blue", "\u00fc"]
    assert parsed(page, *none) == [None] * len(none)


@settings(max_examples=20)
@given(st.lists(st.sampled_from([f"#00000{digit}" for digit in "123456789"]), max_size=12))
def test_the_last_six_colours_are_kept_newest_first_without_doubles(page: Page, used: list[str]) -> None:
    found = page.evaluate(
        """async (used) => {
            const { forgetColours, rememberColour, recentColours } = await import("/page/now/colours.js");
            forgetColours();
            used.forEach(rememberColour);
            return recentColours();
        }""",
        used,
    )
    assert found == list(dict.fromkeys(reversed(used)))[:6]


@pytest.mark.parametrize("kept", ["nonsense", "{}", "null", '[1, null, "red", "#12345g", "#abcdef"]'])
def test_what_somebody_else_wrote_there_does_no_harm(page: Page, kept: str) -> None:
    found = page.evaluate(
        """async (kept) => {
            localStorage.setItem("packshot-colours", kept);
            return (await import("/page/now/colours.js")).recentColours();
        }""",
        kept,
    )
    assert found == (["#abcdef"] if "abcdef" in kept else [])


def test_three_sample_photos_are_small_files_of_1000_px(page: Page) -> None:
    found = page.evaluate(
        """async () => {
            const { sampleList, samples } = await import("/page/now/samples.js");
            const bytes = async (blob) => [...new Uint8Array(await blob.arrayBuffer())];
            const photo = async (file) => [file.name, file.type, await bytes(file)];
            const button = async ({ small }) => bytes(await (await fetch(small)).blob());
            const photos = await Promise.all((await samples()).map(photo));
            return { photos, small: await Promise.all(sampleList.map(button)) };
        }"""
    )
    assert [name for name, _, _ in found["photos"]] == ["mug.jpg", "teapot.jpg", "bear.jpg"]
    for (_, media_type, data), small in zip(found["photos"], found["small"], strict=True):
        assert media_type == "image/jpeg"
        assert len(data) < 120_000
        assert max(Image.open(io.BytesIO(bytes(data))).size) == 1000
        assert len(small) < 6_000
        assert max(Image.open(io.BytesIO(bytes(small))).size) == 160
    one = page.evaluate(
        """async () => (await (await import("/page/now/samples.js")).samples(["bear"])).map(({ name }) => name)"""
    )
    assert one == ["bear.jpg"]
