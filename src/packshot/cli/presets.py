"""`packshot presets`: what is known of the marketplaces."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from packshot.core.rules import Rule
    from packshot.engine.presets import Preset


@click.command()
@click.argument("name", required=False)
def presets(name: str | None) -> None:
    """List the presets, or show all that one of them sets and checks."""
    from packshot.engine.presets import find_preset, preset_names

    if name is not None:
        for line in _details(find_preset(name)):
            click.echo(line)
        return
    for each in map(find_preset, preset_names()):
        required = sum(rule.required for rule in each.rules)
        counted = f"rules: {required}, recommendations: {len(each.rules) - required}"
        click.echo(f"{each.name:8}  {each.title:30}  {counted}  checked {each.checked}")
    click.echo("`packshot presets NAME` shows what one of them sets and checks, and its source.")


def _details(preset: Preset) -> Iterator[str]:
    from packshot.cli.options import flag_name

    yield f"{preset.name}: {preset.title}"
    yield f"  {preset.about}"
    yield "  Options that it sets:"
    yield from (f"    {flag_name(name)} {value}" for name, value in preset.options.given().items())
    yield "  Rules:"
    yield from map(_rule_line, (rule for rule in preset.rules if rule.required))
    if not all(rule.required for rule in preset.rules):
        yield "  Recommended, and fails nothing:"
        yield from map(_rule_line, (rule for rule in preset.rules if not rule.required))
    yield f"  Source: {preset.source or 'none'}"
    yield f"  Checked: {preset.checked}. {preset.evidence}"


def _rule_line(rule: Rule) -> str:
    return f"    {rule.name:14} {rule.asked}{f'. {rule.why}' if rule.why else ''}"
