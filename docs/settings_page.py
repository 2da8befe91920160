"""docs/reference/settings.md, made from the Settings class; docs/generate.py writes it."""

from __future__ import annotations

from collections.abc import Iterator

from docs.links import linked, with_settings
from packshot.service.environment import variable_of, words
from packshot.service.settings import Settings

PAGE = "reference/settings.md"
GROUPS = {
    "Address and callers": "host",
    "State and secrets": "state_dir",
    "Results": "results_url",
    "Workers and deadlines": "workers",
    "Limits of photos and memory": "max_file_bytes",
    "URLs of callers": "url_input",
    "Webhooks, jobs and review": "webhooks",
    "Rates and credits": "rate_limit",
    "Model": "model",
    "Logs, metrics and traces": "log_level",
}
"""The groups of settings in the class's order, each by its first setting."""

_HEAD = """# Settings

You set up the service by environment variables. None is required: `packshot serve` then listens on 127.0.0.1, creates
its own secret and prints a link to its page.

- An empty variable counts as not set.
- The service checks all variables at its start. It reports every fault, also an unknown `PACKSHOT_` variable, and ends.
- You can put a secret into a file: append `_FILE` to the variable's name and give the file's path.

Every name begins with `PACKSHOT_`.

| group | settings |
|---|---|
"""


def settings_page() -> str:
    """The text of docs/reference/settings.md."""
    groups = dict(_groups())
    rows = [f"| {title} | {', '.join(map(_short, names))} |" for title, names in groups.items()]
    sections = [f"\n## {title}\n{''.join(map(_section, names))}" for title, names in groups.items()]
    return _HEAD + "\n".join(rows) + "\n" + "".join(sections)


def _groups() -> Iterator[tuple[str, list[str]]]:
    names = list(Settings.model_fields)
    starts = [names.index(first) for first in GROUPS.values()]
    for title, start, end in zip(GROUPS, starts, [*starts[1:], len(names)], strict=True):
        yield title, names[start:end]


def _short(name: str) -> str:
    return f"[{name.upper()}](#{variable_of(name).lower()})"


def _section(name: str) -> str:
    variable = variable_of(name)
    form = words(Settings, name)["form"].replace("*", "\\*")
    file = f" You can use `{variable}_FILE`." if words(Settings, name)["secret"] else ""
    about = linked(with_settings(Settings.model_fields[name].description or "", but=name), PAGE)
    return f"\n### {variable}\n\n{about}{file}\n\n*Value:* {form}. *Default:* {_default(name)}.\n"


def _default(name: str) -> str:
    default = Settings.model_fields[name].default
    if isinstance(default, bool):
        default = str(default).lower()
    elif isinstance(default, float):
        default = f"{default:g}"
    return words(Settings, name)["shown"] or f"`{default}`"
