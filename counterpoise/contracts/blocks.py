"""A block as a source saw it: facts and evidence only.

It does not contain the pool that mined it, or whether it is on the best chain. `streams` decides both from these facts, so that
two ingest workers cannot disagree.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from counterpoise.contracts.base import Contract, Hash256, Height, Slug, UnixMillis, UnixSeconds

BLOCK_KIND = "block"
"""The kind of an envelope of BlockEvents."""

MAX_SCRIPT_HEX = 2_000
"""Consensus allows 100 bytes; ten times that is room for other chains."""

MAX_PAYOUT_ADDRESSES = 4_096

MAX_SATS = 2_100_000_000_000_000
"""All coins that Bitcoin can ever have."""

MAX_CONTENT = 0xFFFF_FFFF
"""Transactions, bytes or weight of a block: far more than any chain admits."""

HexBytes = Annotated[str, Field(pattern=r"^([0-9a-f]{2})*$", max_length=MAX_SCRIPT_HEX)]
Address = Annotated[str, Field(min_length=1, max_length=128)]


class BlockEvent(Contract):
    """One block on one chain.

    `hash` identifies it. `bits` is the header's compact target, from which its work follows. `coinbase_script` is the whole input
    script of the coinbase, hexadecimal; `payout_addresses` are the addresses of its outputs in their order. `label` is the
    producer in a replayed file; it counts only where the coinbase is silent. `synthetic` marks a block whose hash
    was made up because its source had none (a replay of heights and pools).

    `transactions` counts the coinbase too. The last four fields compare the block with the one that the source expected from its
    memory pool: the part of expected transactions that it has, how alike both are, and the fees and weight expected.
    """

    chain: Slug
    height: Height
    hash: Hash256
    prev_hash: Hash256
    time: UnixSeconds
    bits: Annotated[int, Field(ge=1, le=0xFFFF_FFFF)]
    coinbase_script: HexBytes = ""
    payout_addresses: Annotated[tuple[Address, ...], Field(max_length=MAX_PAYOUT_ADDRESSES, strict=False)] = ()
    label: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    fees_sats: Annotated[int, Field(ge=0, le=MAX_SATS)] | None = None
    transactions: Annotated[int, Field(ge=1, le=MAX_CONTENT)] | None = None
    size_bytes: Annotated[int, Field(ge=1, le=MAX_CONTENT)] | None = None
    weight: Annotated[int, Field(ge=1, le=MAX_CONTENT)] | None = None
    match_ratio: Annotated[float, Field(ge=0, le=1)] | None = None
    similarity_ratio: Annotated[float, Field(ge=0, le=1)] | None = None
    expected_fees_sats: Annotated[int, Field(ge=0, le=MAX_SATS)] | None = None
    expected_weight: Annotated[int, Field(ge=0, le=MAX_CONTENT)] | None = None
    source: Slug
    seen_at_ms: UnixMillis
    synthetic: bool = False


class BlockRequest(Contract):
    """Streams asks ingest for blocks that it lacks: the missing parent of parked blocks, and the heights before it."""

    v: Literal[1] = 1
    chain: Slug
    hash: Hash256
    from_height: Height
    to_height: Height
    requested_at_ms: UnixMillis
