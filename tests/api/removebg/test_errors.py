"""The table of the form's errors, and its body."""

from __future__ import annotations

import json

import pytest
from starlette.requests import Request

import packshot.api.errors
from packshot import errors
from packshot.api.errors import row_of
from packshot.api.removebg.routes import ERRORS, TABLE
from packshot.errors import PackshotError

# The codes in the form's public documentation, with their status.
DOCUMENTED = {
    "auth_failed": 403,
    "failed_to_read_image": 400,
    "file_too_large": 400,
    "invalid_dimensions": 400,
    "invalid_file_type": 400,
    "missing_source": 400,
    "resolution_too_high": 400,
    "unknown_foreground": 400,
}


def leaves(kind: type[PackshotError] = PackshotError) -> list[type[PackshotError]]:
    below = [leaf for child in kind.__subclasses__() for leaf in leaves(child)]
    return below or [kind]


LEAVES = [kind for kind in leaves() if kind.__module__ in {"packshot.errors", packshot.api.errors.__name__}]


def made(kind: type[PackshotError]) -> PackshotError:
    more = {"retry_after_s": 7} if issubclass(kind, errors._RetryLater) else {}
    return kind("What happened.", hint="What to do.", **more)


@pytest.mark.parametrize("kind", LEAVES, ids=lambda kind: kind.__name__)
def test_every_error_has_a_row_of_its_kind(kind: type[PackshotError]) -> None:
    assert next(base for base in kind.__mro__ if base in TABLE) is not PackshotError
    # Callers see a fault of the service only where the operator must act.
    assert (row_of(kind, TABLE).status == 500) == issubclass(kind, errors.SetupError)


def test_documented_codes_come_with_the_documented_status() -> None:
    rows = {row.code: row.status for row in TABLE.values()}
    assert {code: rows.get(code) for code in DOCUMENTED} == DOCUMENTED


def body(error: PackshotError) -> tuple[dict[str, str], dict[str, str]]:
    response = ERRORS.answer(
        Request({"type": "http", "method": "GET", "path": "/v1.0/removebg", "headers": [], "request_id": "A"}), error
    )
    content = json.loads(response.body)
    assert set(content) == {"errors"}
    return content["errors"][0], dict(response.headers)


def test_the_body_has_what_happened_what_to_do_and_a_code() -> None:
    found, headers = body(made(errors.RateLimited))
    assert found == {"title": "What happened.", "detail": "What to do.", "code": "rate_limit_exceeded"}
    assert headers["retry-after"] == "7"


def test_of_a_fault_of_ours_nothing_is_told() -> None:
    found, _ = body(errors.ModelMissing("/secret/place is empty", hint="Look there."))
    assert "secret" not in json.dumps(found)
    assert found["code"] == "internal_error"
