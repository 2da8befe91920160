"""Both clients with a real service: each understands the other's messages."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image

from packshot.client import (
    AsyncClient,
    BadInput,
    Client,
    Conflict,
    NoAccess,
    NoForeground,
    OptionFields,
    OutOfCredits,
    Packshot,
)
from packshot.core.codecs import WRITTEN
from packshot.core.options import OPTIONS
from packshot.engine.presets import preset_names
from tests.kit import images
from tests.kit.server import Running, serving


@pytest.fixture
def client(running: Running) -> Iterator[Client]:
    with Client(running.base_url, running.new_key()) as client:
        yield client


def opened(shot: Packshot) -> Image.Image:
    return Image.open(io.BytesIO(shot.data))


def test_a_packshot_by_a_preset(client: Client) -> None:
    shot = client.packshot(images.good("jpeg"), preset="amazon", max_upscale=4)
    assert shot.media_type == "image/jpeg"
    assert opened(shot).size == (shot.size.width, shot.size.height)
    assert shot.size_bytes == len(shot.data)
    assert (shot.photo_size.width, shot.photo_size.height) == (160, 120)
    assert 0 <= shot.box.left < shot.box.right <= 160
    assert shot.report is not None and shot.report.preset == "amazon"
    assert {"fill", "background"} <= {check.rule for check in shot.report.checks}
    assert shot.report.passed == (not shot.report.failed)
    assert {"decode", "encode"} <= shot.timings_ms.keys()
    assert shot.confidence is None or 0 <= shot.confidence <= 1


@pytest.mark.slow
def test_several_presets_are_one_call_and_one_credit_of_both_clients(running: Running) -> None:
    photo, names = images.as_jpeg(images.photo(640, 480, 5)), ("google", "amazon")
    with Client(running.base_url, running.new_key(1)) as client:
        shots = client.packshots(photo, names, metadata="drop")
        assert [shot.credits for shot in client.packshots(photo, ["amazon"]).values()] == [0]

    async def linked() -> dict[str, str]:
        async with AsyncClient(running.base_url, running.new_key(1)) as client:
            links = await client.links(photo, iter(names), {"repair": True})
            return {name: link.url for name, link in links.items()}

    assert tuple(shots) == names == tuple(asyncio.run(linked()))
    for name, shot in shots.items():
        assert shot.report is not None and shot.report.preset == name
        assert len(shot.data) == shot.size_bytes
    small = images.as_jpeg(images.photo(560, 500, 2))
    with Client(running.base_url, running.new_key()) as client:
        report = client.packshot(small, preset="amazon").report
    assert report is not None and [repair.code for repair in report.repairs] == ["enlarged"]


def test_asyncio_gets_the_same_picture(running: Running) -> None:
    photo, key = images.good("jpeg"), running.new_key()
    options: OptionFields = {"background": "#336699", "crop": True, "margin": "10%", "format": "webp"}

    async def several() -> list[Packshot]:
        async with AsyncClient(running.base_url, key) as client:
            return await asyncio.gather(*(client.packshot(photo, options) for _ in range(3)))

    with Client(running.base_url, key) as client:
        expected = client.packshot(photo, options)
    for shot in asyncio.run(several()):
        assert (shot.data, shot.product, shot.media_type) == (expected.data, expected.product, "image/webp")


def test_files_travel_as_options(client: Client, tmp_path: Path) -> None:
    behind = tmp_path / "behind.png"
    behind.write_bytes(images.flat_png(64, 64, 40))
    all_product = images.as_png(images.photo(160, 120)[..., 0] * 0 + 255)
    shot = client.packshot(images.good("png"), background_picture=behind, touch_up=all_product, format="png")
    assert (shot.box.size.width, shot.box.size.height) == (160, 120)
    plain = client.packshot(images.good("png"), background_picture=behind, format="png")
    assert opened(plain).convert("RGB").getpixel((0, 0)) == (40, 40, 40)


def test_a_repeat_by_name_costs_nothing(running: Running) -> None:
    key = running.new_key(credit_count=5)
    with Client(running.base_url, key) as client:
        first, again = (client.link(images.good("jpeg"), idempotency_key="order 7", crop=True) for _ in range(2))
        assert running.credits_of(key) == 4
        assert first.url.partition("?")[0] == again.url.partition("?")[0]
        with pytest.raises(Conflict):
            client.link(images.good("png"), idempotency_key="order 7")


def test_a_picture_made_elsewhere_is_judged(client: Client) -> None:
    report = client.check(images.good("jpeg"), "amazon")
    assert not report.passed
    missed = {check.rule: check for check in report.failed}["longest-side"]
    assert missed.measured < missed.facts["least"] == 500


def test_what_the_service_can_do(running: Running) -> None:
    with Client(running.base_url, "any") as client:
        about = client.about()
    assert [option.name for option in about.options] == list(OPTIONS)
    assert {preset.name for preset in about.presets} == set(preset_names())
    assert all(preset.rules for preset in about.presets)
    demands = {rule.rule: rule.demand for rule in next(each for each in about.presets if each.name == "amazon").rules}
    assert demands["fill"] == {"least": 0.85}
    assert [each.name for each in about.formats if each.written] == list(WRITTEN)
    assert about.inputs.min_side_px > 0 and "jpeg" in about.inputs.formats


def test_refusals_say_which_option_and_what_is_allowed(client: Client) -> None:
    with pytest.raises(BadInput) as caught:
        client.packshot(images.good("jpeg"), shadow="black")  # type: ignore[arg-type]
    assert (caught.value.status, caught.value.slug) == (422, "invalid-option")
    assert caught.value.fields["field"] == "shadow"
    assert "contact" in caught.value.fields["allowed"]
    assert len(caught.value.request_id) == 36


def test_refusals_of_photos_and_keys(running: Running, client: Client) -> None:
    with pytest.raises(NoForeground):
        client.packshot(images.flat_png(64, 64))
    with pytest.raises(BadInput) as caught:
        client.packshot(b"this is not a picture")
    assert (caught.value.status, caught.value.slug) == (415, "unsupported-format")
    with Client(running.base_url, "pk_unknown") as stranger, pytest.raises(NoAccess):
        stranger.packshot(images.good("jpeg"))
    with Client(running.base_url, running.new_key(0)) as poor, pytest.raises(OutOfCredits):
        poor.packshot(images.good("jpeg"))


@pytest.mark.slow
def test_a_service_that_knows_itself_under_another_name(tmp_path: Path) -> None:
    """As behind a reverse proxy, or in a container's network: its public address does not lead to it from here."""
    with serving(tmp_path, public_base_url="https://packshot.example.invalid") as running:
        host, port = running.address
        with Client(f"http://{host}:{port}", running.new_key(), retries=0) as client:
            shot = client.packshot(images.good("jpeg"))
        assert shot.url.startswith("https://packshot.example.invalid/")
        assert httpx.URL(shot.url).path.endswith(".png")
