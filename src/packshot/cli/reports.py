"""A preset's report as the terminal shows it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packshot.core.rules import Check, Report


def report_lines(report: Report, *, kept: bool = True, review: bool = False) -> Iterator[str]:
    """A headline and a line for each rule; with `kept` false only for those that are not kept. A picture that a human
    should look at (`review`) has not passed yet.

    Where a size is missed, the larger one that is recommended goes without saying.
    """
    passed = "rules kept, but look at it before you use it" if review else "passed"
    verdict = passed if report.passed else f"FAILED, {len(report.failed)} of {_required(report)} rules not kept"
    yield f"  {report.title}: {verdict}"
    missed: set[str] = set()
    for check in report.checks:
        if (check.passed and not kept) or (not check.passed and check.rule in missed):
            continue
        if not check.passed:
            missed.add(check.rule)
        yield f"    {_mark(check):6}  {check.message}"


def _required(report: Report) -> int:
    return sum(check.required for check in report.checks)


def _mark(check: Check) -> str:
    return "ok" if check.passed else "FAILED" if check.required else "advice"
