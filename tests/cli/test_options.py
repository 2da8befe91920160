"""Every option is a flag, and reaches the command as the matching Options."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from packshot.cli import cli
from packshot.cli.options import SECTIONS, PictureCommand, flag_name, picture_options
from packshot.core.options import OPTIONS, Options
from packshot.errors import InvalidOption


@click.command(cls=PictureCommand)
@picture_options
@click.option("--own", default="mine")
@click.pass_context
def seen(context: click.Context, options: Options, own: str) -> None:
    context.obj.append((options, own))


def parsed(*arguments: str) -> tuple[Options, str]:
    calls: list[tuple[Options, str]] = []
    CliRunner().invoke(seen, arguments, obj=calls, catch_exceptions=False)
    return calls[0]


def test_nothing_said_is_nothing_given() -> None:
    assert parsed() == (Options(), "mine")


@pytest.mark.parametrize("name", [name for name, option in OPTIONS.items() if option.kind not in {"file", "switch"}])
def test_every_example_is_taken_by_its_flag(name: str) -> None:
    for example in OPTIONS[name].examples:
        options, _ = parsed(flag_name(name), example)
        assert options == Options.from_fields({name: example})
        assert options.given().keys() == {name}


def test_a_switch_is_on_off_or_not_said() -> None:
    assert parsed("--crop")[0].crop is True
    assert parsed("--no-crop")[0].crop is False
    assert parsed()[0].crop is None


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "strokes.png"
    path.write_bytes(b"painted")
    assert parsed("--touch-up", str(path))[0].touch_up == b"painted"


def test_a_value_that_an_option_does_not_take_is_refused_by_the_option() -> None:
    with pytest.raises(InvalidOption) as caught:
        parsed("--max-upscale", "9")
    assert caught.value.fields["field"] == "max_upscale"


def test_help_shows_every_option_once_in_its_section() -> None:
    text = CliRunner().invoke(cli, ["remove", "--help"]).output
    assert sorted(name for names in SECTIONS.values() for name in names) == sorted(OPTIONS)
    places = [text.index(f"\n{title}:") for title in (*SECTIONS, "Options")]
    assert places == sorted(places)
    for title, names in SECTIONS.items():
        section = text.split(f"\n{title}:\n")[1].split("\n\n")[0]
        for name in names:
            assert f"  {flag_name(name)} " in section
