"""Parts that sum to the change: by hand, for any windows, and at 1,000 pairs of real ones."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterpoise.explain.contributions import ADDITIVE
from counterpoise.explain.explained_change import Window, explain, share_label
from counterpoise.metrics.specs.metric_registry import SPECS
from counterpoise.metrics.stored_integers import StoredIntegers
from tests.shared import shared_data

BLOCKS = st.dictionaries(st.sampled_from("abcdefghij"), st.integers(1, 300), min_size=1)
WINDOWS = st.builds(Window, BLOCKS, st.integers(0, 200), st.integers(0, 10_000))


def metric_of(name: str, window: Window) -> float:
    """The metric by its spec, from the stored integers."""
    integers = StoredIntegers.of_counts(list(window.blocks.values()), unknown=window.unknown)
    return float(SPECS[name].compute(integers)[0])


def test_a_change_of_leaders_by_hand() -> None:
    before = Window({"a": 40, "b": 30, "c": 20, "d": 6, "e": 4}, 0, 100)
    after = Window({"a": 40, "b": 30, "c": 15, "d": 5, "e": 10}, 0, 200)
    found = explain("top4_share", before, after)
    # d leaves with its 6 points, e enters with its 10, c loses 5.
    assert found.change == pytest.approx(-0.01)
    assert [(part.pool, round(part.change, 10)) for part in found.parts] == [
        ("e", 0.10),
        ("d", -0.06),
        ("c", -0.05),
        ("a", 0.0),
        ("b", 0.0),
    ]


@pytest.mark.parametrize("name", ADDITIVE)
@given(before=WINDOWS, after=WINDOWS)
@settings(deadline=None, max_examples=60)
def test_the_parts_sum_to_the_change_of_the_metric(name: str, before: Window, after: Window) -> None:
    found = explain(name, before, after)
    assert found.before == pytest.approx(metric_of(name, before), rel=1e-9, abs=1e-12, nan_ok=True)
    assert found.after == pytest.approx(metric_of(name, after), rel=1e-9, abs=1e-12, nan_ok=True)
    assert math.fsum(part.change for part in found.parts) == pytest.approx(
        found.change, rel=1e-9, abs=1e-9, nan_ok=True
    )
    swapped = Window(dict(reversed(list(before.blocks.items()))), before.unknown, before.height)
    assert explain(name, swapped, after) == found or math.isnan(found.change)


@given(before=WINDOWS, second=WINDOWS, third=WINDOWS, after=WINDOWS)
@settings(deadline=None)
def test_attribution_and_entity_map_are_parts_of_their_own(
    before: Window, second: Window, third: Window, after: Window
) -> None:
    found = explain("hhi_10000", before, after, reattributed=second, remapped=third)
    parts = math.fsum(part.change for part in found.parts)
    assert found.attribution + found.entity_map + parts == pytest.approx(found.change, abs=1e-8)
    assert found.attribution == pytest.approx(metric_of("hhi_10000", second) - metric_of("hhi_10000", before))
    nothing = explain("hhi_10000", before, before)
    assert (nothing.change, nothing.attribution, nothing.entity_map) == (0, 0, 0)


@pytest.fixture(scope="module")
def real() -> list[str]:
    table = pq.read_table(shared_data("blocks/mainnet_664063_946236.parquet"), columns=["pool_slug"])
    slugs: list[str] = table.column("pool_slug").to_pylist()
    return slugs


def test_a_thousand_pairs_of_real_windows(real: list[str]) -> None:
    rng = np.random.default_rng(20_261_126)
    names = list(ADDITIVE)
    for _ in range(1_000):
        n = int(rng.choice([144, 1_008]))
        windows = []
        for end in rng.integers(n, len(real), 2):
            counts = Counter(real[end - n : end])
            unknown = counts.pop("unknown", 0)
            windows.append(Window(dict(counts), unknown, int(end)))
        name = names[int(rng.integers(len(names)))]
        found = explain(name, *windows)
        assert abs(math.fsum(part.change for part in found.parts) - found.change) <= 1e-9, (name, windows)


def test_labels_are_true_to_their_name() -> None:
    # Under luck alone 5 % of the changes are beyond it, in overlapping windows too.
    rng = np.random.default_rng(6)
    for distance in (144, 1_008):
        blocks = rng.random((4_000, 1_008 + distance)) < 0.3
        before, after = blocks[:, :1_008].mean(1), blocks[:, distance:].mean(1)
        labels = [share_label(one, other, 1_008, distance) for one, other in zip(before, after, strict=True)]
        assert labels.count("within chance") / len(labels) == pytest.approx(0.95, abs=0.015)
    assert share_label(0.3, 0.3, 1_008, 0) == "within chance"


@pytest.mark.parametrize("share", [0.0007, 0.002, 0.005, 0.02])
@pytest.mark.parametrize(("window", "distance"), [(144, 144), (1_008, 144), (1_008, 1_008)])
def test_a_few_blocks_of_a_small_pool_are_no_surprise(share: float, window: int, distance: int) -> None:
    rng = np.random.default_rng(8)
    both = rng.binomial(window - distance, share, 2_000)
    before, after = (both + rng.binomial(distance, share, 2_000) for _ in range(2))
    pairs = zip(before / window, after / window, strict=True)
    labels = [share_label(one, other, window, distance) for one, other in pairs]
    assert labels.count("within chance") / len(labels) > 0.94
    # CloverPool on mainnet, April 2026: its one block left the window.
    assert share_label(1 / 1_008, 0.0, 1_008, 138) == "within chance"


def test_a_longer_distance_excuses_more() -> None:
    order = ["beyond", "within drift", "within chance"]
    labels = [order.index(share_label(0.30, 0.40, 1_008, distance)) for distance in (1_008, 5_000, 50_000)]
    assert labels == sorted(labels)


def test_what_cannot_be_explained() -> None:
    empty, some = Window({}, 5, 1), Window({"a": 5}, 0, 2)
    with pytest.raises(ValueError, match="the window at height 1 has no attributed block"):
        explain("hhi", empty, some)
    with pytest.raises(KeyError):
        explain("p_top4_above_75", some, some)
