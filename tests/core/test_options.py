"""Options: forms, JSON and Python values read alike, and errors name the mistake."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packshot.core.geometry import Size
from packshot.core.options import OPTIONS, Options
from packshot.core.recipe import Framing, Recipe, make_recipe
from packshot.core.values import Canvas, Length, Margins, Position, colour, margins, position
from packshot.errors import InvalidOption

# A text value that each option rejects.
WRONG = {
    "form": "poster",
    "format": "gif",
    "quality": "0",
    "background": "no-such-colour",
    "background_picture": "",
    "rotate": "361",
    "crop": "perhaps",
    "margin": "1% 2% 3%",
    "canvas": "5x5",
    "fill": "120%",
    "position": "left right",
    "max_upscale": "9",
    "min_px": "3",
    "max_px": "99999",
    "shadow": "hard",
    "shadow_opacity": "50",
    "roi": "90% 0% 10% 100%",
    "touch_up": "",
    "metadata": "some",
}


def test_nothing_said_is_a_cutout_as_png() -> None:
    assert make_recipe(Options()) == Recipe()
    assert make_recipe(Options()).framing.is_photo


@pytest.mark.parametrize("name", [name for name, option in OPTIONS.items() if option.kind != "file"])
def test_every_example_in_the_help_is_accepted(name: str) -> None:
    for example in OPTIONS[name].examples:
        assert getattr(Options.from_fields({name: example}), name) is not None


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_value_is_named_with_what_is_allowed(name: str) -> None:
    with pytest.raises(InvalidOption) as caught:
        Options.from_fields({name: WRONG[name] or b""})
    assert caught.value.fields["field"] == name
    assert caught.value.fields["allowed"]
    assert name in caught.value.message


def test_an_unknown_option_is_told_the_nearest_known_one() -> None:
    with pytest.raises(InvalidOption, match="Did you mean background"):
        Options.from_fields({"backgroud": "white"})


@pytest.mark.parametrize(
    ("text", "json"),
    [
        ({"crop": "true"}, {"crop": True}),
        ({"quality": "80"}, {"quality": 80}),
        ({"max_upscale": "2"}, {"max_upscale": 2}),
    ],
)
def test_text_and_json_say_the_same(text: dict[str, object], json: dict[str, object]) -> None:
    assert Options.from_fields(text) == Options.from_fields(json)


@pytest.mark.parametrize(("name", "value"), [("quality", True), ("crop", 3), ("fill", 0.85), ("quality", 2.5)])
def test_json_of_the_wrong_type_is_refused(name: str, value: object) -> None:
    with pytest.raises(InvalidOption, match=name):
        Options.from_fields({name: value})


@pytest.mark.parametrize(
    "said",
    [
        {"form": "cutout", "format": "jpeg"},
        {"form": "mask", "background": "white"},
        {"form": "flattened", "background": "transparent"},
        {"background": "white", "background_picture": b"x"},
        {"quality": 80},
        {"margin": "5%"},
        {"crop": True, "margin": "5%", "fill": "85%"},
        {"min_px": 900, "max_px": 800},
        {"canvas": "500x500", "max_px": 800},
        {"form": "mask", "shadow": "soft"},
        {"shadow_opacity": "30%"},
    ],
)
def test_options_that_contradict_each_other_are_refused_by_name(said: dict[str, object]) -> None:
    with pytest.raises(InvalidOption) as caught:
        make_recipe(Options.from_fields(said))
    assert caught.value.fields["field"] in said


def test_what_is_said_wins_over_the_preset() -> None:
    base = Options(background="white", fill="85%", format="jpeg")
    assert Options(fill="70%").over(base) == Options(background="white", fill="70%", format="jpeg")


def test_a_background_or_jpeg_flattens() -> None:
    assert make_recipe(Options(background="#102030")).background == (16, 32, 48)
    assert make_recipe(Options(background="#102030")).form == "flattened"
    assert make_recipe(Options(format="jpeg")).background == (255, 255, 255)
    assert make_recipe(Options(format="jpeg")).quality == 95


def test_framing_reads_its_values() -> None:
    framing = make_recipe(Options(crop=True, margin="5% 20px", canvas="4:5", position="bottom right")).framing
    assert framing.margins == Margins(Length(0.05, True), Length(20), Length(0.05, True), Length(20))
    assert framing.canvas == Canvas(aspect=0.8)
    assert framing.position == Position(1.0, 1.0)
    assert framing != Framing()


@given(st.lists(st.floats(0, 500, allow_nan=False).map(lambda value: round(value, 2)), min_size=4, max_size=4))
def test_four_margins_are_in_the_order_of_css(lengths: list[float]) -> None:
    found = margins(" ".join(f"{each:g}px" for each in lengths))
    assert [each.value for each in found] == pytest.approx(lengths, abs=1e-2)


@given(st.integers(0, 100), st.integers(0, 100))
def test_positions_as_shares(x: int, y: int) -> None:
    assert position(f"{x}% {y}%") == pytest.approx(Position(x / 100, y / 100))


@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_colours_are_read_in_every_spelling(rgb: tuple[int, int, int]) -> None:
    red, green, blue = rgb
    assert colour(f"#{red:02x}{green:02x}{blue:02x}") == colour(f"rgb({red}, {green}, {blue})") == rgb


def test_the_key_depends_on_every_option() -> None:
    texts = {name: option.examples[0] for name, option in OPTIONS.items() if option.kind != "file"}
    keys = {Options.from_fields({name: text}).key() for name, text in texts.items()}
    keys |= {Options(touch_up=data).key() for data in (b"a", b"b")} | {Options(background_picture=b"a").key()}
    assert len(keys) == len(texts) + 3
    assert Options(fill="85%", form="mask").key() == Options(form="mask", fill="85%").key()


# Values of every type that a program may pass.
THINGS = st.one_of(
    st.text(max_size=8),
    st.binary(min_size=1, max_size=8),
    st.booleans(),
    st.integers(-9, 20_000),
    st.floats(),
    st.lists(st.integers(), max_size=5),
    st.tuples(st.integers(-5, 300), st.integers(-5, 300), st.integers(-5, 300)),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
    st.sampled_from([object(), int, Options(), 3j, np.zeros((2, 2)), np.float32(0.5), np.int64(90), ["white"]]),
)
KINDS = {"text": str, "switch": bool, "whole number": int, "number": int | float, "file": bytes}


@pytest.mark.slow
@settings(max_examples=400)
@given(st.sampled_from([*OPTIONS]), THINGS)
def test_an_option_holds_its_own_kind_or_names_itself_and_says_what_to_give(name: str, value: object) -> None:
    option = OPTIONS[name]
    try:
        held = getattr(Options(**{name: value}), name)
    except InvalidOption as error:
        assert error.message.startswith(f"{name} is ")
        assert error.hint.startswith("Give ")
        assert error.fields["field"] == name
        assert len(str(error)) < 400
    else:
        assert isinstance(held, KINDS[option.kind])
        assert isinstance(held, bool) == (option.kind == "switch")
        assert Options(**{name: held}) == Options(**{name: value})
        assert Options(**{name: value}).key() == Options(**{name: held}).key()


@pytest.mark.parametrize("name", OPTIONS)
def test_no_option_takes_a_value_of_another_kind(name: str) -> None:
    kind = OPTIONS[name].kind
    others = {str: "yes", bool: True, int: 3, float: 2000.5, bytes: b"x", dict: {"a": 1}, set: {1, 2, 3}}
    taken = {"text": (), "switch": (bool,), "whole number": (int,), "number": (int, float), "file": (bytes,)}[kind]
    for type_, value in others.items():
        natural = OPTIONS[name].write is not None and type_ in {int, float}
        if type_ not in taken and not natural and not (kind == "text" and type_ is str):
            with pytest.raises(InvalidOption, match=f"^{name} is .*, of type {type_.__name__}"):
                Options(**{name: value})


@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_a_colour_may_be_three_numbers(rgb: tuple[int, int, int]) -> None:
    assert Options(background=rgb).meaning("background") == rgb
    assert Options(background=rgb) == Options(background="#{:02x}{:02x}{:02x}".format(*rgb))


@given(st.integers(1, 100))
def test_a_share_may_be_a_number_up_to_1(percent: int) -> None:
    assert Options(fill=percent / 100) == Options(fill=f"{percent}%")
    assert Options(shadow_opacity=percent / 100).meaning("shadow_opacity") == pytest.approx(percent / 100)


@given(st.integers(0, 999_999) | st.floats(0, 999_999).map(lambda value: round(value, 3)))
def test_a_margin_may_be_a_number_of_px(number: float) -> None:
    assert Options(margin=number).meaning("margin") == Margins(*[Length(pytest.approx(number))] * 4)


@given(st.integers(16, 5000), st.integers(16, 5000))
def test_a_canvas_and_a_region_may_be_numbers_of_px(width: int, height: int) -> None:
    assert Options(canvas=(width, height)).meaning("canvas").size == (width, height)
    assert Options(roi=(0, 8, width, height)).meaning("roi").box(Size(9000, 9000)) == (0, 8, width, height)


def test_the_help_has_a_line_for_every_option() -> None:
    text = Options.__doc__ or ""
    for name, option in OPTIONS.items():
        assert f"\n    {name}: " in text
        assert " ".join(option.about.split())[:40] in " ".join(text.split())
