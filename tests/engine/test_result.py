"""Results: saved completely or not at all, under a correct name, and printed in one line."""

from __future__ import annotations

import base64
import io
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from packshot import Result, remove
from packshot.core.codecs import BY_SUFFIX, WRITTEN
from packshot.core.options import Options
from packshot.core.rules import Check, Report
from packshot.engine.job import make_job
from packshot.engine.network import default_network
from packshot.engine.pipeline import run
from packshot.engine.presets import recipe_for
from packshot.errors import InvalidOption, PackshotError, StorageRefused
from tests.kit.images import good


@pytest.fixture(scope="module")
def results() -> dict[str, Result]:
    """One result per format."""
    return {name: remove(good("jpeg"), background="white", format=name) for name in WRITTEN}  # type: ignore[arg-type]


@pytest.mark.slow
@settings(max_examples=30)
@given(
    st.sampled_from([*WRITTEN]),
    st.sampled_from([*BY_SUFFIX, ".xyz", ".pn", ".PNG", ".Jpg", ".v2", ""]),
    st.sampled_from(["out", "a.b", "été", " "]),
)
def test_a_file_has_the_ending_of_what_is_in_it(
    tmp_path_factory: pytest.TempPathFactory, results: dict[str, Result], name: str, suffix: str, stem: str
) -> None:
    folder, result = tmp_path_factory.mktemp("out"), results[name]
    path, row = folder / (stem + suffix), WRITTEN[name]
    if path.suffix.lower() in row.suffixes or not path.suffix:
        saved = result.save(path)
        assert saved.suffix.lower() in row.suffixes
        assert saved.name.startswith(path.name)
        assert [each.read_bytes() for each in folder.iterdir()] == [result.data]
    else:
        with pytest.raises(InvalidOption, match=row.title) as caught:
            result.save(path)
        better = caught.value.hint.partition("Save it as ")[2].rpartition(row.suffix)[0] + row.suffix
        assert not list(folder.iterdir())
        assert result.save(folder / better).read_bytes() == result.data


def test_what_is_there_is_replaced_and_nothing_is_left_where_saving_fails(
    results: dict[str, Result], tmp_path: Path
) -> None:
    result = results["png"]
    (tmp_path / "out.png").write_bytes(b"older")
    assert result.save(str(tmp_path / "out.png")) == tmp_path / "out.png"
    assert (tmp_path / "out.png").read_bytes() == result.data
    with pytest.raises(StorageRefused, match=r"missing does not exist"):
        result.save(tmp_path / "missing" / "out.png")
    with pytest.raises(StorageRefused, match="is a folder"):
        result.save(tmp_path)
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(StorageRefused, match="is a folder"):
        result.save(tmp_path / "folder.png")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["folder.png", "out.png"]


@pytest.mark.parametrize("name", WRITTEN)
def test_the_image_is_the_file_decoded_once(results: dict[str, Result], name: str) -> None:
    result = results[name]
    assert result.image is result.image
    assert result.image.size == result.size
    assert result.image.tobytes() == Image.open(io.BytesIO(result.data)).tobytes()


def test_a_result_is_one_short_line(results: dict[str, Result]) -> None:
    report = Report("amazon", "Amazon", (Check("fill", False, 0.5, "85%", "It is small."),))
    plain = replace(results["jpeg"], confidence=None, review=False)
    assert repr(plain) == f"<Result: JPEG {plain.size} px, {len(plain.data) / 1000:.0f} kB>"
    unsure = replace(plain, data=bytes(1_234_567), confidence=0.534, review=True, report=report)
    assert repr(unsure) == "<Result: JPEG 160x120 px, 1.2 MB, confidence 0.53, look at it, amazon: breaks fill>"
    kept = replace(plain, report=replace(report, checks=()))
    assert repr(kept).endswith(", amazon: passed>")


def test_a_notebook_shows_the_picture(results: dict[str, Result]) -> None:
    for result in results.values():
        shown = result._repr_mimebundle_()
        assert base64.b64decode(shown[result.media_type]) == result.data
        assert shown["text/plain"] == repr(result)


def test_only_the_librarys_call_keeps_the_matte() -> None:
    made = run(make_job(good("jpeg"), recipe_for(Options())), default_network())
    with pytest.raises(ValueError, match=r"packshot\.remove"):
        _ = made.matte
    kept = remove(good("jpeg"), crop=True)
    assert kept.matte.shape == (kept.photo_size.height, kept.photo_size.width)
    assert replace(kept, data=b"").matte is kept.matte


def test_no_error_of_saving_escapes_the_tree(results: dict[str, Result], tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "file" / "out.png", tmp_path / ("n" * 300 + ".png"), Path("/proc/self/out.png")):
        with pytest.raises(PackshotError, match="cannot be written"):
            results["png"].save(path)
