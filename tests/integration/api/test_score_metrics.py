"""Scores at /metrics of a service: every sample against the row that it comes from."""

from __future__ import annotations

import math
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from counterpoise.clickhouse.client import ClickHouse, connect
from counterpoise.metrics.specs.metric_registry import SPECS
from counterpoise.runtime.clock import SystemClock
from counterpoise.runtime.service_status import ServiceStatus
from desk.web.api.reader import Reader
from desk.web.score_metrics import GAP, ScoreMetrics, Scores, exposed, families
from desk.web.score_names import PREFIX
from tests.engines import ClickHouseServer
from tests.waiting import PATIENCE_SECONDS

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(text: str) -> Samples:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_every_metric_of_every_window_is_exported(reader: Reader, written: ClickHouse) -> None:
    found = samples(ScoreMetrics(reader)().decode())
    rows = written.query(f"SELECT chain, view, toString(window_blocks), {', '.join(SPECS)} FROM latest_concentration")
    assert len(rows) == 8
    expected = {
        (PREFIX + name, (("chain", chain), ("view", view), ("window_blocks", window))): float(value)
        for chain, view, window, *values in rows
        for name, value in zip(SPECS, values, strict=True)
        if not math.isnan(value)
    }
    assert {key: value for key, value in found.items() if key[0].startswith(PREFIX)} == expected
    assert found["counterpoise_scores_read", ()] == 1
    for chain, height, seconds in written.query(
        "SELECT chain, max(height), argMax(toUnixTimestamp(time), height) FROM blocks GROUP BY chain"
    ):
        assert found["counterpoise_tip_height", (("chain", chain),)] == height
        assert found["counterpoise_tip_timestamp_seconds", (("chain", chain),)] == seconds


def test_open_alerts_are_counted_and_closed_ones_are_zero(reader: Reader, written: ClickHouse) -> None:
    found = samples(ScoreMetrics(reader)().decode())
    alerts = {dict(labels)["rule"]: 0.0 for name, labels in found if name == "counterpoise_alerts"}
    assert set(alerts) == {rule for (rule,) in written.query("SELECT DISTINCT rule_id FROM alerts")}
    for rule, chain, state, count in written.query(
        "SELECT rule_id, chain, state, count() FROM alerts GROUP BY rule_id, chain, state"
    ):
        key = ("counterpoise_alerts", (("chain", chain), ("rule", rule), ("state", state)))
        assert found.get(key, count if state in ("resolved", "inactive", "retracted") else None) == count


def test_the_gap_has_its_envelope_its_age_and_its_call() -> None:
    row = {"series": "s", "list_id": "l", "chain": "bitcoin", "view": "raw", "knowledge": "live", "level": "no_call"}
    values = {
        "l_dropped": 0.5,
        "l_one_owner": -0.25,
        "l_spread": math.nan,
        "ai_age_days": 2.0,
        "low": -1.0,
        "high": 1.5,
    }
    found = samples(exposed(lambda: families(Scores([], [], [row | values]))).decode())
    gap = {
        (name, dict(labels).get("treatment", dict(labels).get("level"))): value
        for (name, labels), value in found.items()
        if name.startswith("counterpoise_gap")
    }
    assert gap == {
        ("counterpoise_gap_doublings", "dropped"): 0.5,
        ("counterpoise_gap_doublings", "one_owner"): -0.25,
        ("counterpoise_gap_low_doublings", None): -1.0,
        ("counterpoise_gap_high_doublings", None): 1.5,
        ("counterpoise_gap_ai_age_seconds", None): 172_800.0,
        ("counterpoise_gap_call", "no_call"): 1.0,
    }


def test_the_query_of_the_gap_has_every_column(written: ClickHouse) -> None:
    assert written.query(GAP) == []


def test_a_service_ends_its_metrics_with_the_scores(reader: Reader, tmp_path: Path) -> None:
    with ServiceStatus("desk", tmp_path / "run", SystemClock()) as status:
        status.add_metrics(ScoreMetrics(reader))
        port = status.serve("127.0.0.1", 0)
        text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE_SECONDS).text
    found = samples(text)
    assert found["counterpoise_healthy", (("service", "desk"),)] == 1
    assert found["counterpoise_scores_read", ()] == 1


def test_without_clickhouse_only_that_is_said(tmp_path: Path, clickhouse: ClickHouseServer) -> None:
    server = ClickHouseServer(tmp_path / "gone")
    server.stop()
    metrics = ScoreMetrics(Reader(lambda: connect(server.reader_target, "default"), connections=1))
    assert samples(metrics().decode()) == {("counterpoise_scores_read", ()): 0.0}
