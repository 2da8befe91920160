"""`packshot mcp` as an agent's program uses it: the SDK's own client, with a real process as its server."""

from __future__ import annotations

import base64
import io
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import mcp_types as types
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from mcp import Client, StdioServerParameters
from PIL import Image

from packshot.core.options import OPTIONS
from tests.batch.kit import fill, make
from tests.kit import images


class Agent:
    """A client and its server. roots: the folders that the client reports as open."""

    def __init__(self, portal: BlockingPortal, client: Client, roots: list[Path]) -> None:
        self._portal, self.client, self.roots = portal, client, roots

    def call(self, tool: str, **arguments: Any) -> types.CallToolResult:
        return self._portal.call(self.client.call_tool, tool, arguments)

    def facts(self, tool: str, **arguments: Any) -> Any:
        """The result of a successful call."""
        result = self.call(tool, **arguments)
        assert not result.is_error, result.content
        assert json.loads(text(result)) == result.structured_content
        return result.structured_content

    def refusal(self, tool: str, **arguments: Any) -> str:
        """The error message of a rejected call, as the agent reads it."""
        result = self.call(tool, **arguments)
        assert result.is_error
        assert result.structured_content["error"]["hint"]
        return text(result)

    def call_and_cancel(self, after_s: float, tool: str, **arguments: Any) -> None:
        async def cancelled() -> None:
            with anyio.move_on_after(after_s) as scope:
                await self.client.call_tool(tool, arguments)
            assert scope.cancelled_caught

        self._portal.call(cancelled)


def text(result: types.CallToolResult) -> str:
    first = result.content[0]
    assert isinstance(first, types.TextContent)
    return first.text


@contextmanager
def connected(*arguments: str | Path, mode: str = "auto") -> Iterator[Agent]:
    roots: list[Path] = []

    async def list_roots(_context: object) -> types.ListRootsResult:
        return types.ListRootsResult(roots=[types.Root(uri=root.as_uri()) for root in roots])

    words = ["-m", "packshot", "mcp", *map(str, arguments)]
    command = StdioServerParameters(command=sys.executable, args=words, env=dict(os.environ))
    with start_blocking_portal() as portal:
        client = Client(command, list_roots_callback=list_roots, mode=mode)
        with portal.wrap_async_context_manager(client):
            yield Agent(portal, client, roots)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """An allowed folder, and a forbidden one next to it; each with a photo."""
    above = tmp_path_factory.mktemp("agents")
    for name in ("shop", "private"):
        (above / name).mkdir()
        (above / name / "mug.jpg").write_bytes(images.as_jpeg(images.photo(320, 240)))
    (above / "shop/out.jpg").symlink_to(above / "private/mug.jpg")
    (above / "shop/elsewhere").symlink_to(above / "private")
    (above / "shop/dangling.png").symlink_to(above / "private/new.png")
    return above / "shop", above / "private"


@pytest.fixture(scope="module")
def agent(places: tuple[Path, Path]) -> Iterator[Agent]:
    with connected("--allow", places[0]) as agent:
        yield agent


@pytest.mark.slow
def test_a_cutout_is_written_beside_the_photo_and_shown(agent: Agent, places: tuple[Path, Path]) -> None:
    result = agent.call("remove_background", photo="mug.jpg", preview=True)
    (picture,) = result.structured_content["pictures"]
    assert picture["file"] == str(places[0] / "mug-cutout.png")
    assert {"confidence", "review", "notes", "width", "height"} <= picture.keys()
    with Image.open(picture["file"]) as cutout:
        assert (cutout.mode, cutout.size) == ("RGBA", (320, 240))
    (shown,) = (each for each in result.content if isinstance(each, types.ImageContent))
    with Image.open(io.BytesIO(base64.b64decode(shown.data))) as small:
        assert max(small.size) <= 512 and shown.mime_type == "image/jpeg"


def test_several_presets_make_a_picture_each_with_its_report(agent: Agent, places: tuple[Path, Path]) -> None:
    made = agent.facts("make_packshot", photo=str(places[0] / "mug.jpg"), preset="amazon,etsy", output="out")
    assert [Path(each["file"]) for each in made["pictures"]] == [
        places[0] / "out/mug-amazon.jpg",
        places[0] / "out/mug-etsy.jpg",
    ]
    amazon = made["pictures"][0]["preset"]
    broken = {check["rule"] for check in amazon["checks"] if check["required"] and not check["passed"]}
    assert (amazon["name"], broken) == ("amazon", {"longest-side"}) and amazon["look_yourself"]
    checked = agent.facts("check_picture", picture="out/mug-amazon.jpg", preset="amazon")
    assert checked["passed"] == amazon["passed"]
    assert {check["rule"] for check in checked["presets"][0]["checks"]} >= {"background", "fill"}


def test_the_ending_of_the_output_decides_its_format(agent: Agent, places: tuple[Path, Path]) -> None:
    agent.facts("make_packshot", photo="mug.jpg", background="#336699", output="blue.webp")
    with Image.open(places[0] / "blue.webp") as made:
        assert made.format == "WEBP"
    assert "format" in agent.refusal("make_packshot", photo="mug.jpg", format="png", output="blue.jpg")
    assert "not an output format" in agent.refusal("make_packshot", photo="mug.jpg", output="run.sh")
    assert "one file" in agent.refusal("make_packshot", photo="mug.jpg", preset="amazon,etsy", output="two.jpg")


@pytest.mark.parametrize(
    "path",
    ["../private/mug.jpg", "out.jpg", "elsewhere/mug.jpg", "/etc/hostname", "~/mug.jpg", "a/../../private/a.jpg"],
)
def test_no_path_leads_out_of_the_allowed_folders(agent: Agent, places: tuple[Path, Path], path: str) -> None:
    assert str(places[0]) in agent.refusal("remove_background", photo=path)
    agent.refusal("check_picture", picture=path, preset="amazon")
    agent.refusal("make_packshot", photo="mug.jpg", background_picture=path)
    agent.refusal("batch_status", folder=str(Path(path).parent / ".."))
    before = sorted(places[1].iterdir())
    if path != "out.jpg":  # a link whose neighbour, a new file, would be within the folder
        agent.refusal("remove_background", photo="mug.jpg", output=str(Path(path).with_name("new.png")))
    agent.refusal("remove_background", photo="mug.jpg", output="dangling.png")
    assert sorted(places[1].iterdir()) == before


def test_a_file_is_replaced_only_where_the_call_says_so_and_the_photo_never(
    agent: Agent, places: tuple[Path, Path]
) -> None:
    shop = places[0]
    (shop / "kept.png").write_bytes(b"mine")
    (shop / "same.png").write_bytes(images.as_png(images.photo(320, 240)))
    assert "overwrite" in agent.refusal("remove_background", photo="mug.jpg", output="kept.png")
    assert (shop / "kept.png").read_bytes() == b"mine"
    agent.facts("remove_background", photo="mug.jpg", output="kept.png", overwrite=True)
    assert (shop / "kept.png").read_bytes() != b"mine"
    before = (shop / "same.png").read_bytes()
    assert "photo itself" in agent.refusal("remove_background", photo="same.png", output="same.png", overwrite=True)
    assert (shop / "same.png").read_bytes() == before


def test_what_is_wrong_with_a_call_is_said_with_what_to_do(agent: Agent, places: tuple[Path, Path]) -> None:
    (places[0] / "text.jpg").write_bytes(b"no picture")
    assert "Did you mean background?" in agent.refusal("make_packshot", photo="mug.jpg", backgrond="white")
    assert "Did you mean amazon?" in agent.refusal("make_packshot", photo="mug.jpg", preset="amazn")
    assert "quality" in agent.refusal("make_packshot", photo="mug.jpg", quality=200)
    assert "needs photo" in agent.refusal("make_packshot")
    assert "overwrite" in agent.refusal("make_packshot", photo="mug.jpg", overwrite="yes")
    assert "does not exist" in agent.refusal("remove_background", photo="lamp.jpg")
    assert "folder" in agent.refusal("remove_background", photo=".")
    agent.refusal("remove_background", photo="text.jpg")
    assert "make_packshot" in agent.refusal("make_coffee")


def test_the_schema_of_make_packshot_is_the_table_of_options(agent: Agent) -> None:
    tools = {tool.name: tool for tool in agent._portal.call(agent.client.list_tools).tools}
    assert set(tools) == {"remove_background", "make_packshot", "check_picture", "list_presets", "batch_status"}
    schema = tools["make_packshot"].input_schema
    assert set(schema["properties"]) - {"photo", "output", "overwrite", "preview"} == set(OPTIONS)
    for name, option in OPTIONS.items():
        said = schema["properties"][name]
        assert said["description"].startswith(option.about)
        assert tuple(said.get("enum", ())) == option.choices
        assert option.kind == "file" or option.accepts in said["description"]
    assert {name for name, tool in tools.items() if tool.annotations and tool.annotations.read_only_hint} == {
        "check_picture",
        "list_presets",
        "batch_status",
    }


def test_presets_are_listed_and_shown(agent: Agent) -> None:
    names = {each["name"] for each in agent.facts("list_presets")["presets"]}
    assert {"amazon", "etsy", "square"} <= names
    amazon = agent.facts("list_presets", preset="amazon")
    assert amazon["options"]["background"] == "white"
    assert any(rule["asked"] == "pure white" for rule in amazon["rules"])


def test_the_state_of_a_batch_is_read_from_its_journal(agent: Agent, places: tuple[Path, Path]) -> None:
    photos = fill(places[0] / "photos", ["a.jpg", "b.jpg"])
    (photos / "c.jpg").write_bytes(b"no picture")
    make(photos, places[0] / "batch")
    status = agent.facts("batch_status", folder="batch")
    assert (status["photos"], status["failed"]) == (3, 1)
    assert status["worst_first"][0]["photo"] == "c.jpg"
    assert status["worst_first"][0]["reasons"]
    assert "no batch" in agent.refusal("batch_status", folder="photos")


@pytest.mark.slow
def test_a_cancelled_call_ends_and_writes_nothing(agent: Agent, places: tuple[Path, Path]) -> None:
    (places[0] / "big.jpg").write_bytes(images.as_jpeg(Image.fromarray(images.photo(800, 800)).resize((3200, 3200))))
    agent.call_and_cancel(0.1, "make_packshot", photo="big.jpg", background="white", output="big-white.avif")
    # One photo at a time: after this response, the earlier work has ended.
    agent.facts("remove_background", photo="mug.jpg", output="after.png")
    assert not (places[0] / "big-white.avif").exists()


def test_the_folders_that_a_client_has_opened_narrow_the_allowed_ones(
    agent: Agent, places: tuple[Path, Path], tmp_path: Path
) -> None:
    _narrowed(agent, places, tmp_path)


@pytest.mark.slow
def test_also_those_of_a_client_of_earlier_versions_of_the_protocol(places: tuple[Path, Path], tmp_path: Path) -> None:
    with connected("--allow", places[0], mode="legacy") as agent:
        _narrowed(agent, places, tmp_path)


def _narrowed(agent: Agent, places: tuple[Path, Path], elsewhere: Path) -> None:
    shop, private = places
    (shop / "sub").mkdir(exist_ok=True)
    (shop / "sub/pot.jpg").write_bytes((shop / "mug.jpg").read_bytes())
    agent.roots[:] = [shop / "sub"]
    agent.facts("remove_background", photo="pot.jpg", overwrite=True)
    assert "outside" in agent.refusal("remove_background", photo=str(shop / "mug.jpg"))
    agent.roots[:] = [shop.parent]
    assert "outside" in agent.refusal("remove_background", photo=str(private / "mug.jpg"))
    agent.roots[:] = [elsewhere]
    assert "--ignore-roots" in agent.refusal("remove_background", photo="mug.jpg")
    agent.roots.clear()
