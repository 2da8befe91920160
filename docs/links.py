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
        target = _find(found[1])
        if target is None:
            return found[0]
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


def _find(path: str) -> Path | None:
    """The page of this path, else the only one of its name."""
    if (FOLDER / path).is_file():
        return FOLDER / path
    same = list(FOLDER.rglob(Path(path).name))
    return same[0] if len(same) == 1 else None
