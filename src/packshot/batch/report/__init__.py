"""The report of a batch: report.html to look at, report.csv and report.parquet, and failed.txt to run again."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from urllib.parse import quote

from packshot.batch.catalogue import Catalogue
from packshot.batch.folder import LocalStorage
from packshot.batch.listing import manifest_line
from packshot.batch.patience import patiently
from packshot.batch.report.page import About, Tally, page
from packshot.batch.report.table import write_csv, write_parquet
from packshot.batch.storage import Storage, open_storage

__all__ = ["PAGE_LIMIT", "About", "write_report"]

PAGE_LIMIT = 5_000
"""Photos that the page shows. Beyond it a browser takes seconds to open it; the tables have them all."""


def write_report(catalogue: Catalogue, to: Storage, about: About) -> None:
    """Write all of it. Tables go through files, as a million rows need not be in memory."""
    with tempfile.TemporaryDirectory(prefix="packshot-report-") as temporary:
        folder = Path(temporary)
        write_csv(catalogue.rows(), folder / "report.csv")
        _put(to, folder / "report.csv", "text/csv; charset=utf-8")
        if write_parquet(catalogue.rows(), folder / "report.parquet"):
            _put(to, folder / "report.parquet", "application/vnd.apache.parquet")
        with (folder / "failed.txt").open("w", encoding="utf-8", errors="surrogateescape") as file:
            file.writelines(f"{manifest_line(row['source'])}\n" for row in catalogue.rows(failed_only=True))
        _put(to, folder / "failed.txt", "text/plain; charset=utf-8")
    bases = _link(about.photos, to), _link(about.out, to)
    text = page(list(catalogue.worst(PAGE_LIMIT)), about, Tally.of(catalogue.rows()), bases)
    patiently(lambda: to.put("report.html", text.encode("utf-8", "replace"), "text/html; charset=utf-8"))


def _put(to: Storage, file: Path, media_type: str) -> None:
    patiently(lambda: to.put(file.name, file, media_type))


def _link(place: str, report: Storage) -> str | None:
    """The way from the report to a place, as the beginning of a link; None where a browser could not go it."""
    storage = open_storage(place)
    if not isinstance(storage, LocalStorage) or not isinstance(report, LocalStorage):
        return None
    return f"{quote(os.path.relpath(storage.folder, report.folder))}/"
