"""Every error is in every table: those of the API's dialects, and the command line's exit codes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import packshot.api.errors
import packshot.cli
from packshot import errors
from packshot.api.ailab.envelope import TABLE
from packshot.api.app import DIALECTS, OPTIONAL
from packshot.api.errors import row_of
from packshot.cli import errors as cli_errors
from packshot.errors import PackshotError
from tests.contract.repair import repaired_contract
from tests.kit.server import ENDPOINT


def tree(kind: type[PackshotError]) -> Iterator[type[PackshotError]]:
    for child in kind.__subclasses__():
        yield child
        yield from tree(child)


KINDS = sorted(
    {kind for kind in tree(PackshotError) if not kind.__name__.startswith("_")}, key=lambda kind: kind.__name__
)
LEAVES = [kind for kind in KINDS if not kind.__subclasses__()]


def nearest(kind: type[PackshotError], table: dict[type[PackshotError], object]) -> type[PackshotError]:
    return next(base for base in kind.__mro__ if base in table)


def made(kind: type[PackshotError]) -> PackshotError:
    return kind("What happened.", **({"retry_after_s": 1} if issubclass(kind, errors._RetryLater) else {}))


@pytest.mark.parametrize("kind", LEAVES, ids=lambda kind: kind.__name__)
def test_every_leaf_has_rows_of_its_kind(kind: type[PackshotError]) -> None:
    assert nearest(kind, dict(cli_errors.TABLE)) is not PackshotError
    assert cli_errors.exit_code(made(kind)) not in {0, cli_errors.INTERNAL}
    if not kind.__module__.startswith("packshot.cli"):  # the command line's own errors never occur in a request
        for dialect in (*DIALECTS, *OPTIONAL.values()):
            assert nearest(kind, dict(dialect.errors.table)) is not PackshotError, dialect.name
            # Callers see a fault of the service only where the operator must act.
            status = row_of(kind, dialect.errors.table).status
            assert (status == 500) == issubclass(kind, errors.SetupError), dialect.name


@pytest.mark.parametrize("kind", LEAVES, ids=lambda kind: kind.__name__)
def test_every_error_comes_in_the_body_of_each_form_with_its_words(kind: type[PackshotError]) -> None:
    if kind.__module__.startswith("packshot.cli"):
        return
    keys = {"rembg": {"detail"}, "photoroom": {"detail", "status_code", "type"}, "clipdrop": {"error"}}
    for name, dialect in OPTIONAL.items():
        row, told = dialect.errors.told(made(kind))
        body = dialect.errors.body(told, row, "THE-ID")
        assert set(body) == keys[name]
        assert ("THE-ID" if row.status == 500 else "What happened.") in body.get("detail", body.get("error"))
        assert body.get("status_code", row.status) == row.status


def test_every_status_is_one_of_the_contract() -> None:
    documented = {int(status) for status in repaired_contract()["paths"][ENDPOINT]["post"]["responses"]}
    assert {row.status for row in TABLE.values()} == documented - {200}


def test_a_code_means_one_thing() -> None:
    for row in TABLE.values():
        assert len({other.status for other in TABLE.values() if other.code == row.code}) == 1, row.code


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_slugs_are_stable_words_and_each_error_has_its_own(kind: type[PackshotError]) -> None:
    assert kind.slug.replace("-", "").isalpha()
    assert kind.slug.islower()
    assert [other for other in KINDS if other.slug == kind.slug] == [kind]


def test_the_drawing_of_the_tree_shows_every_error() -> None:
    assert errors.__doc__ is not None
    for kind in KINDS:
        if kind.__module__ == "packshot.errors":
            assert kind.__name__ in errors.__doc__
    assert packshot.api.errors.MalformedRequest in KINDS
