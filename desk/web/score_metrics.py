"""Scores for Prometheus: every metric of every newest window, tips, alerts and the gap. The families follow from the metric specs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import structlog
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily

from counterpoise.contracts.alert_transition import OPEN_STATES
from counterpoise.metrics.spec import MetricSpec
from counterpoise.metrics.specs.metric_registry import SPECS
from desk.results.writers import rows_of
from desk.web.api.api_errors import ApiError
from desk.web.api.reader import Reader
from desk.web.score_names import PREFIX

SERIES: Final = ("chain", "view", "window_blocks")
PAIR: Final = ("series", "list", "chain", "view", "knowledge")
TREATMENTS: Final = ("dropped", "one_owner", "spread")
SECONDS_A_DAY: Final = 86_400

WINDOWS: Final = "SELECT * FROM latest_concentration"
ALERTS: Final = "SELECT rule_id, chain, state, count() AS alerts FROM alerts GROUP BY rule_id, chain, state"
GAP: Final = """SELECT series, list_id, chain, view, knowledge, l_dropped, l_one_owner, l_spread, ai_age_days, level,
    least(low_independent, low_correlated) AS low, greatest(high_independent, high_correlated) AS high
FROM latest_asymmetry"""

log = structlog.get_logger("desk")

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Scores:
    """Rows of the newest windows, counts of alerts by rule, chain and state, and the gap of every pair."""

    windows: Sequence[Row]
    alerts: Sequence[Row]
    gap: Sequence[Row]


class ScoreMetrics:
    """The exposition for `/metrics`: reads once a call, and is a single 0 where ClickHouse does not answer."""

    def __init__(self, reader: Reader, specs: Mapping[str, MetricSpec] = SPECS) -> None:
        self._reader = reader
        self._specs = specs

    def __call__(self) -> bytes:
        try:
            scores = Scores(self._rows(WINDOWS), self._rows(ALERTS), self._rows(GAP))
        except ApiError as error:
            log.warning("scores could not be read for /metrics", reason=str(error))
            return exposed(lambda: iter([_read(0)]))
        return exposed(lambda: families(scores, self._specs))

    def _rows(self, sql: str) -> list[Row]:
        heads, blocks = self._reader.read(sql, {})
        _, _, rows = rows_of(iter([(heads, []), *((heads, columns) for columns in blocks)]))
        names = [name for name, _ in heads]
        return [dict(zip(names, row, strict=True)) for row in rows]


def exposed(collect: Callable[[], Iterator[Metric]]) -> bytes:
    """Families in Prometheus' text format."""

    class _Collector:
        def collect(self) -> Iterator[Metric]:
            return collect()

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector())
    return generate_latest(registry)


def families(scores: Scores, specs: Mapping[str, MetricSpec] = SPECS) -> Iterator[Metric]:
    """Every family. What is undefined (NaN) has no sample."""
    yield _read(1)
    for spec in specs.values():
        family = GaugeMetricFamily(f"{PREFIX}{spec.name}", spec.comment, labels=SERIES)
        for row in scores.windows:
            _add(family, _series(row), row[spec.name])
        yield family
    yield from _tips(scores.windows)
    yield from _alerts(scores.alerts)
    yield from _gap(scores.gap)


def _read(value: int) -> Metric:
    family = GaugeMetricFamily(
        "counterpoise_scores_read", "1 where the scores below were read from ClickHouse just now"
    )
    family.add_metric((), value)
    return family


def _series(row: Row) -> tuple[str, ...]:
    return str(row["chain"]), str(row["view"]), str(row["window_blocks"])


def _tips(windows: Sequence[Row]) -> Iterator[Metric]:
    height = GaugeMetricFamily("counterpoise_tip_height", "Height of the newest scored block", labels=("chain",))
    time = GaugeMetricFamily(
        "counterpoise_tip_timestamp_seconds", "Header time of that block: time() minus it is the age", labels=("chain",)
    )
    unknown = GaugeMetricFamily(
        "counterpoise_window_unknown_ratio", "Share of the blocks of a window without a known producer", labels=SERIES
    )
    newest = {row["chain"]: row for row in sorted(windows, key=lambda row: int(row["height"]))}
    for chain, row in sorted(newest.items()):
        height.add_metric((chain,), row["height"])
        moment: datetime = row["time"]
        time.add_metric((chain,), moment.timestamp())
    for row in windows:
        _add(unknown, _series(row), row["unknown"] / row["n"] if row["n"] else math.nan)
    yield from (height, time, unknown)


def _alerts(rows: Sequence[Row]) -> Iterator[Metric]:
    """Each open state of each rule that ever had an alert, 0 included: a series that vanishes cannot be alerted on."""
    family = GaugeMetricFamily(
        "counterpoise_alerts", "Alerts of each rule that are open now, by state", labels=("rule", "chain", "state")
    )
    counts = {(row["rule_id"], row["chain"], row["state"]): row["alerts"] for row in rows}
    for rule, chain in sorted({(rule, chain) for rule, chain, _ in counts}):
        for state in OPEN_STATES:
            family.add_metric((rule, chain, state), counts.get((rule, chain, state), 0))
    yield family


def _gap(rows: Sequence[Row]) -> Iterator[Metric]:
    value = GaugeMetricFamily(
        "counterpoise_gap_doublings",
        "Asymmetry L by treatment of residual buckets; above 0 AI compute is more dispersed",
        labels=(*PAIR, "treatment"),
    )
    low = GaugeMetricFamily("counterpoise_gap_low_doublings", "Lowest 2.5 % quantile of L", labels=PAIR)
    high = GaugeMetricFamily("counterpoise_gap_high_doublings", "Highest 97.5 % quantile of L", labels=PAIR)
    age = GaugeMetricFamily("counterpoise_gap_ai_age_seconds", "Age of the data of the AI side", labels=PAIR)
    call = GaugeMetricFamily("counterpoise_gap_call", "1 at the call that the data support", labels=(*PAIR, "level"))
    for row in rows:
        pair = tuple(str(row[name]) for name in ("series", "list_id", "chain", "view", "knowledge"))
        for treatment in TREATMENTS:
            _add(value, (*pair, treatment), row[f"l_{treatment}"])
        _add(low, pair, row["low"])
        _add(high, pair, row["high"])
        _add(age, pair, row["ai_age_days"] * SECONDS_A_DAY)
        call.add_metric((*pair, str(row["level"])), 1)
    yield from (value, low, high, age, call)


def _add(family: GaugeMetricFamily, labels: tuple[str, ...], value: float) -> None:
    if not math.isnan(value):
        family.add_metric(labels, value)
