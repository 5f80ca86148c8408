"""The labels of a replayed file that the registry lacks, at the end of a replay."""

from __future__ import annotations

from typing import Final

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.pools.nearest_pool import nearest_pool
from counterpoise.pools.pool_registry import Registry
from desk.named_queries import named_query

MAX_LISTED: Final = 10


def unknown_labels(clickhouse: ClickHouse, registry: Registry, chain: str) -> list[str]:
    """Lines about the labels whose blocks count as unknown, most blocks first; none where there are no such labels."""
    rows = clickhouse.query(named_query("unknown_labels").sql, {"chain": chain})
    return label_lines([(str(label), int(blocks)) for label, blocks, *_ in rows], registry)


def label_lines(found: list[tuple[str, int]], registry: Registry) -> list[str]:
    """One line with the sum, and one for each of the first MAX_LISTED labels, with the nearest name of the registry."""
    if not found:
        return []
    labels = "1 label is" if len(found) == 1 else f"{len(found):,} labels are"
    lines = [f"{labels} not in the registry. {_blocks(sum(n for _, n in found))} as unknown:"]
    for label, blocks in found[:MAX_LISTED]:
        pool = nearest_pool(registry, label)
        hint = "" if pool is None else f": did you mean {pool.name!r}?"
        lines.append(f"  {label!r}, {blocks:,}{hint}")
    others = len(found) - MAX_LISTED
    if others > 0:
        lines.append(f"  and {others:,} others: counterpoise sql --name unknown_labels")
    return lines


def _blocks(count: int) -> str:
    return "1 block counts" if count == 1 else f"{count:,} blocks count"
