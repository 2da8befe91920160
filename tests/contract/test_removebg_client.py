"""The proof of the second drop-in: a published client of remove.bg works, unchanged except for its URL."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
import requests
from PIL import Image
from removebg import RemoveBg

from tests.kit.images import as_jpeg, photo
from tests.kit.server import Running


@pytest.fixture
def client(running: Running, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> RemoveBg:
    monkeypatch.setattr("removebg.removebg.API_ENDPOINT", f"{running.base_url}/v1.0/removebg")
    return RemoveBg(running.new_key(), str(tmp_path / "error.log"))


def test_a_file_becomes_a_cutout_beside_it(client: RemoveBg, tmp_path: Path) -> None:
    source = tmp_path / "photo.jpg"
    source.write_bytes(as_jpeg(photo(400, 300)))
    client.remove_background_from_img_file(str(source), size="full")
    with Image.open(f"{source}_no_bg.png") as result:
        assert (result.format, result.mode, result.size) == ("PNG", "RGBA", (400, 300))


def test_its_own_default_size_is_kept_to(client: RemoveBg, tmp_path: Path) -> None:
    source = tmp_path / "photo.jpg"
    source.write_bytes(as_jpeg(photo(1000, 750)))
    client.remove_background_from_img_file(str(source), bg_color="fff")
    with Image.open(f"{source}_no_bg.png") as result:
        assert result.size[0] * result.size[1] <= 250_000
        assert result.convert("RGB").getpixel((0, 0)) == (255, 255, 255)


def test_base64_becomes_a_file(client: RemoveBg, tmp_path: Path) -> None:
    target = tmp_path / "out.png"
    text = base64.b64encode(as_jpeg(photo(320, 240)))
    client.remove_background_from_base64_img(text, size="auto", new_file_name=str(target))
    with Image.open(target) as result:
        assert (result.mode, result.size) == ("RGBA", (320, 240))


def test_an_address_is_the_clients_own_error(client: RemoveBg, tmp_path: Path) -> None:
    with pytest.raises(requests.HTTPError, match="400"):
        client.remove_background_from_img_url("https://example.com/a.jpg", new_file_name=str(tmp_path / "out.png"))
    assert not (tmp_path / "out.png").exists()
