"""Drift at all heights of mainnet that have a fit, and forecasts at 300: the fold, SQL, and a count by other means agree."""

from __future__ import annotations

import math
import secrets
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pytest

from counterpoise.clickhouse.client import ClickHouse, connect
from counterpoise.clickhouse.versions import Versions
from counterpoise.contracts.datasets import Dataset
from counterpoise.estimates.drift import FAMILIES, SHIPPED_DRIFT
from streams.blocks.attribution_store import current_set
from streams.blocks.fold.drift_history import DriftHistory, DriftRow, EntityEpochs
from streams.blocks.fold.forecasts import ForecastRow, forecast_rows
from streams.blocks.state_store import drift_rows, forecast_columns
from tests.engines import ClickHouseServer
from tests.integration.streams.blocks import mainnet
from tests.integration.streams.independent import VIEWS, entity_of, forecast, squared_change
from tests.integration.streams.test_mainnet import slug_of_label
from tests.template import make_database
from tests.unit.block_fold.plain import W

CHAIN = "bitcoin"
FORECASTS = range(762_048, 806_400 + 1)
"""Below 769,183 the constant stands, and above it the fits."""
AHEAD = 1_008


@dataclass(frozen=True)
class Mainnet:
    """The whole reference file as the fold made rows of it, and as it is."""

    ch: ClickHouse
    first: int
    slugs: list[str]
    times: list[int]
    codes: dict[str, int]
    drift: dict[tuple[int, str, str], DriftRow]
    forecasts: dict[tuple[int, str], ForecastRow]

    def pools(self, view: str, low: int, high: int, at: int) -> list[str]:
        """Who made the blocks of two heights and those between, by the map at the header time of the block at a height."""
        found = self.slugs[low - self.first : high + 1 - self.first]
        if view == "raw":
            return found
        owner = {slug: entity_of(slug, self.times[at - self.first]) for slug in set(found) - {"unknown"}}
        return [owner.get(slug, slug) for slug in found]

    def leaders(self, pools: Sequence[str], k: int) -> list[str]:
        """The k largest; of equal ones that with the lower code."""
        counts = Counter(pools)
        return sorted(counts.keys() - {"unknown"}, key=lambda pool: (-counts[pool], self.codes[pool]))[:k]

    @cached_property
    def expected_drift(self) -> dict[tuple[int, str, str], tuple[int, float, float, float]]:
        """(pairs, σ², squared change, part of chance) by height, view and family, by the formulas of docs/methodology.md."""
        found: dict[tuple[int, str, str], tuple[int, float, float, float]] = {}
        heights = [height for height in range(0, self.first + len(self.slugs), W) if height - W + 1 >= self.first]
        for view in VIEWS:
            pairs: dict[str, list[tuple[float, float]]] = {family: [] for family in FAMILIES}
            for height in heights:
                own = dict.fromkeys(FAMILIES, (math.nan, math.nan))
                if height - 3 * W + 1 >= self.first:
                    picked = self.pools(view, height - 3 * W + 1, height - 2 * W, height - 2 * W)
                    before = Counter(self.pools(view, height - 2 * W + 1, height - W, height))
                    after = Counter(self.pools(view, height - W + 1, height, height))
                    fixed = self.leaders(picked, 6)
                    own = {family: squared_change(family, fixed, before, after) for family in FAMILIES}
                for family, (change, chance) in own.items():
                    if not math.isnan(change):
                        pairs[family].append((change, chance))
                    known = pairs[family][-50:] if height - self.first + 1 >= 105_120 else []
                    drift = SHIPPED_DRIFT[family]
                    if known:
                        excess = math.fsum(moved - luck for moved, luck in known) / len(known)
                        drift = (len(known) * max(0.0, excess * 3 / (2 * W)) + 25 * drift) / (len(known) + 25)
                    found[height, view, family] = len(known), drift, change, chance
        return found


@pytest.fixture(scope="module")
def whole(clickhouse: ClickHouseServer) -> Iterator[Mainnet]:
    name = f"fits_{secrets.token_hex(6)}"
    make_database(clickhouse.target, Dataset(name, "simulated"))
    heights, labels, times = mainnet()
    words = slug_of_label()
    slugs, first = [words[label] for label in labels], heights[0]
    with connect(clickhouse.target, name) as ch:
        attribution_set = current_set(ch, CHAIN, Versions(1).next())
        codes = dict(ch.query("SELECT slug, min(code) FROM pool_names GROUP BY slug"))
        producers = np.array([codes[slug] if slug != "unknown" else 0 for slug in slugs], np.uint16)
        entities = attribution_set.entity_table
        maps = EntityEpochs(entities.codes, np.searchsorted(entities.boundaries, times, side="right"), first)
        history = DriftHistory()
        drift = history.score(producers, first, range(first, first + len(slugs)), maps, first)
        # The history keeps what the newest fit needs; a worker asks it batch by batch.
        fitted = {(row.view_code, row.height): row.drift for row in drift if row.family == "top4"}
        forecasts = forecast_rows(
            producers, first, FORECASTS, maps, lambda view, height: fitted[view, height // W * W], first_height=first
        )
        blocks = {height: (height.to_bytes(32, "big"), time) for height, time in zip(heights, times, strict=True)}
        hashes = {height: block for height, (block, _) in blocks.items()}
        of = attribution_set.attribution_id
        ch.insert("drift_log", drift_rows(drift, hashes, (), chain=CHAIN, attribution_id=of, version=2))
        made = forecast_columns(forecasts, blocks, (), chain=CHAIN, attribution_id=of, version=2)
        ch.insert("share_forecasts_log", made)
        yield Mainnet(
            ch,
            first,
            slugs,
            times,
            codes,
            {(row.height, VIEWS[row.view_code], row.family): row for row in drift},
            {(row.height, VIEWS[row.view_code]): row for row in forecasts},
        )
        ch.execute("DROP DATABASE {name:Identifier} SYNC", {"name": name})


def test_fits_of_the_drift(whole: Mainnet) -> None:
    """Every height that can have one: 139 in the whole file, of which 86 are fits of fifty pairs or of as many as there are."""
    names = "height, view, family, pairs, drift, change, chance, shipped"
    found = whole.ch.query(f"SELECT {names} FROM drift ORDER BY height, view, family")
    assert {row[:3] for row in found} == whole.expected_drift.keys() and len(found) == len(whole.drift)
    assert sum(not row[7] for row in found) > 80 * len(VIEWS) * len(FAMILIES)
    by_sql = np.array([row[3:7] for row in found], float)
    by_fold = [(row.pairs, row.drift, row.change, row.chance) for row in (whole.drift[one[:3]] for one in found)]
    np.testing.assert_array_equal(by_sql, by_fold)
    np.testing.assert_allclose(by_sql, [whole.expected_drift[one[:3]] for one in found], rtol=1e-9, atol=1e-15)
    assert [row[7] for row in found] == [row[3] == 0 for row in found]


def test_forecasts_and_their_scores(whole: Mainnet) -> None:
    columns = ("drift", "share", "low", "high", "above_75", "outcome", "brier")
    found = whole.ch.query(
        f"SELECT height, view, scored, inside, {', '.join(columns)} FROM share_forecasts ORDER BY height, view"
    )
    heights = [height for height in FORECASTS if height % 144 == 0]
    assert [row[:2] for row in found] == [(height, view) for height in heights for view in VIEWS]
    assert sum(row[2] for row in found) == len(VIEWS) * (len(heights) - AHEAD // 144) >= 300 * len(VIEWS)
    expected = []
    for height, view, scored, inside, *_ in found:
        sigma2 = whole.expected_drift[height // W * W, view, "top4"][1]
        pools = whole.pools(view, height - 4_319, height, height)
        four = set(whole.leaders(pools[-AHEAD:], 4))
        share, low, high, above = forecast([pool in four for pool in pools], AHEAD, sigma2, 0.75)
        outcome = brier = math.nan
        if height + AHEAD <= heights[-1]:
            outcome = sum(pool in four for pool in whole.pools(view, height + 1, height + AHEAD, height)) / AHEAD
            brier = (above - (outcome > 0.75)) ** 2
        assert scored is not math.isnan(outcome)
        # An outcome in blocks may be an end but for its last bit.
        assert inside == (low <= outcome <= high) or min(abs(outcome - low), abs(outcome - high)) < 1e-12, (
            height,
            view,
        )
        expected.append((sigma2, share, low, high, above, outcome, brier))
    np.testing.assert_allclose([row[4:] for row in found], expected, rtol=1e-9, atol=1e-12)
    for height, view, _, _, *values in found:
        row = whole.forecasts[height, view]
        assert tuple(values[:5]) == (row.drift, row.share, row.low, row.high, row.above_75)
