"""/docs: the API description as a plain HTML page, built from /openapi.json. No scripts, no external files."""

from __future__ import annotations

import json
import re
from html import escape
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.responses import HTMLResponse

from packshot.api.errors import PROBLEM_DETAILS, row_of
from packshot.errors import PackshotError

_QUOTE = '"'
_STYLE = """
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 20%, transparent); }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1.5rem; }
h2 { margin-top: 3rem; } section { border-top: 1px solid var(--line); padding: .5rem 0 1.5rem; }
code, pre { font-family: ui-monospace, monospace; font-size: .9em; }
pre { overflow-x: auto; padding: 1rem; border: 1px solid var(--line); border-radius: 6px; }
table { border-collapse: collapse; width: 100%; } td { border-top: 1px solid var(--line); padding: .3rem .8rem .3rem 0;
vertical-align: top; overflow-wrap: anywhere; } td:first-child { white-space: nowrap; }
"""
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
}


def router(app: FastAPI) -> APIRouter:
    """GET and HEAD of /docs."""
    routes = APIRouter(include_in_schema=False)

    @routes.api_route("/docs", methods=["GET", "HEAD"])
    async def docs() -> HTMLResponse:
        return HTMLResponse(page(app.openapi()), headers=_HEADERS)

    return routes


def page(schema: dict[str, Any]) -> str:
    """The OpenAPI document as HTML."""
    info = schema["info"]
    sections: dict[str, list[str]] = {}
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            tag = operation.get("tags", ["API"])[0]
            sections.setdefault(tag, []).append(_operation(method, path, operation))
    body = "".join(f"<h2>{escape(tag)}</h2>{''.join(parts)}" for tag, parts in sections.items()) + _errors()
    title = escape(f"{info['title']} {info['version']}")
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style>'
        f"<h1>{title}</h1><p>{escape(info['description'])}</p>"
        f'<p>For tools: <a href="openapi.json">openapi.json</a></p>{body}</html>'
    )


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    head = f"<h3><code>{method.upper()} {escape(path)}</code></h3><p>{escape(operation['summary'])}</p>"
    form = operation.get("requestBody", {}).get("content", {}).get("multipart/form-data", {}).get("schema", {})
    lines = "".join(f"<pre>{escape(sample['source'])}</pre>" for sample in operation.get("x-codeSamples", []))
    inputs = [(name, _field(schema)) for name, schema in form.get("properties", {}).items()]
    inputs += [
        (item["name"], item.get("description", f"in the {item['in']}")) for item in operation.get("parameters", [])
    ]
    answers = [(status, answer.get("description", "")) for status, answer in operation["responses"].items()]
    return f"<section>{head}{lines}{_table('Input', inputs)}{_table('Answers', answers)}</section>"


def _field(schema: dict[str, Any]) -> str:
    examples = [f"`{json.dumps(item).strip(_QUOTE)}`" for item in schema.get("examples", []) if "enum" not in schema]
    about: str = schema.get("description", "")
    return about + (f" For example {' or '.join(examples)}." if examples else "")


def _errors() -> str:
    """The table of problem details by slug. Their `type` links to it."""
    rows = sorted((kind.slug, *row_of(kind, PROBLEM_DETAILS.table)) for kind in _kinds(PackshotError))
    lines = "".join(
        f'<tr id="error-{slug}"><td><code>{slug}</code></td><td>{status}</td><td>{escape(title)}</td></tr>'
        for slug, status, title, _ in rows
    )
    return f"<h2>Errors</h2><p>All kinds of problem details.</p><table>{lines}</table>"


def _kinds(base: type[PackshotError]) -> list[type[PackshotError]]:
    """The errors that a request can cause, without those of the command line, which may be loaded in this process."""
    found = [base] if base.__module__ in {"packshot.errors", "packshot.api.errors"} and base.slug else []
    children = [kind for child in base.__subclasses__() for kind in _kinds(child)]
    return list({kind.slug: kind for kind in (*children, *found)}.values())


def _table(title: str, rows: list[tuple[str, str]]) -> str:
    if not rows:
        return ""
    lines = "".join(f"<tr><td><code>{escape(name)}</code></td><td>{_prose(text)}</td></tr>" for name, text in rows)
    return f"<h4>{title}</h4><table>{lines}</table>"


def _prose(text: str) -> str:
    """Escape text for HTML, with `code` in <code> elements."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
