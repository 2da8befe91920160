from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from packshot.errors import BadSettings
from packshot.service.accounts import Accounts
from packshot.service.database import Database
from packshot.service.settings import Settings
from packshot.service.state import State


def settings_for(folder: Path, **values: object) -> Settings:
    return Settings.model_validate({"state_dir": folder} | values)


def test_a_first_start_makes_a_secret_and_a_key_and_a_second_start_finds_them(tmp_path: Path) -> None:
    settings = settings_for(tmp_path / "deep" / "state", first_credits=9)
    first, second = State(settings), State(settings)
    database = Database(first.database)
    accounts = Accounts(database)
    new = first.first_key(accounts)
    assert new is not None
    assert accounts.authenticate(new.key).credits == 9
    assert first.url_secrets == second.url_secrets
    assert second.first_key(accounts) is None
    database.close()


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


def test_nothing_is_made_where_others_can_reach_the_service(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, host="192.168.1.5", url_secrets=("c" * 32,))
    database = Database(State(settings).database)
    accounts = Accounts(database)
    assert State(settings).first_key(accounts) is None
    assert accounts.list() == []
    database.close()
    open_to_all = settings.model_copy(update={"url_secrets": ()})  # a way past the settings' own check
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
