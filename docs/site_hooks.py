"""Hooks of the documentation site: links out of docs/ lead to the repository; decisions come last in searches."""

from __future__ import annotations

import posixpath
import re
from typing import Any

_LINK = re.compile(r"\]\(((?:\.\./)+[^()\s#]*)(#[^()\s]*)?\)")


def on_page_markdown(markdown: str, *, page: Any, config: Any, **_: Any) -> str:
    """Called by MkDocs for each page."""
    if page.file.src_uri.startswith("decisions/"):
        page.meta.setdefault("search", {"boost": 0.05})  # they answer fewer questions than the pages do
    folder = posixpath.dirname(posixpath.join("docs", page.file.src_uri))

    def absolute(found: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(folder, found[1]))
        if path.startswith("docs/") or path == "docs":
            return found[0]
        return f"]({config.extra['repository']}/blob/main/{path}{found[2] or ''})"

    return _LINK.sub(absolute, markdown)
