"""Writes the report of a batch: report.html, report.csv, report.parquet, and two manifests.

failed.txt lists the failed photos, to run again. photograph-again.txt lists photos for which people requested a new
photo. The tables have a row per output and the same columns; page.py makes the page.
"""

from __future__ import annotations

import csv
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby, islice
from pathlib import Path
from typing import Any
from urllib.parse import quote

from packshot.batch.catalogue import Catalogue
from packshot.batch.evenness import LEAST_SPREAD, by_category
from packshot.batch.listing import manifest_line
from packshot.batch.printable import printable
from packshot.batch.process import Row
from packshot.batch.report.page import RunFacts, Tally, page
from packshot.storage.blocking import BlockingStorage, open_storage
from packshot.storage.folder import file_errors

PAGE_LIMIT = 5_000
"""Most photos on the page. With more, a browser takes seconds to open it. The tables contain all photos."""

_AT_ONCE = 5_000
# From OWASP's page on CSV injection, with full-width forms. Tabs and returns are escaped like all control characters.
_FORMULA_SIGNS = frozenset("=+-@'\uff1d\uff0b\uff0d\uff20")


def write_report(catalogue: Catalogue, to: BlockingStorage, about: RunFacts) -> None:
    """Write all files of the report. Tables go through temporary files, to keep a million rows out of memory."""
    here = Path(tempfile.gettempdir())
    with file_errors("report", here), tempfile.TemporaryDirectory(prefix="packshot-report-") as temporary:
        folder = Path(temporary)
        write_csv(catalogue.rows(), folder / "report.csv")
        to.put("report.csv", folder / "report.csv", "text/csv; charset=utf-8")
        if write_parquet(catalogue.rows(), folder / "report.parquet"):
            to.put("report.parquet", folder / "report.parquet", "application/vnd.apache.parquet")
        with (folder / "failed.txt").open("w", encoding="utf-8", errors="surrogateescape") as file:
            failed = groupby(row["source"] for row in catalogue.rows(failed_only=True))  # each photo once
            file.writelines(f"{manifest_line(source)}\n" for source, _ in failed)
        with (folder / "photograph-again.txt").open("w", encoding="utf-8", errors="surrogateescape") as file:
            file.writelines(f"{manifest_line(source)}\n" for source in catalogue.photograph_again())
        to.put("photograph-again.txt", folder / "photograph-again.txt", "text/plain; charset=utf-8")
        to.put("failed.txt", folder / "failed.txt", "text/plain; charset=utf-8")
    bases = _link(about.photos, to), _link(about.out, to)
    even = list(by_category(catalogue.evenness())) if about.facts.get("even") else []
    text = page(list(catalogue.worst(PAGE_LIMIT)), about, Tally.of(catalogue.rows()), bases, even)
    to.put("report.html", text.encode("utf-8", "replace"), "text/html; charset=utf-8")


def _link(place: str, report: BlockingStorage) -> str | None:
    """The relative path from the report to a place, as prefix of links; None if either is not a local folder."""
    folder = open_storage(place).folder
    return None if folder is None or report.folder is None else f"{quote(os.path.relpath(folder, report.folder))}/"


def _preset(row: Row, name: str) -> Any:
    return (row.get("preset") or {}).get(name)


def _broken(row: Row) -> str:
    checks = _preset(row, "checks") or ()
    return "; ".join(check["message"] for check in checks if check["required"] and not check["passed"])


def _side(name: str, place: int) -> Callable[[Row], Any]:
    return lambda row: (row.get(name) or [None] * 4)[place]


def _even(row: Row, name: str) -> Any:
    return (row.get("even") or {}).get(name)


def _figure(name: str) -> Callable[[Row], Any]:
    return lambda row: (_even(row, "figures") or {}).get(name)


# Name, type, and the function that returns the value.
COLUMNS: tuple[tuple[str, type, Callable[[Row], Any]], ...] = (
    ("source", str, lambda row: row["source"]),
    ("output", str, lambda row: row["output"]),
    ("status", str, lambda row: "made" if row["ok"] else "failed"),
    ("confidence", float, lambda row: row.get("confidence")),
    ("review", bool, lambda row: row.get("review")),
    ("decision", str, lambda row: row.get("decision", {}).get("verdict")),
    ("preset", str, lambda row: _preset(row, "name")),
    ("rules_passed", bool, lambda row: _preset(row, "passed")),
    ("rules_broken", str, _broken),
    ("repairs", str, lambda row: "; ".join(each["message"] for each in _preset(row, "repairs") or ())),
    ("notes", str, lambda row: "; ".join(row.get("notes", ()))),
    ("error", str, lambda row: row.get("error", {}).get("slug")),
    ("message", str, lambda row: row.get("error", {}).get("message")),
    ("hint", str, lambda row: row.get("error", {}).get("hint")),
    ("width", int, lambda row: row.get("width")),
    ("height", int, lambda row: row.get("height")),
    ("bytes", int, lambda row: row.get("bytes")),
    ("media_type", str, lambda row: row.get("media_type")),
    ("photo_width", int, _side("photo", 0)),
    ("photo_height", int, _side("photo", 1)),
    *(
        (f"{name}_{side}", int, _side(name, place))
        for name in ("box", "product")
        for place, side in enumerate(("left", "top", "right", "bottom"))
    ),
    ("category", str, lambda row: _even(row, "category")),
    ("off_scale", str, lambda row: _even(row, "off")),
    *((name, float, _figure(name)) for name in LEAST_SPREAD),
    ("seconds", float, lambda row: row["seconds"]),
    ("at", str, lambda row: row["at"]),
)


def write_csv(rows: Iterable[Row], path: Path) -> None:
    """Write a CSV file: UTF-8, commas, a header, true and false in lower case, unknown values empty.

    Text is printable and never begins like a formula, which a spreadsheet would run.
    """
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([name for name, _, _ in COLUMNS])
        writer.writerows([_text(value(row)) for _, _, value in COLUMNS] for row in rows)


def write_parquet(rows: Iterable[Row], path: Path) -> bool:
    """Write a Parquet file. Returns False if pyarrow, an extra, is not installed."""
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra that takes 100 ms to import
        import pyarrow.parquet as pq  # noqa: PLC0415
    except ImportError:
        return False
    types = {str: pa.string(), float: pa.float64(), bool: pa.bool_(), int: pa.int64()}
    schema = pa.schema([(name, types[kind]) for name, kind, _ in COLUMNS])
    with pq.ParquetWriter(path, schema) as writer:
        for some in _chunks(rows):
            columns = [[_clean(value(row)) for row in some] for _, _, value in COLUMNS]
            writer.write_table(pa.table(dict(zip(schema.names, columns, strict=True)), schema=schema))
    return True


def _chunks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    each = iter(rows)
    while some := list(islice(each, _AT_ONCE)):
        yield some


def _text(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return as_cell(value) if isinstance(value, str) else value


def as_cell(text: str) -> str:
    """Text as a cell of a CSV file.

    Text that begins like a formula or with an apostrophe gets an apostrophe in front, which spreadsheets hide. So
    removing one leading apostrophe restores the printable text.
    """
    shown = printable(text)
    return f"'{shown}" if shown[:1] in _FORMULA_SIGNS else shown


def _clean(value: Any) -> Any:
    """The value as valid UTF-8, which Parquet requires; file names may be invalid."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
