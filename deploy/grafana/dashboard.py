"""Builds dashboard.json for Grafana's import from panels.toml: `python deploy/grafana/dashboard.py`."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("dashboard.json")
PANELS = FILE.with_name("panels.toml")
SHORT = {
    "[@]": "[$__rate_interval]",
    "@": 'instance=~"$instance"',
    "{photos,": '{route=~".*cutout.*|/v1/packshots|/v1.0/removebg|/api/remove|/v1/segment|/remove-background/v1",',
}
WIDTH, HEIGHT, COLUMNS = 8, 8, 3
_SOURCE = {"type": "prometheus", "uid": "${source}"}


def dashboard() -> dict[str, Any]:
    """The dashboard for Grafana's import."""
    panels: list[dict[str, Any]] = []
    y = 0
    for row in tomllib.loads(PANELS.read_text(encoding="utf-8"))["row"]:
        panels.append({"type": "row", "title": row["title"], "collapsed": False, "gridPos": _place(0, y, 24, 1)})
        y += 1
        for number, panel in enumerate(row["panel"]):
            at = _place(number % COLUMNS * WIDTH, y + number // COLUMNS * HEIGHT, WIDTH, HEIGHT)
            panels.append(_panel(panel, at))
        y += -(-len(row["panel"]) // COLUMNS) * HEIGHT
    return {
        "title": "packshot",
        "uid": "packshot",
        "tags": ["packshot"],
        "schemaVersion": 39,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {"list": [_datasource(), _instances()]},
        "panels": [{"id": number, **panel} for number, panel in enumerate(panels, 1)],
    }


def _panel(panel: dict[str, Any], at: dict[str, int]) -> dict[str, Any]:
    targets = [
        {"refId": chr(ord("A") + number), "expr": _whole(expression), "legendFormat": legend, "datasource": _SOURCE}
        for number, (expression, legend) in enumerate(panel["lines"])
    ]
    return {
        "type": panel.get("kind", "timeseries"),
        "title": panel["title"],
        "description": panel.get("about", ""),
        "datasource": _SOURCE,
        "gridPos": at,
        "fieldConfig": {"defaults": {"unit": panel["unit"], "min": 0}, "overrides": []},
        "targets": targets,
    }


def _whole(expression: str) -> str:
    for short, whole in SHORT.items():
        expression = expression.replace(short, whole)
    return expression


def _datasource() -> dict[str, Any]:
    return {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}


def _instances() -> dict[str, Any]:
    return {
        "name": "instance",
        "type": "query",
        "datasource": _SOURCE,
        "query": "label_values(packshot_build_info, instance)",
        "refresh": 2,
        "includeAll": True,
        "allValue": ".*",
        "multi": True,
        "current": {"text": "All", "value": "$__all"},
    }


def _place(x: int, y: int, w: int, h: int) -> dict[str, int]:
    return {"x": x, "y": y, "w": w, "h": h}


def text() -> str:
    return json.dumps(dashboard(), indent=1) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
