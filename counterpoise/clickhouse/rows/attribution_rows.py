"""Rows of attributions_log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from counterpoise.clickhouse.columns import Column, Constant
from counterpoise.clickhouse.rows.block_rows import coded, packed_hashes
from counterpoise.contracts.blocks import BlockEvent
from counterpoise.pools.attribution import Attribution, Method

_METHOD_CODES: Final[dict[Method, int]] = {"none": 0, "label": 1, "tag": 2, "address": 3}


def attribution_columns(
    attribution_id: str, events: Sequence[BlockEvent], attributions: Sequence[Attribution], version: int
) -> dict[str, Column]:
    """Who made each of these blocks under one set; `attributions[i]` is that of `events[i]`."""
    n = len(events)
    if len(attributions) != n:
        raise ValueError(f"{n} blocks but {len(attributions)} attributions")
    return {
        "attribution_id": Constant(attribution_id, n),
        "chain": coded([event.chain for event in events]),
        "height": np.array([event.height for event in events], np.uint32),
        "hash": packed_hashes([event.hash for event in events]),
        "pool_code": np.array([found.code for found in attributions], np.uint16),
        "method": np.array([_METHOD_CODES[found.method] for found in attributions], np.int8),
        "matched": [found.matched for found in attributions],
        "matched_offset": np.array([-1 if found.offset is None else found.offset for found in attributions], np.int32),
        "candidates": [list(dict.fromkeys(other.slug for other in found.candidates)) for found in attributions],
        "conflict": np.array([found.conflict for found in attributions], np.bool_),
        "template_builder": coded([found.template_builder or "" for found in attributions]),
        "version": Constant(version, n),
    }
