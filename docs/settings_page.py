"""docs/reference/settings.md, made from the Settings class; docs/generate.py writes it."""

from __future__ import annotations

from packshot.service.environment import variable_of, words
from packshot.service.settings import Settings

_HEAD = """# Settings

<!-- Made from the code by `python -m docs.generate`; a test compares. -->

The service is set up by environment variables. None is needed on the machine itself: `packshot serve` listens on
127.0.0.1, makes its own secret and shows a link that opens its page. An empty variable counts as not set. All faults
are reported at once, before anything starts, and a variable that begins with `PACKSHOT_` and is not on this page is one
of them.

A secret may also come from a file: put the file's path into the variable of the same name with `_FILE` at its end.

| variable | default |
|---|---|
"""


def settings_page() -> str:
    """The text of docs/reference/settings.md."""
    rows = [f"| [{variable_of(name)}](#{variable_of(name).lower()}) | {_default(name)} |" for name in _names()]
    return _HEAD + "\n".join(rows) + "\n" + "".join(_section(name) for name in _names())


def _section(name: str) -> str:
    form = words(Settings, name)["form"]
    file = f" Or `{variable_of(name)}_FILE`." if words(Settings, name)["secret"] else ""
    about = Settings.model_fields[name].description
    return f"\n## {variable_of(name)}\n\n{about}\n\nForm: {form}.{file} Default: {_default(name)}.\n"


def _default(name: str) -> str:
    default = Settings.model_fields[name].default
    if isinstance(default, bool):
        default = str(default).lower()
    elif isinstance(default, float):
        default = f"{default:g}"
    return words(Settings, name)["shown"] or f"`{default}`"


def _names() -> list[str]:
    return list(Settings.model_fields)
