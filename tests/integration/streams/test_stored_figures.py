"""Stored figures that are no metrics, at 300 heights of mainnet: the fold, SQL, and a count by other means agree.

The count takes the reference file's labels, the registry's and the map's own files, and the definitions of docs/methodology.md.
"""

from __future__ import annotations

import itertools
import math
import random
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from typing import Any

import numpy as np
import pytest

from counterpoise.clickhouse.client import ClickHouse, connect
from counterpoise.clickhouse.versions import Versions
from counterpoise.contracts.datasets import Dataset
from counterpoise.detectors.tracks import DETECTORS, PROMISES_YEARS, TRACKS
from counterpoise.estimates.drift import FAMILIES, SHIPPED_DRIFT
from counterpoise.estimates.share_intervals import next_interval, now_interval
from counterpoise.metrics.derived import derive
from counterpoise.metrics.hhi_estimates import d2_next, d2_now, hhi_next, hhi_now
from counterpoise.metrics.spec import GROUPS
from counterpoise.metrics.specs.metric_registry import SPECS
from counterpoise.metrics.stored_integers import STORED_COLUMNS, StoredIntegers
from desk.named_queries import named_query
from streams.blocks.attribution_store import current_set
from streams.blocks.fold.attributor import Attributor
from streams.blocks.fold.chain_fold import ChainFold, Scored
from streams.blocks.sinks import BlockSinks
from tests.engines import ClickHouseServer
from tests.integration.streams.blocks import mainnet, mainnet_blocks
from tests.integration.streams.independent import (
    VIEWS,
    WINDOWS,
    assert_recomputes,
    entity_of,
    estimates,
    heights_of_interest,
    squared_change,
)
from tests.integration.streams.test_mainnet import slug_of_label
from tests.template import make_database
from tests.unit.block_fold.plain import W, states

FIRST, LAST = 737_800, 744_400
"""The first date of the entity map, 1 July 2022, lies within."""
HEIGHTS = 300
SPANS = (1, 7, 30, 365)


NAMING = {
    "attribution_id",
    "chain",
    "view",
    "height",
    "tip_hash",
    "time",
    "version",
    "window_blocks",
    "confirmations",
    "provisional",
}
"""What a row is of, and how deep; `assert_recomputes` compares these."""
WINDOW = {"n", "unknown", "window_full", "pools_seen", "leaders"}
STORED = {*(f"c{k}" for k in range(1, 7)), "s2", "s3", "s4", "gini_num", "sum_c_ln_c"}
COMPARED = {
    "concentration": WINDOW | STORED | SPECS.keys(),
    "detectors": {"detector", "promise_years", "firing", "evidence", "evidence_blocks"},
    "drift": {"family", "from_height", "pairs", "shipped", "drift", "change", "chance"},
    "share_forecasts": {"drift", "share", "low", "high", "above_75", "scored", "outcome", "inside", "brier"},
    "time_windows": WINDOW
    | {"span_days", "from_height", "top1_share", "top4_share", "top4_share_upper", "top4_work_share", "hhi"}
    | {"nakamoto_one_third", "nakamoto_half"},
}
"""The figures of each view that are compared here or in test_fits_and_forecasts. The query `estimates` has a test of its own."""
SAME_ROWS = {
    **{f"concentration_{group}": "concentration" for group in GROUPS},
    **{f"latest_{group}": "concentration" for group in (*GROUPS, "concentration")},
    "detector_changes": "detectors",
}
"""Views of the same figures: parts of a row, the newest rows, the heights at which a bit changes."""


@dataclass(frozen=True)
class Chain:
    """The stored stretch: pool slugs and header times as the file has them, what the fold made of it, and the codes of names."""

    ch: ClickHouse
    scored: Scored
    slugs: list[str]
    times: list[int]
    codes: dict[str, int]

    def pool(self, view: str, slug: str, at: int) -> str:
        """Who a pool is in a view, by the map at the header time of the block at a height."""
        return slug if view == "raw" or slug == "unknown" else entity_of(slug, self.times[at - FIRST])

    def counts(self, view: str, low: int, high: int, at: int) -> Counter[str]:
        """Blocks by pool of two heights and those between."""
        found: Counter[str] = Counter()
        for slug, blocks in Counter(self.slugs[low - FIRST : high + 1 - FIRST]).items():
            found[self.pool(view, slug, at)] += blocks
        return found

    def ranked(self, counts: Counter[str]) -> list[str]:
        """Largest first; of equal ones that with the lower code."""
        return sorted(
            (pool for pool in counts if pool != "unknown"), key=lambda pool: (-counts[pool], self.codes[pool])
        )


@pytest.fixture(scope="module")
def chain(clickhouse: ClickHouseServer) -> Iterator[Chain]:
    name = f"figures_{secrets.token_hex(6)}"
    make_database(clickhouse.target, Dataset(name, "simulated"))
    heights, labels, times = mainnet()
    at = slice(FIRST - heights[0], LAST + 1 - heights[0])
    words = slug_of_label()
    with connect(clickhouse.target, name) as ch:
        versions = Versions(1)
        attribution_set = current_set(ch, "bitcoin", versions.next())
        result = ChainFold(Attributor(attribution_set)).apply(mainnet_blocks(FIRST, LAST))
        BlockSinks(ch).write(result, chain="bitcoin", attribution_set=attribution_set, version=versions.next())
        assert result.scored is not None
        codes = dict(ch.query("SELECT slug, min(code) FROM pool_names GROUP BY slug"))
        yield Chain(ch, result.scored, [words[label] for label in labels[at]], times[at], codes)
        ch.execute("DROP DATABASE {name:Identifier} SYNC", {"name": name})


def rows_of(chain: Chain, sql: str, **given: Any) -> list[dict[str, Any]]:
    return answers(chain, sql, given)


def answers(chain: Chain, sql: str, given: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for heads, columns in chain.ch.stream(sql, given):
        rows += [dict(zip([name for name, _ in heads], row, strict=True)) for row in zip(*columns, strict=True)]
    return rows


def chosen(heights: Sequence[int], number: int = HEIGHTS) -> list[int]:
    """The same heights in each run, the ends among them."""
    every = sorted(set(heights))
    return sorted({every[0], every[-1], *random.Random(2022).sample(every, number - 2)})


def test_metrics_of_blocks(chain: Chain) -> None:
    """Every column of the view; the ends, the edges of the windows and the first day of the map are among the heights."""
    heights = heights_of_interest(random.Random(2022).sample, FIRST, LAST, FIRST + W, total=HEIGHTS)
    assert assert_recomputes(chain, "bitcoin", heights) == HEIGHTS * len(VIEWS) * len(WINDOWS)
    found = rows_of(
        chain,
        "SELECT * FROM concentration WHERE height IN {heights:Array(UInt32)} ORDER BY view, window_blocks, height",
        heights=heights,
    )
    table = chain.scored.table.columns()
    order = np.lexsort((table["index"], table["window_blocks"], table["view_code"]))
    rows = order[np.isin(table["index"][order] + FIRST, heights)]
    computed = derive(StoredIntegers({name: table[name][rows] for name in STORED_COLUMNS}))
    assert set(SPECS) <= set(computed) and len(found) == len(rows)
    for name, values in computed.items():
        by_sql = np.array([row[name] for row in found], np.float64)
        np.testing.assert_allclose(by_sql, values, rtol=1e-9, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("window", WINDOWS)
def test_estimates_now_and_next(chain: Chain, view: str, window: int) -> None:
    """The named query, the functions of `counterpoise estimates`, and the formulas of the docs with the normal quantile of scipy."""
    query, step, following = named_query("estimates"), 22, 1_008
    given = {"view": view, "window": str(window), "next": str(following), "step": str(step)}
    found = answers(chain, query.sql, query.bind(given))
    heights = sorted({row["height"] for row in found})
    assert len(heights) >= HEIGHTS and len(found) == 8 * len(heights)
    table = chain.scored.table.columns()
    mine = (table["view_code"] == VIEWS.index(view)) & (table["window_blocks"] == window)
    stored = {int(at) + FIRST: row for row, at in zip(np.flatnonzero(mine), table["index"][mine], strict=True)}
    rows = np.array([stored[height] for height in heights])
    c = np.stack([table[f"c{k}"][rows] for k in range(1, 7)]).astype(float).cumsum(axis=0)
    s2, s3, n, unknown = (table[name][rows].astype(float) for name in ("s2", "s3", "n", "unknown"))
    # So few blocks are stored that each fit is the shipped constant (see below).
    ends = {
        f"top{k}_share": interval_pairs(now_interval, next_interval, (c[k - 1], n), following, f"top{k}")
        for k in range(1, 7)
    }
    ends["hhi"] = interval_pairs(hhi_now, hhi_next, (s2, s3, n - unknown, n), following, "hhi")
    ends["effective_pools_d2"] = interval_pairs(d2_now, d2_next, (s2, s3, n - unknown, n), following, "hhi")
    by_sql = np.array(
        [[row[name] for name in ("blocks_seen", "now_low", "now_high", "next_low", "next_high")] for row in found]
    )
    by_product = np.array(
        [[each[place] for each in ends[name]] for place in range(len(heights)) for name in sorted(ends)]
    )
    by_hand = []
    for height in heights:
        counts = chain.counts(view, max(FIRST, height - window + 1), height, height)
        ranked = [counts[pool] for pool in chain.ranked(counts)]
        by_hand += [estimates(name, counts.total(), counts["unknown"], ranked, following) for name in sorted(ends)]
    assert [(row["height"], row["metric"]) for row in found] == [(at, name) for at in heights for name in sorted(ends)]
    np.testing.assert_allclose(by_sql[:, 1:], by_product, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(by_sql, by_hand, rtol=1e-9, atol=1e-12)
    for row, (at, name) in zip(found, itertools.product(rows, sorted(ends)), strict=True):
        family = name.split("_")[0] if name.startswith("top") else "hhi"
        assert (row["n"], row["unknown"], row["drift"]) == (table["n"][at], table["unknown"][at], SHIPPED_DRIFT[family])


def interval_pairs(now: Any, later: Any, sums: tuple[Any, ...], following: int, family: str) -> list[Any]:
    """The four columns of ends as the product computes them."""
    sigma2 = SHIPPED_DRIFT[family]
    return [*now(*sums, drift=sigma2), *later(*sums, following, drift=sigma2)]


def test_windows_of_time(chain: Chain) -> None:
    table = chain.scored.time_windows.columns
    heights = chosen(table["height"].tolist())
    found = rows_of(
        chain,
        "SELECT * FROM time_windows WHERE height IN {heights:Array(UInt32)} ORDER BY height, view, span_days",
        heights=heights,
    )
    assert len(found) == len(heights) * len(VIEWS) * len(SPANS)
    clocks = list(accumulate(chain.times, max))
    names = ("from_height", "n", "unknown", "window_full", "pools_seen", "nakamoto_one_third", "nakamoto_half")
    folded = {
        key: values
        for *key_, values in zip(
            table["height"].tolist(), table["view_code"].tolist(), table["span_days"].tolist(),
            zip(*(table[name].tolist() for name in names), strict=True), strict=True,
        )
        for key in [tuple(key_)]
    }  # fmt: skip
    for row in found:
        height, view, days = row["height"], row["view"], row["span_days"]
        place = height - FIRST
        assert clocks[place] // 3_600 > clocks[place - 1] // 3_600, "the first block after a full hour"
        low = next(at for at, clock in enumerate(clocks) if clock > clocks[place] - 86_400 * days) + FIRST
        counts = chain.counts(view, low, height, height)
        ranked = chain.ranked(counts)
        n, unknown = counts.total(), counts["unknown"]
        leaders = [(pool, counts[pool]) for pool in ranked[:6]]
        # Every block of the replay has one target, so work is blocks.
        by_work = [blocks / n if days == 365 else math.nan for _, blocks in leaders]
        assert [leader[:2] for leader in row["leaders"]] == leaders, (height, view, days)
        assert [leader[2] for leader in row["leaders"]] == pytest.approx(by_work, rel=1e-12, nan_ok=True)
        reached = list(accumulate(counts[pool] for pool in ranked))
        fewest = [next((k + 1 for k, got in enumerate(reached) if part * got > n), 0) for part in (3, 2)]
        expected = (low, n, unknown, low > FIRST, len(ranked), *fewest)
        assert tuple(row[name] for name in names) == expected == folded[height, VIEWS.index(view), days]
        four = sum(blocks for _, blocks in leaders[:4])
        assert row["top1_share"] == leaders[0][1] / n
        assert row["top4_share"] == four / n and row["top4_share_upper"] == (four + unknown) / n
        assert row["hhi"] == pytest.approx(sum(counts[pool] ** 2 for pool in ranked) / n**2, rel=1e-12)
        assert row["top4_work_share"] == pytest.approx(four / n if days == 365 else math.nan, rel=1e-12, nan_ok=True)


def test_states_of_the_detectors(chain: Chain) -> None:
    table = chain.scored.detectors
    heights = chosen(range(FIRST + W, LAST + 1))
    stored = rows_of(
        chain,
        "SELECT height, view, detector, promise_years, firing, evidence, evidence_blocks FROM detectors "
        "WHERE chain = 'bitcoin' AND height IN {heights:Array(UInt32)}",
        heights=heights,
    )
    assert len(stored) == len(heights) * TRACKS and table.from_height == FIRST + W
    codes = [chain.codes[slug] if slug != "unknown" else 0 for slug in chain.slugs]
    slugs = {code: slug for slug, code in chain.codes.items()}

    @cache
    def owners(second: int) -> list[int]:
        pools = range(max(codes) + 1)
        return [chain.codes[entity_of(slugs[code], second)] if code and code in slugs else code for code in pools]

    def owner_before(place: int) -> list[int]:
        """The map has dates, so one second of a day is as good as another."""
        return owners(chain.times[max(place - 1, 0)] // 86_400 * 86_400)

    expected = [states(codes, FIRST, view, owner_before) for view in range(len(VIEWS))]
    each = [(one.name, years) for one in DETECTORS for years in PROMISES_YEARS]
    fired = 0
    for row in stored:
        place, track = row["height"] - FIRST - W, each.index((row["detector"], row["promise_years"]))
        view = VIEWS.index(row["view"])
        evidence, firing = (column[place, track] for column in expected[view])
        whole = view * TRACKS // 2 + track
        assert row["firing"] == firing == table.firing[place, whole]
        assert row["evidence_blocks"] == table.evidence[place, whole]
        assert row["evidence_blocks"] == pytest.approx(evidence, rel=1e-5, abs=1e-30)
        assert row["evidence"] == pytest.approx(evidence / (52_560 * row["promise_years"]), rel=1e-5, abs=1e-30)
        fired += bool(firing)
    assert fired > 0, "some detector fires in this stretch"


def test_rows_of_drift(chain: Chain) -> None:
    """Every height that has one: so few blocks are stored that the shipped constant stands, and the last pair is counted."""
    stored = rows_of(chain, "SELECT * FROM drift WHERE chain = 'bitcoin' ORDER BY height, view, family")
    heights = [height for height in range(0, LAST + 1, W) if height - W + 1 >= FIRST]
    assert len(heights) == 3 and len(stored) == len(heights) * len(VIEWS) * len(FAMILIES)
    folded = {(row.height, row.view_code, row.family): row for row in chain.scored.drift}
    for row in stored:
        height, view, family = row["height"], row["view"], row["family"]
        made = folded[height, VIEWS.index(view), family]
        assert (row["from_height"], row["pairs"], row["drift"]) == (FIRST, 0, SHIPPED_DRIFT[family])
        assert (made.from_height, made.pairs, made.drift) == (FIRST, 0, SHIPPED_DRIFT[family])
        change, chance = math.nan, math.nan
        if height - 3 * W + 1 >= FIRST:
            fixed = chain.counts(view, height - 3 * W + 1, height - 2 * W, height - 2 * W)
            before = chain.counts(view, height - 2 * W + 1, height - W, height)
            after = chain.counts(view, height - W + 1, height, height)
            change, chance = squared_change(family, chain.ranked(fixed), before, after)
        for one in (row, {"change": made.change, "chance": made.chance}):
            assert one["change"] == pytest.approx(change, rel=1e-9, abs=1e-15, nan_ok=True)
            assert one["chance"] == pytest.approx(chance, rel=1e-9, abs=1e-15, nan_ok=True)


def test_every_figure_by_height_is_compared(chain: Chain) -> None:
    """A new view with figures of windows fails here, and so does a new column of one, until a test above compares it."""
    found: dict[str, set[str]] = {}
    columns = "SELECT table, name FROM system.columns WHERE database = currentDatabase() AND table NOT LIKE '%_log'"
    for view, column in chain.ch.query(columns):
        found.setdefault(view, set()).add(column)
    # An alert quotes figures; its tests are elsewhere.
    of_heights = {view for view, names in found.items() if {"chain", "view", "attribution_id", "height"} <= names}
    figures = {view for view in of_heights if "alert_id" not in found[view]}
    assert figures == COMPARED.keys() | SAME_ROWS.keys()
    for view, compared in COMPARED.items():
        assert found[view] - NAMING == compared, view
    for view, whole in SAME_ROWS.items():
        assert found[view] - NAMING - {"fires"} <= found[whole], view
