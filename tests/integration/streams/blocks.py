"""Blocks for the line: made-up chains with real rules, and the real ones of the reference file."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from functools import lru_cache

import pyarrow as pa
import pyarrow.parquet as pq

from counterpoise.contracts.blocks import BlockEvent
from tests.shared import shared_data

EASY_BITS = 0x1D00FFFF
HARD_BITS = 0x1C00FFFF
"""256 times the work: a shorter branch of such blocks is the heavier one."""

LABELS = ("foundryusa", "antpool", "viabtc", "f2pool", "marapool", "luxor", "sbicrypto", "unknown")
MAINNET = "blocks/mainnet_664063_946236.parquet"


def block(
    height: int,
    prev_hash: str,
    *,
    label: str | None = "foundryusa",
    chain: str = "bitcoin",
    bits: int = EASY_BITS,
    salt: str = "",
    time: int | None = None,
) -> BlockEvent:
    """A block on top of another; `salt` tells branches apart."""
    made_up = hashlib.sha256(f"{chain}/{prev_hash}/{height}/{label}/{salt}/{bits}".encode()).hexdigest()
    return BlockEvent(
        chain=chain,
        height=height,
        hash=made_up,
        prev_hash=prev_hash,
        time=1_640_000_000 + 600 * (height - 715_000) if time is None else time,
        bits=bits,
        label=label,
        source="replay",
        seen_at_ms=1_700_000_000_000,
        synthetic=True,
    )


def branch(
    length: int,
    parent: BlockEvent | None = None,
    *,
    first_height: int = 715_000,
    chain: str = "bitcoin",
    bits: int = EASY_BITS,
    salt: str = "",
    seed: int = 1,
    labels: Sequence[str] = LABELS,
) -> list[BlockEvent]:
    """`length` blocks in a row on `parent` (or from `first_height`), drawn with weights so that windows have an order."""
    draw = random.Random(f"{seed}/{salt}")
    blocks: list[BlockEvent] = []
    prev_hash, height = ("00" * 32, first_height) if parent is None else (parent.hash, parent.height + 1)
    for _ in range(length):
        label = labels[min(int(draw.expovariate(0.5)), len(labels) - 1)]
        blocks.append(block(height, prev_hash, label=label, chain=chain, bits=bits, salt=salt))
        prev_hash, height = blocks[-1].hash, height + 1
    return blocks


@lru_cache(maxsize=1)
def mainnet() -> tuple[list[int], list[str], list[int]]:
    """Heights, pool slugs and header times (unix seconds) of the reference file."""
    table = pq.read_table(shared_data(MAINNET))
    times = table.column("date").cast(pa.timestamp("s", "UTC")).cast(pa.int64()).to_pylist()
    return table.column("height").to_pylist(), table.column("pool_slug").to_pylist(), times


def mainnet_blocks(first: int, last: int, *, chain: str = "bitcoin") -> list[BlockEvent]:
    """The reference file's blocks of heights `first` … `last`; the file has no hashes, so they are made from the height."""
    heights, slugs, times = mainnet()
    base = heights[0]
    return [
        BlockEvent.model_construct(
            chain=chain,
            height=height,
            hash=f"{height + 1:064x}",
            prev_hash=f"{height:064x}",
            time=times[height - base],
            bits=EASY_BITS,
            label=slugs[height - base],
            source="replay",
            seen_at_ms=1_700_000_000_000,
            synthetic=True,
        )
        for height in range(max(first, base), min(last, heights[-1]) + 1)
    ]
