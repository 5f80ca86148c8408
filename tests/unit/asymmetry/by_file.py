"""The score again from the two reference files, with sums alone: none of the package's code for releases, windows or metrics."""

from __future__ import annotations

import csv
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache
from pathlib import PurePosixPath

import pyarrow.parquet as pq

from tests.shared import shared_data

BUCKETS = ("China", "Other")
TREATMENTS = ("dropped", "one_owner", "spread")
WINDOW_BLOCKS, SPREAD_OVER = 1008, 25

Stock = Mapping[tuple[str, str], float]
"""(owner, table of the source) → H100 equivalents."""


@cache
def stock(quarter_end: str) -> Stock:
    """A quarter as published."""
    found: defaultdict[tuple[str, str], float] = defaultdict(float)
    with shared_data("edge_ai/ai_compute_owner_quarterly.csv").open(newline="", encoding="utf-8") as file:
        for line in csv.DictReader(file):
            if line["quarter_end"] == quarter_end:
                table = PurePosixPath(line["source_file"]).stem.removesuffix("_cumulative_totals")
                found[line["owner"], table] += float(line["h100e_median"])
    return found


def owners(held: Stock, tables: Iterable[str] | None = None) -> dict[str, float]:
    """What each owner has, in these tables alone where given."""
    found: defaultdict[str, float] = defaultdict(float)
    for (owner, table), value in held.items():
        if tables is None or table in tables:
            found[owner] += value
    return dict(found)


def pieces(amounts: Mapping[str, float], treatment: str) -> list[float]:
    """The equal or unequal hands that the amounts lie in."""
    named = [value for owner, value in amounts.items() if owner not in BUCKETS]
    copies = {"dropped": 0, "one_owner": 1, "spread": SPREAD_OVER}[treatment]
    return named + [amounts.get(bucket, 0.0) / copies for bucket in BUCKETS for _ in range(copies)]


def log2_d2(hands: Iterable[float]) -> float:
    """log₂ of (Σx)²/Σx²."""
    listed = list(hands)
    return math.log2(math.fsum(listed) ** 2 / math.fsum(x * x for x in listed))


@cache
def _chain() -> tuple[list[int], list[str]]:
    table = pq.read_table(shared_data("blocks/mainnet_664063_946236.parquet"), columns=["pool_slug", "date"])
    times = table.column("date").cast("timestamp[s]").cast("int64").to_pylist()
    return times, table.column("pool_slug").to_pylist()


@cache
def pools(day: date, blocks: int = WINDOW_BLOCKS) -> Mapping[str, int]:
    """Blocks by pool of the window that ends with the last block before the next midnight UTC, unknown ones left out."""
    times, slugs = _chain()
    midnight = (day - date(1970, 1, 1)).days * 86_400 + 86_400
    end = len(times)
    while times[end - 1] >= midnight:
        end -= 1
    return Counter(slug for slug in slugs[end - blocks : end] if slug != "unknown")


def score(held: Stock, day: date, treatment: str) -> float:
    """L of what is held against the window that ends with the day."""
    return log2_d2(pieces(owners(held), treatment)) - log2_d2(pools(day).values())
