"""Requests without a key: the operator's key pays for them, and pages of other origins cannot send them."""

from __future__ import annotations

import logging
from pathlib import Path

import httpx
import pytest

from packshot.api.app import OPTIONAL
from packshot.errors import BadSettings, UnknownKey
from packshot.service.settings import Settings
from tests.kit.images import good
from tests.kit.server import Running, serving

PATH = "/api/remove"
PHOTO = good("jpeg", 64, 52)


def send(running: Running, photo: bytes = PHOTO, **headers: str) -> httpx.Response:
    url = "http://{}:{}{}".format(*running.address, PATH)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return running.http.post(url, files={"file": ("photo.jpg", photo)}, headers=named)


def status(running: Running, **headers: str) -> int:
    """The status of a request with an empty photo; 400 means that the service let it in."""
    return send(running, b"", **headers).status_code


LET_IN = 400


def test_on_this_machine_the_key_of_its_link_pays(forms: Running) -> None:
    link = forms.service.link
    assert link is not None
    before = forms.service.accounts.authenticate(link.key).used
    assert send(forms).status_code == 200
    assert forms.service.accounts.authenticate(link.key).used == before + 1


@pytest.mark.parametrize("header", ["x-api-key", "x-rapidapi-key", "ailabapi-api-key", "authorization"])
def test_a_key_that_comes_is_the_one_that_counts(forms: Running, header: str) -> None:
    key = forms.new_key(0)
    value = f"Bearer {key}" if header == "authorization" else key
    assert send(forms, **{header: value}, origin="https://other.example").status_code == 402
    assert status(forms, **{header: value[:-1]}) == 401


@pytest.mark.slow
def test_elsewhere_a_key_is_needed_and_the_answer_says_how_to_do_without(tmp_path: Path) -> None:
    with serving(tmp_path, dialects="rembg", public_base_url="https://cutouts.example") as running:
        answer = send(running)
    assert answer.status_code == 401
    assert "x-api-key" in answer.json()["detail"]
    assert "PACKSHOT_KEYLESS_KEY" in answer.json()["detail"]


def test_the_other_forms_need_a_key_always(forms: Running) -> None:
    assert [name for name, dialect in OPTIONAL.items() if dialect.keyless] == ["rembg"]
    for path in ("/v1/segment", "/remove-background/v1", "/v1/packshots", "/v1.0/removebg"):
        answer = forms.http.post(path, files={"image_file": PHOTO})
        assert answer.status_code in {401, 403}, path


def test_the_key_that_stands_for_them_has_its_credits_and_its_states(elsewhere: Running) -> None:
    accounts, key_id = elsewhere.service.accounts, str(elsewhere.service.settings.keyless_key)
    accounts.set_credits(key_id, 1)
    assert [send(elsewhere).status_code for _ in range(2)] == [200, 402]
    accounts.set_rate(key_id, "1/minute")
    assert [status(elsewhere) for _ in range(2)] == [LET_IN, 429]
    accounts.set_rate(key_id, None)
    accounts.lock(key_id)
    assert status(elsewhere) == 403
    accounts.unlock(key_id)
    accounts.expire(key_id, 1.0)
    assert status(elsewhere) == 401
    accounts.expire(key_id, None)


def test_a_key_that_is_not_there_is_named(elsewhere: Running) -> None:
    with pytest.raises(UnknownKey, match="0123456789ab"):
        elsewhere.service.accounts.authenticate_id("0123456789ab")


class TestPages:
    """A browser sends a form to a service of this machine for any page, without asking the user."""

    @pytest.mark.parametrize(
        "origin", ["https://other.example", "http://localhost:3000", "null", "http://127.0.0.1", ""]
    )
    def test_those_of_others_are_refused_and_cost_nothing(self, forms: Running, origin: str) -> None:
        assert forms.service.link is not None
        used = forms.service.accounts.authenticate(forms.service.link.key).used
        answer = send(forms, origin=origin)
        assert answer.status_code == 403
        assert "PACKSHOT_CORS_ORIGINS" in answer.json()["detail"]
        assert forms.service.accounts.authenticate(forms.service.link.key).used == used

    def test_those_of_the_service_are_let_in_under_each_of_its_names(self, forms: Running, elsewhere: Running) -> None:
        port = forms.address[1]
        for name in ("127.0.0.1", "localhost", "[::1]"):
            host = f"{name}:{port}"
            assert status(forms, host=host, origin=f"http://{host}") == LET_IN, name
        for host in ("cutouts.example", "CUTOUTS.example:443"):
            assert status(elsewhere, host=host, origin="https://cutouts.example") == LET_IN, host

    def test_those_of_the_setting_are_let_in(self, elsewhere: Running) -> None:
        assert status(elsewhere, origin="https://shop.example") == LET_IN
        assert status(elsewhere, origin="https://shop.example.other.example") == 403

    @pytest.mark.parametrize("site", ["cross-site", "same-site"])
    def test_a_picture_in_a_page_of_others_is_refused(self, forms: Running, site: str) -> None:
        """The request has no Origin; the browser reports in another header that a page sent it."""
        answer = forms.http.get(PATH, params={"url": "http://10.0.0.1/a.png"}, headers={"sec-fetch-site": site})
        assert answer.status_code == 403

    @pytest.mark.parametrize(
        "host", ["other.example", "127.0.0.1.other.example", "localhost.other.example:8000", "[", ""]
    )
    def test_a_name_that_dns_leads_here_is_refused(self, forms: Running, host: str) -> None:
        answer = send(forms, host=host, origin=f"http://{host}")
        assert answer.status_code in ({400, 403} if host in {"[", ""} else {403}), answer.text
        assert "PACKSHOT_PUBLIC_BASE_URL" in answer.text or answer.status_code == 400


@pytest.mark.parametrize("header", ["x-forwarded-for", "forwarded", "via"])
def test_what_a_tunnel_or_a_proxy_brings_is_not_of_this_machine(
    forms: Running, elsewhere: Running, header: str
) -> None:
    answer = send(forms, **{header: "203.0.113.9"})
    assert answer.status_code == 403
    assert "PACKSHOT_KEYLESS_KEY" in answer.json()["detail"]
    assert status(elsewhere, **{header: "203.0.113.9"}) == LET_IN


def test_no_key_is_in_the_log(forms: Running, caplog: pytest.LogCaptureFixture) -> None:
    assert forms.service.link is not None
    with caplog.at_level(logging.DEBUG):
        send(forms)
    assert forms.service.link.key not in caplog.text


@pytest.mark.parametrize(
    ("path", "name"),
    [("/api/remove", "rembg"), ("/v1/segment/", "photoroom"), ("/remove-background/v1", "clipdrop")],
)
def test_a_form_that_is_off_is_404_and_says_what_turns_it_on(running: Running, path: str, name: str) -> None:
    answer = running.http.post(path, files={"file": PHOTO})
    assert answer.status_code == 404
    assert f"PACKSHOT_DIALECTS={name}" in answer.text
    assert path.rstrip("/") not in running.http.get("/openapi.json").json()["paths"]


def test_the_setting_takes_the_names_of_the_forms_and_no_other() -> None:
    home = {"HOME": "/home/someone"}
    for name in OPTIONAL:
        assert Settings.from_environment({**home, "PACKSHOT_DIALECTS": name.upper()}).dialects == (name,)
    several = Settings.from_environment({**home, "PACKSHOT_DIALECTS": "rembg, clipdrop,,rembg"})
    assert several.dialects == ("rembg", "clipdrop")
    with pytest.raises(BadSettings, match="rembg, photoroom and clipdrop"):
        Settings.from_environment({**home, "PACKSHOT_DIALECTS": "rembg,removebg"})
    with pytest.raises(BadSettings, match="keys list"):
        Settings.from_environment({**home, "PACKSHOT_KEYLESS_KEY": "pk_secret"})


def test_forms_that_are_on_stand_in_the_docs(forms: Running) -> None:
    document = forms.http.get("/openapi.json").json()
    assert {"/api/remove", "/v1/segment", "/remove-background/v1"} <= set(document["paths"])
    assert {} in document["paths"]["/api/remove"]["post"]["security"]
    assert {} not in document["paths"]["/v1/segment"]["post"]["security"]
    assert "/v1/segment" in forms.http.get("/docs").text
