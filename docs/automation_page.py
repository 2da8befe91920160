"""openapi-automation.json: the service's own OpenAPI document, as programs for automations can import it.

Many of them read OpenAPI 3.0 only, ask for one answer of each operation, and show every path that they find. So only
native operations are left, with a key as `Authorization: Bearer`, JSON answers, and files as multipart forms.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from docs.openapi import Json, needed_schemas, own_document

SERVER = "https://packshot.example.com"
_BEARER, _JSON, _PROBLEM = "bearer", "application/json", "application/problem+json"
_BODIES = ("multipart/form-data", _JSON)


def automation_page() -> str:
    """The file's text."""
    return json.dumps(automation_document(own_document()), indent=1, ensure_ascii=False) + "\n"


def automation_document(own: Json) -> Json:
    """An OpenAPI 3.0.3 document of the native operations of one of version 3.1."""
    paths = {path: item for path, each in own["paths"].items() if (item := _operations(path, each))}
    schemas = own["components"]["schemas"]
    return {
        "openapi": "3.0.3",
        "info": {
            "title": own["info"]["title"],
            "version": own["info"]["version"],
            "description": "Product photos in, packshots out. Put your service's address in place of the server's.",
        },
        "servers": [{"url": SERVER}],
        "paths": paths,
        "components": {
            "schemas": {name: in_3_0(schemas[name]) for name in sorted(needed_schemas(schemas, paths))},
            "securitySchemes": {_BEARER: own["components"]["securitySchemes"][_BEARER]},
        },
    }


def _operations(path: str, item: Mapping[str, Json]) -> Json:
    """The operations of a path that need no key, or take it as a bearer; none of another dialect's."""
    if not path.startswith("/v1/"):
        return {}
    return {
        method: _operation(operation)
        for method, operation in item.items()
        if not operation.get("security") or {_BEARER: []} in operation["security"]
    }


def _operation(own: Json) -> Json:
    good = {status: answer for status, answer in own["responses"].items() if status.startswith("2")}
    problem = next(answer for status, answer in own["responses"].items() if not status.startswith("2"))
    operation: Json = {"operationId": own["operationId"], "summary": own["summary"], "tags": own["tags"]}
    if "description" in own:
        operation["description"] = own["description"]
    if "parameters" in own:
        operation["parameters"] = in_3_0(own["parameters"])
    if "requestBody" in own:
        bodies = own["requestBody"]["content"]
        kept = {kind: in_3_0(bodies[kind]) for kind in _BODIES if kind in bodies}
        operation["requestBody"] = {"required": True, "content": kept}
    answers = {
        status: {
            "description": "JSON.",
            "content": {_JSON: in_3_0(answer["content"][_JSON])},
        }
        for status, answer in good.items()
        if _JSON in answer.get("content", {})
    }
    failed = {"description": "Problem details.", "content": {_PROBLEM: in_3_0(problem["content"][_PROBLEM])}}
    operation["responses"] = {**answers, "default": failed}
    operation["security"] = [{_BEARER: []}] if own.get("security") else []
    return operation


def in_3_0(node: Any) -> Any:
    """A part of an OpenAPI 3.1 document in the words of 3.0: nullable, one example, single types, tuples as lists."""
    if isinstance(node, list):
        return [in_3_0(each) for each in node]
    if not isinstance(node, Mapping):
        return node
    if "properties" in node and isinstance(node["properties"], Mapping):  # their names are no keywords
        named = {name: in_3_0(schema) for name, schema in node["properties"].items()}
        rest: Json = in_3_0({key: value for key, value in node.items() if key != "properties"})
        return {**rest, "properties": named}
    new = {key: value if key in {"default", "enum", "example"} else in_3_0(value) for key, value in node.items()}
    if isinstance(examples := new.get("examples"), list):
        del new["examples"]
        new["example"] = examples[0]
    if "const" in new:
        new["enum"] = [new.pop("const")]
    if "prefixItems" in new:
        new["items"] = _either(new.pop("prefixItems"))
    if isinstance(new.get("type"), list):
        new |= _either([{"type": each} for each in new.pop("type")])
    if "anyOf" in new:
        new |= _either(new.pop("anyOf"))
    if "$ref" in new and len(new) > 1:  # beside a reference 3.0 reads nothing
        new["allOf"] = [{"$ref": new.pop("$ref")}]
    return new


def _either(schemas: Iterable[Json]) -> Json:
    """One of several schemas, each named once; null among them is `nullable`."""
    several = list(schemas)
    kept = [each for number, each in enumerate(several) if each != {"type": "null"} and each not in several[:number]]
    null: Json = {"nullable": True} if {"type": "null"} in several else {}
    return {**(kept[0] if len(kept) == 1 else {"anyOf": kept}), **null}
