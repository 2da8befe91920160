"""The report of a batch: report.html to look at, report.csv and report.parquet, and manifests: failed.txt to run again,
photograph-again.txt of what people want anew.

The tables have one line for each output, the same columns in CSV and in Parquet; page.py makes the page.
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
"""Photos that the page shows. Beyond it a browser takes seconds to open it; the tables have them all."""

_AT_ONCE = 5_000
# Those of OWASP's page on CSV injection, with their full-width forms; tabs and returns are escaped as all controls are.
_FORMULA_SIGNS = frozenset("=+-@'\uff1d\uff0b\uff0d\uff20")


def write_report(catalogue: Catalogue, to: BlockingStorage, about: RunFacts) -> None:
    """Write all of it. Tables go through files, as a million rows need not be in memory."""
    here = Path(tempfile.gettempdir())
    with file_errors("report", here), tempfile.TemporaryDirectory(prefix="packshot-report-") as temporary:
        folder = Path(temporary)
        write_csv(catalogue.rows(), folder / "report.csv")
        to.put("report.csv", folder / "report.csv", "text/csv; charset=utf-8")
        if write_parquet(catalogue.rows(), folder / "report.parquet"):
            to.put("report.parquet", folder / "report.parquet", "application/vnd.apache.parquet")
        with (folder / "failed.txt").open("w", encoding="utf-8", errors="surrogateescape") as file:
            failed = groupby(row["source"] for row in catalogue.rows(failed_only=True))  # a photo once
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
    """The way from the report to a place, as the beginning of a link; None where a browser could not go it."""
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


# Name, type, and where the value comes from.
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
    """UTF-8 with commas and a header; true and false in small letters, nothing where nothing is known.

    Text is printable, and none of it begins like a formula: a spreadsheet would run it.
    """
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([name for name, _, _ in COLUMNS])
        writer.writerows([_text(value(row)) for _, _, value in COLUMNS] for row in rows)


def write_parquet(rows: Iterable[Row], path: Path) -> bool:
    """Whether it could be: pyarrow is an extra."""
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra, and 100 ms
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
    """Text as a cell of a CSV: one that could be taken for a formula, or that begins so already, has an apostrophe
    before it, which spreadsheets leave out. Without a first apostrophe it is the text again, as far as it is printable.
    """
    shown = printable(text)
    return f"'{shown}" if shown[:1] in _FORMULA_SIGNS else shown


def _clean(value: Any) -> Any:
    """Parquet's text is UTF-8; a file name need not be."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
