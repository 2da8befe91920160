"""The promises of `import packshot`."""

from __future__ import annotations

import pydoc
import subprocess
import sys
from pathlib import Path

import pytest

import packshot
from packshot.core.options import OPTIONS
from packshot.engine.calls import OptionFields

HEAVY = ("onnxruntime", "cv2", "numpy", "PIL", "fastapi", "pydantic", "sqlalchemy", "asyncio")
# A typical program, and a type checker's verdict on its lines: no error, or an error where marked wrong.
PROGRAM = """\
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

import packshot
from packshot import Limits, Options, PackshotError, Result, errors, load_network, remove, remove_background

png: bytes = remove_background(b"")
with open("a.jpg", "rb") as file, Image.open("a.jpg") as image:
    results: list[Result] = [
        remove(photo, preset="amazon", margin=20)
        for photo in ("a.jpg", Path("a.jpg"), file, image, bytearray(), np.asarray(image))
    ]
result = remove(np.zeros((9, 9, 3), np.uint8), Options(crop=True), background=(255, 255, 255), limits=Limits())
where: Path = result.save("a.png")
size: tuple[int, int] = result.image.size
matte: npt.NDArray[np.float32] = result.matte
network = load_network()
each: dict[str, Result] = packshot.remove_for("a.jpg", ["amazon", "etsy"], repair=False)
many: Iterator[Result] = packshot.remove_many(Path().glob("*.jpg"), jobs=2, network=network, fill=0.85)
for outcome in packshot.remove_many((each for each in [file]), return_exceptions=True, touch_up=image):
    if isinstance(outcome, errors.NoForeground):
        print(outcome.hint)
    elif isinstance(outcome, Result):
        print(outcome.confidence)
try:
    remove("a.jpg", background_picture="b.jpg", canvas=(2000, 2000))
except PackshotError as error:
    print(error.message)

remove(3)  # wrong
remove("a.jpg", {"crop": True})  # wrong
remove("a.jpg", backgroud="white")  # wrong
remove("a.jpg", crop="yes")  # wrong
remove("a.jpg", format="gif")  # wrong
remove_background("a.jpg", quality="90")  # wrong
packshot.remove_many("a.jpg", jobs="2")  # wrong
packshot.remove_for("a.jpg")  # wrong
Options(max_px="2000")  # wrong
"""


def test_public_names_are_sorted_and_there() -> None:
    assert packshot.__all__ == sorted(packshot.__all__)
    for name in packshot.__all__:
        assert getattr(packshot, name) is not None
    assert set(packshot.__all__) == set(dir(packshot))


def test_importing_is_silent_and_loads_nothing_heavy() -> None:
    code = (
        "import sys, packshot\n"
        "from packshot import Limits, Options, PackshotError, Result, remove, remove_background, remove_many\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (result.stdout, result.stderr) == ("[]\n", "")


@pytest.mark.slow
def test_the_runtime_is_loaded_by_the_first_network_and_not_by_its_module() -> None:
    code = (
        "import sys\n"
        "from packshot import load_network\n"
        "import packshot.engine.pipeline, packshot.engine.edges\n"
        "before = 'onnxruntime' in sys.modules\n"
        "load_network()\n"
        "print(before, 'onnxruntime' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (result.stdout, result.stderr) == ("False True\n", "")


def test_help_explains_what_goes_in_and_what_every_option_does() -> None:
    for thing in (packshot.remove, packshot.remove_background, packshot.remove_many, packshot.Options):
        lines = [line.lstrip(" |") for line in pydoc.plain(pydoc.render_doc(thing)).splitlines()]
        for name, option in OPTIONS.items():
            assert any(line.startswith(f"{name}: {option.about[:30]}") for line in lines), (thing, name)
    text = pydoc.plain(pydoc.render_doc(packshot.remove))
    for said in ("PIL image", "numpy", "path", "open binary file", ".save(path)", "packshot.errors.NoForeground"):
        assert said in text
    text = pydoc.plain(pydoc.render_doc(packshot))
    for name in {*packshot.__all__} - {"__version__"}:
        assert name in text
    assert "data: the bytes of the file" in pydoc.plain(pydoc.render_doc(packshot.Result))


def test_the_keywords_are_the_options() -> None:
    assert [*OptionFields.__annotations__] == [*OPTIONS]
    assert not OptionFields.__required_keys__
    written = OptionFields.__annotations__["format"].__forward_arg__
    assert written == f"Literal{[*OPTIONS['format'].choices]} | None"


@pytest.mark.slow  # 20 s: the types of numpy and PIL
def test_a_type_checker_follows_a_users_program(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    source = Path(packshot.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir", tmp_path / "cache", "program.py"],
        cwd=tmp_path, env={"MYPYPATH": str(source), "PATH": ""}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = [line.split(":") for line in done.stdout.splitlines() if ": error:" in line]
    wrong = {number for number, line in enumerate(PROGRAM.splitlines(), 1) if line.endswith("# wrong")}
    assert {int(line[1]) for line in lines if line[0] == "program.py"} == wrong, done.stdout
