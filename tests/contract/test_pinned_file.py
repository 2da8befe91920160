"""The vendor's file stays byte for byte; its four faults are really there, and absent after the repair."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from openapi_python_client.schema import OpenAPI
from pydantic import ValidationError

from tests.contract.repair import PINNED, pinned_contract, repaired_contract

SHA256 = "22b7d133f6a82f0c54e621db0082ba4b291923d4a80f3caf7177903c90b6bcb0"

FAULTS = {
    "type: file": lambda node: node.get("type") == "file",
    "$ref without a slash": lambda node: str(node.get("$ref")).startswith("#components"),
    "value in a parameter": lambda node: "in" in node and "value" in node,
    "security is no list": lambda node: not isinstance(node.get("security", []), list),
}


def nodes(document: Any) -> Iterator[dict[str, Any]]:
    """Every object of the document."""
    if isinstance(document, dict):
        yield document
        document = list(document.values())
    if isinstance(document, list):
        for child in document:
            yield from nodes(child)


def test_the_file_is_the_vendors_to_the_byte() -> None:
    assert hashlib.sha256(PINNED.read_bytes()).hexdigest() == SHA256


@pytest.mark.parametrize("fault", FAULTS)
def test_the_fault_is_in_the_file_and_gone_after_the_repair(fault: str) -> None:
    assert [node for node in nodes(pinned_contract()) if FAULTS[fault](node)]
    assert not [node for node in nodes(repaired_contract()) if FAULTS[fault](node)]


def test_the_repair_changes_nothing_else() -> None:
    pinned, repaired = list(nodes(pinned_contract())), list(nodes(repaired_contract()))
    assert len(pinned) == len(repaired) + 1  # security: {} is the one removed object
    assert set(pinned_contract()["paths"]) == set(repaired_contract()["paths"])


def test_validators_refuse_the_file_and_accept_the_repaired_one() -> None:
    with pytest.raises(ValidationError):
        OpenAPI.model_validate(pinned_contract())
    OpenAPI.model_validate(repaired_contract())
    with pytest.raises(ValueError, match="not valid"):
        schemathesis.openapi.from_dict(pinned_contract()).validate()
    schemathesis.openapi.from_dict(repaired_contract()).validate()
