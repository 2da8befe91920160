"""Framing: the laws of frames, for many photos, boxes and options."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packshot.core.frame import Frame, make_frame
from packshot.core.geometry import Box, Size
from packshot.core.options import Options
from packshot.core.recipe import make_recipe
from packshot.core.values import MOST_PIXELS

PHOTO, BOX = Size(1000, 800), Box(300, 200, 500, 600)


def framed(photo: Size = PHOTO, box: Box = BOX, **options: object) -> Frame:
    return make_frame(make_recipe(Options.from_fields(options)).framing, photo, box)


def product(frame: Frame, box: Box = BOX) -> Box:
    return frame.place(box)


def filled(frame: Frame, box: Box = BOX) -> float:
    placed = frame.place(box).size
    return max(placed.width / frame.size.width, placed.height / frame.size.height)


@st.composite
def photos(draw: st.DrawFn) -> tuple[Size, Box]:
    width, height = draw(st.integers(32, 3000)), draw(st.integers(32, 3000))
    left, top = draw(st.integers(0, width - 16)), draw(st.integers(0, height - 16))
    box = Box(left, top, draw(st.integers(left + 16, width)), draw(st.integers(top + 16, height)))
    return Size(width, height), box


def test_without_a_wish_the_frame_is_the_photo() -> None:
    assert framed().is_photo(PHOTO)


@given(photos())
def test_a_crop_is_the_products_box_pixel_by_pixel(scene: tuple[Size, Box]) -> None:
    photo, box = scene
    frame = framed(photo, box, crop=True)
    assert (frame.size, frame.scale) == (box.size, 1.0)
    assert frame.place(box) == Box.full(box.size)


def test_margins_lie_where_css_has_them() -> None:
    frame = framed(crop=True, margin="10px 5% 20px 10%")
    assert frame.size == Size(200 + 10 + 20, 400 + 10 + 20)
    assert product(frame) == Box(20, 10, 220, 410)


@given(photos(), st.integers(50, 100), st.sampled_from(["1:1", "4:5", "16:9", "2:3"]))
def test_an_aspect_holds_the_product_at_its_share_without_scaling(
    scene: tuple[Size, Box], percent: int, aspect: str
) -> None:
    photo, box = scene
    frame = framed(photo, box, canvas=aspect, fill=f"{percent}%")
    across, down = (int(part) for part in aspect.split(":"))
    if frame.scale != 1.0:  # no output is larger than the largest canvas
        assert frame.scale < 1 and frame.size.width * frame.size.height > 0.999 * MOST_PIXELS
    assert frame.size.width / frame.size.height == pytest.approx(across / down, abs=2 / min(frame.size) * across / down)
    assert filled(frame, box) == pytest.approx(percent / 100, abs=1.5 / min(frame.size))


@given(photos(), st.integers(5, 100), st.sampled_from(["700x700", "400x900", "2000x1500"]))
def test_an_exact_canvas_is_exact_and_the_product_takes_its_share_or_is_not_enlarged(
    scene: tuple[Size, Box], percent: int, canvas: str
) -> None:
    photo, box = scene
    frame = framed(photo, box, canvas=canvas, fill=f"{percent}%")
    assert str(frame.size) == canvas
    assert frame.scale <= 1
    if frame.scale < 1:
        assert filled(frame, box) == pytest.approx(percent / 100, abs=1.5 / min(frame.size))
    else:
        assert filled(frame, box) <= percent / 100 + 1.5 / min(frame.size)


@given(photos(), st.sampled_from([{}, {"crop": True}, {"canvas": "1:1"}, {"canvas": "3:4", "fill": "80%"}]))
def test_bounds_of_the_longest_side_hold(scene: tuple[Size, Box], wishes: dict[str, object]) -> None:
    photo, box = scene
    assert framed(photo, box, max_px=500, **wishes).size.longest <= 500
    wide = framed(photo, box, min_px=600, max_upscale=4, **wishes)
    assert wide.size.longest >= 600 or wide.scale == pytest.approx(4, rel=0.05)


def test_the_product_lies_inside_its_canvas_wherever_it_is_put() -> None:
    for name in ("center", "top left", "bottom", "100% 0%", "right"):
        frame = framed(canvas="1200x1200", fill="50%", max_upscale=4, position=name)
        placed = product(frame)
        assert placed.left >= 0
        assert placed.top >= 0
        assert placed.right <= 1200
        assert placed.bottom <= 1200
    assert product(framed(canvas="1200x1200", fill="50%", position="bottom right")).bottom == 1200


def test_a_position_alone_moves_the_product_in_the_photos_frame() -> None:
    frame = framed(position="bottom left")
    assert (frame.size, frame.scale) == (PHOTO, 1.0)
    assert product(frame) == Box(0, 400, 200, 800)
    small = framed(position="bottom left", max_px=500)
    assert small.size == Size(500, 400)
    assert product(small) == Box(0, 200, 100, 400)


def test_too_small_a_product_is_not_enlarged_and_that_is_said() -> None:
    frame = framed(canvas="2000x2000", fill="85%")
    assert frame.scale == 1
    (note,) = frame.notes
    assert "200x400" in note.message
    assert note.code == "enlarged-less"
    assert note.facts == {"what": "product", "size": (200, 400), "frame": (2000, 2000), "wanted": 4.25, "most": 1.0}
    assert framed(canvas="2000x2000", fill="85%", max_upscale=4.0).scale == 4
    assert not framed(canvas="400x400", fill="85%").notes


def test_a_frame_that_stays_too_small_says_so() -> None:
    frame = framed(canvas="1:1", fill="80%", min_px=1000)
    assert frame.size == Size(500, 500)
    assert frame.notes[0].message.startswith("The longest side is 500 px instead of 1000 px")
    assert frame.notes[0].facts == {"what": "product", "size": (200, 400), "frame": (500, 500), "asked": 1000}
    assert framed(canvas="1:1", fill="80%", min_px=1000, max_upscale=2).size == Size(1000, 1000)


def test_a_product_at_the_photos_edge_is_said_when_it_is_framed() -> None:
    cut = Box(0, 200, 500, 800)
    (note,) = framed(box=cut, crop=True).notes
    assert "left and lower edges" in str(note)
    assert (note.code, note.facts) == ("reaches-edge", {"edges": ("left", "lower")})
    assert not framed(box=cut).notes


def test_a_photo_on_a_canvas_keeps_its_composition() -> None:
    frame = framed(canvas="500x500")
    assert frame.scale == 0.5
    assert frame.place(Box.full(PHOTO)) == Box(0, 50, 500, 450)


@given(photos(), st.integers(1, 100), st.sampled_from([{"crop": True}, {"canvas": "20:1"}, {"canvas": "1:20"}]))
def test_no_frame_takes_more_memory_than_the_largest_photo(
    scene: tuple[Size, Box], percent: int, wishes: dict[str, object]
) -> None:
    size = framed(*scene, fill=f"{percent}%", **wishes).size
    assert size.longest <= 10_000
    assert size.width * size.height <= 50_000_000
