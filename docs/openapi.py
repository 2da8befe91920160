"""The service's own OpenAPI document, and which of its schemas a part of it needs."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from packshot.api.app import create_app
from packshot.service.build import build
from packshot.service.settings import Settings

Json = dict[str, Any]
REFERENCE = "#/components/schemas/"


def own_document() -> Json:
    """The OpenAPI document of a service whose settings are the defaults."""
    with tempfile.TemporaryDirectory() as state:
        document: Json = create_app(build(Settings.from_environment({"PACKSHOT_STATE_DIR": state}))).openapi()
    return document


def needed_schemas(
    schemas: Mapping[str, Json], part: object, also: Callable[[str], Iterable[str]] = lambda _: ()
) -> set[str]:
    """The names of the schemas that a part refers to, and of those that they refer to.

    also: further names that the schema of a name needs.
    """
    found: set[str] = set()
    todo = list(_references(part))
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += [*_references(schemas[name]), *also(name)]
    return found


def _references(node: object) -> Iterator[str]:
    if isinstance(node, Mapping):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"].removeprefix(REFERENCE)
        for each in node.values():
            yield from _references(each)
    elif isinstance(node, list):
        for each in node:
            yield from _references(each)
