"""Blocks for tests of the fold: made-up hashes, real rules."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from counterpoise.contracts.blocks import BlockEvent

EASY_BITS = 0x1D00FFFF
HARD_BITS = 0x1C00FFFF  # 256 times the work

POOLS = ("foundryusa", "antpool", "viabtc", "f2pool", "marapool", "luxor", "sbicrypto")


def block(
    height: int,
    prev_hash: str,
    *,
    label: str | None = "foundryusa",
    salt: str = "",
    bits: int = EASY_BITS,
    time: int | None = None,
) -> BlockEvent:
    """A block on top of another; `salt` tells branches apart."""
    made_up = hashlib.sha256(f"{prev_hash}/{height}/{label}/{salt}/{bits}".encode()).hexdigest()
    return BlockEvent(
        chain="bitcoin",
        height=height,
        hash=made_up,
        prev_hash=prev_hash,
        time=1_700_000_000 + 600 * (height - 800_000) if time is None else time,
        bits=bits,
        label=label,
        source="replay",
        seen_at_ms=1_700_000_000_000,
        synthetic=True,
    )


def chain_of(
    length: int,
    *,
    first_height: int = 800_000,
    prev_hash: str = "00" * 32,
    salt: str = "",
    labels: Sequence[str | None] = POOLS,
    bits: int = EASY_BITS,
) -> list[BlockEvent]:
    """`length` blocks in a row; labels by turns, weighted so that windows have an order."""
    blocks = []
    for index in range(length):
        label = labels[(index * index + index // 3) % len(labels)]
        made = block(first_height + index, prev_hash, label=label, salt=salt, bits=bits)
        blocks.append(made)
        prev_hash = made.hash
    return blocks
