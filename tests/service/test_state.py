from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from packshot.errors import BadSettings
from packshot.service.accounts import Accounts
from packshot.service.database import Database
from packshot.service.settings import Settings
from packshot.service.state import LINK_NAME, State


def settings_for(folder: Path, **values: object) -> Settings:
    return Settings.model_validate({"state_dir": folder} | values)


@pytest.fixture
def accounts(tmp_path: Path) -> Iterator[Accounts]:
    with closing(Database(tmp_path / "accounts.sqlite3")) as database:
        yield Accounts(database)


def test_a_first_start_makes_a_secret_and_a_link_and_a_second_start_finds_them(
    tmp_path: Path, accounts: Accounts
) -> None:
    settings = settings_for(tmp_path / "deep" / "state", first_credits=9)
    first, second = State(settings), State(settings)
    link = first.link(accounts, settings.base_url)
    assert link is not None
    assert link.url == f"http://127.0.0.1:8000/#key={link.key}"
    assert accounts.authenticate(link.key).credits == 9
    assert first.url_secrets == second.url_secrets
    again = second.link(accounts, settings.base_url)
    assert again is not None
    assert again.url == link.url
    assert [key.name for key in accounts.list()] == [LINK_NAME]


def test_the_link_is_the_owners_alone_and_shown_by_nothing(tmp_path: Path, accounts: Accounts) -> None:
    folder = tmp_path / "state"
    link = State(settings_for(folder)).link(accounts)
    assert link is not None
    assert link.key not in repr(link)
    assert [file.name for file in folder.iterdir()] == ["link"]  # no draft of the file remains
    assert (folder / "link").stat().st_mode & 0o777 == 0o600
    assert (folder / "link").read_text() == f"{link.url}\n"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9", "localhost", "::1"])
def test_the_link_leads_where_the_last_start_was(tmp_path: Path, accounts: Accounts, host: str) -> None:
    state = State(settings_for(tmp_path, host=host, port=8123))
    shown = state.link(accounts)
    assert shown is not None
    started = state.link(accounts, "http://localhost:9999")
    assert started is not None
    assert started.url == f"http://localhost:9999/#key={shown.key}"
    assert State(settings_for(tmp_path)).link(accounts) == started
    back = state.link(accounts, state.settings.base_url)
    assert back is not None
    assert back.url == f"http://{'[::1]' if ':' in host else host}:8123/#key={shown.key}"


def test_a_rotated_key_takes_its_link_along(tmp_path: Path, accounts: Accounts) -> None:
    state = State(settings_for(tmp_path))
    before = state.link(accounts, "http://127.0.0.1:9000")
    assert before is not None
    other = accounts.create("shop")
    state.rotate(accounts, other.id, 0)
    assert state.link(accounts) == before
    new = state.rotate(accounts, before.info.id, 0)
    after = state.link(accounts)
    assert after is not None
    assert (after.address, after.key, after.info.id) == (before.address, new.key, before.info.id)


def test_a_link_that_cannot_be_read_is_a_setup_error(tmp_path: Path, accounts: Accounts) -> None:
    (tmp_path / "link").mkdir()
    with pytest.raises(BadSettings, match="link cannot be used"):
        State(settings_for(tmp_path)).link(accounts)


@pytest.mark.slow
@given(content=st.binary(max_size=200) | st.builds("{}/#key={}".format, st.text(), st.text()).map(str.encode))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_lies_in_the_links_place_gives_way_to_a_link_that_works(
    tmp_path: Path, accounts: Accounts, content: bytes
) -> None:
    (tmp_path / "link").write_bytes(content)
    link = State(settings_for(tmp_path)).link(accounts)
    assert link is not None
    assert link.address == "http://127.0.0.1:8000" or link.address.encode() in content
    accounts.authenticate(link.key)


def test_the_secret_is_long_and_the_owners_alone(tmp_path: Path) -> None:
    state = State(settings_for(tmp_path / "state"))
    (secret,) = state.url_secrets
    assert len(secret) == 64
    files = [file for file in (tmp_path / "state").iterdir() if secret in file.read_text()]
    assert [oct(file.stat().st_mode & 0o777) for file in files] == ["0o600"]
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


def test_many_first_starts_at_once_agree_on_one_secret(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(lambda _: State(settings).url_secrets, range(32)))) == 1
    assert len(list(tmp_path.iterdir())) == 1


def test_configured_secrets_come_first_and_nothing_is_made(tmp_path: Path) -> None:
    secret = "c" * 32
    assert State(settings_for(tmp_path, url_secrets=(secret,))).url_secrets == (secret,)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_made_where_others_can_reach_the_service(tmp_path: Path, accounts: Accounts) -> None:
    settings = settings_for(tmp_path, host="192.168.1.5", url_secrets=("c" * 32,))
    behind_a_proxy = settings_for(tmp_path, public_base_url="https://cutouts.example.com")
    for each in (settings, behind_a_proxy):
        assert State(each).link(accounts, each.base_url) is None
    assert accounts.list() == []
    assert not (tmp_path / "link").exists()
    open_to_all = settings.model_copy(update={"url_secrets": ()})  # bypasses the settings' own check
    with pytest.raises(BadSettings, match="PACKSHOT_URL_SECRETS"):
        _ = State(open_to_all).url_secrets


def test_a_secret_that_was_cut_is_not_used(tmp_path: Path) -> None:
    (secret,) = State(settings_for(tmp_path)).url_secrets
    (file,) = tmp_path.iterdir()
    file.write_text(secret[:10])
    with pytest.raises(BadSettings, match="Remove the file"):
        _ = State(settings_for(tmp_path)).url_secrets


def test_a_secret_that_cannot_be_read_is_a_setup_error(tmp_path: Path) -> None:
    (tmp_path / "url-secret").mkdir()
    with pytest.raises(BadSettings, match="url-secret"):
        _ = State(settings_for(tmp_path)).url_secrets


def test_a_folder_that_cannot_be_made_is_a_setup_error_that_names_the_variable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadSettings, match="PACKSHOT_STATE_DIR"):
        State(settings_for(tmp_path / "file" / "state"))
