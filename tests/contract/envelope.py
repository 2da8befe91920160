"""Checks every response of the contract against the repaired file, then its content."""

from __future__ import annotations

import re
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import httpx
from jsonschema import Draft202012Validator

from tests.contract.repair import repaired_contract
from tests.kit.server import ENDPOINT

UPPER_CASE_UUID = re.compile(r"[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}")
COMMON = "#/components/schemas/commonResponses"


@cache
def _common_properties() -> frozenset[str]:
    return frozenset(repaired_contract()["components"]["schemas"]["commonResponses"]["properties"])


@cache
def _validator(*, success: bool) -> Draft202012Validator:
    contract = repaired_contract()
    answer = contract["paths"][ENDPOINT]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
    return Draft202012Validator({**(answer if success else {"$ref": COMMON}), "components": contract["components"]})


def check_common_schema(body: dict[str, Any]) -> None:
    """Check the rules that the file sets for every response. It makes no property required, but its users read all of
    them.
    """
    _validator(success=False).validate(body)
    assert body.keys() - {"data"} == _common_properties()


def success_url(response: httpx.Response) -> str:
    """Check the envelope of a success and return its image_url."""
    assert response.status_code == 200, response.text
    body = _checked(response, success=True)
    assert body["error_code"] == 0
    assert body["error_code_str"] == body["error_msg"] == ""
    assert body["error_detail"] == {"status_code": 200, "code": "", "code_message": "", "message": ""}
    url: str = body["data"]["image_url"]
    return url


def success_path(response: httpx.Response) -> str:
    """The same without scheme, host and port: this part stays valid when a service restarts at another address."""
    parts = urlsplit(success_url(response))
    return f"{parts.path}?{parts.query}"


def failure(response: httpx.Response, status: int, code: str) -> str:
    """Check the envelope of a failure with this status and code, and return its message."""
    assert (response.status_code, response.json()["error_detail"]["code"]) == (status, code), response.text
    body = _checked(response, success=False)
    detail = body["error_detail"]
    assert body["error_code"] == detail["status_code"] == status
    assert body["error_code_str"] == code
    assert body["error_msg"] == detail["message"]
    assert detail["code_message"]
    assert "data" not in body
    message: str = detail["message"]
    return message


def _checked(response: httpx.Response, *, success: bool) -> dict[str, Any]:
    assert response.headers["content-type"] == "application/json"
    body: dict[str, Any] = response.json()
    check_common_schema(body)
    if success:
        _validator(success=True).validate(body)
    assert UPPER_CASE_UUID.fullmatch(body["request_id"])
    assert body["log_id"] == body["request_id"] == response.headers["x-request-id"]
    return body
