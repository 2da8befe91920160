"""An even catalogue: the look of a category, the pictures redrawn after a change, and the measured evenness."""

from __future__ import annotations

import csv
import io
import random
import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from packshot.batch.even import LEFT_OUT, Look, check_options, decide_look, even_framing, fill_of
from packshot.batch.evenness import LEAST_SPREAD, Evenness, evenness, measure_picture
from packshot.batch.progress import Progress
from packshot.cli import cli
from packshot.core import codecs
from packshot.core.frame import make_frame
from packshot.core.geometry import Box, Size
from packshot.core.options import MOST_ENLARGED, Options
from packshot.core.rule_kinds import Fill
from packshot.core.values import Canvas
from packshot.engine.presets import find_preset, recipe_for, recipes_for
from packshot.errors import InvalidOption
from tests.batch.kit import journal, make, outputs
from tests.batch.test_decided import decide, matte
from tests.batch.test_presets import seen as seen  # noqa: PLC0414 - a fixture
from tests.batch.test_run import StopAfter

sizes = st.tuples(st.integers(20, 4000), st.integers(20, 4000)).map(lambda size: Size(*size))
asked = st.sampled_from(
    [
        Options(background="white"),
        Options(fill="60%", canvas="4:5"),
        Options(canvas="1200x800"),
        Options(min_px=900, max_px=1400),
        Options(max_upscale=1, fill="70%"),
        Options(preset="amazon"),
        Options(preset="etsy"),
        Options(preset="square"),
        Options(preset="amazon", repair=False),
    ]
)


def look_of(options: Options, products: list[Size]) -> tuple[Look, float]:
    """The look, and the requested fill."""
    recipe = recipe_for(options)
    framing = even_framing(recipe.framing, options)
    rules = () if recipe.preset is None else find_preset(recipe.preset).rules
    assert framing.fill is not None
    return decide_look(framing, rules, products), framing.fill


@pytest.mark.slow
@given(asked, st.lists(sizes, min_size=1, max_size=30), st.randoms())
@settings(max_examples=200, deadline=None)
def test_a_look_keeps_what_was_asked_for_every_photo(
    options: Options, products: list[Size], order: random.Random
) -> None:
    look, fill = look_of(options, products)
    shuffled = list(products)
    order.shuffle(shuffled)
    assert look_of(options, shuffled)[0] == look, "the order of the photos does not matter"
    of_scale = 0
    for product in products:
        share, off = fill_of(look, product)
        framing = even_framing(recipe_for(options).framing, options)
        canvas = Canvas(look.size)
        drawn = make_frame(
            type(framing)(canvas=canvas, fill=share, max_upscale=look.max_upscale), product, Box.full(product)
        )
        assert drawn.size == look.size
        assert share <= fill * (1 + 1e-9), "never more than requested"
        assert drawn.scale <= look.max_upscale * (1 + 1e-9), "never enlarged beyond the limit"
        if off is None:
            assert drawn.scale == pytest.approx(look.scale), "the scale of the category"
            of_scale += 1
        elif off == "larger":
            assert (share, drawn.scale < look.scale) == (pytest.approx(fill), True)
        elif off == "smaller":
            assert (share, drawn.scale > look.scale) == (pytest.approx(look.least), True)
        else:
            assert drawn.scale == pytest.approx(look.max_upscale)
            assert share < look.least
    larger = sum(fill_of(look, product)[1] == "larger" for product in products)
    assert larger <= LEFT_OUT * len(products), "the decision leaves out only a few"
    assert of_scale or look.scale == look.max_upscale


@given(st.lists(st.integers(700, 1400), min_size=1, max_size=10))
def test_where_rules_bound_the_fill_every_picture_keeps_them(widths: list[int]) -> None:
    """Amazon: at least 85 %. The smallest product can fill the canvas."""
    look, _ = look_of(Options(preset="amazon"), [Size(width, width // 2) for width in widths])
    (rule,) = (rule for rule in find_preset("amazon").rules if isinstance(rule, Fill))
    for width in widths:
        share, off = fill_of(look, Size(width, width // 2))
        assert rule.holds(share), (share, off)
    assert look.size.longest >= 500


def test_one_odd_photo_of_many_does_not_decide() -> None:
    shoes = [Size(600 + number, 300) for number in range(38)]
    look, _ = look_of(Options(fill="80%"), shoes)
    for odd, why in ((Size(6000, 3000), "larger"), (Size(60, 30), "few pixels")):
        with_it, _ = look_of(Options(fill="80%"), [*shoes, odd])
        assert abs(with_it.size.width - look.size.width) <= 2
        assert fill_of(with_it, odd)[1] == why
        assert all(fill_of(with_it, shoe)[1] is None for shoe in shoes[1:-1])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (Options(shadow="photo"), "each photo has its own"),
        (Options(background="blur"), "each photo has its own"),
        (Options(crop=True, margin="5%"), "Use fill"),
    ],
)
def test_what_cannot_be_even_is_refused(options: Options, words: str) -> None:
    with pytest.raises(InvalidOption, match=words):
        check_options(options, recipes_for(options))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--even", "--watch"), "--even and --watch"),
        (("--category", "kind"), "needs --even"),
        (("--even", "--category", "kind"), "needs --manifest"),
        (("--even", "--shadow", "photo"), "shadow is photo"),
    ],
)
def test_flags_that_do_not_go_together(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    (tmp_path / "in").mkdir()
    refused = CliRunner().invoke(cli, ["batch", str(tmp_path / "in"), str(tmp_path / "out"), *arguments]).exception
    assert isinstance(refused, InvalidOption)
    assert words in str(refused).replace("\n", " ")


def shelf(folder: Path, products: dict[str, tuple[int, int]], *, level: int = 60, size: int = 200) -> Path:
    """Photos of gray ellipses on white, with the given sizes in px."""
    for name, (width, height) in products.items():
        picture = np.full((size, size, 3), 250, np.uint8)
        cv2.ellipse(picture, (90, 100), (width // 2, height // 2), 0, 0, 360, (level,) * 3, -1)
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(codecs.encode(picture, format="jpeg", quality=95))
    return folder


EVEN = Options(background="white", fill="80%")
PRODUCTS = {"shoes/a.jpg": (120, 60), "shoes/b.jpg": (100, 60), "shoes/c.jpg": (80, 60), "bags/d.jpg": (60, 100)}


def even(out: Path) -> dict[str, dict[str, Any]]:
    return {row["output"]: row for row in journal(out) if row["ok"]}


@pytest.mark.slow
def test_products_of_a_folder_have_one_scale_and_one_size(tmp_path: Path) -> None:
    photos, out = shelf(tmp_path / "photos", PRODUCTS), tmp_path / "out"
    assert make(photos, out, EVEN, even=True).counts.made == 4
    made = even(out)
    assert len({(made[name]["width"], made[name]["height"]) for name in made if name.startswith("shoes")}) == 1
    scales = {}
    for name, (width, height) in PRODUCTS.items():
        row = made[name]
        box, product = row["box"], row["product"]
        scales[name] = (product[2] - product[0]) / (box[2] - box[0])
        assert row["even"]["figures"]["fill"] == pytest.approx(
            max(width, height) / (120 if "shoes" in name else 100) * 0.8, abs=0.03
        )
        assert row["even"]["figures"]["x"] == pytest.approx(0.5, abs=0.02)
    assert max(scales.values()) / min(scales.values()) < 1.06


@pytest.mark.slow
def test_a_rerun_changes_no_file_and_a_new_product_draws_its_category_again(tmp_path: Path, seen: list[int]) -> None:
    photos, out = shelf(tmp_path / "photos", PRODUCTS), tmp_path / "out"
    two = Options(preset="etsy,square")
    make(photos, out, two, even=True)
    assert len(seen) == 4, "one matte per photo, and none for drawing"
    before = {name: (out / name).stat().st_mtime_ns for name in outputs(out)}
    assert make(photos, out, two, even=True).now == 0
    shelf(photos, {"shoes/new.jpg": (160, 60)})
    said = io.StringIO()
    make(photos, out, two, even=True, progress=Progress(said))
    assert len(seen) == 5
    changed = {name for name, at in before.items() if (out / name).stat().st_mtime_ns != at}
    assert changed == {f"{preset}/shoes/{name}.jpg" for preset in ("etsy", "square") for name in "abc"}
    assert "shoes: 6 pictures are made again" in said.getvalue()
    assert "bags" not in said.getvalue()
    assert make(photos, out, two, even=True).now == 0


@pytest.mark.slow
def test_a_stop_while_measuring_draws_nothing_and_loses_nothing(tmp_path: Path, seen: list[int]) -> None:
    names = {f"{number}.jpg": (60 + 5 * number, 60) for number in range(6)}
    photos, out = shelf(tmp_path / "photos", names), tmp_path / "out"
    stop = threading.Event()
    summary = make(photos, out, EVEN, even=True, stop=stop, jobs=1, progress=StopAfter(stop, 2))
    assert (summary.measured, summary.counts.made, outputs(out)) == (False, 0, set())
    assert 2 <= len(seen) < 6
    assert make(photos, out, EVEN, even=True).counts.made == 6
    assert len(seen) == 6


@pytest.mark.slow
def test_a_lost_matte_is_found_again(tmp_path: Path, seen: list[int]) -> None:
    photos, out = shelf(tmp_path / "photos", PRODUCTS), tmp_path / "out"
    make(photos, out, EVEN, even=True)
    before = (out / "bags/d.jpg").read_bytes()
    (out / "bags/d.jpg").unlink()
    for path in (out / ".packshot/mattes").iterdir():
        path.unlink()
    make(photos, out, EVEN, even=True)
    assert len(seen) == 5
    assert (
        cv2.PSNR(
            *(cv2.imdecode(np.frombuffer(data, np.uint8), 1) for data in (before, (out / "bags/d.jpg").read_bytes()))
        )
        > 40
    )


@pytest.mark.slow
def test_a_photo_that_cannot_be_measured_fails_alone(tmp_path: Path) -> None:
    photos, out = shelf(tmp_path / "photos", PRODUCTS), tmp_path / "out"
    (photos / "shoes/bad.jpg").write_bytes(b"no picture")
    said = io.StringIO()
    counts = make(photos, out, EVEN, even=True, progress=Progress(said)).counts
    assert (counts.made, counts.failed) == (4, 1)
    assert said.getvalue().count("bad.jpg: ") == 1
    assert [row["error"]["slug"] for row in journal(out) if not row["ok"]] == ["unsupported-format"]


@pytest.mark.slow
def test_what_a_person_decided_about_a_photo_holds_in_an_even_catalogue(tmp_path: Path, seen: list[int]) -> None:
    photos, out = shelf(tmp_path / "photos", PRODUCTS), tmp_path / "out"
    make(photos, out, EVEN, even=True)
    decide(out, "shoes/c.jpg", made=1, matte=matte((200, 200), (20, 70, 180, 130)))
    decide(out, "shoes/b.jpg", "again", made=1, options={"fill": "30%"})
    looks = len(seen)
    make(photos, out, EVEN, even=True)
    assert len(seen) == looks + 1, "of the photo without a corrected matte"
    made = even(out)
    fills = {name: made[f"shoes/{name}.jpg"]["even"]["figures"]["fill"] for name in "abc"}
    assert fills["b"] == pytest.approx(0.3, abs=0.03)
    assert fills["a"] == pytest.approx(0.8 * 120 / 160, abs=0.03), "the corrected product is now the largest"
    assert len({made[f"shoes/{name}.jpg"]["width"] for name in "abc"}) == 1
    assert make(photos, out, EVEN, even=True).now == 0


@pytest.mark.slow
def test_categories_may_stand_in_a_column_of_the_manifest(tmp_path: Path) -> None:
    photos, out = shelf(tmp_path / "photos", PRODUCTS), tmp_path / "out"
    table = ["photo,kind\n", "shoes/a.jpg,big\n", "bags/d.jpg,big\n", '"shoes/c.jpg",small\n']
    make(photos, out, EVEN, even=True, manifest=table, column="kind")
    assert {name: row["even"]["category"] for name, row in even(out).items()} == {
        "shoes/a.jpg": "big", "bags/d.jpg": "big", "shoes/c.jpg": "small",
    }  # fmt: skip
    with pytest.raises(InvalidOption, match="no column colour; it has photo, kind"):
        make(photos, out, EVEN, even=True, manifest=table, column="colour")


@pytest.mark.slow
def test_a_manifest_of_some_photos_keeps_the_look_of_the_others(tmp_path: Path) -> None:
    photos, out = shelf(tmp_path / "photos", PRODUCTS), tmp_path / "out"
    make(photos, out, EVEN, even=True)
    before = (out / "shoes/c.jpg").read_bytes()
    (out / "shoes/c.jpg").unlink()
    make(photos, out, EVEN, even=True, manifest=["shoes/c.jpg\n"])
    assert (out / "shoes/c.jpg").read_bytes() == before


@pytest.mark.slow
def test_the_report_gets_worse_when_one_photo_is_off(tmp_path: Path) -> None:
    names = {f"shoes/{number}.jpg": (100 + number, 60) for number in range(8)}
    photos, out = shelf(tmp_path / "photos", names), tmp_path / "out"
    report = out / "packshot-report"
    make(photos, out, EVEN, even=True, report=str(report))
    text = (report / "report.html").read_text(encoding="utf-8")
    assert "Evenness" in text
    assert "No picture is odd." in text
    with (report / "report.csv").open(newline="") as file:
        fills = [float(row["fill"]) for row in csv.DictReader(file)]
    assert max(fills) - min(fills) < 0.08
    shelf(photos, {"shoes/pale.jpg": (104, 60)}, level=190)
    make(photos, out, EVEN, even=True, report=str(report))
    text = (report / "report.html").read_text(encoding="utf-8")
    assert "Look at these first" in text
    assert "shoes/pale.jpg</a> (brightness" in text
    anchor = text.split('href="#photo-')[1].split('"')[0]
    assert 'data-name="shoes/pale.jpg"' in text.split(f'id="photo-{anchor}"')[1][:300]


@pytest.mark.slow
@given(st.integers(12, 40), st.sampled_from(sorted(LEAST_SPREAD)), st.floats(0.2, 0.5), st.randoms())
@settings(max_examples=40, deadline=None)
def test_the_one_that_is_off_is_the_first_to_look_at(count: int, figure: str, by: float, chance: random.Random) -> None:
    """Pictures with invisible differences, then one of them differs in one figure."""
    base = {"fill": 0.8, "x": 0.5, "y": 0.5, "brightness": 0.4, "ground": 1.0}
    names = [(f"{number}.jpg", f"{number}.jpg", "") for number in range(count)]
    values = {name: [base[name] + chance.uniform(-0.002, 0.002) for _ in names] for name in base}
    planned = np.full(count, 0.8, np.float32)

    def of(values: dict[str, list[float]]) -> Evenness:
        return evenness("c", "", names, {name: np.array(each, np.float32) for name, each in values.items()}, planned)

    before = of(values)
    assert not before.odd
    off = chance.randrange(count)
    values[figure][off] -= by
    after = of(values)
    assert [(odd.source, odd.figure) for odd in after.odd] == [(f"{off}.jpg", figure)]
    spread, was = after.spreads[figure], before.spreads[figure]
    assert spread.high - spread.low > was.high - was.low or count > 20, "few pictures: the spread shows the outlier too"


@given(st.integers(40, 160), st.integers(40, 160), st.integers(-20, 20), st.integers(0, 200))
@settings(max_examples=40, deadline=None)
def test_figures_are_those_of_the_picture_whatever_was_planned(width: int, height: int, aside: int, level: int) -> None:
    picture = np.full((240, 240, 3), 255, np.uint8)
    left, top = (240 - width) // 2 + aside, (240 - height) // 2
    picture[top : top + height, left : left + width] = level
    figures = measure_picture(codecs.encode(picture, format="png"), Box(0, 0, 1, 1))
    assert figures["fill"] == pytest.approx(max(width, height) / 240, abs=0.02)
    assert figures["x"] == pytest.approx((left + width / 2) / 240, abs=0.02)
    assert figures["y"] == pytest.approx((top + height / 2) / 240, abs=0.02)
    assert figures["brightness"] == pytest.approx(level / 255, abs=0.05)
    assert figures["ground"] == 1.0


def test_the_limit_of_enlarging_is_that_of_repairs_unless_something_else_is_said() -> None:
    framing = recipe_for(Options(preset="amazon")).framing
    limits = {
        even_framing(framing, Options(preset="amazon")).max_upscale: MOST_ENLARGED,
        even_framing(framing, Options(preset="amazon", repair=False)).max_upscale: framing.max_upscale,
    }
    assert all(found == wanted for found, wanted in limits.items())
