"""Named queries on the sample, with answers by hand.

The sample's pattern of nine blocks: foundry-usa 3, antpool 2, f2pool, viabtc, ocean and unknown 1 each.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from alerts.store.alert_store import AlertStore
from counterpoise.clickhouse.client import ClickHouse
from counterpoise.clickhouse.pool_blocks import read_pool_blocks
from counterpoise.detectors.tracks import BLOCKS_PER_YEAR, DETECTORS, PROMISES_YEARS, TRACKS, track_of
from counterpoise.errors import ConfigError
from counterpoise.metrics.specs.metric_registry import SPECS
from counterpoise.pools.attribution_set import AttributionSet
from counterpoise.risk.censorship import delay_quantile_blocks, expected_delay_blocks
from counterpoise.risk.confirmations_closed_form import INVERTED, NO_NUMBER, confirmations_whole
from counterpoise.risk.double_spend import confirmations_needed
from counterpoise.risk.mergers import concentration
from counterpoise.risk.selfish_mining import selfish_tie
from counterpoise.windows import VIEWS as WINDOW_VIEWS
from desk.cli.alert_list import listed
from desk.entity_dates import read_sensitivity
from desk.named_queries import named_queries, named_query
from desk.web.pages.alert_page import shown_step
from tests.integration.sql.sample import ALERT, CURRENT, FIRST, LAST, POOLS, block, fires_and_clears, pool_of
from tests.plain_difficulty import difficulty_from_bits
from tests.plain_economics import SATS_PER_BTC, fee_share, hashprice, subsidy_sats
from tests.plain_runs import expected_runs, longest_runs, run_probability

VIEWS = Path(__file__).resolve().parents[3] / "sql" / "views"


def ask(ch: ClickHouse, name: str, **given: str) -> list[dict[str, Any]]:
    query = named_query(name)
    rows: list[dict[str, Any]] = []
    names: list[str] = []
    for heads, columns in ch.stream(query.sql, query.bind(given)):
        names = names or [column for column, _ in heads]
        rows.extend(dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True))
    return rows


def test_concentration_now(sample: ClickHouse) -> None:
    rows = ask(sample, "concentration_now")
    assert [(row["chain"], row["window_blocks"], row["height"], row["n"]) for row in rows] == [
        ("bitcoin", 144, LAST, 144),
        ("bitcoin", 1008, LAST, 400),
        ("signet", 144, 29, 20),
        ("signet", 1008, 29, 20),
    ]


@pytest.mark.parametrize(("window", "height"), [(144, LAST), (3, LAST - 40), (1008, 4_294_967_295)])
def test_hashprice_is_that_of_the_blocks(sample: ClickHouse, window: int, height: int) -> None:
    [row] = ask(sample, "hashprice", window=str(window), height=str(height))
    last = min(height, LAST)
    heights = range(max(FIRST, last - window + 1), last + 1)
    blocks = sample.query(
        "SELECT bits, fees_sats FROM blocks WHERE chain = 'bitcoin' AND height BETWEEN {low:UInt32} AND {high:UInt32} "
        "ORDER BY height",
        {"low": heights[0], "high": heights[-1]},
    )
    subsidies = subsidy_sats(list(heights))
    fees = [(fee, subsidy) for (_, fee), subsidy in zip(blocks, subsidies, strict=True) if fee is not None]
    difficulty = difficulty_from_bits(blocks[-1][0])
    assert (row["from_height"], row["height"], row["blocks"]) == (heights[0], last, len(heights))
    assert row["blocks_with_fees"] == len(fees) < len(heights)
    assert row["difficulty"] == pytest.approx(difficulty, rel=1e-12)
    mean_fee = sum(fee for fee, _ in fees) / len(fees)
    reward = (float(np.mean(subsidies)) + mean_fee) / SATS_PER_BTC
    assert row["hashprice_btc"] == pytest.approx(float(hashprice(reward, difficulty)), rel=1e-12)
    assert row["hashprice_of_subsidy_btc"] == pytest.approx(
        float(hashprice(float(np.mean(subsidies)) / SATS_PER_BTC, difficulty)), rel=1e-12
    )
    part = fee_share(sum(fee for fee, _ in fees), sum(int(subsidy) for _, subsidy in fees))
    assert row["fee_share"] == pytest.approx(float(part), rel=1e-12)


def test_a_made_up_header_has_no_difficulty_and_no_hashprice(own_sample: ClickHouse) -> None:
    own_sample.execute(
        "INSERT INTO blocks_log SELECT * REPLACE (1 AS synthetic, version + 1 AS version) FROM blocks_log FINAL "
        "WHERE chain = 'signet' AND height = 29 AND status = 'canonical'"
    )
    [row] = ask(own_sample, "hashprice", chain="signet", window="3")
    assert (row["height"], row["synthetic_blocks"], row["difficulty"]) == (29, 1, None)
    assert row["hashprice_btc"] is None and row["hashprice_of_subsidy_btc"] is None and row["mean_subsidy_sats"] > 0


def test_a_chain_without_blocks_has_no_hashprice(sample: ClickHouse) -> None:
    assert ask(sample, "hashprice", chain="litecoin") == []


@pytest.mark.parametrize("view", WINDOW_VIEWS)
@pytest.mark.parametrize("height", [LAST, FIRST + 150])
def test_risks_are_those_of_the_functions(sample: ClickHouse, view: str, height: int) -> None:
    [(n, unknown, leaders)] = sample.query(
        "SELECT n, unknown, leaders FROM concentration WHERE chain = 'bitcoin' AND view = {view:String} AND window_blocks = 144 "
        "AND height = {height:UInt32}",
        {"view": view, "height": height},
    )
    rows = ask(sample, "risk_now", view=view, window="144", height=str(height))
    assert [row["largest"] for row in rows] == list(range(1, len(leaders) + 1))
    for k, row in enumerate(rows, 1):
        share = sum(blocks for _, blocks in leaders[:k]) / n
        assert (row["height"], row["n"], row["unknown"], row["share"]) == (
            height,
            n,
            unknown,
            pytest.approx(share, rel=1e-12),
        )
        for name, risk in (("1", 0.01), ("0_1", 0.001), ("0_001", 0.00001)):
            needed = float(confirmations_needed(share, risk))
            assert row[f"confirmations_for_{name}_percent"] == (None if np.isinf(needed) else needed)
        assert row["refused_mean_blocks"] == pytest.approx(float(expected_delay_blocks(share)), rel=1e-12)
        assert row["refused_99_percent_blocks"] == pytest.approx(float(delay_quantile_blocks(share, 0.99)), rel=1e-12)
        assert row["selfish_mining_pays_from_gamma"] == pytest.approx(float(selfish_tie(share)), rel=1e-12, abs=1e-12)
        assert row["stop_interval_ratio"] == pytest.approx(1 / (1 - share), rel=1e-12)


def test_what_the_only_pool_refuses_waits_for_ever(sample: ClickHouse) -> None:
    [refused] = re.findall(r"\n    (.*) AS refused_99_percent_blocks", named_query("risk_now").sql)
    rows = sample.query(f"SELECT {refused} FROM (SELECT arrayJoin([0.1, 0.5, 1.]) AS share)")
    assert [row[0] for row in rows] == pytest.approx([2.0, math.log(0.01) / math.log(0.5), math.inf])
    assert float(delay_quantile_blocks(1.0, 0.99)) == math.inf


def test_the_closed_form_of_risk_now_is_that_of_the_metrics(sample: ClickHouse) -> None:
    """Every share of 1,008 blocks below one half, through the query's own expression. Metrics stop at 65,535, the query does not."""
    sql = named_query("risk_now").sql
    constants, needed = re.findall(r"(\[\n.*?\]) AS inverted,\s*(arrayMap.*?inverted\)) AS needed", sql, re.DOTALL)[0]
    race = re.findall(r"(-log\(.*?\)) AS race", sql)[0]
    rows = sample.query(
        f"WITH {constants} AS inverted SELECT {needed} "
        f"FROM (SELECT number / 1008 AS share, {race} AS race FROM numbers(504)) ORDER BY share"
    )
    for at, risk in enumerate(INVERTED):
        found = [min(row[0][at], NO_NUMBER) for row in rows]
        assert found == confirmations_whole(np.arange(504) / 1008, risk).tolist()


@pytest.mark.parametrize("view", WINDOW_VIEWS)
def test_parts_of_a_change_are_those_of_the_blocks(sample: ClickHouse, view: str) -> None:
    rows = ask(sample, "top4_parts", view=view, window="144", seconds="86400")
    stored = dict(
        sample.query(
            "SELECT height, leaders FROM concentration WHERE chain = 'bitcoin' AND view = {view:String} AND window_blocks = 144 "
            "AND height IN (800255, 800399)",
            {"view": view},
        )
    )
    before, after = (dict(stored[height][:4]) for height in (LAST - 144, LAST))
    expected = {pool: (after.get(pool, 0) - before.get(pool, 0)) / 144 for pool in before.keys() | after.keys()}
    assert {(row["from_height"], row["to_height"]) for row in rows} == {(LAST - 144, LAST)}
    assert {row["pool"]: row["part"] for row in rows if row["pool"] in expected} == pytest.approx(expected)
    shares = {pool: blocks / 144 for pool, blocks in stored[LAST]}
    assert {row["pool"]: row["share_after"] for row in rows if row["share_after"] is not None} == pytest.approx(shares)
    [(change,)] = sample.query(
        "SELECT argMax(top4_share, height) - argMin(top4_share, height) FROM concentration WHERE chain = 'bitcoin' "
        "AND view = {view:String} AND window_blocks = 144 AND height IN (800255, 800399)",
        {"view": view},
    )
    assert sum(row["part"] for row in rows) == pytest.approx(change, abs=1e-12)
    assert ask(sample, "top4_parts", view=view, window="144") == [], "no window ended a week before"


def _blocks_of(window: int) -> dict[str, list[Any]]:
    """The events of the newest blocks by pool."""
    found: dict[str, list[Any]] = {}
    for height in range(LAST - window + 1, LAST + 1):
        found.setdefault(POOLS[pool_of(height)], []).append(block("bitcoin", height))
    return found


def test_contents_of_blocks_by_pool(sample: ClickHouse) -> None:
    rows = ask(sample, "pool_contents", window="40")
    blocks = _blocks_of(40)
    assert {row["pool"] for row in rows} == blocks.keys()
    for row in rows:
        made = blocks[row["pool"]]
        known = [one for one in made if one.transactions is not None]
        empty = sum(one.transactions == 1 for one in known)
        assert (row["blocks"], row["blocks_with_transactions"], row["empty_blocks"]) == (len(made), len(known), empty)
        wilson = stats.binomtest(empty, len(known)).proportion_ci(0.95, method="wilson")
        assert (row["empty_share"], row["empty_share_low"], row["empty_share_high"]) == pytest.approx(
            (empty / len(known), wilson.low, wilson.high), abs=1e-12
        )
        assert row["mean_transactions"] == pytest.approx(np.mean([one.transactions for one in known]))
        assert row["mean_weight"] == pytest.approx(np.mean([one.weight for one in known]))
        assert row["mean_size_bytes"] == pytest.approx(np.mean([one.size_bytes for one in known]))
        fees = [one.fees_sats for one in made if one.fees_sats is not None]
        assert row["blocks_with_fees"] == len(fees)
        assert row["mean_fees_sats"] == (pytest.approx(np.mean(fees)) if fees else None)


def test_expected_blocks_by_pool(sample: ClickHouse) -> None:
    rows = ask(sample, "pool_expectations", window="40")
    blocks = _blocks_of(40)
    for row in rows:
        made = [one for one in blocks[row["pool"]] if one.match_ratio is not None]
        ratios = [one.match_ratio for one in made]
        reach = stats.norm.ppf(0.975) * np.std(ratios, ddof=1) / len(ratios) ** 0.5
        assert row["compared_blocks"] == len(made)
        assert (row["match_ratio_low"], row["match_ratio_mean"], row["match_ratio_high"]) == pytest.approx(
            (np.mean(ratios) - reach, np.mean(ratios), min(np.mean(ratios) + reach, 1)), abs=1e-12
        )
        fees = [one.fees_sats / one.expected_fees_sats for one in made if one.fees_sats is not None]
        assert row["blocks_with_fees"] == len(fees)
        assert row["fees_ratio_mean"] == (pytest.approx(np.mean(fees)) if fees else None)
    assert sum(row["compared_blocks"] for row in rows) == 20


def test_what_is_not_known_of_blocks_has_no_interval(own_sample: ClickHouse) -> None:
    own_sample.execute(
        "INSERT INTO blocks_log SELECT * REPLACE (NULL AS transactions, if(height % 40 = 0, match_ratio, NULL) AS match_ratio, "
        "version + 1 AS version) FROM blocks_log FINAL WHERE chain = 'bitcoin'"
    )
    for row in ask(own_sample, "pool_contents", window="40"):
        assert [row[name] for name in ("empty_share", "empty_share_low", "empty_share_high")] == [None] * 3
    for row in ask(own_sample, "pool_expectations", window="40"):
        assert row["compared_blocks"] == 1 and (row["match_ratio_low"], row["match_ratio_high"]) == (None, None)


def test_template_makers_are_pools_but_where_the_coinbase_names_one(sample: ClickHouse) -> None:
    rows = ask(sample, "template_makers", window="144")
    named = sample.query(
        "SELECT if(template_builder = '', pool, template_builder) FROM blocks WHERE chain = 'bitcoin' AND height > {last:UInt32}",
        {"last": LAST - 144},
    )
    counted = Counter(name for (name,) in named)
    unknown = counted.pop("unknown")
    ranked = sorted(counted.items(), key=lambda one: (-one[1], one[0]))
    assert [(row["maker"], row["blocks"], row["unknown"], row["n"]) for row in rows] == [
        (name, blocks, unknown, 144) for name, blocks in ranked
    ]
    assert "someone" in counted and [row["pools"] for row in rows if row["maker"] == "someone"] == [["viabtc"]]
    hhi = sum(blocks**2 for blocks in counted.values()) / 144**2
    assert [row["hhi"] for row in rows] == pytest.approx([hhi] * len(rows))
    assert rows[-1]["top_share"] == pytest.approx((144 - unknown) / 144)
    assert [row["stop_interval_ratio"] for row in rows] == pytest.approx(
        [1 / (1 - blocks / 144) for _, blocks in ranked]
    )


@pytest.mark.parametrize("height", [LAST, FIRST + 200, FIRST])
def test_a_block_moves_windows_by_what_lies_between_two_heights(sample: ClickHouse, height: int) -> None:
    stored = {
        (view, window, at): figures
        for view, window, at, *figures in sample.query(
            "SELECT toString(view), window_blocks, height, top4_share, hhi_10000, nakamoto_half FROM concentration "
            "WHERE chain = 'bitcoin' AND height BETWEEN {low:UInt32} AND {high:UInt32}",
            {"low": height - 1, "high": height},
        )
    }
    rows = ask(sample, "block_windows", height=str(height))
    assert [(row["window_blocks"], row["view"]) for row in rows] == [
        (w, v) for w in (144, 1008) for v in ("raw", "entity")
    ]
    for row in rows:
        key = row["view"], row["window_blocks"]
        assert [row["top4_after"], row["hhi_after"], row["majority_after"]] == stored[(*key, height)]
        before = stored.get((*key, height - 1), [None] * 3)
        assert [row["top4_before"], row["hhi_before"], row["majority_before"]] == before
        if before[0] is not None:
            assert (
                row["top4_change"] == row["top4_after"] - before[0]
                and row["hhi_change"] == row["hhi_after"] - before[1]
            )
    assert ask(sample, "block_windows", height="1") == []


def test_days_on_which_the_entity_map_changes(own_sample: ClickHouse) -> None:
    groups = [
        {
            "slug": "g",
            "members": [
                {"pool": "a", "start": "2022-01-01", "end": "2023-01-01"},
                {"pool": "b", "start": "2023-01-01"},
            ],
        },
        {"slug": "h", "members": [{"pool": "c", "end": "2021-06-01"}, {"pool": "d"}]},
    ]
    own_sample.execute(
        "INSERT INTO attribution_sets_log SELECT * REPLACE ({document:String} AS document, version + 1 AS version) "
        "FROM attribution_sets_log FINAL WHERE attribution_id = {id:String}",
        {"document": json.dumps({"entities": {"groups": groups}}), "id": CURRENT},
    )
    rows = [
        {"day": "2021-06-01", "changes": ["c leaves h"]},
        {"day": "2022-01-01", "changes": ["a joins g"]},
        {"day": "2023-01-01", "changes": ["a leaves g", "b joins g"]},
    ]
    assert ask(own_sample, "entity_map_changes") == rows
    assert ask(own_sample, "entity_map_changes", at="2022-06-01 00:00:00") == rows[:2]
    assert ask(own_sample, "entity_map_changes", chain="litecoin") == []


def test_payout_addresses_have_their_pools(own_sample: ClickHouse) -> None:
    own_sample.execute(
        "INSERT INTO blocks_log SELECT * REPLACE "
        "(multiIf(height % 3 = 0, ['one'], height % 3 = 1, ['two', 'one'], []) AS payout_addresses, "
        "version + 1 AS version) FROM blocks_log FINAL WHERE chain = 'bitcoin' AND status = 'canonical' AND height > 800390"
    )
    rows = ask(own_sample, "payout_addresses", window="9")
    assert [(row["rank"], row["address"], row["blocks"], row["n"], row["unknown"]) for row in rows] == [
        (1, "one", 3, 9, 3),
        (2, "two", 3, 9, 3),
    ]
    assert rows[0]["pools"] == sorted({ask_pool_of(own_sample, height) for height in (800391, 800394, 800397)})
    assert rows[0]["hhi"] == pytest.approx(2 / 9)


def ask_pool_of(ch: ClickHouse, height: int) -> str:
    [(pool,)] = ch.query("SELECT pool FROM blocks WHERE chain = 'bitcoin' AND height = {h:UInt32}", {"h": height})
    return str(pool)


def test_top_pools_now(sample: ClickHouse) -> None:
    rows = [row for row in ask(sample, "top_pools_now", window="144") if row["chain"] == "bitcoin"]
    assert [(row["rank"], row["pool"], row["blocks"]) for row in rows] == [
        (1, "foundry-usa", 48),
        (2, "antpool", 32),
        (3, "f2pool", 16),
        (4, "ocean", 16),
        (5, "viabtc", 16),
    ]


def test_time_windows(sample: ClickHouse) -> None:
    """The sample has a block every ten minutes and begins on 22 July 2023 at 04:26:40: its last hour is passed at height 800,394."""
    rows = ask(sample, "time_windows")
    assert [(row["span_days"], row["height"], row["n"], row["window_full"]) for row in rows] == [
        (1, 800_394, 144, True),
        (7, 800_394, 395, False),
        (30, 800_394, 395, False),
        (365, 800_394, 395, False),
    ]
    day = rows[0]
    assert [leader[:2] for leader in day["leaders"]] == [
        ("foundry-usa", 48), ("antpool", 32), ("f2pool", 16), ("ocean", 16), ("viabtc", 16)
    ]  # fmt: skip
    assert (day["unknown"], day["top4_share"], day["nakamoto_half"]) == (16, 112 / 144, 2)
    assert day["hhi"] == pytest.approx((48**2 + 32**2 + 3 * 16**2) / 144**2)
    # All blocks are of one difficulty, so work is blocks.
    assert rows[3]["top4_work_share"] == pytest.approx(rows[3]["top4_share"])
    assert [row["top4_work_share"] == row["top4_work_share"] for row in rows] == [False, False, False, True]
    earlier = ask(sample, "time_windows", height="800393")
    assert {row["height"] for row in earlier} == {800_388}


def test_the_view_of_time_windows_has_the_formulas_of_the_metrics() -> None:
    text = (VIEWS / "time_windows.sql").read_text(encoding="utf-8")
    for name in ("top1_share", "top4_share", "top4_share_upper", "hhi"):
        assert f"    {SPECS[name].sql} AS {name},\n" in text


def test_ranks_and_courses_of_pools(sample: ClickHouse) -> None:
    rows = ask(sample, "pool_table", window="144", retarget="100")
    assert [(row["pool"], row["rank_now"], row["rank_then"]) for row in rows] == [
        ("foundry-usa", 1, 1),
        ("antpool", 2, 2),
        ("f2pool", 3, 3),
        ("ocean", 4, 4),
        ("viabtc", 5, 5),
    ]
    assert all(row["window_then"] for row in rows)
    far = ask(sample, "pool_table", window="144", retarget="1000")
    assert {(row["rank_then"], row["window_then"]) for row in far} == {(None, 0)}
    # Beyond the first 144 blocks the counts of the pattern are the same in each window.
    course = ask(sample, "pool_shares_recent", window="144", blocks="200", step="100", height=str(LAST - 1))
    antpool = [(row["height"], row["share"]) for row in course if row["pool"] == "antpool"]
    assert antpool == [(height, 32 / 144) for height in (LAST - 201, LAST - 101, LAST - 1)]


def test_breaches_of_a_line_are_stretches(sample: ClickHouse) -> None:
    # Any 144 blocks in a row are 16 whole patterns, so the share of the four largest is 112/144 = 0.7778 at every full window.
    [row] = ask(sample, "top4_breaches", window="144")
    assert (row["from_height"], row["to_height"], row["blocks"]) == (FIRST + 143, LAST, 400 - 143)
    assert row["highest_share"] == pytest.approx(112 / 144, abs=1e-15)
    assert ask(sample, "top4_breaches", window="144", line="0.78") == []


def test_moves_between_windows_that_do_not_overlap(sample: ClickHouse) -> None:
    rows = ask(sample, "largest_moves", window="144")
    assert rows
    assert all(row["change"] == 0 for row in rows)
    assert all(row["height"] >= FIRST + 143 + 144 for row in rows)


def test_months(sample: ClickHouse) -> None:
    # 1,690,000,000 is 2023-07-22; 400 blocks of 600 s are 2.8 days, all in July.
    [month] = ask(sample, "monthly_top4")
    counts = {"foundry-usa": 0, "antpool": 0, "f2pool": 0, "ocean": 0, "viabtc": 0, "unknown": 0}
    names = ("foundry-usa", "antpool", "foundry-usa", "f2pool", "foundry-usa", "antpool", "viabtc", "ocean", "unknown")
    for height in range(FIRST, LAST + 1):
        counts[names[height % 9]] += 1
    assert (month["n"], month["unknown"]) == (400, counts["unknown"])
    assert month["top4_share"] == sum(sorted((counts[n] for n in counts if n != "unknown"), reverse=True)[:4]) / 400
    assert month["pools"][:2] == ["foundry-usa", "antpool"]
    [unknown] = ask(sample, "unknown_by_month")
    assert unknown["unknown_ratio"] == counts["unknown"] / 400
    [above] = ask(sample, "months_above", window="144")
    assert (above["above_ratio"], above["possibly_above_ratio"]) == (1.0, 1.0)


def test_share_history_has_every_step_and_the_newest(sample: ClickHouse) -> None:
    rows = ask(sample, "pool_share_history", pool="antpool", window="144", step="100")
    assert [row["height"] for row in rows] == [800_000, 800_100, 800_200, 800_300, LAST]
    assert rows[-1]["share"] == 32 / 144


@pytest.mark.parametrize("pool", ["antpool", "foundry-usa", "ocean"])
@pytest.mark.parametrize(("window", "step", "points"), [(144, 100, 120), (40, 7, 9), (144, 50, 3), (30, 30, 1)])
def test_share_history_is_counted_from_the_blocks(
    sample: ClickHouse, pool: str, window: int, step: int, points: int
) -> None:
    """Against a count in Python: any window and step, however few windows may be read."""
    rows = ask(sample, "pool_share_history", pool=pool, window=str(window), step=str(step), points=str(points))
    producers = [name for (name,) in sample.query("SELECT pool FROM blocks WHERE chain = 'bitcoin' ORDER BY height")]
    assert len(rows) <= points + 1 and rows[-1]["height"] == LAST
    heights = [row["height"] for row in rows[:-1]]
    assert all(height % step == 0 for height in heights)
    assert len({after - before for before, after in pairwise(heights)}) <= 1, "evenly"
    for row in rows:
        counts = Counter(producers[max(0, row["height"] - FIRST + 1 - window) : row["height"] - FIRST + 1])
        unknown = counts.pop("unknown", 0)
        own = counts[pool]
        rank = 1 + sum(one > own for one in counts.values()) if own else 0
        assert (row["blocks"], row["n"], row["unknown"], row["rank"]) == (own, counts.total() + unknown, unknown, rank)
        assert row["share"] == own / row["n"] and row["share_upper"] == (own + unknown) / row["n"]


@pytest.mark.parametrize("blocks", [400, 97])
def test_runs_are_those_of_the_blocks(own_sample: ClickHouse, blocks: int) -> None:
    """The sample has no run of its own, so foundry-usa is given some: one at the tip, and one that begins above the bound."""
    for first, last in ((LAST - 8, LAST), (LAST - 60, LAST - 55), (LAST - 100, LAST - 90)):
        own_sample.execute(
            "INSERT INTO attributions_log SELECT * REPLACE (3 AS pool_code, version + 1 AS version) FROM attributions_log FINAL "
            f"WHERE chain = 'bitcoin' AND attribution_id = '{CURRENT}' AND height BETWEEN {first} AND {last}"
        )
    rows = ask(own_sample, "pool_runs", blocks=str(blocks), limit="1000")
    producers = [
        name for (name,) in own_sample.query("SELECT pool FROM blocks WHERE chain = 'bitcoin' ORDER BY height")
    ]
    codes = np.array([name == "foundry-usa" for name in producers[-blocks:]], np.int64)
    expected = [(length, LAST - blocks + 1 + place) for place, length in longest_runs(codes, 1).tolist()]
    assert [(row["run_blocks"], row["to_height"]) for row in rows] == expected
    assert all(row["to_height"] - row["from_height"] + 1 == row["run_blocks"] for row in rows)
    assert {(row["blocks"], row["n"]) for row in rows} == {(int(codes.sum()), blocks)}
    share = float(codes.sum()) / blocks
    for row in rows:
        length = int(row["run_blocks"])
        assert row["expected"] == pytest.approx(float(expected_runs(share, length, blocks)))
        assert row["probability"] == pytest.approx(float(run_probability(share, length, blocks)), rel=1e-6), row
    # Nearly all of the newest are its own: so large a share has no second root, and the formula no answer.
    few = next(
        rows
        for last in range(10, 20)
        if (rows := ask(own_sample, "pool_runs", blocks=str(last)))[0]["run_blocks"] < last
    )
    assert few[0]["probability"] is None and few[0]["blocks"] / few[0]["n"] > 0.9


def test_a_slug_that_no_pool_has_is_said(sample: ClickHouse) -> None:
    with pytest.raises(Exception, match="no pool has this slug"):
        ask(sample, "pool_share_history", pool="AntPool", window="144")


def test_pools_that_moved(sample: ClickHouse) -> None:
    # The blocks of 22 July 2023 from 04:26:40 on are 118 (600 s apart), heights 800000 to 800117; those of the 23rd are 144.
    rows = {
        r["pool"]: r
        for r in ask(sample, "pools_moved", from_day="2023-07-22", change_day="2023-07-23", to_day="2023-07-24")
    }
    names = ("foundry-usa", "antpool", "foundry-usa", "f2pool", "foundry-usa", "antpool", "viabtc", "ocean", "unknown")
    before = [names[height % 9] for height in range(800_000, 800_118)]
    after = [names[height % 9] for height in range(800_118, 800_118 + 144)]
    assert sum(row["blocks_before"] for row in rows.values()) == 118
    for pool in set(names):
        assert (rows[pool]["blocks_before"], rows[pool]["blocks_after"]) == (before.count(pool), after.count(pool)), (
            pool
        )
        assert rows[pool]["change"] == pytest.approx(after.count(pool) / 144 - before.count(pool) / 118, abs=1e-15)


def test_both_views_and_their_difference(sample: ClickHouse) -> None:
    # f2pool's blocks are antpool's owner's: 128/144 against 112/144. HHI of 48, 32, 16, 16, 16 of 144, and of 48, 48, 16, 16.
    rows = ask(sample, "entity_minus_raw", window="144", step="100")
    assert [row["height"] for row in rows] == [800_200, 800_300]
    last = rows[-1]
    assert last["top4_difference"] == pytest.approx(16 / 144, abs=1e-15)
    assert last["raw_hhi_10000"] == pytest.approx(10_000 * (48**2 + 32**2 + 3 * 16**2) / 144**2, abs=1e-9)
    assert last["entity_hhi_10000"] == pytest.approx(10_000 * (2 * 48**2 + 2 * 16**2) / 144**2, abs=1e-9)
    # More than 72 of 144: 48 + 32 = 80; 48 + 48 = 96.
    assert (last["raw_nakamoto_half"], last["entity_nakamoto_half"]) == (2, 2)


def test_a_month_by_its_windows(sample: ClickHouse) -> None:
    [month] = ask(sample, "monthly_concentration", window="144")
    assert (str(month["month"]), month["heights"]) == ("2023-07-01", 257)
    assert month["mean_top4_share"] == pytest.approx(112 / 144, abs=1e-12)
    assert month["mean_unknown_ratio"] == pytest.approx(16 / 144, abs=1e-12)
    assert (month["lowest_nakamoto_half"], month["highest_nakamoto_half"]) == (2, 2)


def test_windows_side_by_side(sample: ClickHouse) -> None:
    rows = ask(sample, "window_comparison")
    assert [(row["window_blocks"], row["blocks"]) for row in rows] == [(144, 144), (1008, 400)]
    # f2pool's blocks are antpool's owner's: (48 + 48 + 16 + 16) / 144.
    assert rows[0]["entity_top4_share"] == 128 / 144


def test_stale_blocks_stand_beside_what_won(sample: ClickHouse) -> None:
    rows = {row["height"]: row for row in ask(sample, "stale_blocks")}
    assert rows[800_350]["hash"] == block("bitcoin", 800_350, "lost").hash
    assert rows[800_350]["canonical_hash"] == block("bitcoin", 800_350).hash
    assert rows[800_400]["canonical_hash"] == ""


def test_conflicts_carry_their_evidence(sample: ClickHouse) -> None:
    row = ask(sample, "attribution_conflicts")[0]
    assert (row["pool"], row["method"], row["candidates"], row["template_builder"]) == (
        "viabtc",
        "address",
        ["viabtc", "ocean"],
        "someone",
    )


def test_alerts(sample: ClickHouse) -> None:
    assert [row["state"] for row in ask(sample, "alert_history")] == ["resolved", "firing", "pending"]
    assert ask(sample, "alert_history", rule="other") == []
    [episode] = ask(sample, "firing_episodes")
    assert (episode["alert_id"], episode["fired_at_height"], episode["state_now"]) == (ALERT, LAST, "resolved")
    [delivery] = ask(sample, "deliveries")
    assert (delivery["rule_id"], delivery["state"], delivery["status"]) == ("top4-share", "firing", "sent")


def test_alerts_of_one_chain(own_sample: ClickHouse) -> None:
    """A rule may watch every chain: each of its alerts is of one, and a chart of another chain has nothing of it."""
    names = ("alert_spans", "firing_episodes", "alerts_open")
    of_bitcoin = [ask(own_sample, name, chain="bitcoin") for name in names]
    assert of_bitcoin == [ask(own_sample, name) for name in names]
    kept = "SELECT * REPLACE (concat(alert_id, 'b') AS alert_id, 'litecoin' AS chain) FROM alert_events_log WHERE state != 'resolved'"
    own_sample.execute(f"INSERT INTO alert_events_log {kept}")
    assert [ask(own_sample, name, chain="bitcoin") for name in names] == of_bitcoin
    for name in names:
        assert {row["alert_id"] for row in ask(own_sample, name, chain="litecoin")} == {f"{ALERT}b"}, name


def test_the_newest_block_is_of_one_chain(own_sample: ClickHouse) -> None:
    """Heights of two chains mean nothing to each other: without a hash the block is of the chain that is asked for."""
    [newest] = ask(own_sample, "block_evidence")
    own_sample.execute(
        f"INSERT INTO blocks_log SELECT * REPLACE ('litecoin' AS chain, unhex('{'ab' * 32}') AS hash, height + 1000000 AS height) "
        "FROM blocks_log ORDER BY height DESC LIMIT 1"
    )
    assert ask(own_sample, "block_evidence") == [newest]
    [of_litecoin] = ask(own_sample, "block_evidence", hash="ab" * 32)
    assert of_litecoin["chain"] == "litecoin", "a hash names its block on whichever chain"


def test_a_clear_that_was_undone_moves_no_firing(own_sample: ClickHouse) -> None:
    """The block that cleared it was on a branch that lost: it fires as before, and since before."""
    columns = "event_time, height, value, summary"
    [fired] = own_sample.query(f"SELECT {columns} FROM alert_events WHERE state = 'firing'")
    for sequence, state, previous, reason, undoes in (
        (3, "retracted", "resolved", "reorg", "[2]"),
        (4, "firing", "retracted", "restated", "[]"),
    ):
        own_sample.execute(
            f"INSERT INTO alert_events_log SELECT * REPLACE (toUInt32({sequence}) AS sequence, '{state}' AS state, "
            f"'{previous}' AS previous_state, '{reason}' AS reason, CAST({undoes} AS Array(UInt32)) AS undoes, "
            "event_time + INTERVAL 1 DAY AS event_time, height + 1 AS height, 0.1 AS value, 'again' AS summary) "
            "FROM (SELECT * FROM alert_events_log WHERE sequence = 1)"
        )
    [episode] = ask(own_sample, "firing_episodes")
    assert tuple(episode[name] for name in ("fired_at", "fired_at_height", "fired_value", "fired_summary")) == fired
    assert (episode["state_now"], episode["resolved_at"]) == ("firing", None)
    [span] = ask(own_sample, "alert_spans")
    assert (span["fired_at"], span["fired_height"], span["cleared_at"]) == (*fired[:2], None)
    [one] = listed(AlertStore(own_sample).events.transitions())
    assert one.since == int(fired[0].timestamp()) and one.fired
    shown = shown_step(ask(own_sample, "alert_steps"))
    assert tuple(shown[name] for name in columns.split(", ")) == fired
    [again] = ask(own_sample, "reproduce_alert")
    assert (again["to_height"], again["recorded_value"]) == fired[1:3]


def test_a_day_of_the_share_ends_with_its_last_block(sample: ClickHouse) -> None:
    """Whoever reads the time beside the height is not told a time before the block."""
    rows = ask(sample, "share_daily", window="144")
    times = dict(sample.query("SELECT height, time FROM blocks WHERE chain = 'bitcoin'"))
    assert len(rows) > 1 and rows[-1]["to_height"] == LAST and rows[-1]["to_time"] == times[LAST]
    for row in rows:
        block_time = times[row["to_height"]]
        assert block_time <= row["to_time"] and block_time.date() == row["to_time"].date()


def test_the_tape_has_few_heights_above_the_tip(own_sample: ClickHouse) -> None:
    """Where one block is missing, thousands may wait above it."""
    own_sample.execute(
        "INSERT INTO blocks_log SELECT * REPLACE (toUInt32(height + 400) AS height, reverse(hash) AS hash, 'parked' AS status) "
        f"FROM blocks_log FINAL WHERE chain = 'bitcoin' AND height > {LAST - 300}"
    )
    heights = {row["height"] for row in ask(own_sample, "block_tape", limit="10")}
    assert heights >= set(range(LAST - 9, LAST + 1)) and max(heights) <= LAST + 6


def test_an_alert_is_counted_again_from_the_blocks(sample: ClickHouse) -> None:
    [row] = ask(sample, "reproduce_alert", alert=ALERT, sequence="1")
    assert (row["attribution_id"], row["from_height"], row["to_height"]) == (CURRENT, LAST - 143, LAST)
    assert (row["recorded_blocks"], row["counted_blocks"], row["counted_unknown"]) == (144, 144, 16)
    assert row["counted_raw_pools"][:2] == [("foundry-usa", 48), ("antpool", 32)]
    assert row["counted_raw_top4_share"] == 112 / 144


def test_stored_concentration_is_what_the_blocks_say(sample: ClickHouse) -> None:
    for window in ("144", "1008"):
        [row] = ask(sample, "recompute_concentration", height=str(LAST), window=window)
        assert row["equal"] == 1, row


def test_defaults_speak_of_the_newest(sample: ClickHouse) -> None:
    [counted] = ask(sample, "recompute_concentration", window="144")
    assert (counted["height"], counted["equal"]) == (LAST, 1)
    assert ask(sample, "reproduce_alert") == ask(sample, "reproduce_alert", alert=ALERT, sequence="1")


def test_every_parameter_of_every_query_has_a_default() -> None:
    assert [f"{q.name} {p.name}" for q in named_queries().values() for p in q.parameters if p.default is None] == []


def test_dead_letters_by_reason(sample: ClickHouse) -> None:
    [row] = ask(sample, "dead_letter_reasons")
    assert (row["reason"], row["letters"], row["not_replayed"]) == ("bad-event", 2, 2)


def test_every_query_answers_on_an_empty_dataset(empty: ClickHouse) -> None:
    for query in named_queries().values():
        empty.query(query.sql, query.bind({}))


TRACK_NAMES = {
    (view, one.name, years): track_of(view, one.name, years)
    for view in WINDOW_VIEWS
    for one in DETECTORS
    for years in PROMISES_YEARS
}


def changes_of(track: int) -> list[tuple[int, bool]]:
    return [(FIRST + place, fires) for place, fires in zip(fires_and_clears(track), (True, False, True), strict=True)]


def test_every_track_has_its_view_its_detector_and_its_promise(sample: ClickHouse) -> None:
    """Each track of the sample fires and clears at heights of its own, and has evidence of its own."""
    assert sorted(TRACK_NAMES.values()) == list(range(TRACKS))
    by_name = "GROUP BY view, detector, promise_years"
    changes = sample.query(
        f"SELECT view, detector, promise_years, arraySort(groupArray((height, fires))) FROM detector_changes "
        f"WHERE chain = 'bitcoin' {by_name}"
    )
    assert {tuple(names): found for *names, found in changes} == {
        names: changes_of(track) for names, track in TRACK_NAMES.items()
    }
    states = sample.query(
        f"SELECT view, detector, promise_years, arraySort(groupArrayIf(height, firing)), "
        f"groupUniqArray(evidence_blocks - height % 97 * t), "
        f"max(abs(evidence * promise_years * {BLOCKS_PER_YEAR} - evidence_blocks)) < 1e-6 FROM detectors INNER JOIN "
        f"(SELECT * FROM VALUES('view String, detector String, promise_years UInt8, t UInt8', "
        f"{', '.join(str((*names, track)) for names, track in TRACK_NAMES.items())})) AS named "
        f"USING (view, detector, promise_years) WHERE chain = 'bitcoin' {by_name}"
    )
    assert len(states) == TRACKS
    for *names, heights, off, scaled in states:
        fires, clears, again = fires_and_clears(TRACK_NAMES[tuple(names)])
        places = [*range(fires, clears), *range(again, LAST - FIRST + 1)]
        assert (heights, off, scaled) == ([FIRST + place for place in places], [0], True), names


def test_detectors_have_their_last_changes_up_to_a_height(sample: ClickHouse) -> None:
    for height, blocks in ((LAST, 105_120), (LAST, 100), (FIRST + 300, 50), (FIRST + 215, 105_120), (FIRST + 6, 4)):
        found = ask(sample, "detectors_now", promise="5", height=str(height), blocks=str(blocks))
        assert len(found) == len(WINDOW_VIEWS) * len(DETECTORS)
        for row in found:
            all_of = changes_of(TRACK_NAMES[row["view"], row["detector"], 5])
            seen = [(at, fires) for at, fires in all_of if height - blocks < at <= height]
            assert row["height"] == height
            assert row["firing"] == ([False] + [fires for at, fires in all_of if at <= height])[-1]
            assert row["fired_height"] == max((at for at, fires in seen if fires), default=None)
            assert row["cleared_height"] == max((at for at, fires in seen if not fires), default=None)
            assert (row["fired_time"] is None) == (row["fired_height"] is None)
    assert ask(sample, "detectors_now", promise="5") == ask(sample, "detectors_now", promise="5", height=str(LAST))


def test_changes_before_a_height_are_those_of_all_changes(sample: ClickHouse) -> None:
    """Also the change at the first height of all, and none at the first height that is read."""
    for height, blocks in ((LAST, 105_120), (LAST + 99, 60), (FIRST + 210, 3), (FIRST + 7, 1), (FIRST + 6, 7), (5, 9)):
        before = f"detector_changes_before(chain = 'bitcoin', height = {height}, blocks = {blocks})"
        upto = min(height, LAST)
        assert sample.query(f"SELECT * FROM {before} ORDER BY ALL") == sample.query(
            f"SELECT * FROM detector_changes WHERE chain = 'bitcoin' AND height > {upto - blocks} AND height <= {upto} ORDER BY ALL"
        )


@pytest.mark.parametrize("view", WINDOW_VIEWS)
def test_detector_events_have_the_evidence_that_made_them(sample: ClickHouse, view: str) -> None:
    found = [
        (row["height"], row["detector"], row["event"], row["evidence"])
        for row in ask(sample, "detector_events", view=view, promise="1")
    ]
    expected = [
        (height, name, "fires" if fires else "clears", pytest.approx(height % 97 * track / BLOCKS_PER_YEAR))
        for (of_view, name, years), track in TRACK_NAMES.items()
        if (of_view, years) == (view, 1)
        for height, fires in changes_of(track)
    ]
    assert found == sorted(expected, key=lambda one: one[:2])


def test_a_forecast_is_scored_where_its_blocks_had_come(sample: ClickHouse) -> None:
    whole = ask(sample, "forecast_scores")
    assert whole == ask(sample, "forecast_scores", height=str(LAST))
    assert {row["part"]: row["forecasts"] for row in whole}["all"] == 1
    assert ask(sample, "forecast_scores", height=str(LAST - 1)) == []


def test_memberships_are_those_of_the_current_map(own_sample: ClickHouse) -> None:
    given = AttributionSet.default()
    own_sample.insert(
        "attribution_sets_log",
        {
            "attribution_id": [CURRENT],
            "document": [given.to_json()],
            "created_at": [1_690_000_000_000],
            "version": [2**40],
        },
    )
    for pool in ("antpool", "braiins-pool", "ocean"):
        expected = [
            (
                *(group.slug, group.name, str(one.start or ""), str(one.end or "")),
                *(one.confidence, str(one.seen or ""), one.source, one.seen_in, one.note),
            )
            for group in given.entity_map.groups
            for one in group.members
            if one.pool == pool
        ]
        assert [tuple(row.values()) for row in ask(own_sample, "pool_memberships", pool=pool)] == sorted(
            expected, key=lambda row: (row[2], row[0])
        )
    assert ask(own_sample, "pool_memberships", pool="antpool")
    assert ask(own_sample, "pool_memberships", pool="antpool", chain="litecoin") == [], "no set is current there"
    window = read_pool_blocks(own_sample, "bitcoin", 144)
    found = read_sensitivity(own_sample, window)
    # AntPool is the only friend with blocks here, so every reading has it as one entity of the same size.
    assert {one.top4_share for one in found.readings.values()} == {
        concentration(window.raw, window.views["raw"].unknown).top4_share
    }
    assert [(one.member.pool, one.blocks) for one in found.members] == [("antpool", window.raw["antpool"])]
    assert found.readings["map"].hhi_points == found.readings["never"].hhi_points
    for later, (damaged, reason) in enumerate(
        (("{", "not JSON"), ("[]", "has no entity map"), ("{}", "has no entity map"))
    ):
        own_sample.insert(
            "attribution_sets_log",
            {
                "attribution_id": [CURRENT],
                "document": [damaged],
                "created_at": [1_690_000_000_000],
                "version": [2**41 + later],
            },
        )
        with pytest.raises(ConfigError, match=reason):
            read_sensitivity(own_sample, window)


def test_the_share_between_two_heights_ends_at_the_newest(sample: ClickHouse) -> None:
    rows = ask(sample, "share_between", window="144", from_height=str(FIRST), points="10")
    assert rows[-1]["to_height"] == LAST and len(rows) <= 10
    # Any 144 blocks in a row are 16 whole patterns.
    assert {round(row[name], 12) for row in rows for name in ("share", "lowest", "highest")} == {round(112 / 144, 12)}
    short = ask(sample, "share_between", window="144", from_height=str(LAST - 20), to_height=str(LAST - 10))
    assert [row["to_height"] for row in short] == list(range(LAST - 20, LAST - 9))
