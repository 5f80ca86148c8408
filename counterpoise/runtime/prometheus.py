"""A service's status as Prometheus metrics."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from itertools import accumulate
from typing import Any, Final

from prometheus_client import CollectorRegistry, Metric, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

from counterpoise.runtime.service_metrics import GAUGES, LATENCY_BUCKETS

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


def exposition(snapshot: Mapping[str, Any]) -> bytes:
    """A snapshot of ServiceStatus in Prometheus' text format; docs/runbook.md lists the metrics.

    Numbers of `info` that `GAUGES` names become gauges, those of a chain with its label; None is an absent sample. The version and
    the kernel's figures of this process follow.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Snapshot(snapshot))
    ProcessCollector(registry=registry)
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
        yield from _gauges(service, said["info"])
        latency = HistogramMetricFamily(
            "counterpoise_latency_seconds", "How long a step took, for live blocks", labels=("service", "step", "chain")
        )
        bounds = (*(str(bound) for bound in LATENCY_BUCKETS), "+Inf")
        for one in said["latencies"]:
            buckets = list(zip(bounds, accumulate(one["counts"]), strict=True))
            latency.add_metric((service, one["step"], one["chain"]), buckets, one["seconds"])
        yield latency
        build = GaugeMetricFamily(
            "counterpoise_build_info", "1, with the version that runs", labels=("service", "version", "python")
        )
        build.add_metric((service, version("counterpoise"), platform.python_version()), 1)
        yield build


def _gauges(service: str, info: Mapping[str, Any]) -> Iterator[Metric]:
    chains: Mapping[str, Mapping[str, Any]] = info.get("chains", {})
    for name, (metric, text) in GAUGES.items():
        of_chain = any(name in values for values in chains.values())
        family = GaugeMetricFamily(
            f"counterpoise_{metric}", text, labels=("service", "chain") if of_chain else ("service",)
        )
        if of_chain:
            for chain, values in sorted(chains.items()):
                if _is_number(values.get(name)):
                    family.add_metric((service, chain), values[name])
        elif _is_number(info.get(name)):
            family.add_metric((service,), info[name])
        if family.samples:
            yield family


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)


def _gauge(name: str, text: str, service: str, value: float | None) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"counterpoise_{name}", text, labels=("service",))
    if value is not None:
        family.add_metric((service,), value)
    return family
