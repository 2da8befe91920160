"""Several presets of one photo: the same pictures as with one preset each, from one matte and one decoding."""

from __future__ import annotations

from dataclasses import replace

import pytest

import packshot
from packshot.core import codecs
from packshot.core.options import Options
from packshot.engine.job import make_job
from packshot.engine.network import default_network
from packshot.engine.pipeline import run, run_all
from packshot.engine.presets import preset_names, recipe_for, recipes_for
from packshot.errors import InvalidOption
from tests.kit.images import as_jpeg, photo

PHOTO = as_jpeg(photo(700, 500, 3))


class Counting:
    """The codecs, with a record of their reads."""

    def __init__(self) -> None:
        self.read_sizes: list[int] = []

    def read(self, data: bytes, header: codecs.Header) -> codecs.Picture:
        self.read_sizes.append(len(data))
        return codecs.read(data, header)

    encode = staticmethod(codecs.encode)


@pytest.mark.slow
@pytest.mark.parametrize(
    "said", [{}, {"rotate": 12.0}, {"shadow": "soft"}, {"form": "mask"}, {"form": "cutout"}, {"margin": "5%"}]
)
def test_each_picture_is_the_one_that_its_preset_alone_makes(said: dict[str, object]) -> None:
    names = ("amazon", "etsy", "google")
    options = Options.from_fields({"preset": ",".join(names), **said})
    codec = Counting()
    several = run_all(make_job(PHOTO, recipes_for(options)), default_network(), codec)
    alone = [run(make_job(PHOTO, recipe_for(replace(options, preset=name))), default_network()) for name in names]
    assert [each.data for each in several] == [each.data for each in alone]
    assert [each.report for each in several] == [each.report for each in alone]
    assert codec.read_sizes == [len(PHOTO)], "one decoding"
    assert ["matte" in each.timings_ms for each in several] == [True, False, False], "one matte"


def test_every_name_has_a_recipe_in_the_order_that_was_asked_for() -> None:
    names = preset_names()[::-1]
    assert tuple(recipe.preset for recipe in recipes_for(Options(preset=", ".join(names)))) == names
    assert tuple(recipe.preset for recipe in recipes_for(Options(preset=list(names)))) == names
    assert [recipe.key for recipe in recipes_for(Options(preset="amazon,etsy"))] == [
        recipe_for(Options(preset=name)).key for name in ("amazon", "etsy")
    ]
    assert recipes_for(Options(crop=True)) == (recipe_for(Options(crop=True)),)


@pytest.mark.parametrize("text", ["", ",", "amazon,", "amazon,,etsy", "amazon,amazon", "amazon, amazon"])
def test_a_list_with_a_gap_or_a_name_twice_is_refused(text: str) -> None:
    with pytest.raises(InvalidOption, match="preset is"):
        Options(preset=text)


def test_one_name_of_several_that_is_unknown_is_named() -> None:
    with pytest.raises(InvalidOption, match="esty") as caught:
        recipes_for(Options(preset="amazon,esty"))
    assert "Did you mean etsy?" in caught.value.hint


def test_where_one_picture_is_made_several_presets_are_refused() -> None:
    with pytest.raises(InvalidOption, match="lists 2 names: amazon, etsy"):
        recipe_for(Options(preset="amazon,etsy"))


def test_the_memory_of_several_is_that_of_the_largest_and_of_the_colours_that_wait() -> None:
    def need(preset: str) -> int:
        return make_job(PHOTO, recipes_for(Options(preset=preset))).memory_bytes()

    most = max(need("amazon"), need("etsy"))
    assert most < need("amazon,etsy") < most + 30 * 700 * 500
    assert need("etsy,amazon") == need("amazon,etsy")


@pytest.mark.slow
def test_the_library_gives_them_by_their_names() -> None:
    made = packshot.remove_for(PHOTO, ["etsy", "amazon"], quality=80)
    assert list(made) == ["etsy", "amazon"]
    for name, result in made.items():
        assert result.data == packshot.remove(PHOTO, preset=name, quality=80).data
        assert result.matte.shape == (500, 700)
    with pytest.raises(InvalidOption, match="remove_for"):
        packshot.remove(PHOTO, preset="etsy,amazon")
