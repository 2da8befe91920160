"""Dashboard and alerts: every metric in them exists, every rule fires when it should, and Prometheus accepts both."""

from __future__ import annotations

import json
import re
import runpy
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from packshot.service.admission import Admission
from packshot.service.metrics import Metrics
from tests.contract.envelope import success_path
from tests.deploy.kit import DEPLOY
from tests.kit.figures import Figures
from tests.kit.images import good
from tests.kit.processes import free_port
from tests.kit.server import serving, wait_until

ALERTS = DEPLOY / "prometheus/alerts.yml"
DASHBOARD = DEPLOY / "grafana/dashboard.json"
PAGE = DEPLOY.parent / "docs/how-to/monitor.md"
NAME = re.compile(r"\b(?:packshot|process)_[a-z_]+\b")
# Variables of Grafana and Prometheus, with a value for the tests.
FILLED = {"$__rate_interval": "1m", "$instance": ".*"}

needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def expressions() -> list[str]:
    """All expressions of the dashboard, as Prometheus receives them."""
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    found = [target["expr"] for panel in panels for target in panel.get("targets", ())]
    for variable, value in FILLED.items():
        found = [expression.replace(variable, value) for expression in found]
    return found


def names_in(expression: str) -> set[str]:
    outside_of_strings = re.sub(r'"[^"]*"', "", expression)
    return set(NAME.findall(outside_of_strings))


@pytest.fixture(scope="module")
def known() -> set[str]:
    """The name of every series that the code can export."""
    metrics = Metrics(model="a")
    metrics.watch(Admission(workers=1, queue_limit=1), queue_limit=1, workers=1)
    metrics.watch_photos(lambda: 0, max_bytes=1)
    families = list(metrics.registry.collect())
    histograms = {
        f"{family.name}_{part}"
        for family in families
        if family.type == "histogram"
        for part in ("bucket", "count", "sum")
    }
    counters = {f"{family.name}_total" for family in families if family.type == "counter"}
    infos = {f"{family.name}_info" for family in families if family.type == "info"}
    return histograms | counters | infos | {family.name for family in families if family.type == "gauge"}


@pytest.mark.parametrize("expression", [*expressions(), *(rule["expr"] for rule in rules())])
def test_every_metric_in_dashboard_and_alerts_is_made_by_the_code(expression: str, known: set[str]) -> None:
    assert names_in(expression) <= known, names_in(expression) - known


def test_every_metric_of_ours_is_on_the_dashboard_and_on_the_page(known: set[str]) -> None:
    ours = {re.sub(r"_(bucket|count|sum)$", "", name) for name in known if name.startswith("packshot_")}
    shown = {re.sub(r"_bucket$", "", name) for expression in expressions() for name in names_in(expression)}
    assert ours <= shown
    page = PAGE.read_text(encoding="utf-8")
    assert {name for name in ours if f"`{name}" not in page} == set()


def test_every_alert_says_what_to_do() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for rule in rules():
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"]["runbook"] == f"docs/how-to/monitor.md#{rule['alert'].lower()}"
        assert f"### {rule['alert']}\n" in page


def test_every_alert_is_tested_to_fire_and_to_keep_quiet() -> None:
    tests = yaml.safe_load((DEPLOY / "prometheus/alerts.test.yml").read_text(encoding="utf-8"))["tests"]
    cases = [case for test in tests for case in test["alert_rule_test"]]
    fires = {case["alertname"] for case in cases if case.get("exp_alerts")}
    quiet = {case["alertname"] for case in cases if not case.get("exp_alerts")}
    assert fires == quiet == {rule["alert"] for rule in rules()}


def test_the_dashboard_is_made_of_its_panels() -> None:
    made = runpy.run_path(str(DEPLOY / "grafana/dashboard.py"))
    assert DASHBOARD.read_text(encoding="utf-8") == made["text"](), "run python deploy/grafana/dashboard.py"


def test_no_two_panels_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells


@pytest.mark.slow
@needs_promtool
@pytest.mark.parametrize(
    "command",
    [("check", "rules", "alerts.yml"), ("test", "rules", "alerts.test.yml"), ("check", "config", "prometheus.yml")],
)
def test_promtool_agrees(command: tuple[str, ...]) -> None:
    done = subprocess.run(
        ["promtool", *command], cwd=DEPLOY / "prometheus", check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_the_dashboards_expressions_are_promql(tmp_path: Path) -> None:
    """promtool reads only rules, so each expression becomes one."""
    recorded = [{"record": f"panel:{number}", "expr": text} for number, text in enumerate(expressions())]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": recorded}]}), encoding="utf-8")
    done = subprocess.run(["promtool", "check", "rules", str(file)], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@needs_promtool
def test_what_the_service_says_is_well_formed(tmp_path: Path) -> None:
    with serving(tmp_path, metrics_port=free_port()) as running:
        running.send(good("jpeg"))
        settings = running.service.settings
        text = httpx.get(f"http://{settings.metrics_host}:{settings.metrics_port}/metrics").content
    done = subprocess.run(["promtool", "check", "metrics"], input=text, check=False, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not done.stderr, done.stderr.decode()  # its lint: names, units and help follow Prometheus' advice
    assert Figures(text.decode()).sum("packshot_photos_total") == 1


@contextmanager
def prometheus(folder: Path, target: int) -> Iterator[httpx.Client]:
    """A real Prometheus with deploy's own file, on a free port, that scrapes every half second."""
    if shutil.which("prometheus") is None:
        pytest.skip("prometheus is not installed")
    config = (DEPLOY / "prometheus/prometheus.yml").read_text(encoding="utf-8")
    config = config.replace(": 15s", ": 500ms").replace("127.0.0.1:9100", f"127.0.0.1:{target}")
    (folder / "prometheus.yml").write_text(config.replace("alerts.yml", str(ALERTS)), encoding="utf-8")
    port = free_port()
    command = ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
    with subprocess.Popen(command) as process, httpx.Client(base_url=f"http://127.0.0.1:{port}") as http:
        try:
            wait_until(lambda: _ready(http))
            yield http
        finally:
            process.terminate()


def _ready(http: httpx.Client) -> bool:
    try:
        return http.get("/-/ready").status_code == 200
    except httpx.HTTPError:
        return False


@pytest.mark.services
def test_a_real_prometheus_has_a_figure_for_every_panel(tmp_path: Path) -> None:
    port = free_port()
    state = tmp_path / "state"
    with serving(state, workers=1, queue_limit=0, metrics_port=port) as running, prometheus(tmp_path, port) as http:
        for _ in range(4):
            running.http.get(success_path(running.send(good("jpeg"))))
            running.http.post("/v1/packshots")
            _wait_for_a_scrape(http)

        def figures(expression: str) -> list[Any]:
            answer = http.get("/api/v1/query", params={"query": expression}).json()
            assert answer["status"] == "success", (expression, answer)
            return list(answer["data"]["result"])

        assert [expression for expression in expressions() if not figures(expression)] == []
        loaded = http.get("/api/v1/rules").json()["data"]["groups"][0]["rules"]
    assert {rule["name"] for rule in loaded} == {rule["alert"] for rule in rules()}
    assert {rule["health"] for rule in loaded} <= {"ok", "unknown"}


def _wait_for_a_scrape(http: httpx.Client) -> None:
    def last() -> str:
        targets = http.get("/api/v1/targets").json()["data"]["activeTargets"]  # no targets for its first seconds
        return str([target["lastScrape"] for target in targets if target["health"] == "up"])

    before = last()
    wait_until(lambda: last() != before)
