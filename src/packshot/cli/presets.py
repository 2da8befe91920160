"""`packshot presets` and `packshot check`: lists marketplace rules, and checks finished pictures against them."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from packshot.cli import work_begins
from packshot.cli.errors import RULES_BROKEN, below, exit_code, is_folder, read_input
from packshot.cli.options import Command, flag_name, in_flags, quiet_option
from packshot.cli.terminal import about, listing, refuse_terminal, say, say_json
from packshot.errors import InvalidOption, PackshotError

if TYPE_CHECKING:
    from packshot.core.recipe import Recipe
    from packshot.core.rules import Report, Rule
    from packshot.engine.presets import Preset


@click.command()
@click.argument("name", required=False)
@click.option("--outdated", "only_outdated", is_flag=True, help="List presets whose rules were not checked for a year.")
@click.option("--days", type=click.IntRange(0), metavar="N", help="With --outdated: N days instead of 365.")
def presets(name: str | None, only_outdated: bool, days: int | None) -> None:
    """List the presets, or show the options and rules of one."""
    from packshot.engine.presets import find_preset, preset_names

    if only_outdated and name is not None:
        raise click.UsageError(f"--outdated lists presets. Remove {name} or --outdated.")
    if days is not None and not only_outdated:
        raise click.UsageError("--days needs --outdated.")
    if only_outdated:
        for line in outdated_lines(datetime.datetime.now(datetime.UTC).date(), 365 if days is None else days):
            click.echo(line)
        return
    if name is not None:
        for line in _details(find_preset(name)):
            click.echo(line)
        return
    for each in map(find_preset, preset_names()):
        required = sum(rule.required for rule in each.rules)
        counted = f"rules: {required}, recommendations: {len(each.rules) - required}"
        click.echo(f"{each.name:8}  {each.title:30}  {counted:32}  checked {each.checked}")
    click.echo("`packshot presets NAME` shows the options, rules and source of one preset.")


def outdated_lines(today: datetime.date, days: int) -> Iterator[str]:
    """The lines that `packshot presets --outdated` prints on `today` (UTC)."""
    from packshot.engine.presets import outdated

    found = outdated(today, days)
    for preset in found:
        yield f"{preset.name:8}  checked {preset.checked}, {(today - preset.checked).days} days ago  {preset.source}"
    if found:
        yield "Check the sources again: rules change. Each preset is a text file in src/packshot/presets/."
    else:
        yield f"No preset's rules were checked more than {days} days ago."


def _details(preset: Preset) -> Iterator[str]:
    yield f"{preset.name}: {preset.title}"
    yield f"  {preset.about}"
    yield "  Options:"
    yield from (f"    {flag_name(name)} {value}" for name, value in preset.options.given().items())
    yield "  Rules:"
    yield from map(_rule_line, (rule for rule in preset.rules if rule.required))
    if not all(rule.required for rule in preset.rules):
        yield "  Recommendations (no failure):"
        yield from map(_rule_line, (rule for rule in preset.rules if not rule.required))
    if preset.hints:
        yield "  Check yourself (packshot cannot):"
        yield from (f"    {hint}" for hint in preset.hints)
    yield f"  Source: {preset.source or 'none'}"
    yield f"  Checked: {preset.checked}. {preset.evidence}"


def _rule_line(rule: Rule) -> str:
    return f"    {rule.name:14} {rule.asked}{f'. {rule.why}' if rule.why else ''}"


@click.command(cls=Command)
@click.argument("pictures", nargs=-1, required=True, metavar="PICTURE|FOLDER|-...")
@click.option(
    "--preset",
    "preset_names",
    required=True,
    multiple=True,
    metavar="NAME",
    help="Preset to check against (see `packshot presets`); separate several by commas, or repeat.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON for each picture and preset.")
@quiet_option
def check(pictures: tuple[str, ...], preset_names: tuple[str, ...], as_json: bool, quiet: bool) -> None:
    """Check finished pictures against the rules of a marketplace.

    On a background of one colour, all that differs from the colour is the product. On other backgrounds, the network
    finds the product. Some rules cannot be checked, such as no text, no logo, no props. They are listed at the end
    for you to check.

    The exit code is 0 if every picture keeps the required rules of every preset, and 1 if a picture breaks one. If a
    picture cannot be checked, the exit code is that of the first error.
    """
    from packshot.core.options import Options
    from packshot.engine.presets import recipes_for

    recipes = recipes_for(Options(preset=",".join(preset_names)))
    instead = f"packshot check - --preset {','.join(preset_names)} < photo.jpg"
    refuse_terminal(reads="-" in pictures, writes=False, instead=instead)
    with listing(quiet=quiet) as found:
        note = partial(say, err=True) if not quiet else lambda _line: None
        files = _files(pictures, found, note)
    if not files:
        raise InvalidOption(
            f"{', '.join(pictures)} contains no pictures.", hint="Give pictures, or folders with pictures."
        )
    passed = failed = 0
    errors: list[PackshotError] = []
    command = click.get_current_context().command
    work_begins()
    for picture in files:
        try:
            reports = _judge(picture, recipes)
        except PackshotError as error:
            errors.append(in_flags(error, command))
            _say_error(picture, error, as_json=as_json)
            continue
        kept = all(report.passed for report in reports)
        passed, failed = passed + kept, failed + (not kept)
        if as_json or not quiet:
            _say(picture, reports, as_json=as_json)
    if passed + failed and not quiet and not as_json:
        _say_hints(recipes)
    if len(files) > 1 and not quiet:
        click.echo(f"{passed} passed, {failed} failed, {len(errors)} could not be checked", err=True)
    if errors or failed:
        sys.exit(exit_code(errors[0]) if errors else RULES_BROKEN)


def _files(
    pictures: tuple[str, ...],
    found: Callable[[int], None] = lambda _count: None,
    note: Callable[[str], None] = lambda _line: None,
) -> list[str]:
    """The given files, and the photos in given folders.

    found: called with the number of files so far. note: called with a line for each skipped file.
    """
    from packshot.batch.listing import APPLE_DOUBLE, is_apple_double, photos_in
    from packshot.storage.blocking import open_storage

    files: list[str] = []
    for each in pictures:
        if is_folder(each):
            for entry in photos_in(open_storage(each)):
                files.append(below(each, entry.key))
                found(len(files))
        elif is_apple_double(Path(each)):
            note(f"{each}: {APPLE_DOUBLE}")
        else:
            files.append(each)
    return files


def _judge(picture: str, recipes: tuple[Recipe, ...]) -> tuple[Report, ...]:
    from packshot.engine.job import make_job
    from packshot.engine.judging import check_all

    return check_all(make_job(read_input(None if picture == "-" else Path(picture), picture), recipes))


def _say(picture: str, reports: tuple[Report, ...], *, as_json: bool) -> None:
    if as_json:
        for report in reports:
            say_json({"picture": picture, "preset": report.to_dict()})
        return
    say(picture)
    for report in reports:
        for line in report_lines(report):
            say(line)


def _say_hints(recipes: tuple[Recipe, ...]) -> None:
    from packshot.engine.presets import find_preset

    named = [find_preset(recipe.preset).hints for recipe in recipes if recipe.preset is not None]
    hints = dict.fromkeys(hint for hints in named for hint in hints)  # two marketplaces may have the same hint
    if hints:
        say("Check yourself (packshot cannot):")
    for hint in hints:
        say(f"  {hint}")


def _say_error(picture: str, error: PackshotError, *, as_json: bool) -> None:
    if as_json:
        what = {"slug": error.slug, "message": error.message, "hint": error.hint}
        say_json({"picture": picture, "error": what})
    else:
        say(about(picture, error), err=True)


def report_lines(report: Report, *, kept: bool = True, review: bool = False) -> Iterator[str]:
    """A preset's report for the terminal: a headline, and a line for each rule.

    kept: whether rules that the picture keeps get a line. review: whether a human should look at the picture, so that
    the headline does not say "passed". A missed rule gets one line: a missed minimum size hides the larger
    recommended size.
    """
    required = sum(check.required for check in report.checks)
    passed = "rules kept, but look at the picture before you use it" if review else "passed"
    verdict = passed if report.passed else f"FAILED, {len(report.failed)} of {required} rules not kept"
    yield f"  {report.title}: {verdict}"
    yield from (f"    mended  {repair}" for repair in report.repairs)
    missed: set[str] = set()
    for check in report.checks:
        if (check.passed and not kept) or (not check.passed and check.rule in missed):
            continue
        if not check.passed:
            missed.add(check.rule)
        mark = "ok" if check.passed else "FAILED" if check.required else "advice"
        yield f"    {mark:6}  {check.message}"
