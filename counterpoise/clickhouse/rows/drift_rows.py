"""Rows of drift_log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from counterpoise.clickhouse.columns import Column, Constant

_COLUMNS = ("view_code", "family", "height", "from_height", "pairs", "drift", "change", "chance", "leaders")


def drift_columns(
    rows: Sequence[Any],
    tip_hashes: Mapping[int, bytes],
    undone: Sequence[tuple[int, str, int]] = (),
    *,
    attribution_id: str,
    chain: str,
    version: int,
) -> dict[str, Column]:
    """`rows` have the attributes of `_COLUMNS`; `undone`: (view code, family, height) of tombstones; `tip_hashes` by height."""
    count = len(rows) + len(undone)
    nothing = dict.fromkeys(("from_height", "pairs"), 0) | dict.fromkeys(("drift", "change", "chance"), 0.0)
    values = [{name: getattr(row, name) for name in _COLUMNS} for row in rows]
    values += [
        {"view_code": view, "family": family, "height": height, **nothing, "leaders": ()}
        for view, family, height in undone
    ]
    found: dict[str, Column] = {name: [value[name] for value in values] for name in _COLUMNS}
    hashes = [tip_hashes.get(value["height"], bytes(32)) for value in values]
    return {
        "attribution_id": Constant(attribution_id, count),
        "chain": Constant(chain, count),
        "view": np.array(found.pop("view_code"), np.int8),
        **found,
        "tip_hash": hashes,
        "version": Constant(version, count),
        "is_deleted": [0] * len(rows) + [1] * len(undone),
    }
