"""The labels of a replayed file that the registry lacks, at the end of a replay."""

from __future__ import annotations

from typing import Final

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.pools.nearest_pool import nearest_pool
from counterpoise.pools.pool_registry import Registry
from desk.named_queries import named_query

MAX_LISTED: Final = 10


def unknown_labels(clickhouse: ClickHouse, chain: str) -> list[tuple[str, int]]:
    """The labels whose blocks count as unknown, with their blocks, most blocks first."""
    rows = clickhouse.query(named_query("unknown_labels").sql, {"chain": chain})
    return [(str(label), int(blocks)) for label, blocks, *_ in rows]


def label_objects(found: list[tuple[str, int]], registry: Registry) -> list[dict[str, object]]:
    """One object for each label, with the nearest name of the registry; None where none is alike."""
    near = [nearest_pool(registry, label) for label, _ in found]
    return [
        {"label": label, "blocks": blocks, "nearest_pool": None if pool is None else pool.name}
        for (label, blocks), pool in zip(found, near, strict=True)
    ]


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
