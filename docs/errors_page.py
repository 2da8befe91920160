"""docs/reference/errors.md, made from the errors' tree and the tables of every dialect and of the command line."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from packshot.api import errors as api_errors
from packshot.api.ailab.envelope import TABLE as DROP_IN
from packshot.api.errors import PROBLEM_DETAILS, Table, row_of
from packshot.api.removebg.routes import TABLE as REMOVEBG
from packshot.cli import errors as cli_errors
from packshot.errors import PackshotError, SetupError

_HEAD = """---
hide: [toc]
---

# Errors

Every error that packshot raises on purpose has a row here. To find a row, search for the `slug`.

| part of an error | meaning |
|---|---|
| `slug` | the kind of error, for programs: it stays the same |
| `message` | what happened, for people |
| `hint` | what to do |
| `fields` | the values that the message names, such as `field`, `allowed` or `retry_after_s` |

In Python the classes are in `packshot.errors`: its [tree](library.md#packshot.errors) shows which class covers which.

The columns of a row:

- **native**: the status of every path that is not a vendor's, with [problem details](api.md#problem).
- **drop-in**: status and code of [the paid API's contract](../how-to/from-the-paid-api.md).
- **remove.bg**: status and code of [its form](removebg.md).
- **exit**: the exit code of the [command line](cli.md).

"""

_CLI_ONLY = "## Exit codes\n\n" + (
    "The codes are those of `sysexits.h`, as far as it has one.\n\n"
    "| code | meaning |\n|---|---|\n"
    "| 0 | success |\n"
    f"| {cli_errors.RULES_BROKEN} | `packshot check`: a picture breaks a required rule |\n"
    f"| {cli_errors.USAGE} | an option or argument cannot be used |\n"
    f"| {cli_errors.DATA} | a photo cannot be used |\n"
    f"| {cli_errors.NO_FOREGROUND} | no product was found |\n"
    f"| {cli_errors.UNAVAILABLE} | a service does not answer |\n"
    f"| {cli_errors.INTERNAL} | a fault of packshot |\n"
    f"| {cli_errors.CANNOT_CREATE} | the output exists; use `--force` |\n"
    f"| {cli_errors.INPUT_OUTPUT} | a file, folder or bucket cannot be read or written |\n"
    f"| {cli_errors.TRY_LATER} | the work did not fit now; try again later |\n"
    f"| {cli_errors.NO_PERMISSION} | a key does not allow it |\n"
    f"| {cli_errors.CONFIGURATION} | the installation or a setting is wrong |\n"
    f"| {cli_errors.PARTLY_FAILED} | `packshot batch`: more photos failed than `--max-error-rate` allows |\n"
    f"| {cli_errors.CLOSED_PIPE} | the program that reads the output has ended |\n"
)

MEANINGS = {
    "AccessError": "The key does not allow it",
    "BadSettings": "A setting cannot be used",
    "ChecksumMismatch": "A model's file is not the published one",
    "ClusterStalled": "The Ray cluster gives no results any more",
    "FileAccess": "A photo cannot be read, or an output cannot be written",
    "FileMissing": "The file does not exist",
    "ForeignPage": "A page of another origin sent a request without a key",
    "JobUnknown": "The key has no such job",
    "LimiterUnavailable": "The counter of requests cannot be reached",
    "MalformedRequest": "The body is not of the expected form",
    "MissingImage": "The form has no photo",
    "MissingParameter": "The request lacks a required part",
    "ModelMissing": "The model is not installed",
    "NotHealthy": "The service does not answer as it should",
    "NotReachable": "A server that the service needs cannot be reached at the start",
    "OutputExists": "The output exists",
    "PackshotError": "A fault of packshot; the log has the request_id",
    "QueueFull": "The queue is full",
    "SetupError": "The installation is not complete",
    "ShuttingDown": "The service is stopping",
    "StorageFull": "The disk or bucket is full or read-only",
    "StorageRefused": "A file or place may not be read or written",
    "StoreUnavailable": "The place that keeps results cannot be reached",
    "TooManyFailures": "More photos of a batch failed than may",
    "UnsupportedDepth": "The picture's bit depth is not supported here",
    "UnsupportedGrayscale": "Gray pictures are not supported here",
    "UploadsFull": "The memory for uploads is full",
    "UrlRefused": "The service does not open this URL",
    "UrlTooSlow": "The URL gave no picture in time",
}
"""Of errors that have no title of their own in the native table, or a poor one."""


def errors_page() -> str:
    """The text of docs/reference/errors.md."""
    rows = [_row(kind) for kind in sorted(_kinds(PackshotError), key=lambda kind: (_place(kind), kind.slug))]
    return (
        f"{_HEAD}| slug and class | meaning | native | drop-in | remove.bg | exit |\n|---|---|---|---|---|---|\n"
        + "\n".join(rows)
        + f"\n\n{_CLI_ONLY}"
    )


def _place(kind: type[PackshotError]) -> int:
    """Errors of requests by their status; then those that have none."""
    return 999 if _setup(kind) or _of(kind, cli_errors) else row_of(kind, PROBLEM_DETAILS.table).status


def _row(kind: type[PackshotError]) -> str:
    over_http = not (_setup(kind) or _of(kind, cli_errors))
    native = str(row_of(kind, PROBLEM_DETAILS.table).status) if over_http else ""
    vendors = [_coded(kind, table) if over_http else "" for table in (DROP_IN, REMOVEBG)]
    code = "" if _of(kind, api_errors) else str(cli_errors.TABLE[_nearest(kind)])
    return f"| `{kind.slug}`<br>{kind.__name__} | {_meaning(kind)} | {native} | {' | '.join(vendors)} | {code} |"


def _coded(kind: type[PackshotError], table: Table) -> str:
    row = row_of(kind, table)
    return f"{row.status}<br>`{row.code.replace('invalid_parameter', 'invalid_FIELD')}`"


def _meaning(kind: type[PackshotError]) -> str:
    return MEANINGS.get(kind.__name__) or PROBLEM_DETAILS.table[kind].words


def _nearest(kind: type[PackshotError]) -> type[PackshotError]:
    return next(each for each in kind.__mro__ if each in cli_errors.TABLE)


def _setup(kind: type[PackshotError]) -> bool:
    return issubclass(kind, SetupError)


def _of(kind: type[PackshotError], module: object) -> bool:
    return sys.modules[kind.__module__] is module


def _kinds(base: type[PackshotError]) -> Iterator[type[PackshotError]]:
    """Every error with a slug of its own, once: those of packshot.errors, of the API and of the command line."""
    found = {base}
    todo = [base]
    while todo:
        for child in todo.pop().__subclasses__():
            if child not in found:
                found.add(child)
                todo.append(child)
    modules = {"packshot.errors", api_errors.__name__, cli_errors.__name__}
    return (kind for kind in found if kind.__module__ in modules and "slug" in vars(kind))
