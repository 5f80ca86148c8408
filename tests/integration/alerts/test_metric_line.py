"""Rules on metrics along the line: messages and ClickHouse in, rows, evidence and Slack out; without Python of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alerts.rule_tests.window_series import further_columns
from alerts.rules.metric_rule import MetricRule
from alerts.rules.rule import HeightRule
from alerts.rules.when import WhenRule
from alerts.signals.window_counts import WindowCounts
from alerts.store.alert_store import AlertStore
from counterpoise.clickhouse.client import connect
from counterpoise.metrics.specs.metric_registry import SPECS
from counterpoise.settings.endpoints import clickhouse_target
from counterpoise.settings.model import Settings
from testkit.slack_server import SlackServer
from tests.engines import ClickHouseServer
from tests.integration.alerts.running import alerter, rows_of
from tests.integration.alerts.world import N, World, a_world, with_rules, with_slack

H = 800_000
LOW, HIGH = 600, 960
"""Blocks of the top four: with six pools an HHI of 1,796 points, and of 2,280."""

RULES = (
    "{id: hhi, type: metric, metric: hhi_10000, above: 2200, clear_below: 2000, for_blocks: 3}",
    "{id: nakamoto, type: metric, metric: nakamoto_half, below: 3, for_blocks: 0}",
)
WHEN = (
    "{id: rise, type: when, when: {signal: top4_share, change_blocks: 3}, fire: {above: 0.2}, keep_firing_for: 1}",
    "{id: both, type: when, when: {all: [{signal: hhi_10000, fire: {above: 2200}}, "
    "{signal: unknown_share, window_blocks: 144, fire: {below: 0.05}}]}}",
    "{id: alpha, type: when, when: {signal: pool_share, pool: alpha}, fire: {at_least: 0.2}}",
)
"""They look back, compare two windows, and name a pool."""


def test_a_rule_on_hhi_fires_and_clears_in_slack_in_its_own_words(
    replayed: Settings, state_dir: Path, clickhouse: ClickHouseServer
) -> None:
    with SlackServer() as slack, a_world(replayed) as world:
        settings = with_rules(with_slack(replayed, slack, state_dir), *RULES)
        world.mine([LOW] * 3)
        with alerter(settings) as running:
            running.at(H + 2)
            for step in range(4):
                world.mine([HIGH], tell=True)
                running.at(H + 3 + step)
            world.mine([LOW], tell=True)
            running.at(H + 7)
        hhi = [row for row in running.seen if row.rule_id == "hhi"]
        assert [(row.state, row.evidence.height) for row in hhi] == [
            ("pending", H + 3),
            ("firing", H + 6),
            ("resolved", H + 7),
        ]
        fired = hhi[1]
        assert fired.summary.startswith("HHI in points over the last 1,008 blocks is 2,280")
        assert "over 2,200 for 3 blocks: alpha 23.8 %" in fired.summary
        assert [row.state for row in running.seen if row.rule_id == "nakamoto"] == []  # six pools: three are needed
        assert slack.messages[0].text.startswith("🟢 RESOLVED: hhi: HHI in points over the last 1,008 blocks is 1,796")
        with connect(clickhouse.reader_target, settings.dataset) as reader:
            [(height, _, n, _, value)] = reader.query(fired.evidence.sql)
        assert (height, n, value) == (H + 6, N, fired.value)


def to_console(settings: Settings) -> Settings:
    """Where no message waits for the one before it."""
    return settings.model_copy(
        update={"alerts": settings.alerts.model_copy(update={"notifier": "console", "tick_seconds": 0.05})}
    )


def test_messages_one_by_one_history_at_once_and_messages_without_the_columns_give_equal_rows(
    replayed: Settings,
) -> None:
    """What the message carries and what ClickHouse holds are one truth, whichever the alerter reads, across a reorg too."""
    tops = [LOW] * 2 + [HIGH] * 6 + [LOW] * 2

    def act(world: World, *, tell: bool) -> None:
        for top in tops:
            world.mine([top], tell=tell)

    found: list[Any] = []
    for tells_all, tell in ((True, True), (False, True), (True, False)):
        with a_world(replayed) as world:
            world.tells_all = tells_all
            ruled = with_rules(to_console(replayed), *RULES, *WHEN)
            if not tell:
                act(world, tell=False)
            with alerter(ruled) as running:
                if tell:
                    act(world, tell=True)
                running.at(world.height)
                world.reorg(H + 4, [LOW] * 7, branch="b", tell=True)
                running.at(H + 11)
            found.append(rows_of(ruled))
            for table in ("alert_events_log", "alert_state_log", "alert_deliveries_log", "concentration_log"):
                world.ch.execute(f"TRUNCATE TABLE {table}")
    assert found[0]
    assert found[0] == found[1] == found[2]
    assert {str(dict(row)["rule_id"]) for row in found[0]} == {"hhi", "rise", "both", "alpha"}


SIGNAL_RULES: list[dict[str, Any]] = [
    {"id": "change", "when": {"signal": "hhi_10000", "change_blocks": 2}, "fire": {"above": 10}},
    {"id": "unknown", "when": {"signal": "unknown_share"}, "fire": {"above": 0.1}},
    {"id": "alpha", "when": {"signal": "pool_share", "pool": "alpha"}, "fire": {"above": 0.1}},
    {
        "id": "both",
        "when": {
            "any": [
                {"signal": "gini", "fire": {"above": 0.5}},
                {"signal": "top1_share", "change_blocks": 1, "fire": {"above": 0.1}},
                {"signal": "unknown_share", "fire": {"above": 0.1}},
            ]
        },
    },
]


def reading_of_change(rule: HeightRule, series: WindowCounts, at: int) -> float:
    shares = series.counts[:, 0] / series.n
    return float(shares[at] - shares[at - rule.lookback_blocks])


def test_the_evidence_of_every_metric_gives_its_value_again(replayed: Settings, state_dir: Path) -> None:
    """The SQL of a rule on any metric, run as it is stored, against the value that the rule computed."""
    random = np.random.default_rng(7)
    pools = np.sort(random.multinomial(N - 40, random.dirichlet(np.full(30, 0.4)), size=6))[:, ::-1]
    unknown = np.full(6, 40)
    with a_world(replayed) as world, connect(clickhouse_target(replayed), replayed.dataset) as ch:
        store = AlertStore(ch)
        world.insert_counts(pools, unknown)
        assert len(further_columns(pools, unknown)) > 8
        metrics = [MetricRule(id=name, metric=name, above=spec.range.low) for name, spec in SPECS.items()]
        rules: list[HeightRule] = [*metrics, *(WhenRule.model_validate(fields) for fields in SIGNAL_RULES)]
        for rule in rules:
            series = store.concentration.series_of(rule, world.attribution_id, low=H, high=H + 5)
            assert len(series) == 6
            for at in range(rule.lookback_blocks, 6):
                reading = rule.reading(series, at)
                [row] = ch.query(rule.reproducing_sql(world.attribution_id, H + at))
                assert reading is not None
                assert row[4] == pytest.approx(reading.value, rel=1e-12, abs=1e-12), rule.id
                if reading.high is not None:
                    assert row[5] == pytest.approx(reading.high, rel=1e-12), rule.id
                if rule.id == "both":
                    changed, unknown_share = row[-2:]
                    assert changed == pytest.approx(reading_of_change(rule, series, at))
                    assert unknown_share == 40 / N


def test_the_sql_of_a_pools_share_gives_the_bounds_that_the_rule_judges(replayed: Settings) -> None:
    """Of a pool among the six largest, below them, and not there at all; in windows with fewer and with more than six pools."""
    random, size = np.random.default_rng(11), 12
    seen = random.integers(1, 10, size)
    pools = np.zeros((size, 9), np.int64)
    for at, count in enumerate(seen):
        pools[at, :count] = np.sort(random.multinomial(900, random.dirichlet(np.ones(count))))[::-1]
    leaders = np.array([random.permutation(np.arange(1, 9))[:6] for _ in range(size)])
    leaders[pools[:, :6] == 0] = 0
    with a_world(replayed) as world, connect(clickhouse_target(replayed), replayed.dataset) as ch:
        store = AlertStore(ch)
        world.insert_counts(pools, random.integers(0, 100, size), leaders)
        found = set()
        for pool in ("alpha", "zeta", "nowhere"):
            when = {"signal": "pool_share", "pool": pool}
            rule = WhenRule.model_validate({"id": "a", "when": when, "fire": {"above": 0.1}})
            change = WhenRule.model_validate({"id": "b", "when": when | {"change_blocks": 1}, "fire": {"above": 0.1}})
            series = store.concentration.series_of(rule, world.attribution_id, low=H, high=H + size - 1)
            for at in range(size):
                reading = rule.reading(series, at)
                assert reading is not None
                [(*_, value, high, low)] = ch.query(rule.reproducing_sql(world.attribution_id, H + at))
                assert (value, high, low) == pytest.approx((reading.value, reading.high, reading.low), rel=1e-12)
                found.add("none" if not value else "exact" if value == low else "bounded")
                if at:
                    changed = change.reading(series, at)
                    assert changed is not None
                    [(*_, value)] = ch.query(change.reproducing_sql(world.attribution_id, H + at))
                    assert value == pytest.approx(changed.value, rel=1e-12, abs=1e-12)
        assert found == {"none", "exact", "bounded"}
