"""The table of peers in docs/methodology.md: every metric has a row, and its figures are of the real blocks."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from fnmatch import fnmatch
from pathlib import Path

import pyarrow.parquet as pq

from counterpoise.metrics.specs.metric_registry import SPECS
from tests.shared import shared_data

DOCS = (Path(__file__).resolve().parents[3] / "docs" / "methodology.md").read_text(encoding="utf-8")
SECTION = DOCS.partition("## Comparison with peers")[2].partition("\n## ")[0]


def test_every_metric_has_a_row() -> None:
    rows = re.findall(r"(?m)^\| (`[^|]+) \|", SECTION)
    patterns = [pattern for row in rows for pattern in re.findall(r"`([a-z0-9_*]+)`", row)]
    for name in SPECS:
        assert any(fnmatch(name, pattern) for pattern in patterns), f"{name} has no row in the comparison with peers"
    for pattern in patterns:
        assert any(fnmatch(name, pattern) for name in SPECS), f"{pattern} is no metric"


def test_what_ranking_unknown_blocks_does() -> None:
    """As mainnet-observer and mempool.space rank them: as one pool, by day and by month of the real blocks."""
    blocks = pq.read_table(shared_data("blocks/mainnet_664063_946236.parquet"))
    slugs = blocks["pool_slug"].to_pylist()
    worst = {}
    for unit in ("D", "M"):
        counted: dict[str, Counter[str]] = defaultdict(Counter)
        for stretch, slug in zip(
            blocks["date"].to_numpy().astype(f"datetime64[{unit}]").astype(str), slugs, strict=True
        ):
            counted[stretch][slug] += 1
        gaps = [_top4(counts) - _top4(counts, without="unknown") for counts in counted.values()]
        assert min(gaps) >= 0
        worst[unit] = max(gaps)
    month, day = (f"{100 * worst[unit]:.1f}" for unit in "MD")
    assert f"by up to {month} points in one month and {day} on one day" in SECTION.replace("\n", " ")


def _top4(counts: Counter[str], without: str = "") -> float:
    ranked = sorted((count for slug, count in counts.items() if slug != without), reverse=True)
    return sum(ranked[:4]) / counts.total()
