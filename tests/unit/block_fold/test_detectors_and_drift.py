"""Detector states, drift and forecasts of a chain, against plain recomputations; batches, restarts and branches change no bit."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from counterpoise.detectors.tracks import (
    TRACKS,
    TrackState,
)
from counterpoise.estimates.drift import FAMILIES, HHI_FAMILY, PAIRS, SHIPPED_DRIFT
from counterpoise.estimates.forecast import FORECAST_BLOCKS, FORECAST_EVERY
from counterpoise.windows import VIEWS
from streams.blocks.fold.concentration import score_blocks
from streams.blocks.fold.detectors import BlocksSeen, DetectorHistory
from streams.blocks.fold.drift_history import DriftHistory, DriftRow, EntityEpochs
from streams.blocks.fold.forecasts import ForecastRow, forecast_rows
from tests.unit.block_fold.plain import W, hhi_and_variance, states

FIRST = 1_000
POOLS = 12


@dataclass(frozen=True)
class Owners:
    """Pools 5 and 6 are one entity, 20, from a moment on."""

    boundaries: NDArray[np.int64]
    codes: NDArray[Any]

    @classmethod
    def joined_at(cls, time: int) -> Owners:
        before, after = np.arange(POOLS, dtype=np.uint16), np.arange(POOLS, dtype=np.uint16)
        after[[5, 6]] = 20
        return cls(np.array([time], np.int64), np.stack([before, after]))


def chain(blocks: int, seed: int) -> NDArray[np.uint16]:
    """Codes with long stretches of concentration, of dispersion, and of unknown producers: detectors fire and clear."""
    rng = np.random.default_rng(seed)
    parts: list[NDArray[Any]] = []
    while sum(map(len, parts)) < blocks:
        shares = rng.dirichlet(np.full(POOLS, rng.choice([0.1, 0.3, 20.0])))
        parts.append(rng.choice(POOLS, int(rng.integers(100, 1_200)), p=shares))
    return np.concatenate(parts)[:blocks].astype(np.uint16)


@dataclass
class Fold:
    """The two histories as a chain's fold drives them."""

    owners: Owners
    detectors: DetectorHistory = field(default_factory=DetectorHistory)
    drift: DriftHistory = field(default_factory=DriftHistory)
    rows: dict[int, tuple[bytes, bytes]] = field(default_factory=dict)
    fits: dict[int, dict[tuple[int, str], DriftRow]] = field(default_factory=dict)
    states: dict[int, TrackState] = field(default_factory=dict)
    forecasts: dict[int, list[ForecastRow]] = field(default_factory=dict)

    def score(self, codes: NDArray[np.uint16], times: NDArray[np.int64], first: int) -> None:
        """The heights from `first` to the end of `codes`, which begin at FIRST."""
        stop = FIRST + len(codes)
        begin = max(FIRST, first // 512 * 512)
        low = max(0, begin - FIRST - 4_319)
        table = score_blocks(codes[low:], times[low:], begin - FIRST - low, self.owners)
        epochs = np.searchsorted(self.owners.boundaries, times[low:], side="right")
        seen = BlocksSeen(
            codes[low:],
            FIRST + low,
            owners=self.owners.codes,
            epochs=epochs,
            leaders_from=begin,
            leaders=table.leaders(W),
        )
        found = self.detectors.score(seen, begin, first, stop, FIRST)
        kept: tuple[dict[int, Any], ...] = (self.rows, self.fits, self.states)
        for by_height in kept:
            for height in [height for height in by_height if height >= first]:
                del by_height[height]
        for place in range(len(found)):
            raw = found.evidence[place].tobytes(), found.firing[place].tobytes()
            self.rows[found.from_height + place] = raw
        self.states |= found.states
        maps = EntityEpochs(self.owners.codes, epochs, FIRST + low)
        part, heights = codes[low:], range(first, stop)
        for row in self.drift.score(part, FIRST + low, heights, maps, FIRST):
            self.fits.setdefault(row.height, {})[row.view_code, row.family] = row
        for height in [height for height in self.forecasts if height >= first]:
            del self.forecasts[height]
        for made in forecast_rows(part, FIRST + low, heights, maps, self._top4_drift, first_height=FIRST):
            self.forecasts.setdefault(made.height, []).append(made)

    def _top4_drift(self, view: int, height: int) -> float:
        return self.drift.at(view, "top4", height)

    def restart(self) -> None:
        """Go on from what is stored."""
        self.detectors, self.drift = DetectorHistory(dict(self.states)), DriftHistory()
        self.drift.add([row for height in sorted(self.fits) for row in self.fits[height].values()])

    def stored(self) -> Any:
        return self.rows, {height: str(rows) for height, rows in self.fits.items()}, str(sorted(self.forecasts.items()))


def scored_at_once(codes: NDArray[np.uint16], owners: Owners) -> Fold:
    fold = Fold(owners)
    fold.score(codes, np.arange(len(codes), dtype=np.int64), FIRST)
    return fold


def test_states_are_those_of_the_recursion() -> None:
    codes = chain(4_400, 5)
    owners = Owners.joined_at(3_000)
    fold = scored_at_once(codes, owners)
    assert sorted(fold.rows) == list(range(FIRST + W, FIRST + len(codes)))
    evidence = np.array([np.frombuffer(value, np.float32) for value, _ in fold.rows.values()])
    firing = np.array([np.frombuffer(on, np.bool_) for _, on in fold.rows.values()])
    assert evidence.shape == (len(codes) - W, TRACKS)
    maps = [row.tolist() for row in owners.codes]
    for view in range(len(VIEWS)):
        part = slice(view * TRACKS // 2, (view + 1) * TRACKS // 2)
        value, on = states(codes.tolist(), FIRST, view, lambda place: maps[int(place - 1 >= owners.boundaries[0])])
        assert np.array_equal(firing[:, part], on)
        assert evidence[:, part] == pytest.approx(value, rel=1e-5, abs=1e-30)
    changes = np.abs(np.diff(firing.astype(int), axis=0)).sum(axis=0)
    assert changes.min() > 0 and changes.max() > 3, "the chain makes every detector fire, and some clear and fire again"


@given(st.data())
@settings(max_examples=6, deadline=None)
def test_batches_restarts_and_branches_that_lose_change_no_bit(data: st.DataObject) -> None:
    codes = chain(4_800, data.draw(st.integers(0, 3)))
    owners = Owners.joined_at(3_700)
    times = np.arange(len(codes), dtype=np.int64)
    whole = scored_at_once(codes, owners)
    fold, at = Fold(owners), 0
    for cut in [*sorted(data.draw(st.lists(st.integers(1, len(codes)), max_size=5))), len(codes)]:
        if cut <= at:
            continue
        if data.draw(st.booleans()):  # a lighter branch was here, shorter or longer than what takes its place
            lost = at + data.draw(st.integers(1, 700))
            branch = np.concatenate([codes[:at], np.full(lost - at, 3, np.uint16)])
            fold.score(branch, np.arange(lost, dtype=np.int64), FIRST + at)
        fold.score(codes[:cut], times[:cut], FIRST + at)
        if data.draw(st.booleans()):
            fold.restart()
        at = cut
    assert fold.stored() == whole.stored()


def test_a_state_that_is_missing_begins_anew_and_is_made_good_by_scoring_again() -> None:
    codes = chain(4_000, 5)
    times = np.arange(len(codes), dtype=np.int64)
    whole, fold = scored_at_once(codes, Owners.joined_at(9_000)), Fold(Owners.joined_at(9_000))
    fold.score(codes[:3_500], times[:3_500], FIRST + 3_400)
    assert fold.stored() != whole.stored()
    fold.score(codes, times, FIRST)
    assert fold.stored() == whole.stored()


def test_forecasts_and_their_outcomes_are_those_of_the_blocks() -> None:
    codes, owners, n = chain(7_000, 4), Owners.joined_at(5_000), FORECAST_BLOCKS
    fold = scored_at_once(codes, owners)
    assert sorted(fold.forecasts) == [h for h in range(FIRST + n - 1, FIRST + len(codes)) if h % FORECAST_EVERY == 0]
    for height, rows in fold.forecasts.items():
        for view, row in enumerate(rows):

            def leaders(end: int, view: int = view) -> list[int]:
                blocks = counted(codes, owners, view, end, end, n=n)
                return [pool for pool, _ in sorted(blocks.items(), key=lambda item: (-item[1], item[0]))[:4]]

            assert (row.view_code, list(row.leaders)) == (view, leaders(height))
            assert row.drift == SHIPPED_DRIFT["top4"] and 0 < row.low < row.share < row.high < 1
            assert (row.above_75 > 0.5) == (row.share > 0.75)
            if height - 2 * n + 1 < FIRST:
                assert math.isnan(row.outcome)
                continue
            after = counted(codes, owners, view, height, height - n, n=n)
            assert row.outcome == sum(after[pool] for pool in leaders(height - n)) / n
    # The share is that of the newest 4,320 blocks, weighed by age.
    last = fold.forecasts[max(fold.forecasts)][0]
    newest = codes[: last.height + 1 - FIRST][-4_320:].tolist()
    k = math.sqrt(last.drift / ((p := np.isin(newest[-n:], last.leaders).mean()) * (1 - p)))
    mass = [(1 - k) ** age for age in range(len(newest))]
    held = sum(w for w, code in zip(mass, reversed(newest), strict=True) if code in last.leaders)
    assert last.share == pytest.approx((held + 0.5) / (sum(mass) + 1), rel=1e-9)


@pytest.mark.parametrize("pools", [1, 3, 4])
def test_a_chain_of_few_pools_is_forecast_near_all(pools: int) -> None:
    """The four leaders have every block, and one unknown block moves little."""
    codes = (np.random.default_rng(pools).integers(0, pools, 5_000) + 1).astype(np.uint16)
    one_unknown = codes.copy()
    one_unknown[4_000] = 0
    whole, other = (scored_at_once(found, Owners.joined_at(9_000)).forecasts for found in (codes, one_unknown))
    assert sorted(whole) == sorted(other) != []
    for height in whole:
        for row, less in zip(whole[height], other[height], strict=True):
            assert row.high == 1 and row.low < row.share < 1 and row.above_75 > 0.999, row
            assert row.low > 0.95 and row.share > 0.99
            assert 0 <= row.share - less.share < 0.006 and row.low - 0.02 < less.low <= row.low, (row, less)
            assert math.isnan(row.outcome) or row.outcome == 1


def counted(codes: NDArray[np.uint16], owners: Owners, view: int, end: int, at: int, *, n: int = W) -> Counter[int]:
    """Blocks by pool of the window that ends at height `end`, by the map at height `at`."""
    owner = owners.codes[int(at - FIRST >= owners.boundaries[0])].tolist()
    part = codes[end - n + 1 - FIRST : end + 1 - FIRST].tolist()
    return Counter(owner[c] if view else c for c in part if c)


def test_drift_is_that_of_the_pairs() -> None:
    blocks = 56 * W
    rng = np.random.default_rng(11)
    walk = np.cumsum(rng.normal(0, 0.02, (blocks // W + 1, POOLS)), axis=0)
    shares = np.exp(walk - np.linspace(0, 2.5, POOLS))
    codes = np.concatenate([rng.choice(POOLS, W, p=row / row.sum()) for row in shares])[:blocks].astype(np.uint16)
    owners = Owners.joined_at(40 * W)
    fold = Fold(owners)
    times = np.arange(len(codes), dtype=np.int64)
    for stop in (20_000, 60_000, blocks):
        fold.score(codes[:stop], times[:stop], FIRST + (0 if stop == 20_000 else 20_000 if stop == 60_000 else 60_000))
    heights = [h for h in range(0, FIRST + blocks, W) if h - W + 1 >= FIRST]
    assert sorted(fold.fits) == heights
    height = heights[-1]
    assert height - FIRST + 1 >= 105_120
    for view in range(len(VIEWS)):
        changes: dict[str, list[float]] = {family: [] for family in FAMILIES}
        for end in range(height - (PAIRS - 1) * W, height + 1, W):
            fixed = counted(codes, owners, view, end - 2 * W, end - 2 * W)
            before, after = counted(codes, owners, view, end - W, end), counted(codes, owners, view, end, end)
            ranked = [pool for pool, _ in sorted(fixed.items(), key=lambda item: (-item[1], item[0]))]
            for k in range(1, 7):
                x, y = (sum(counts[pool] for pool in ranked[:k]) / W for counts in (before, after))
                changes[f"top{k}"].append((y - x) ** 2 - 2 * (x + y) / 2 * (1 - (x + y) / 2) / (W - 0.5))
            (q, v), (q2, v2) = hhi_and_variance(before), hhi_and_variance(after)
            changes[HHI_FAMILY].append((q2 - q) ** 2 - v - v2)
        for family in FAMILIES:
            row = fold.fits[height][view, family]
            fit = max(0.0, math.fsum(changes[family]) / PAIRS * 3 / (2 * W))
            expected = (PAIRS * fit + 25 * SHIPPED_DRIFT[family]) / (PAIRS + 25)
            assert (row.pairs, row.from_height) == (PAIRS, height - 105_119)
            assert row.drift == pytest.approx(expected, rel=1e-9)
    # Too few blocks: the shipped constant.
    first = fold.fits[heights[0]][0, "top4"]
    assert (first.pairs, first.drift, first.from_height) == (0, SHIPPED_DRIFT["top4"], FIRST) and math.isnan(
        first.change
    )
