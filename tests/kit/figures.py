"""Reads a service's metrics as Prometheus does: over the socket, with the format's own parser."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.kit.server import Running


class Figures:
    """One scrape."""

    def __init__(self, text: str) -> None:
        families = text_string_to_metric_families(text)
        self.samples = [sample for family in families for sample in family.samples]
        self.names = {sample.name for sample in self.samples}

    def sum(self, name: str, **labels: str) -> float:
        """The sum of all series of this name with these labels."""
        return sum(self._values(name, labels))

    def values_of(self, label: str) -> set[str]:
        return {sample.labels[label] for sample in self.samples if label in sample.labels}

    def _values(self, name: str, labels: dict[str, str]) -> Iterator[float]:
        for sample in self.samples:
            if sample.name == name and labels.items() <= sample.labels.items():
                yield sample.value


def scrape(running: Running) -> Figures:
    """The current values on the service's metrics port."""
    settings = running.service.settings
    answer = httpx.get(f"http://{settings.metrics_host}:{settings.metrics_port}/metrics")
    assert answer.status_code == 200
    return Figures(answer.text)
