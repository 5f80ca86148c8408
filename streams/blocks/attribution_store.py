"""Which attribution set is current on a chain, and the sets themselves, in ClickHouse."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

import numpy as np

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.errors import ConfigError
from counterpoise.pools.attribution_set import AttributionSet
from counterpoise.windows import VIEWS

_POINTER = "SELECT attribution_id FROM attribution_pointer_log FINAL WHERE chain = {chain:String}"
_DOCUMENT = "SELECT document FROM attribution_sets_log FINAL WHERE attribution_id = {id:String}"


@lru_cache(maxsize=4)
def _parsed(document: str, attribution_id: str) -> AttributionSet:
    return AttributionSet.from_json(document, f"attribution set {attribution_id}")


@lru_cache(maxsize=1)
def _shipped() -> AttributionSet:
    return AttributionSet.default()


def current_id(clickhouse: ClickHouse, chain: str) -> str | None:
    """The id of the chain's current set; None before its first block."""
    rows = clickhouse.query(_POINTER, {"chain": chain})
    return str(rows[0][0]) if rows else None


def read_set(clickhouse: ClickHouse, attribution_id: str) -> AttributionSet:
    """A stored set. ConfigError where there is none of this id."""
    rows = clickhouse.query(_DOCUMENT, {"id": attribution_id})
    if not rows:
        raise ConfigError(
            f"attribution set {attribution_id!r} is not in this dataset: see the view attribution_sets for those that are"
        )
    return _parsed(str(rows[0][0]), attribution_id)


def current_set(clickhouse: ClickHouse, chain: str, version: int) -> AttributionSet:
    """The chain's current set; where the chain has none yet, the shipped one is stored and becomes it."""
    attribution_id = current_id(clickhouse, chain)
    if attribution_id is not None:
        return read_set(clickhouse, attribution_id)
    shipped = _shipped()
    store_set(clickhouse, shipped, version)
    flip(clickhouse, chain, shipped.attribution_id, version)
    return shipped


def store_set(clickhouse: ClickHouse, attribution_set: AttributionSet, version: int) -> None:
    """Store a set whole, and the names of its codes under both views. Storing it again changes nothing."""
    attribution_id = attribution_set.attribution_id
    names = attribution_set.entity_table.names
    codes = sorted(names)
    for view in VIEWS:
        clickhouse.insert(
            "pool_names_log",
            {
                "attribution_id": [attribution_id] * len(codes),
                "view": [view] * len(codes),
                "code": np.array(codes, dtype=np.uint16),
                "slug": [names[code][0] for code in codes],
                "name": [names[code][1] for code in codes],
                "version": np.full(len(codes), version, dtype=np.uint64),
            },
        )
    if not clickhouse.query(
        "SELECT 1 FROM attribution_sets_log WHERE attribution_id = {id:String}", {"id": attribution_id}
    ):
        clickhouse.insert(
            "attribution_sets_log",
            {
                "attribution_id": [attribution_id],
                "document": [attribution_set.to_json()],
                "created_at": [datetime.now(UTC)],
                "version": np.array([version], dtype=np.uint64),
            },
        )


def flip(clickhouse: ClickHouse, chain: str, attribution_id: str, version: int) -> None:
    """Make a set the chain's current one; every view shows it from then on."""
    clickhouse.insert(
        "attribution_pointer_log",
        {
            "chain": [chain],
            "attribution_id": [attribution_id],
            "flipped_at": [datetime.now(UTC)],
            "version": np.array([version], dtype=np.uint64),
        },
    )
