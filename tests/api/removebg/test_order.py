"""From the form's fields to options: the meaning of each value, and the errors for invalid values."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packshot.api.errors import MissingImage
from packshot.api.removebg.fields import FIELDS, MEGAPIXELS, colour
from packshot.api.removebg.order import Order, read
from packshot.api.removebg.routes import code_of
from packshot.core.frame import make_frame
from packshot.core.geometry import Box, Size
from packshot.core.options import Options
from packshot.core.recipe import make_recipe
from packshot.core.values import LARGEST_PX
from packshot.errors import PackshotError

PHOTO = b"a photo"
LARGE = Size(4000, 3000)


def order(**fields: object) -> Order:
    return read({"image_file": PHOTO, **fields})


def refusal(**fields: object) -> tuple[str, str]:
    """The error code and the message for these fields."""
    with pytest.raises(PackshotError) as caught:
        read({"image_file": PHOTO, **fields} if "image_file" not in fields else fields)
    return code_of(caught.value), str(caught.value)


class TestSource:
    def test_a_file_is_taken_as_it_is(self) -> None:
        assert order().photo == PHOTO

    @pytest.mark.parametrize(
        "text",
        [
            base64.b64encode(bytes(range(256))).decode(),
            "data:image/jpeg;base64," + base64.b64encode(bytes(range(256))).decode(),
            base64.encodebytes(bytes(range(256))).decode(),
            base64.b64encode(bytes(range(256))).decode().replace("+", " "),  # a form that was not escaped
            base64.b64encode(bytes(range(256))),  # as a file part
        ],
        ids=["plain", "data url", "in lines", "unescaped", "bytes"],
    )
    def test_base64_comes_in_all_its_dresses(self, text: object) -> None:
        assert read({"image_file_b64": text}).photo == bytes(range(256))

    @pytest.mark.parametrize("text", ["%%%", "abc", 17])
    def test_what_is_not_base64_is_said(self, text: object) -> None:
        code, words = refusal(image_file=b"", image_file_b64=text)
        assert (code, "not base64" in words) == ("failed_to_read_image", True)

    @pytest.mark.parametrize("fields", [{}, {"image_file": b""}, {"image_file": "text"}, {"image_file_b64": "data:,"}])
    def test_without_a_photo_the_words_say_how_to_send_one(self, fields: dict[str, object]) -> None:
        with pytest.raises(MissingImage, match="image_file_b64"):
            read(fields)

    def test_urls_are_told_and_what_they_lead_to_takes_their_place(self) -> None:
        found = read({"image_file": b"", "image_url": " https://a.example/1 ", "bg_image_url": "https://a.example/2"})
        assert found.urls == {"image_url": "https://a.example/1", "bg_image_url": "https://a.example/2"}
        assert found.file == "jpeg"  # a background picture makes it opaque
        whole = found.with_pictures({"image_url": PHOTO, "bg_image_url": b"b"})
        assert whole == read({"image_file": PHOTO, "bg_image_file": b"b"})

    def test_files_stay_where_there_is_no_url(self) -> None:
        found = order(bg_image_file=b"b")
        assert (found.urls, found.with_pictures({})) == ({}, found)

    def test_a_matte_needs_no_picture_behind_it(self) -> None:
        assert order(bg_image_url="https://a.example/2", channels="alpha").urls == {}

    @pytest.mark.parametrize("value", [["https://a.example"], {"a": 1}])
    def test_a_url_is_a_text(self, value: object) -> None:
        assert refusal(image_file=b"", image_url=value)[0] == "invalid_image_url"

    def test_two_sources_are_one_too_many(self) -> None:
        assert refusal(image_file_b64="QQ==")[0] == "multiple_sources"
        assert refusal(image_url="http://a")[0] == "multiple_sources"
        assert refusal(bg_color="red", bg_image_file=PHOTO)[0] == "multiple_bg_sources"


class TestMeaning:
    @pytest.mark.parametrize(
        ("fields", "options", "file"),
        [
            ({}, {"format": "png"}, "png"),
            ({"format": "png"}, {"format": "png"}, "png"),
            ({"format": "WebP"}, {"format": "webp"}, "webp"),
            ({"format": "jpg"}, {"format": "jpeg"}, "jpeg"),
            ({"format": "JPEG"}, {"format": "jpeg"}, "jpeg"),
            ({"format": b"webp", "size": b"full"}, {"format": "webp"}, "webp"),  # parts with a file name
            ({"format": "zip"}, {"format": "png"}, "zip"),
            ({"bg_color": "ff0000"}, {"format": "jpeg", "background": "#ff0000"}, "jpeg"),
            ({"bg_color": "#F00"}, {"format": "jpeg", "background": "#ff0000"}, "jpeg"),
            ({"bg_color": "red", "format": "png"}, {"format": "png", "background": "#ff0000"}, "png"),
            ({"bg_color": "ff0000ff"}, {"format": "jpeg", "background": "#ff0000"}, "jpeg"),
            ({"bg_color": "f000"}, {"format": "png"}, "png"),
            ({"bg_color": "ff000080", "format": "jpg"}, {"format": "jpeg", "background": "#ff7f7f"}, "jpeg"),
            ({"bg_color": "transparent"}, {"format": "png"}, "png"),
            ({"bg_color": " Transparent", "format": "jpg"}, {"format": "jpeg"}, "jpeg"),
            (
                {"bg_color": "transparent", "bg_image_file": b"b"},
                {"format": "jpeg", "background_picture": b"b"},
                "jpeg",
            ),
            ({"bg_color": "rgb(255, 0, 0)"}, {"format": "jpeg", "background": "#ff0000"}, "jpeg"),
            ({"bg_color": "rgba(255,0,0,0)"}, {"format": "png"}, "png"),
            ({"bg_color": "rgba(255,0,0,.5)", "format": "jpg"}, {"format": "jpeg", "background": "#ff7f7f"}, "jpeg"),
            ({"bg_image_file": b"b"}, {"format": "jpeg", "background_picture": b"b"}, "jpeg"),
            ({"channels": "alpha"}, {"form": "mask", "format": "png"}, "png"),
            ({"channels": "alpha", "bg_color": "red", "add_shadow": "true"}, {"form": "mask", "format": "png"}, "png"),
            ({"channels": "alpha", "format": "jpg"}, {"form": "mask", "format": "jpeg"}, "jpeg"),
            ({"crop": "true"}, {"format": "png", "crop": True}, "png"),
            ({"crop": True, "crop_margin": "10% 20px"}, {"format": "png", "crop": True, "margin": "10% 20px"}, "png"),
            ({"crop": "false", "crop_margin": "30px"}, {"format": "png"}, "png"),
            ({"roi": "10% 0% 90% 100%"}, {"format": "png", "roi": "10% 0% 90% 100%"}, "png"),
            ({"roi": "10px 20px 300px 400px"}, {"format": "png", "roi": "10px 20px 300px 400px"}, "png"),
            ({"scale": "80%"}, {"format": "png", "fill": "80%", "max_upscale": 4.0}, "png"),
            ({"scale": "original", "position": "original"}, {"format": "png"}, "png"),
            ({"add_shadow": "true"}, {"format": "png", "shadow": "contact"}, "png"),
            ({"shadow_type": "drop"}, {"format": "png", "shadow": "soft"}, "png"),
            ({"shadow_type": "3D", "shadow_opacity": 40}, {"shadow": "contact", "shadow_opacity": "40.00%"}, "png"),
            ({"add_shadow": "true", "shadow_opacity": "0"}, {"format": "png"}, "png"),
            ({"add_shadow": "true", "shadow_type": "none"}, {"format": "png"}, "png"),
            ({"semitransparency": "false", "type": "car", "unheard_of": "1"}, {"format": "png"}, "png"),
            (
                {"scale": "50%", "position": "10%, 20%"},
                {"fill": "50%", "position": "10% 20%", "max_upscale": 4.0},
                "png",
            ),
        ],
    )
    def test_fields_become_options_that_go_together(
        self, fields: dict[str, object], options: dict[str, Any], file: str
    ) -> None:
        found = order(**fields)
        assert found.options == Options(**{"format": "png", **options})
        assert found.file == file
        make_recipe(found.options)

    def test_a_half_transparent_colour_lies_behind_a_cutout(self) -> None:
        found = order(bg_color="81d4fa77", format="webp")
        assert (found.tint, found.file, found.options) == ((0x81, 0xD4, 0xFA, 0x77), "webp", Options(format="png"))

    @pytest.mark.parametrize(("text", "position"), [("30%", "30% 30%"), ("0% 100%", "0% 100%"), ("center", "center")])
    def test_position_goes_with_a_scale(self, text: str, position: str) -> None:
        assert order(scale="50%", position=text).options.position == position

    @pytest.mark.parametrize(
        ("text", "rgba"),
        [
            ("81d4fa", (0x81, 0xD4, 0xFA, 255)),
            ("#81D4FA77", (0x81, 0xD4, 0xFA, 0x77)),
            ("RebeccaPurple", (102, 51, 153, 255)),
            ("hsl(120, 100%, 50%)", (0, 255, 0, 255)),
            ("rgb(100% 50% 0%)", (255, 128, 0, 255)),
            ("rgb(1 2 3 / 50%)", (1, 2, 3, 128)),
            ("RGBA( 1 , 2 , 3 , 1 )", (1, 2, 3, 255)),
            ("rgba(1,2,3,128)", (1, 2, 3, 128)),
            ("rgba(300,-5,2.6,300)", (255, 0, 3, 255)),
        ],
    )
    def test_colours(self, text: str, rgba: tuple[int, int, int, int]) -> None:
        assert colour(text) == rgba

    @given(rgba=st.tuples(*[st.integers(0, 255)] * 4), comma=st.sampled_from([",", " , ", ", "]))
    def test_a_colour_is_the_same_in_every_notation(self, rgba: tuple[int, int, int, int], comma: str) -> None:
        red, green, blue, alpha = rgba
        digits = bytes(rgba).hex()
        share = f"{alpha / 255:.4f}"
        written = [digits, f"#{digits.upper()}", f"rgba({red}{comma}{green}{comma}{blue}{comma}{share})"]
        written.append(f"rgb({red} {green} {blue} / {100 * alpha / 255:.4f}%)")
        if alpha != 1:  # as a share, this is everything
            written.append(f"rgba({red}, {green}, {blue}, {alpha})")
        assert {colour(text) for text in written} == {rgba}

    def test_empty_values_are_not_said(self) -> None:
        assert order(**dict.fromkeys(set(FIELDS) - {"image_file"}, "")).options == order().options

    @pytest.mark.parametrize(
        ("fields", "kind"),
        [
            ({}, "product"),
            ({"type": "Car"}, "car"),
            ({"type": "graphic"}, "graphic"),
            ({"type": "new"}, "product"),
            ({"type_level": "none"}, None),
        ],
    )
    def test_the_kind_is_what_the_caller_said(self, fields: dict[str, object], kind: str | None) -> None:
        assert order(**fields).kind == kind


class TestSize:
    @pytest.mark.parametrize("size", [None, *MEGAPIXELS, "50MP"])
    @pytest.mark.parametrize(
        "photo", [LARGE, Size(3000, 4000), Size(9000, 600), Size(8000, 8000), Size(500, 500), Size(40_000, 1200)]
    )
    def test_the_output_is_as_large_as_allowed_and_no_larger(self, size: str | None, photo: Size) -> None:
        allowed = 1e6 * MEGAPIXELS[(size or "preview").lower()]
        options = order(size=size or "").options_for(photo)
        output = make_frame(make_recipe(options).framing, photo, Box(100, 100, 300, 400)).size
        assert output.width * output.height <= allowed
        if photo.width * photo.height <= allowed:
            assert output == photo
        else:
            assert output.width * output.height > 0.95 * allowed or max(output) == LARGEST_PX
            assert output.width / output.height == pytest.approx(photo.width / photo.height, rel=0.01)

    @pytest.mark.parametrize("product", [Box(0, 0, 4000, 3000), Box(0, 0, 4000, 40), Box(5, 5, 2000, 2005)])
    @pytest.mark.parametrize("margin", ["", "50%", "500px"])
    def test_a_crop_is_no_larger_either(self, product: Box, margin: str) -> None:
        options = order(crop="true", crop_margin=margin, size="hd").options_for(LARGE)
        output = make_frame(make_recipe(options).framing, LARGE, product).size
        assert output.width * output.height <= 4e6

    def test_a_scaled_product_lies_in_a_frame_of_the_photos_aspect(self) -> None:
        options = order(scale="50%", position="0% 100%").options_for(LARGE)
        frame = make_frame(make_recipe(options).framing, LARGE, Box(1000, 1000, 3000, 2000))
        product = frame.place(Box(1000, 1000, 3000, 2000))
        assert frame.size.width * frame.size.height <= 250_000
        assert product.size.width == pytest.approx(frame.size.width / 2, abs=1)
        assert (product.left, product.bottom) == (0, frame.size.height)


class TestRefusals:
    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("size", "huge"),
            ("format", "gif"),
            ("channels", "rgb"),
            ("type_level", "3"),
            ("roi", "1 2 3"),
            ("roi", "a b c d"),
            ("crop", "perhaps"),
            ("crop_margin", "51%"),
            ("crop_margin", "501px"),
            ("crop_margin", "1px 2px 3px"),
            ("scale", "9%"),
            ("scale", "101%"),
            ("scale", "2"),
            ("position", "top"),
            ("position", "101%"),
            ("position", "1% 2% 3%"),
            ("add_shadow", "2"),
            ("shadow_type", "long"),
            ("shadow_opacity", "101"),
            ("shadow_opacity", "nan"),
            ("semitransparency", "maybe"),
            ("bg_color", "12345"),
            ("bg_color", "no such colour"),
            ("bg_color", "rgba(1,2,3,4,5)"),
            ("bg_color", "rgb(1,2)"),
            ("bg_color", "rgb(a,b,c)"),
            ("bg_image_file", "text"),
            ("size", ["hd"]),
            ("size", b"a file"),
            ("size", b"\xff" * 5000),
            ("roi", "1 " * 3000),
            ("type", {}),
        ],
    )
    def test_a_value_that_is_not_taken_is_named(self, field: str, value: object) -> None:
        code, words = refusal(**{field: value})
        assert code == f"invalid_{field}"
        assert words.startswith(field)

    @pytest.mark.parametrize(
        ("roi", "code"),
        [("50% 0% 50% 100%", "roi_region_empty"), ("0% 0% 101% 100%", "roi_exceeds_bounds")],
    )
    def test_a_region_has_words_of_its_own(self, roi: str, code: str) -> None:
        assert refusal(roi=roi)[0] == code
