"""The report as tables: one line a photo, the same columns in CSV and in Parquet."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from packshot.batch.process import Row

_AT_ONCE = 5_000


def _preset(row: Row, name: str) -> Any:
    return (row.get("preset") or {}).get(name)


def _broken(row: Row) -> str:
    checks = _preset(row, "checks") or ()
    return "; ".join(check["message"] for check in checks if check["required"] and not check["passed"])


def _side(name: str, place: int) -> Callable[[Row], Any]:
    return lambda row: (row.get(name) or [None] * 4)[place]


# Name, type, and where the value comes from.
COLUMNS: tuple[tuple[str, type, Callable[[Row], Any]], ...] = (
    ("source", str, lambda row: row["source"]),
    ("output", str, lambda row: row["output"]),
    ("status", str, lambda row: "made" if row["ok"] else "failed"),
    ("confidence", float, lambda row: row.get("confidence")),
    ("review", bool, lambda row: row.get("review")),
    ("preset", str, lambda row: _preset(row, "name")),
    ("rules_passed", bool, lambda row: _preset(row, "passed")),
    ("rules_broken", str, _broken),
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
    *((f"box_{side}", int, _side("box", place)) for place, side in enumerate(("left", "top", "right", "bottom"))),
    *(
        (f"product_{side}", int, _side("product", place))
        for place, side in enumerate(("left", "top", "right", "bottom"))
    ),
    ("seconds", float, lambda row: row["seconds"]),
    ("at", str, lambda row: row["at"]),
)


def write_csv(rows: Iterable[Row], path: Path) -> None:
    """UTF-8 with commas and a header; true and false in small letters, nothing where nothing is known."""
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
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
    return str(value).lower() if isinstance(value, bool) else value


def _clean(value: Any) -> Any:
    """Parquet's text is UTF-8; a file name need not be."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
