"""The vendor's OpenAPI file is not valid OpenAPI. The pinned copy is unchanged; this module repairs a copy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

PINNED = Path(__file__).parents[2] / "contract" / "openapi.yaml"


def repair(node: Any) -> Any:
    """A copy of the document without its four faults, otherwise unchanged.

    `type: file` (Swagger 2) becomes a binary string. `$ref: '#components/…'` gets the slash after its '#'. A
    parameter's `value` becomes its `example`. `security: {}` becomes the empty list that the standard requires.
    """
    if isinstance(node, list):
        return [repair(item) for item in node]
    if not isinstance(node, dict):
        return node
    fixed = {key: repair(item) for key, item in node.items()}
    if fixed.get("type") == "file":
        fixed |= {"type": "string", "format": "binary"}
    if str(fixed.get("$ref", "")).startswith("#components"):
        fixed["$ref"] = fixed["$ref"].replace("#", "#/", 1)
    if "in" in fixed and "value" in fixed:
        fixed["example"] = fixed.pop("value")
    if fixed.get("security") == {}:
        fixed["security"] = []
    return fixed


def pinned_contract() -> dict[str, Any]:
    """The vendor's file, unchanged."""
    document: dict[str, Any] = yaml.safe_load(PINNED.read_text(encoding="utf-8"))
    return document


def repaired_contract() -> dict[str, Any]:
    """The vendor's file, repaired."""
    document: dict[str, Any] = repair(pinned_contract())
    return document
