"""Shares of the real blocks that were counted by other code before, through the shipped registry and entity map."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import numpy as np
import pyarrow.parquet as pq
import pytest

from counterpoise.pools.entity_map import load_entity_map
from counterpoise.pools.entity_table import EntityTable
from counterpoise.pools.matcher import Matcher
from counterpoise.pools.registry_file import load_registry
from tests.shared import shared_data

REGISTRY = load_registry()
SLUGS = {0: "unknown"} | {pool.code: pool.slug for pool in REGISTRY}


class Real:
    """Who made each block by the registry's labels, and the header times."""

    def __init__(self) -> None:
        table = pq.read_table(shared_data("blocks/mainnet_664063_946236.parquet"))
        self.times = table["date"].to_numpy().astype("datetime64[s]").astype(np.int64)
        self.codes = np.asarray(Matcher(REGISTRY).attribute_labels(table["pool_slug"].to_pylist()))
        self.table = EntityTable.build(REGISTRY, load_entity_map())

    def between(self, start: str, end: str) -> np.ndarray:
        """Places of the blocks with a header time from a day on and before another."""
        low, high = (datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() for day in (start, end))
        return np.flatnonzero((self.times >= low) & (self.times < high))

    def shares(self, places: np.ndarray, view: str = "raw") -> list[tuple[str, float]]:
        """Shares of all blocks, largest first, unknown ones left out of the list."""
        codes = self.codes[places]
        if view == "entity":
            codes = np.array([self.table.codes[self.table.epoch(int(self.times[at]))][self.codes[at]] for at in places])
        counts = Counter(codes.tolist())
        counts.pop(0, None)
        return [(SLUGS.get(code, f"entity {code}"), blocks / len(places)) for code, blocks in counts.most_common()]


@pytest.fixture(scope="module")
def real() -> Real:
    return Real()


@pytest.mark.parametrize(
    ("span", "view", "k", "percent"),
    [
        (("2023-01-01", "2024-01-01"), "raw", 2, 53.37),
        (("2024-06-01", "2024-07-01"), "raw", 4, 78.68),
        (("2025-04-01", "2025-05-01"), "raw", 4, 74.15),
        (("2024-05-01", "2024-06-01"), "entity", 1, 38.53),
        (("2025-04-01", "2025-05-01"), "entity", 6, 95.88),
    ],
)
def test_shares_of_a_span(real: Real, span: tuple[str, str], view: str, k: int, percent: float) -> None:
    shares = real.shares(real.between(*span), view)
    assert round(100 * sum(share for _, share in shares[:k]), 2) == percent


def test_march_2026(real: Real) -> None:
    shares = real.shares(real.between("2026-03-01", "2026-04-01"))
    assert round(100 * sum(share for _, share in shares[:4]), 1) == 69.2


def test_counts_of_three_years(real: Real) -> None:
    end = real.between("2021-01-01", "2025-03-28")[-1] + 1
    counts = Counter(SLUGS[int(code)] for code in real.codes[end - 160_432 : end])
    assert (counts["foundry-usa"], counts["antpool"]) == (46_062, 34_351)
