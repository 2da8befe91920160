"""The table of formats: each row states the abilities of its codec, and all other code derives from the rows."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from packshot.batch.listing import is_photo, make_naming
from packshot.cli.targets import naming, output_format
from packshot.core import codecs
from packshot.core.codecs import BY_SUFFIX, FORMATS, LIBRARY_LIMITS, WRITTEN, decode, encode, probe, read
from packshot.core.codecs.formats import sniff
from packshot.core.options import OPTIONS, Options
from packshot.core.recipe import make_recipe
from packshot.errors import InvalidOption
from packshot.service.results import EXTENSIONS
from tests.kit.images import good, product

every = pytest.mark.parametrize("name", FORMATS)
every_output = pytest.mark.parametrize("name", WRITTEN)


@every
def test_a_row_says_what_its_codec_can_do(name: str) -> None:
    codec = import_module(f"packshot.core.codecs.{name}")
    assert codec.header and codec.pixels
    assert hasattr(codec, "write") == FORMATS[name].written


def test_every_codec_has_a_row_of_its_own() -> None:
    modules = {path.stem for path in Path(str(codecs.__file__)).parent.glob("*.py")}
    reading = {name for name in modules if hasattr(import_module(f"packshot.core.codecs.{name}"), "pixels")}
    assert reading == set(FORMATS)
    said = [fact for row in FORMATS.values() for fact in (row.name, row.title, row.media_type, *row.suffixes)]
    assert not [fact for fact, count in Counter(said).items() if count > 1]


def test_the_table_loads_no_codec() -> None:
    heavy = ("numpy", "PIL", "cv2", "simplejpeg")
    code = f"import sys, packshot.core.options; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@every_output
def test_an_output_is_found_by_its_content_and_read_in_two_steps(name: str) -> None:
    rgb, alpha = product(200, 160)
    data = encode(rgb, alpha if WRITTEN[name].alpha else None, format=name)
    assert sniff(data) == WRITTEN[name]
    header = probe(data, LIBRARY_LIMITS)
    assert (header.format, header.size) == (name, (200, 160))
    once, again = decode(data), read(data, header)
    assert np.array_equal(once.rgb, again.rgb)
    assert np.array_equal(again.alpha, alpha) if WRITTEN[name].alpha else again.alpha is None


@pytest.mark.slow
@every_output
def test_the_same_pixels_make_the_same_bytes_in_another_process(name: str) -> None:
    code = (
        "import hashlib, sys; from packshot.core.codecs import encode; from tests.kit.images import product\n"
        f"print(hashlib.sha256(encode(product(97, 61)[0], format={name!r})).hexdigest())"
    )
    runs = {subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout for _ in range(2)}
    assert len(runs) == 1


@every_output
def test_an_output_is_known_everywhere(name: str) -> None:
    row, options = WRITTEN[name], Options(format=name)
    assert name in OPTIONS["format"].choices
    assert EXTENSIONS[row.media_type] == row.suffix[1:]
    assert naming(make_recipe(options)).suffix == make_naming(make_recipe(options), "n", "").suffix == row.suffix
    for suffix in row.suffixes:
        assert output_format(("in.jpg",), f"photo{suffix.upper()}", None) == name
        assert Options.from_fields({"format": suffix[1:]}).format == name


@every
def test_every_ending_is_a_photos_name(name: str) -> None:
    for suffix in FORMATS[name].suffixes:
        assert BY_SUFFIX[suffix] == FORMATS[name]
        assert is_photo(f"shelf/shoe{suffix.upper()}")
        if not FORMATS[name].written:
            with pytest.raises(InvalidOption, match=f"reads {FORMATS[name].title} but does not write it"):
                output_format(("in.jpg",), f"photo{suffix}", None)


@every_output
def test_quality_is_for_formats_that_lose_something_and_a_cutout_for_those_with_alpha(name: str) -> None:
    row = WRITTEN[name]
    assert make_recipe(Options(format=name)).quality == row.quality
    assert make_recipe(Options(format=name)).form == ("cutout" if row.alpha else "flattened")
    if row.quality is None:
        with pytest.raises(InvalidOption, match=f"format is {name}, which is lossless") as caught:
            make_recipe(Options(format=name, quality=80))
        assert caught.value.fields["allowed"] == "jpeg, webp or avif"
    if not row.alpha:
        with pytest.raises(InvalidOption, match=f"{row.title} has no transparency"):
            make_recipe(Options(format=name, form="cutout"))


def test_a_file_with_the_brands_of_avif_and_heic_is_an_avif() -> None:
    start = b"\0\0\0\x20ftypmif1\0\0\0\0"
    kinds = [sniff(start + brands) for brands in (b"heicavif", b"avifheic", b"miafheic", b"miafavif")]
    assert [kind and kind.name for kind in kinds] == ["avif", "avif", "heic", "avif"]


def test_a_bmp_with_a_broken_header_is_a_bmp_and_a_text_is_none() -> None:
    assert sniff(good("bmp")) == FORMATS["bmp"]
    assert sniff(b"BM" + bytes(4) + bytes(4) + b"\xff" * 40) == FORMATS["bmp"]
    assert sniff(b"BMW is a maker of cars, and no picture at all.") is None
