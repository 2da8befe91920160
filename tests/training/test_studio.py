"""The virtual studio: plans, drape, development, the roll and the sheet need no Blender; one real scene does."""

from __future__ import annotations

import argparse
import json
import zipfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.studio.assets import choose, unpack
from training.studio.develop import develop
from training.studio.drape import Support, settle
from training.studio.plan import CLASSES, SHARES, VAL_SEEDS, Scene, plan
from training.studio.roll import Roll, usable, wanted
from training.studio.sheet import CELL_PX, sheet

MANY = range(3000)


@pytest.fixture(scope="module")
def plans() -> list[Scene]:
    return [plan(seed) for seed in MANY]


def test_a_seed_is_one_scene_and_another_seed_another() -> None:
    assert plan(11) == plan(11)
    assert replace(plan(11), seed=12) != plan(12)


def test_classes_come_in_their_shares(plans: list[Scene]) -> None:
    counts = Counter(scene.name for scene in plans)
    assert set(counts) == set(CLASSES)
    for name, share in SHARES.items():
        assert counts[name] / len(plans) == pytest.approx(share / sum(SHARES.values()), abs=0.025)


def test_half_stand_before_one_colour_and_a_fifth_share_it(plans: list[Scene]) -> None:
    single = [scene for scene in plans if scene.backdrop.kind in {"flat", "sweep"}]
    assert 0.45 < len(single) / len(plans) < 0.6
    assert 0.14 < sum(scene.same for scene in plans) / len(plans) < 0.25
    for scene in single:
        if scene.same:
            assert all(np.abs(np.subtract(item.tone, scene.backdrop.colour)).max() < 0.2 for item in scene.items)


def test_only_sets_hold_several_products(plans: list[Scene]) -> None:
    for scene in plans:
        assert (2 <= len(scene.items) <= 5) if scene.name == "set" else len(scene.items) == 1


def test_what_hangs_hangs_before_a_wall(plans: list[Scene]) -> None:
    hung = [scene for scene in plans if any(item.pose == "hang" for item in scene.items)]
    assert hung
    assert all(scene.backdrop.kind != "room" and not scene.backdrop.distractors for scene in hung)


def test_things_behind_are_always_out_of_focus(plans: list[Scene]) -> None:
    assert all(scene.lens.blur > 0 for scene in plans if scene.backdrop.distractors)


def test_held_out_seeds_are_never_trained_on() -> None:
    everything: frozenset[str] = frozenset()
    train = [scene.seed for scene in wanted(range(40), everything, val=False, done=set())]
    val = [scene.seed for scene in wanted(range(40), everything, val=True, done=set())]
    assert len(train) == len(val) == 40
    assert max(train) < VAL_SEEDS <= min(val)
    with pytest.raises(ValueError, match="held out"):
        list(wanted([VAL_SEEDS], everything, val=False, done=set()))


def test_classes_narrow_the_seeds_without_changing_a_scene() -> None:
    glass = list(wanted(range(200), frozenset({"glass"}), val=False, done=set()))
    assert glass
    assert all(scene.name == "glass" and scene == plan(scene.seed) for scene in glass)


def test_a_second_run_takes_only_what_is_missing(tmp_path: Path) -> None:
    roll = Roll(tmp_path)
    kept, unusable, failed = (plan(seed) for seed in range(3))
    matte = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)
    photo = np.full((8, 8, 3), 200, np.uint8)
    roll.keep(kept, photo, matte)
    roll.note(kept, kept=True)
    roll.note(unusable, kept=False)
    roll.note(failed, error="RuntimeError: no")
    left = wanted(range(4), frozenset(), val=False, done=roll.done())
    assert [scene.seed for scene in left] == [2, 3]
    with Image.open(tmp_path / "gt" / f"{kept.stem}.png") as saved:
        assert np.asarray(saved).tolist() == (matte * 255).round().astype(int).tolist()
    with Image.open(tmp_path / "im" / f"{kept.stem}.jpg") as saved:
        assert saved.size == (8, 8)
    assert len(list(tmp_path.glob("*/*"))) == 2  # no half-written file stays


def test_a_run_that_was_cut_in_its_log_goes_on(tmp_path: Path) -> None:
    roll = Roll(tmp_path)
    roll.note(plan(0), kept=True)
    with (tmp_path / "scenes.jsonl").open("a") as log:
        log.write('{"stem": "cup-00')
    assert roll.done() == {plan(0).stem}
    roll.note(plan(1), kept=True)
    assert roll.done() == {plan(0).stem, plan(1).stem}


@pytest.mark.parametrize(("cover", "good"), [(0.0, False), (0.005, False), (0.3, True), (0.9, False)])
def test_empty_and_overfull_frames_are_not_kept(cover: float, good: bool) -> None:
    assert usable(np.full((10, 10), cover, np.float32)) is good


def test_the_sheet_shows_each_photo_beside_its_matte(tmp_path: Path) -> None:
    roll = Roll(tmp_path)
    scene = plan(0)
    red = np.zeros((CELL_PX, CELL_PX, 3), np.uint8)
    red[..., 0] = 255
    roll.keep(scene, red, np.ones((CELL_PX, CELL_PX), np.float32))
    page = np.asarray(sheet(tmp_path, columns=1))
    assert page.shape == (CELL_PX, 2 * CELL_PX, 3)
    assert page[80, 80, 0] > 240
    assert page[80, 80, 2] < 20
    assert page[80, 80 + CELL_PX].min() == 255
    with pytest.raises(ValueError, match="no pairs"):
        sheet(tmp_path / "nowhere")


def test_a_white_background_is_exposed_white_and_a_black_one_stays_black() -> None:
    matte = np.zeros((32, 32), np.float32)
    matte[8:24, 8:24] = 1
    for level, low, high in ((0.95, 190, 255), (0.03, 0, 90)):
        scene = next(
            s for s in map(plan, MANY) if s.backdrop.kind == "flat" and abs(s.backdrop.colour[1] - level) < 0.03
        )
        behind = scene.backdrop.colour[1] ** 2.2
        light = np.where(matte[..., None] > 0, 0.3, behind).astype(np.float32).repeat(3, -1)
        photo = develop(light, matte, replace(scene.film, balance=(1.0, 1.0)), scene.backdrop, 1)
        assert photo.dtype == np.uint8
        assert low <= np.median(photo[:8]) <= high


def test_a_product_brighter_than_its_white_background_is_not_burnt_out() -> None:
    matte = np.zeros((32, 32), np.float32)
    matte[8:24, 8:24] = 1
    light = np.where(matte[..., None] > 0, 4.0, 1.0).astype(np.float32).repeat(3, -1)
    scene = next(s for s in map(plan, MANY) if s.backdrop.kind == "flat" and min(s.backdrop.colour) > 0.9)
    photo = develop(light, matte, replace(scene.film, balance=(1.0, 1.0), grain=0.0), scene.backdrop, 1)
    assert photo[16, 16].min() - photo[0, 0].max() > 40


def test_development_survives_broken_pixels() -> None:
    light = np.full((8, 8, 3), 0.2, np.float32)
    light[0, 0], light[1, 1] = np.nan, np.inf
    scene = plan(5)
    photo = develop(light, np.ones((8, 8), np.float32), scene.film, scene.backdrop, 1)
    assert 20 < np.median(photo) < 250


def test_cloth_hangs_from_its_pegs_and_keeps_its_size() -> None:
    v, u = np.meshgrid(np.linspace(0, 1, 20), np.linspace(0, 1, 20), indexing="ij")
    flat = np.stack([u, 0.01 * np.sin(9 * u), -v], -1)
    pinned = np.zeros(u.shape, bool)
    pinned[0, [0, -1]] = True
    hung = settle(flat, pinned, Support(), steps=60)
    assert np.array_equal(hung[pinned], flat[pinned])
    assert hung[0, 10, 2] < -0.005  # the cloth sags between the pegs
    threads = np.linalg.norm(np.diff(hung, axis=0), axis=-1)
    assert threads.mean() == pytest.approx(1 / 19, rel=0.1)


def test_cloth_does_not_fall_through_the_floor_or_into_the_drum() -> None:
    v, u = np.meshgrid(np.linspace(-0.5, 0.5, 24), np.linspace(-0.5, 0.5, 24), indexing="ij")
    start = np.stack([u, v, np.full_like(u, 0.42)], -1)
    fallen = settle(start, np.zeros(u.shape, bool), Support(floor=0.0, drum=(0.2, 0.4)), steps=80)
    assert fallen[..., 2].min() >= 0
    inside = (np.linalg.norm(fallen[..., :2], axis=-1) < 0.199) & (fallen[..., 2] < 0.399)
    assert not inside.any()
    assert fallen[0, 0, 2] < 0.3 < fallen[12, 12, 2]


def test_a_pick_reaches_every_file() -> None:
    paths = tuple(Path(name) for name in "abc")
    assert {choose(paths, pick) for pick in (0.0, 0.5, 0.999)} == set(paths)


def _data(folder: Path) -> Path:
    """DATA with one cube for a scan, a photo, a floor and no light probe."""
    corners = [(x, y, z) for x in (0, 1) for y in (0, 1) for z in (0, 1)]
    faces = ["1 2 4 3", "5 7 8 6", "1 5 6 2", "3 4 8 7", "1 3 7 5", "2 6 8 4"]
    lines = [f"v {x} {y} {z}" for x, y, z in corners] + [f"f {face}" for face in faces]
    Image.new("RGB", (8, 8), (200, 40, 40)).save(folder / "photo.webp")
    with zipfile.ZipFile(folder / "models-00.zip", "w") as archive:
        archive.writestr("ycb/001_cube/textured.obj", "\n".join(lines))
        archive.write(folder / "photo.webp", "ycb/001_cube/texture_map.jpg")
        archive.writestr("ycb/022_windex_bottle/textured.obj", "broken")
    with zipfile.ZipFile(folder / "backgrounds-00.zip", "w") as archive:
        archive.write(folder / "photo.webp", "budgie/0000.webp")
        archive.write(folder / "photo.webp", "textures/0000.webp")
    return folder


def test_broken_scans_are_left_out(tmp_path: Path) -> None:
    assets = unpack(_data(tmp_path), tmp_path / "assets")
    assert [path.parent.name for path in assets.scans] == ["001_cube"]
    assert len(assets.scenery) == len(assets.floors) == 1


def test_scenery_can_come_from_some_sources_only(tmp_path: Path) -> None:
    assert not unpack(_data(tmp_path), tmp_path / "assets", ["popos"]).scenery
    assert len(unpack(_data(tmp_path), tmp_path / "assets", ["budgie"]).scenery) == 1


def test_blender_takes_a_tiny_scene_twice_the_same(tmp_path: Path) -> None:
    pytest.importorskip("bpy", reason="the renderer has an environment of its own")
    from training.studio.__main__ import take

    scene = next(s for s in map(plan, MANY) if s.name == "vessel" and s.backdrop.kind == "sweep")
    scene = replace(scene, light=replace(scene.light, hdri_pick=None))
    assets = unpack(_data(tmp_path), tmp_path / "assets")
    options = argparse.Namespace(side=48, threads=1, samples=2, alpha_samples=8)
    for name in ("one", "two"):
        facts = take(scene, assets, Roll(tmp_path / name), options)
        json.dumps(facts)
        assert facts["kept"]
    first, second = ((tmp_path / name / "gt" / f"{scene.stem}.png").read_bytes() for name in ("one", "two"))
    assert first == second
    with Image.open(tmp_path / "one" / "gt" / f"{scene.stem}.png") as matte:
        levels = np.asarray(matte)
    assert levels.min() == 0
    assert levels.max() == 255
