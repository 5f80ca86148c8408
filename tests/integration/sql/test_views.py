"""What the views show, and what they never show."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import pytest

from counterpoise.clickhouse.client import ClickHouse, connect
from counterpoise.clickhouse.migrations import migrate, pending
from counterpoise.clickhouse.schema import read_views
from counterpoise.contracts.datasets import Dataset
from counterpoise.metrics.specs.metric_registry import SPECS
from desk.named_queries import named_queries
from tests.engines import ClickHouseServer
from tests.integration.sql.sample import ALERT, CURRENT, FIRST, LAST, SUPERSEDED, block, insert_all, insert_what_lost
from tests.made_by_main import migrate_as_main_did

PARAMETERS = {
    "concentration_of": f"(attribution_id = '{SUPERSEDED}')",
    "attributions_of": f"(attribution_id = '{SUPERSEDED}')",
    "detector_changes_before": "(chain = 'bitcoin', height = 4294967295, blocks = 105120)",
    "top_pools": "(view = 'raw', window = 144)",
    "share_history": "(pool = 'antpool', window = 144)",
}
NEEDED = {
    **{"alert": ALERT, "height": str(LAST), "window": "144", "step": "100"},
    **{"from_day": "2023-07-22", "change_day": "2023-07-23", "to_day": "2023-07-25"},
}


def views(ch: ClickHouse) -> list[str]:
    rows = ch.query(
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine = 'View' "
        "AND NOT endsWith(name, '_log') ORDER BY name"
    )
    return [name for (name,) in rows]


NEW_FORMULAS = frozenset({"hhi_low", "hhi_high", "effective_pools_d2_low", "effective_pools_d2_high"})
"""Metrics whose formula is another one since the migrations that `migrate_as_main_did` applies."""


def everything(
    ch: ClickHouse, only: Mapping[str, Sequence[str]] | None = None, without: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """The whole content of every view and the answer of every named query; row versions apart, which are not facts.

    `only` names views and their columns; queries that need others are left out. `without` are columns that are left out.
    """
    shown: dict[str, Any] = {}
    for name in views(ch) if only is None else sorted(only):
        heads = columns_of(ch, name) if only is None else only[name]
        columns = ", ".join(
            column
            for column in heads
            if (column not in {"version", "created_at"} or name == "attribution_sets") and column not in without
        )
        shown[name] = sorted(repr(row) for row in ch.query(f"SELECT {columns} FROM {name}{PARAMETERS.get(name, '')}"))
    absent: set[str] = set()
    if only is not None:
        absent = {view.name for view in read_views()} - set(only) | set(SPECS) - {
            c for columns in only.values() for c in columns
        }
    for query in named_queries().values():
        if absent & set(re.findall(r"\w+", query.sql)):
            continue  # asks for a view or a metric that this dataset has not
        given = {parameter.name: NEEDED[parameter.name] for parameter in query.parameters if parameter.name in NEEDED}
        names: list[str] = []
        rows: list[str] = []
        for found, values in ch.stream(query.sql, query.bind(given)):
            names = names or [column for column, _ in found]
            if not values:
                continue
            kept = [each for column, each in zip(names, values, strict=True) if column not in without]
            rows += [repr(row) for row in zip(*kept, strict=True)]
        shown[f"query {query.name}"] = rows
    return shown


def columns_of(ch: ClickHouse, view: str) -> list[str]:
    return [column for column, _ in next(ch.stream(f"SELECT * FROM {view}{PARAMETERS.get(view, '')} LIMIT 0"))[0]]


def market_side() -> set[str]:
    """Views and queries of the AI side, of which the sample has nothing: tests/integration/release_line delivers it twice."""
    own = re.compile(r"\b(series|release\w*|dispersion|placement|growth|asymmetry\w*)_log")
    found = {view.name for view in read_views() if own.search(view.statement)}
    for view in read_views():  # each after those that it reads from
        if found & set(re.findall(r"FROM (\w+)", view.statement)):
            found.add(view.name)
    asking = {f"query {query.name}" for query in named_queries().values() if found & set(re.findall(r"\w+", query.sql))}
    return found | asking


def test_everything_twice_and_an_older_version_late_change_no_answer(own_sample: ClickHouse) -> None:
    once = everything(own_sample)
    assert {name for name, rows in once.items() if not rows} <= market_side() | {
        "query alerts_open",  # every alert of the sample is closed
        "query pool_memberships",  # its attribution set has no document
        "query entity_map_changes",  # nor dates
        "query top4_parts",  # no window ended a week before its newest
        "services",  # no process reported
    }
    insert_all(own_sample, 100)
    insert_all(own_sample, 10)
    insert_what_lost(own_sample)
    late = everything(own_sample)
    # Blocks that only the writer that was replaced had seen are blocks, and have lost; nothing else moved.
    for name in ("blocks_all", "query stale_blocks"):
        assert set(once[name]) < set(late[name]), name
        assert sum("stale" in row for row in late[name]) == 4 + 6, name
    once |= {name: late[name] for name in ("blocks_all", "query stale_blocks", "query block_tape")}
    assert late == once
    for (table,) in own_sample.query(
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND endsWith(name, '_log') AND engine != 'View'"
    ):
        own_sample.execute(f"OPTIMIZE TABLE {table} FINAL")
    assert everything(own_sample) == once


# Long: every answer before and after an upgrade; its tables and views stay in contract/sql/test_migrations.py.
@pytest.mark.long
def test_an_upgrade_of_a_dataset_changes_no_answer(clickhouse: ClickHouseServer) -> None:
    dataset = Dataset(f"v_{secrets.token_hex(6)}", "simulated")
    migrate_as_main_did(clickhouse.target, dataset)
    with connect(clickhouse.target, dataset.name) as ch:
        insert_all(ch, 100, summaries=False)
        insert_what_lost(ch, summaries=False)
        there = {view: columns_of(ch, view) for view in views(ch)}
        before = everything(ch, there, NEW_FORMULAS)
        migrate(clickhouse.target, dataset)
        assert pending(ch) == []
        after = everything(ch, there, NEW_FORMULAS)
        ch.execute("DROP DATABASE {name:Identifier} SYNC", {"name": dataset.name})
    assert {name: after[name] for name in before} == before


def test_blocks_are_the_best_chain(sample: ClickHouse) -> None:
    rows = sample.query(
        "SELECT height, hash, prev_hash, confirmations, provisional FROM blocks WHERE chain = 'bitcoin' ORDER BY height"
    )
    assert [row[0] for row in rows] == list(range(FIRST, LAST + 1))
    assert all(later[2] == earlier[1] for earlier, later in pairwise(rows))
    assert rows[-1] == (LAST, block("bitcoin", LAST).hash, block("bitcoin", LAST).prev_hash, 1, True)
    assert rows[-5][3:] == (5, True)
    assert rows[-6][3:] == (6, False)


def test_blocks_name_their_pool_under_the_current_set(sample: ClickHouse) -> None:
    # Heights 800001 … 800009 leave 2, 3, … 8, 0, 1 by nine: 800001 % 9 = 0 since 8 + 1 = 9.
    rows = sample.query(
        "SELECT height, pool, pool_name, method, conflict, template_builder, attribution_id, label, fees_sats, payout_addresses "
        "FROM blocks WHERE chain = 'bitcoin' AND height IN (800001, 800007, 800009) ORDER BY height"
    )
    assert rows == [
        (
            800_001,
            "foundry-usa",
            "Foundry-Usa",
            "tag",
            False,
            "",
            CURRENT,
            "AntPool",
            800_001 if 800_001 % 3 == 0 else None,
            ["bc1q800001"],
        ),
        (
            800_007,
            "viabtc",
            "Viabtc",
            "address",
            True,
            "someone",
            CURRENT,
            "AntPool",
            800_007 if 800_007 % 3 == 0 else None,
            ["bc1q800007"],
        ),
        (
            800_009,
            "unknown",
            "Unknown",
            "none",
            False,
            "",
            CURRENT,
            "AntPool",
            800_009 if 800_009 % 3 == 0 else None,
            ["bc1q800009"],
        ),
    ]


def test_blocks_all_shows_losers_with_their_standing(sample: ClickHouse) -> None:
    rows = sample.query(
        "SELECT height, status, hash, confirmations FROM blocks_all WHERE chain = 'bitcoin' AND status != 'canonical' ORDER BY height"
    )
    assert rows == [
        (800_350, "stale", block("bitcoin", 800_350, "lost").hash, 0),
        *((height, "stale", block("bitcoin", height, "lighter").hash, 0) for height in (800_400, 800_401, 800_402)),
        (800_500, "parked", block("bitcoin", 800_500, "orphan").hash, 0),
    ]


def test_a_window_by_hand(sample: ClickHouse) -> None:
    # The pattern of nine: foundry 3, antpool 2, f2pool, viabtc, ocean 1 each, unknown 1. 144 blocks are 16 patterns.
    [row] = sample.query(
        "SELECT n, unknown, pools_seen, leaders, top1_share, top1_share_upper, top4_share, hhi, hhi_10000, nakamoto_one_third, "
        "nakamoto_half, tip_hash "
        "FROM concentration WHERE chain = 'bitcoin' AND view = 'raw' AND window_blocks = 144 AND height = {height:UInt32}",
        {"height": LAST},
    )
    # (48² + 32² + 3·16²) / 144² = 4096 / 20736 = 16 / 81; 48 is exactly a third, so two pools are needed; 48 + 32 > 72.
    assert row == (
        144, 16, 5, [("foundry-usa", 48), ("antpool", 32), ("f2pool", 16), ("ocean", 16), ("viabtc", 16)],
        1 / 3, 64 / 144, 112 / 144, 4096 / 20736, 10_000 * (4096 / 20736), 2, 2, block("bitcoin", LAST).hash,
    )  # fmt: skip
    [(entity,)] = sample.query(
        "SELECT leaders FROM concentration "
        "WHERE chain = 'bitcoin' AND view = 'entity' AND window_blocks = 144 AND height = {height:UInt32}",
        {"height": LAST},
    )
    assert entity == [("antpool", 48), ("foundry-usa", 48), ("ocean", 16), ("viabtc", 16)]


def test_the_parts_of_leaders_have_names(sample: ClickHouse) -> None:
    for view in ("concentration", "latest_concentration", f"concentration_of(attribution_id = '{CURRENT}')"):
        rows = sample.query(
            f"SELECT leaders.pool, leaders.blocks, leaders FROM {view} "
            "WHERE chain = 'bitcoin' AND view = 'raw' AND window_blocks = 144 ORDER BY height DESC LIMIT 1"
        )
        assert rows == [(["foundry-usa", "antpool", "f2pool", "ocean", "viabtc"], [48, 32, 16, 16, 16], rows[0][2])], (
            view
        )
        assert rows[0][2][0] == ("foundry-usa", 48)


def test_only_the_current_set_shows_and_an_old_one_can_be_asked_for(sample: ClickHouse) -> None:
    assert sample.query("SELECT DISTINCT attribution_id FROM concentration") == [(CURRENT,)]
    assert sample.query("SELECT DISTINCT attribution_id FROM attributions") == [(CURRENT,)]
    old = sample.query(
        "SELECT leaders, top1_share FROM concentration_of(attribution_id = {id:String}) "
        "WHERE chain = 'bitcoin' AND view = 'raw' AND window_blocks = 144 AND height = 800399",
        {"id": SUPERSEDED},
    )
    assert old == [([("ocean", 144)], 1.0)]
    assert sample.query("SELECT attribution_id, current_on FROM attribution_sets ORDER BY attribution_id") == [
        (CURRENT, ["bitcoin", "signet"]),
        (SUPERSEDED, []),
    ]


def test_flipping_the_pointer_flips_every_view_at_once(own_sample: ClickHouse) -> None:
    own_sample.insert(
        "attribution_pointer_log",
        {"chain": ["bitcoin"], "attribution_id": [SUPERSEDED], "flipped_at": [1_700_000_000_000], "version": [1_000]},
    )
    for view in ("blocks", "concentration", "attributions", "latest_concentration"):
        rows = own_sample.query(f"SELECT DISTINCT chain, attribution_id FROM {view} ORDER BY chain")
        assert rows == [("bitcoin", SUPERSEDED), ("signet", CURRENT)], view


def test_undone_heights_are_gone_and_the_latest_is_below_them(sample: ClickHouse) -> None:
    assert sample.query("SELECT max(height) FROM concentration WHERE chain = 'bitcoin'") == [(LAST,)]
    latest = sample.query("SELECT chain, view, window_blocks, height, confirmations FROM latest_concentration")
    assert latest == [
        (chain, view, window, height, 1)
        for chain, height in (("bitcoin", LAST), ("signet", 29))
        for view in ("raw", "entity")
        for window in (144, 1008)
    ]


def test_share_history_counts_pools_outside_the_leaders_too(sample: ClickHouse) -> None:
    rows = sample.query(
        "SELECT blocks, n, unknown, share FROM share_history(pool = 'ocean', window = 144) "
        "WHERE chain = 'bitcoin' ORDER BY height DESC LIMIT 1"
    )
    assert rows == [(16, 144, 16, 16 / 144)]
    first = sample.query(
        "SELECT height, n FROM share_history(pool = 'ocean', window = 144) WHERE chain = 'bitcoin' ORDER BY height LIMIT 2"
    )
    assert first == [(FIRST, 1), (FIRST + 1, 2)]


def test_alerts_stand_where_their_last_step_left_them(sample: ClickHouse) -> None:
    assert sample.query("SELECT alert_id, sequence, state, previous_state FROM alerts") == [
        (ALERT, 2, "resolved", "firing")
    ]
    assert sample.query("SELECT sequence, state FROM alert_events ORDER BY sequence") == [
        (0, "pending"),
        (1, "firing"),
        (2, "resolved"),
    ]
    assert sample.query("SELECT counts FROM alerts") == [([("foundry-usa", 48), ("antpool", 32)],)]


def test_dead_letters_say_whether_they_are_whole(sample: ClickHouse) -> None:
    rows = sample.query(
        "SELECT offset, event_index, length(payload), payload_bytes, truncated, replayed_at FROM dead_letters ORDER BY offset"
    )
    assert rows == [(1, 0, 14, 14, False, None), (2, -1, 10, 200, True, None)]
