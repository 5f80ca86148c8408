"""The named queries of the AI side, on a line that was fed the script."""

from __future__ import annotations

from typing import Any

import pytest

from alerts.rules.ai_top4_rise_rule import AiTop4RiseRule
from alerts.rules.edge_share_fall_rule import EdgeShareFallRule
from alerts.rules.regime_change_rule import RegimeChangeRule
from alerts.signals.timer_facts import TimerFacts
from alerts.store.release_facts_reader import read_release_facts
from desk.named_queries import named_query
from desk.web.api.tables import releases
from tests.integration.release_line.feed import miner_megawatts, miner_report, send_releases
from tests.integration.release_line.script import plain_script, send
from tests.integration.release_line.views import VIEWS, rest, rows
from tests.integration.streams.line import Engines, Line, line_on


def ask(line: Line, name: str, **given: str) -> list[dict[str, Any]]:
    query = named_query(name)
    found: list[dict[str, Any]] = []
    names: list[str] = []
    for heads, columns in line.ch.stream(query.sql, query.bind(given)):
        names = names or [column for column, _ in heads]
        found.extend(dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True))
    return found


def test_named_queries(engines: Engines) -> None:
    with line_on(engines, "queries") as line:
        worker = line.start()
        send(line, plain_script())
        rest(line)
        line.wait_for("SELECT count() FROM latest_asymmetry WHERE knowledge = 'live'", 2)
        rest(line)

        history = ask(line, "asymmetry_history")
        assert [str(row["day"]) for row in history] == ["2026-04-30"]
        assert (history[0]["ai_layer"], history[0]["mining_layer"], history[0]["hindsight"]) == (
            "ownership",
            "operation",
            True,
        )
        # The published dispersion of the last quarter; only mining differs from day to day.
        assert [history[0][name] for name in ("ai_dropped", "ai_one_owner", "ai_spread")] == [4.88, 6.12, 7.44]

        now = ask(line, "gap_now")
        assert {(row["view"], row["knowledge"]) for row in now} == {
            (view, knowledge) for view in ("raw", "entity") for knowledge in ("live", "latest")
        }
        assert all(row["ai_age_days"] > 120 for row in now)

        owners = ask(line, "owners_of_release")
        largest = [row["share_of_all"] for row in owners if not row["residual"]][:4]
        assert sum(largest) == pytest.approx(0.677, abs=0.0005)
        assert sum(row["share_of_named"] for row in owners if not row["residual"]) == pytest.approx(1, abs=0.001)
        assert {row["owner"] for row in owners if row["residual"]} == {"Other", "China"}

        shares = ask(line, "edge_share_by_list")
        assert shares[-1]["edge_share"] == pytest.approx(0.048, abs=0.005)
        assert shares[-1]["other_lists"][0][1] == pytest.approx(0.11, abs=0.005)
        found = read_release_facts(line.ch, "bitcoin")
        assert {one.series for one in found.freshness} == {
            "epoch-ai-compute-owners",
            "pypi-edge-share",
            "edge-ai-market-forecast",
        }
        assert sorted(one.view for one in found.regimes) == ["entity", "raw"]
        assert line.ch.query("SELECT DISTINCT regime FROM asymmetry") == [("no_call",)]
        [of_all] = [
            one for one in found.top4 if one.treatment == "one_owner" and one.series == "epoch-ai-compute-owners"
        ]
        assert (of_all.period_end, of_all.base_period_end) == ("2025-12-31", "2024-12-31")
        assert of_all.now == pytest.approx(0.677, abs=0.0005)
        assert 0.53 <= of_all.then <= 0.71  # as in every usable quarter
        facts = TimerFacts(now=1_777_900_000, changed_at=0, market=found)  # 4 May 2026
        for rule in (RegimeChangeRule(id="a"), AiTop4RiseRule(id="b"), EdgeShareFallRule(id="c")):
            finding = rule.judge(facts, None)
            assert finding is None or not finding.active
            if finding is not None:
                assert line.ch.query(finding.sql)
        assert {one.list_id: round(one.now, 2) for one in found.edge} == {
            "as-filed": 0.05,
            "without-general-tools": 0.11,
        }
        assert ask(line, "gap_parts", day="2026-04-30") == []  # no window of a year before is here to compare with
        nothing_shows_twice_or_from_a_writer_that_was_replaced(line)
        assert worker.stop() == 0, worker.tail()


REPLACED = {
    "release_chunks_log": "chunks + 1 AS chunks",
    "releases_log": "total + 1 AS total",
    "release_observations_log": "value + 1 AS value",
    "release_current_log": "'lost' AS release_id",
    "dispersion_log": "d2 + 1 AS d2",
    "placement_log": "edge_share + 1 AS edge_share",
    "growth_log": "total_ratio + 1 AS total_ratio",
    "asymmetry_log": "l_spread + 1 AS l_spread",
    "series_log": "'lost' AS title",
    "series_entries_log": "'lost' AS reason",
}


def nothing_shows_twice_or_from_a_writer_that_was_replaced(line: Line) -> None:
    def everything() -> dict[str, set[str]]:
        return {view: rows(line, view) for view in VIEWS}

    once = everything()
    for table in REPLACED:
        line.ch.execute(f"INSERT INTO {table} SELECT * FROM {table}")
    assert everything() == once
    for table, change in REPLACED.items():
        line.ch.execute(f"INSERT INTO {table} SELECT * REPLACE (toUInt64(3) AS version, {change}) FROM {table}")
    assert everything() == once
    for table in REPLACED:
        line.ch.execute(f"OPTIMIZE TABLE {table} FINAL")
    assert everything() == once


def test_what_is_not_known_of_a_miner_is_null(engines: Engines) -> None:
    with line_on(engines, "pivot") as line:
        worker = line.start()
        send_releases(line, [miner_report()])
        send_releases(line, [miner_megawatts()])
        rest(line)
        line.wait_for("SELECT countIf(known) FROM miner_pivot", 2)
        shown = {
            row[0]: row[1:]
            for row in line.ch.query("SELECT company, revenue_usd, ai_hpc_usd, ai_hpc_share, known FROM miner_pivot")
        }
        # Core Scientific, fiscal year 2024: HPC hosting is 4.8 % of revenue.
        revenue, hosting, share, known = shown["Core Scientific"]
        assert (revenue, hosting, known) == (510.7e6, 24.4e6, True)
        assert round(100 * share, 1) == 4.8
        assert shown["Hut 8"] == (None, None, None, True)
        assert line.ch.query("SELECT ai_hpc_megawatts FROM miner_pivot WHERE company = 'Hut 8'") == [(330.0,)]
        assert shown["MARA"] == (None, None, None, False)
        assert len(shown) == 12

        # Its last quarter ends on the same day: the year stays. Of releases of one moment the one that stands is shown.
        ties = [miner_report(factor=factor) for factor in (0.9, 1.1, 1.2)]
        send_releases(line, [miner_report("2024-10-01", 0.2), *ties])
        rest(line)
        best = max((miner_report(), *ties), key=lambda one: one.release_id)
        total = sum(one.value for one in best.observations)
        [(first, revenue)] = line.ch.query(
            "SELECT toString(period_start), revenue_usd FROM miner_pivot WHERE company = 'Core Scientific'"
        )
        assert (first, revenue) == ("2024-01-01", pytest.approx(total))
        known = ask(line, "releases_known_at", series="miner-pivot")
        assert [(row["is_current"], row["release_id"] == best.release_id) for row in known] == [
            (True, True),
            (True, False),
        ]
        found = releases(
            series="miner-pivot", kind=None, start=None, end=None, as_of=None, current=True, after=None, limit=10
        )
        listed = {row[0] for row in line.ch.query(f"SELECT release_id FROM ({found.sql})", found.parameters)}
        assert listed == {row["release_id"] for row in known}
        assert worker.stop() == 0, worker.tail()
