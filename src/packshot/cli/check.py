"""`packshot check`: finished pictures, made anywhere, against the rules of a marketplace."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from packshot.errors import PackshotError

if TYPE_CHECKING:
    from packshot.core.recipe import Recipe
    from packshot.core.rules import Report


@click.command()
@click.argument("pictures", nargs=-1, required=True, metavar="PICTURE|FOLDER|-...")
@click.option("--preset", "preset_name", required=True, metavar="NAME", help="Whose rules: see `packshot presets`.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def check(pictures: tuple[str, ...], preset_name: str, as_json: bool) -> None:
    """Check finished pictures against the rules of a marketplace.

    On a background of one colour the product is what differs from it; elsewhere the network finds it. What no pixel
    tells is not checked: whether it is the right product, and alone, without text or props.

    The exit code is 0 when every picture keeps the required rules, 1 when one does not, and that of the first error
    when one could not be checked.
    """
    from packshot.cli.exit_codes import RULES_BROKEN, exit_code
    from packshot.core.options import Options
    from packshot.engine.presets import recipe_for

    recipe = recipe_for(Options(preset=preset_name))
    passed = failed = 0
    errors: list[PackshotError] = []
    for picture in _files(pictures):
        try:
            report = _judge(picture, recipe)
        except PackshotError as error:
            errors.append(error)
            _say_error(picture, error, as_json=as_json)
            continue
        passed, failed = passed + report.passed, failed + (not report.passed)
        _say(picture, report, as_json=as_json)
    if len(pictures) > 1 or passed + failed + len(errors) > 1:
        click.echo(f"{passed} passed, {failed} failed, {len(errors)} could not be checked", err=True)
    if errors or failed:
        sys.exit(exit_code(errors[0]) if errors else RULES_BROKEN)


def _files(pictures: tuple[str, ...]) -> list[str]:
    """The files that are named, and those in folders that are."""
    from packshot.core.codecs.formats import BY_SUFFIX

    found: list[str] = []
    for each in pictures:
        if Path(each).is_dir():
            inside = (path for path in Path(each).rglob("*") if path.suffix.lower() in BY_SUFFIX)
            found += map(str, sorted(path for path in inside if path.is_file()))
        else:
            found.append(each)
    return found


def _judge(picture: str, recipe: Recipe) -> Report:
    from packshot.cli.errors import FileAccess
    from packshot.engine.job import make_job
    from packshot.engine.pipeline import check

    try:
        data = sys.stdin.buffer.read() if picture == "-" else Path(picture).read_bytes()
    except OSError as error:
        raise FileAccess(f"{picture} cannot be read: {error.strerror}.", hint="Check the name.") from error
    return check(make_job(data, recipe))


def _say(picture: str, report: Report, *, as_json: bool) -> None:
    from packshot.cli.reports import report_lines

    if as_json:
        click.echo(json.dumps({"picture": picture, "preset": report.to_dict()}))
        return
    click.echo(picture)
    for line in report_lines(report):
        click.echo(line)


def _say_error(picture: str, error: PackshotError, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"picture": picture, "error": {"slug": error.slug, "message": str(error)}}))
    else:
        click.echo(f"{picture}: {error}", err=True)
