"""Automation programs can import docs/reference/openapi-automation.json: OpenAPI 3.0, few operations, JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from schemathesis.specs.openapi.definitions import OPENAPI_30

from docs.automation_page import automation_document, in_3_0
from docs.generate import FOLDER

DOCUMENT = json.loads((FOLDER / "reference/openapi-automation.json").read_text(encoding="utf-8"))


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            yield f"{method} {path}", operation


def test_it_is_openapi_3_0() -> None:
    assert DOCUMENT["openapi"] == "3.0.3"
    jsonschema.Draft4Validator(OPENAPI_30).validate(DOCUMENT)
    text = json.dumps(DOCUMENT)
    for reference in {part.split('"')[0] for part in text.split('"#/components/schemas/')[1:]}:
        assert reference in DOCUMENT["components"]["schemas"]


def test_it_has_the_native_operations_alone() -> None:
    paths = set(DOCUMENT["paths"])
    assert {"/v1/packshots", "/v1/checks", "/v1/jobs", "/v1/jobs/{id}", "/v1/account", "/v1/about"} <= paths
    assert all(path.startswith("/v1/") for path in paths)


@pytest.mark.parametrize(
    ("name", "operation"), list(operations()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_operation_has_a_name_and_one_answer_in_json(name: str, operation: dict[str, Any]) -> None:
    assert operation["operationId"] and operation["summary"]
    (good,) = (answer for status, answer in operation["responses"].items() if status != "default")
    assert set(good["content"]) == {"application/json"}
    assert operation["security"] == ([] if name == "get /v1/about" else [{"bearer": []}])


def test_a_photo_goes_as_a_file_of_a_multipart_form() -> None:
    body = DOCUMENT["paths"]["/v1/packshots"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert body["properties"]["image"]["format"] == "binary"
    assert body["properties"]["preset"]["example"] == "amazon"


def test_words_of_3_1_are_said_in_those_of_3_0() -> None:
    assert in_3_0({"anyOf": [{"type": "number"}, {"type": "null"}], "title": "X"}) == {
        "title": "X",
        "type": "number",
        "nullable": True,
    }
    assert in_3_0({"type": ["string", "null"], "const": "a"}) == {"type": "string", "nullable": True, "enum": ["a"]}
    assert in_3_0({"$ref": "#/a", "description": "b"}) == {"description": "b", "allOf": [{"$ref": "#/a"}]}
    assert in_3_0({"properties": {"examples": {"type": "string", "examples": ["x", "y"]}}}) == {
        "properties": {"examples": {"type": "string", "example": "x"}}
    }


def test_other_dialects_below_v1_are_left_out() -> None:
    vendor = {"operationId": "segment", "summary": "", "tags": [], "security": [{"x-api-key": []}], "responses": {}}
    own = {
        "info": {"title": "", "version": ""},
        "paths": {"/v1/segment": {"post": vendor}},
        "components": {"schemas": {}, "securitySchemes": {"bearer": {}}},
    }
    assert automation_document(own)["paths"] == {}
