"""The report as one self-contained HTML file: table, histogram, reliability, the worst pictures."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import cv2
import numpy as np

from evaluation.reliability import Bin, bins
from evaluation.report import COLUMNS, Row, Summary, by_stratum, cell, overall
from packshot.core.codecs import encode
from packshot.core.picture import UInt8

STYLE = """
:root { color-scheme: light dark; --line: #8884; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 90rem; padding: 0 1rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; white-space: nowrap; }
th, td { padding: .2rem .6rem; text-align: right; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; }
figure { margin: 0; } figcaption { font-size: 13px; overflow-wrap: anywhere; }
img { width: 100%; display: block; }
.worst { display: grid; grid-template-columns: repeat(auto-fill, minmax(30rem, 1fr)); gap: 1rem; }
svg { max-width: 40rem; width: 100%; } rect { fill: #4a7fb5; } text { font-size: 11px; fill: currentColor; }
"""


def page(report: Mapping[str, Any], rows: list[Row], worst: Sequence[tuple[str, Sequence[UInt8]]]) -> str:
    """report: as in the JSON; rows: the pictures; worst: captions and panels of the worst pictures."""
    model, machine = report["model"], "; ".join(f"{name} {value}" for name, value in report["machine"].items())
    parts = [
        f"<h1>{escape(report['title'])}</h1>",
        f"<p>{escape(model['name'])} at {model['side_px']} px, SHA-256 <code>{model['sha256']}</code>.<br>"
        f"{len(rows)} pictures in {report['seconds']:.0f} s on {escape(machine)}.</p>",
        *_notes(report),
        _summaries({"all": overall(rows), **by_stratum(rows)}),
        _histogram([row.score.iou for row in rows if row.score.has_foreground]),
        *_reliability(rows),
        *_worst(worst),
    ]
    head = f'<meta charset="utf-8"><title>{escape(report["title"])}</title><style>{STYLE}</style>'
    return f'<!doctype html>\n<html lang="en">\n<head>{head}</head>\n<body>\n' + "\n".join(parts) + "\n</body></html>\n"


def _notes(report: Mapping[str, Any]) -> list[str]:
    """Skipped or changed files, in foldable sections."""
    lonely, problems = report["without_partner"], report["problems"]
    notes = [f"<p>truths resized to their picture: {report['resized']}</p>"] if report["resized"] else []
    if lonely:
        notes.append(_folded(f"files without a partner: {len(lonely)}", lonely))
    if problems:
        reasons = [f"{name}: {reason}" for name, reason in problems.items()]
        notes.append(_folded(f"pairs that could not be read: {len(problems)}", reasons))
    return notes


def _folded(title: str, names: Sequence[str]) -> str:
    items = "".join(f"<li>{escape(name)}</li>" for name in names)
    return f"<details><summary>{escape(title)}</summary><ul>{items}</ul></details>"


def _summaries(summaries: Mapping[str, Summary]) -> str:
    lines = [(title, *(cell(name, summary[name]) for name in COLUMNS)) for title, summary in summaries.items()]
    return _table(("", *(column.heading for column in COLUMNS.values())), lines)


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    titles = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "\n".join("<tr>" + "".join(f"<td>{escape(value)}</td>" for value in line) + "</tr>" for line in lines)
    return f'<div class="wide"><table><thead><tr>{titles}</tr></thead><tbody>\n{body}\n</tbody></table></div>'


def _histogram(ious: Sequence[float]) -> str:
    """The number of pictures in each twentieth of IoU."""
    counts = np.histogram(ious, bins=20, range=(0, 1))[0]
    tallest = max(1, int(counts.max()))
    bars = []
    for index, count in enumerate(counts):
        height, x = 120 * count / tallest, 30 * index
        bars.append(f'<rect x="{x}" y="{140 - height:.1f}" width="28" height="{height:.1f}"/>')
        bars.append(f'<text x="{x + 14}" y="{135 - height:.1f}" text-anchor="middle">{count or ""}</text>')
    bars += [f'<text x="{60 * tenth}" y="156" text-anchor="middle">{tenth / 10}</text>' for tenth in range(11)]
    frame = '<svg viewBox="-15 0 630 160" role="img" aria-label="Histogram of IoU">'
    return f"<h2>IoU</h2>{frame}{''.join(bars)}</svg>"


def _reliability(rows: list[Row]) -> list[str]:
    """Confidence against quality, if the card has a calibration."""
    pairs = [
        (row.confidence, row.score.quality) for row in rows if row.confidence is not None and row.score.has_foreground
    ]
    if len(pairs) < 10:
        return []
    lines = [_cells(each) for each in bins(*np.array(pairs).T)]
    return [
        "<h2>Confidence</h2>",
        _table(("pictures", "confidence, from", "to", "mean", "mean quality", "under .80"), lines),
    ]


def _cells(found: Bin) -> tuple[str, ...]:
    return (str(found.pictures), *(f"{value:.3f}" for value in found[1:]))


def _worst(worst: Sequence[tuple[str, Sequence[UInt8]]]) -> list[str]:
    if not worst:
        return []
    figures = "".join(
        f'<figure><img alt="" src="{_embedded(panels)}"><figcaption>{escape(caption)}</figcaption></figure>'
        for caption, panels in worst
    )
    return [f'<h2>The {len(worst)} worst: photo, truth, matte, cutout</h2><div class="worst">{figures}</div>']


def _embedded(panels: Sequence[UInt8]) -> str:
    """Panels side by side as the URL of a JPEG."""
    strip = np.asarray(cv2.hconcat(list(panels)), np.uint8)
    return "data:image/jpeg;base64," + base64.b64encode(encode(strip, format="jpeg", quality=80)).decode()
