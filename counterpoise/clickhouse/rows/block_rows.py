"""Rows of blocks_log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from counterpoise.clickhouse.columns import Coded, Column, Constant
from counterpoise.clickhouse.rows.times import ticks_of_millis
from counterpoise.contracts.blocks import BlockEvent

BlockStatus = Literal["parked", "stale", "canonical"]

_STATUS_CODES: Final[dict[BlockStatus, int]] = {"parked": 0, "stale": 1, "canonical": 2}


def block_columns(events: Sequence[BlockEvent], statuses: Sequence[BlockStatus], version: int) -> dict[str, Column]:
    """Blocks and their standing, one for each, under one version."""
    n = len(events)
    if len(statuses) != n:
        raise ValueError(f"{n} blocks but {len(statuses)} statuses")
    return {
        "chain": coded([event.chain for event in events]),
        "height": np.array([event.height for event in events], np.uint32),
        "hash": packed_hashes([event.hash for event in events]),
        "prev_hash": packed_hashes([event.prev_hash for event in events]),
        "time": ticks_of_millis(event.time * 1000 for event in events),
        "bits": np.array([event.bits for event in events], np.uint32),
        "coinbase_script": [bytes.fromhex(event.coinbase_script) for event in events],
        "payout_addresses": [list(event.payout_addresses) for event in events],
        "label": [event.label or "" for event in events],
        "fees_sats": nullable([event.fees_sats for event in events], np.uint64),
        "transactions": nullable([event.transactions for event in events], np.uint32),
        "size_bytes": nullable([event.size_bytes for event in events], np.uint32),
        "weight": nullable([event.weight for event in events], np.uint32),
        "match_ratio": nullable([event.match_ratio for event in events], np.float64),
        "similarity_ratio": nullable([event.similarity_ratio for event in events], np.float64),
        "expected_fees_sats": nullable([event.expected_fees_sats for event in events], np.uint64),
        "expected_weight": nullable([event.expected_weight for event in events], np.uint32),
        "source": coded([event.source for event in events]),
        "synthetic": np.array([event.synthetic for event in events], np.bool_),
        "status": np.array([_STATUS_CODES[status] for status in statuses], np.int8),
        "seen_at": ticks_of_millis(event.seen_at_ms for event in events),
        "version": Constant(version, n),
    }


def nullable(values: Sequence[float | None], dtype: type[np.generic]) -> np.ma.MaskedArray[Any, Any]:
    """A column of numbers that may be NULL. A backfill has none of most."""
    if values.count(None) == len(values):
        return np.ma.MaskedArray(np.zeros(len(values), dtype), mask=np.ones(len(values), np.bool_))
    return np.ma.MaskedArray(
        np.array([value or 0 for value in values], dtype), mask=np.array([value is None for value in values], np.bool_)
    )


def packed_hashes(hashes: Sequence[str]) -> npt.NDArray[np.uint8]:
    """Hashes of 64 hexadecimal digits as (N, 32) raw bytes, in the order of the digits."""
    return np.frombuffer(bytes.fromhex("".join(hashes)), np.uint8).reshape(-1, 32)


def coded(values: Sequence[str]) -> Coded:
    """A column of few distinct strings."""
    places: dict[str, int] = {}
    codes = [places.setdefault(value, len(places)) for value in values]
    return Coded(tuple(places), np.array(codes, np.uint32))
