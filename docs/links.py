"""Links in generated pages, made from the pages and settings that texts in the code name."""

from __future__ import annotations

import re
from os.path import relpath
from pathlib import Path

from packshot.service.environment import variable_of
from packshot.service.settings import Settings

FOLDER = Path(__file__).parent
_PAGE = re.compile(r"`?docs/((?:[\w-]+/)*[\w-]+\.md)(#[\w-]+)?`?")
_SETTING = re.compile(r"`PACKSHOT_([A-Z0-9_]+)`|(?<![`\w])PACKSHOT_([A-Z0-9_]+)(?![`\w=])")


def linked(text: str, page: str) -> str:
    """A text in which every docs/... is a link with its page's title. page: the page of the text, below docs/."""

    def link(found: re.Match[str]) -> str:
        target = FOLDER / found[1]
        lines = target.read_text(encoding="utf-8").splitlines()
        title = next(line.removeprefix("# ") for line in lines if line.startswith("# "))
        return f"[{title}]({Path(relpath(target, (FOLDER / page).parent)).as_posix()}{found[2] or ''})"

    return _PAGE.sub(link, text)


def with_settings(text: str, page: str = "", *, but: str = "") -> str:
    """A text in which the names of settings lead to them on the page. but: the one that stays as it is."""

    def link(found: re.Match[str]) -> str:
        name = (found[1] or found[2]).lower()
        if name not in Settings.model_fields or name == but:
            return found[0]
        return f"[{variable_of(name)}]({page}#{variable_of(name).lower()})"

    return _SETTING.sub(link, text)
