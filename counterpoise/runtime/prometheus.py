"""A service's status as Prometheus metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


def exposition(snapshot: Mapping[str, Any]) -> bytes:
    """A snapshot of ServiceStatus in Prometheus' text format; docs/runbook.md lists the metrics.

    Numbers of `info` become `counterpoise_info` with their name as a label; texts are left out, None is an absent sample.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Snapshot(snapshot))
    return generate_latest(registry)


class _Snapshot:
    def __init__(self, snapshot: Mapping[str, Any]) -> None:
        self._said = snapshot

    def collect(self) -> Iterator[Metric]:
        said, service = self._said, str(self._said["service"])
        yield _gauge("healthy", "1 while it works, 0 while it waits or has stopped", service, said["healthy"])
        yield _gauge("start_timestamp_seconds", "When the process began", service, said["started_at"])
        yield _gauge(
            "last_progress_timestamp_seconds",
            "Time of the last progress",
            service,
            said["last_progress_at"],
        )
        waiting = GaugeMetricFamily(
            "counterpoise_waiting_since_timestamp_seconds",
            "Since when it waits, and on what; absent while it does not",
            labels=("service", "on"),
        )
        if said["waiting_since"] is not None:
            waiting.add_metric((service, str(said["waiting_on"])), said["waiting_since"])
        yield waiting
        events = CounterMetricFamily("counterpoise_events", "What it has done, by kind", labels=("service", "kind"))
        for kind, count in sorted(said["counters"].items()):
            events.add_metric((service, kind), count)
        yield events
        info = GaugeMetricFamily("counterpoise_info", "Numbers that it shows in status", labels=("service", "name"))
        for name, value in sorted(said["info"].items()):
            if isinstance(value, int | float):
                info.add_metric((service, name), value)
        yield info


def _gauge(name: str, text: str, service: str, value: float | None) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"counterpoise_{name}", text, labels=("service",))
    if value is not None:
        family.add_metric((service,), value)
    return family
