from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docs.settings_page import settings_page
from packshot.errors import BadSettings
from packshot.service.environment import variable_of
from packshot.service.settings import WILDCARDS, Settings

SECRET = "s3cret-" + "x" * 40
HOME = {"HOME": "/home/someone"}


def faults(environ: dict[str, str]) -> str:
    with pytest.raises(BadSettings) as caught:
        Settings.from_environment(HOME | environ)
    return str(caught.value)


def line(text: str, variable: str) -> str:
    (found,) = [line for line in text.splitlines() if line.strip().startswith(f"{variable}:")]
    return found


def test_nothing_needs_to_be_set_on_loopback() -> None:
    settings = Settings.from_environment(HOME)
    assert settings.is_loopback
    assert settings.base_url == "http://127.0.0.1:8000"
    assert settings.workers >= 1


def test_variables_are_read_and_typed() -> None:
    environ = {
        "PACKSHOT_PORT": "8080",
        "PACKSHOT_DEADLINE_S": "2.5",
        "PACKSHOT_RATE_LIMIT": "600/minute",
        "PACKSHOT_FIRST_CREDITS": "0",
        "PACKSHOT_LOG_LEVEL": "WARNING",
        "PACKSHOT_PUBLIC_BASE_URL": "https://cutouts.example.com/shop/",
        "PATH": "/bin",
    }
    settings = Settings.from_environment(HOME | environ)
    assert (settings.port, settings.deadline_s, settings.rate_limit) == (8080, 2.5, "600/minute")
    assert (settings.first_credits, settings.log_level) == (0, "warning")
    assert settings.base_url == "https://cutouts.example.com/shop"


def test_an_empty_variable_counts_as_not_set() -> None:
    empty = {variable_of(name): " " for name in Settings.model_fields}
    assert Settings.from_environment(HOME | empty) == Settings.from_environment(HOME)


def test_all_faults_are_reported_at_once_and_each_names_variable_value_form_and_page() -> None:
    wrong = {
        "PACKSHOT_PORT": "eighty",
        "PACKSHOT_WORKERS": "0",
        "PACKSHOT_DEADLINE_S": "nan",
        "PACKSHOT_MAX_SIDE_PX": "1e9",
        "PACKSHOT_LOG_LEVEL": "loud",
        "PACKSHOT_RATE_LIMIT": "often",
        "PACKSHOT_PUBLIC_BASE_URL": "ftp://example.com",
        "PACKSHOT_FIRST_CREDITS": "-1",
        "PACKSHOT_HOST": "not a host",
    }
    text = faults(wrong)
    for variable, value in wrong.items():
        assert f"'{value}'; expected " in line(text, variable)
        assert f"See {variable} in the documentation." in line(text, variable)
    assert "1 to 65535" in line(text, "PACKSHOT_PORT")


@pytest.mark.parametrize("rate", ["0/minute", "5/minute;1/second", "600", "/minute"])
def test_a_rate_that_would_not_do_what_it_says_is_refused(rate: str) -> None:
    assert "expected one limit" in line(faults({"PACKSHOT_RATE_LIMIT": rate}), "PACKSHOT_RATE_LIMIT")


@pytest.mark.parametrize("url", ["example.com", "https://", "https://e.com?a=1", "https://u:p@e.com", "http://[::1"])
def test_a_base_url_that_links_cannot_begin_with_is_refused(url: str) -> None:
    assert "expected a URL" in line(faults({"PACKSHOT_PUBLIC_BASE_URL": url}), "PACKSHOT_PUBLIC_BASE_URL")


def test_a_misspelt_variable_is_a_fault_with_a_suggestion() -> None:
    text = faults({"PACKSHOT_WORKER": "2", "PACKSHOT_ZZZ": "1"})
    assert "did you mean PACKSHOT_WORKERS?" in line(text, "PACKSHOT_WORKER")
    assert "no such setting" in line(text, "PACKSHOT_ZZZ")


def test_variables_that_kubernetes_makes_are_explained() -> None:
    assert "enableServiceLinks" in faults({"PACKSHOT_SERVICE_HOST": "10.0.0.1", "PACKSHOT_PORT": "tcp://10.0.0.1:80"})


@pytest.mark.parametrize("host", ["192.168.1.5", "example.com", "fe80::1"])
def test_without_a_secret_it_listens_to_nobody_else(host: str) -> None:
    text = line(faults({"PACKSHOT_HOST": host}), "PACKSHOT_URL_SECRETS")
    assert host in text
    assert "openssl rand -hex 32" in text
    assert Settings.from_environment(HOME | {"PACKSHOT_HOST": host, "PACKSHOT_URL_SECRETS": SECRET}).host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_addresses_need_no_secret(host: str) -> None:
    assert Settings.from_environment(HOME | {"PACKSHOT_HOST": host}).is_loopback


@pytest.mark.parametrize("host", WILDCARDS)
def test_a_wildcard_address_needs_a_base_url_because_links_cannot_lead_to_it(host: str) -> None:
    environ = {"PACKSHOT_HOST": host, "PACKSHOT_URL_SECRETS": SECRET}
    assert host in line(faults(environ), "PACKSHOT_PUBLIC_BASE_URL")
    assert Settings.from_environment(HOME | environ | {"PACKSHOT_PUBLIC_BASE_URL": "https://e.com"}).base_url


def test_an_ipv6_address_stands_in_brackets_in_links() -> None:
    assert Settings.from_environment(HOME | {"PACKSHOT_HOST": "::1"}).base_url == "http://[::1]:8000"


def origins(text: str) -> tuple[str, ...]:
    return Settings.from_environment(HOME | {"PACKSHOT_CORS_ORIGINS": text}).cors_origins


def test_no_page_of_another_origin_is_let_in_unless_it_is_said() -> None:
    assert Settings.from_environment(HOME).cors_origins == ()
    assert origins("*") == ("*",)


def test_origins_are_kept_as_browsers_send_them() -> None:
    written = (
        "https://Shop.Example/, http://localhost:3000,https://a.example:443,http://a.example:80,https://b.example:80"
    )
    assert origins(written) == (
        "https://shop.example",
        "http://localhost:3000",
        "https://a.example",
        "http://a.example",
        "https://b.example:80",
    )
    others = ("https://*.shop.example", "chrome-extension://abcdefgh", "capacitor://localhost", "http://[::1]:3000")
    assert origins(",".join(others)) == others


labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)


@pytest.mark.slow
@given(
    st.sampled_from(["http", "https", "moz-extension"]),
    st.lists(labels, min_size=1, max_size=4),
    st.none() | st.integers(1, 65535).filter(lambda port: port not in {80, 443}),
)
@settings(max_examples=30)
def test_an_origin_with_anything_after_it_is_none(scheme: str, names: list[str], port: int | None) -> None:
    origin = f"{scheme}://{'.'.join(names)}" + (f":{port}" if port else "")
    assert origins(origin) == (origin,)
    for rest in ("/cut", "?a", "#a", "//", "/*", ":", ":0", "@a", ".*", "\\", " a"):
        text = line(faults({"PACKSHOT_CORS_ORIGINS": f"https://a.example, {origin}{rest}"}), "PACKSHOT_CORS_ORIGINS")
        assert f"{origin}{rest} " in text


@pytest.mark.parametrize(
    "wrong", ["shop.example", "https://", "//shop.example", "https://*", "https://a.*.b", "https://bücher.example"]
)
def test_what_is_no_origin_is_refused(wrong: str) -> None:
    assert f"{wrong} is no origin" in line(faults({"PACKSHOT_CORS_ORIGINS": wrong}), "PACKSHOT_CORS_ORIGINS")


def test_the_origin_that_any_page_can_have_is_refused() -> None:
    assert "any page can have" in line(faults({"PACKSHOT_CORS_ORIGINS": "null"}), "PACKSHOT_CORS_ORIGINS")


def test_sides_in_the_wrong_order_are_refused() -> None:
    text = faults({"PACKSHOT_MIN_SIDE_PX": "500", "PACKSHOT_MAX_SIDE_PX": "400"})
    assert "PACKSHOT_MIN_SIDE_PX" in line(text, "PACKSHOT_MAX_SIDE_PX")


def test_room_for_less_than_one_upload_is_refused() -> None:
    text = faults({"PACKSHOT_V1_MAX_FILE_BYTES": str(10**9)})
    assert "PACKSHOT_V1_MAX_FILE_BYTES" in line(text, "PACKSHOT_UPLOAD_MEMORY_BYTES")


def test_several_secrets_come_from_one_variable_or_one_file(tmp_path: Path) -> None:
    first, second = "a" * 32, "b" * 40
    file = tmp_path / "secrets"
    file.write_text(f"{first}\n{second}\n")
    from_file = Settings.from_environment(HOME | {"PACKSHOT_URL_SECRETS_FILE": str(file)})
    from_text = Settings.from_environment(HOME | {"PACKSHOT_URL_SECRETS": f"{first}, {second}"})
    assert from_file.url_secrets == from_text.url_secrets == (first, second)


def test_a_secret_given_twice_or_in_a_bad_file_is_a_fault_that_names_the_file_variable(tmp_path: Path) -> None:
    file = tmp_path / "secrets"
    name = "PACKSHOT_URL_SECRETS_FILE"
    assert "No such file" in line(faults({name: str(file)}), name)
    file.write_text("\n")
    assert "is empty" in line(faults({name: str(file)}), name)
    file.write_bytes(b"\xff" * 40)
    assert "not a text file" in line(faults({name: str(file)}), name)
    file.write_text("short")
    assert "at least 32 characters" in line(faults({name: str(file), "PACKSHOT_HOST": "192.168.1.5"}), name)
    file.write_text(SECRET)
    assert "set only one" in line(faults({name: str(file), "PACKSHOT_URL_SECRETS": SECRET}), name)


def test_only_secrets_come_from_files() -> None:
    assert "no such setting" in faults({"PACKSHOT_PORT_FILE": "/etc/port"})


def test_secrets_are_never_shown() -> None:
    settings = Settings.from_environment(HOME | {"PACKSHOT_URL_SECRETS": SECRET})
    assert SECRET not in repr(settings) + str(settings)
    text = faults({"PACKSHOT_URL_SECRETS": f"{SECRET},hunter2", "PACKSHOT_PORT": "x"})
    assert "at least 32 characters" in line(text, "PACKSHOT_URL_SECRETS")
    assert SECRET not in text
    assert "hunter2" not in text
    with pytest.raises(ValueError, match="at least 32") as caught:
        Settings(url_secrets=("hunter2",))
    assert "hunter2" not in str(caught.value)


def test_the_state_folder_follows_the_environment_it_was_given() -> None:
    assert Settings.from_environment(HOME | {"XDG_STATE_HOME": "/var/state"}).state_dir == Path("/var/state/packshot")
    assert Settings.from_environment(HOME | {"PACKSHOT_STATE_DIR": "/srv/p"}).state_dir == Path("/srv/p")
    assert Settings.from_environment(HOME).state_dir == Path("~/.local/state/packshot").expanduser()


def test_a_home_that_does_not_exist_is_a_fault() -> None:
    assert "no home folder" in line(faults({"PACKSHOT_STATE_DIR": "~nobody-here/state"}), "PACKSHOT_STATE_DIR")


def test_three_megabytes_in_any_reading_are_within_the_limit() -> None:
    assert Settings.from_environment(HOME).max_file_bytes == max(3 * 1000**2, 3 * 1024**2)


def test_every_setting_has_an_anchor_on_the_page_that_faults_point_at() -> None:
    headings = [row.removeprefix("### ").lower() for row in settings_page().splitlines() if row.startswith("### ")]
    assert headings == [variable_of(name).lower() for name in Settings.model_fields]


def test_metrics_need_a_port_and_an_address_of_their_own() -> None:
    said = faults({"PACKSHOT_PORT": "9100", "PACKSHOT_METRICS_PORT": "9100", "PACKSHOT_METRICS_HOST": "256.0.0.1"})
    assert "PACKSHOT_PORT" in line(said, "PACKSHOT_METRICS_PORT")
    assert "an IP address" in line(said, "PACKSHOT_METRICS_HOST")


def test_the_page_writes_defaults_as_they_are_typed() -> None:
    assert not re.search(r"`(True|False|None|\d+\.0)`", settings_page())
