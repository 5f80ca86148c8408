"""Columns of block facts, as files hold them, and the events that they become."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TypeVar

from counterpoise.contracts.blocks import BlockEvent

REPLAY_BITS = 0x1D00FFFF
"""Difficulty 1: where a file has no bits, every block weighs the same."""

T = TypeVar("T")

NO_PARENT = "0" * 64
"""The parent of the first block of a file, as of the genesis block."""

UNKNOWN_LABEL = "unknown"
"""What files write for a producer that nobody could name. It is the absence of a label, not a pool of that name."""


@dataclass(frozen=True, slots=True)
class BlockColumns:
    """Equally long columns; None where the file has no such column, and per row where the cell is empty.

    `first_row` is the number of the first row, counted from 1 without the header. A hash is None where it is to be derived, and a
    previous hash where it is that of the row before.
    """

    first_row: int
    heights: Sequence[int]
    times: Sequence[int]
    labels: Sequence[str | None] | None = None
    scripts: Sequence[str | None] | None = None
    addresses: Sequence[Sequence[str] | None] | None = None
    bits: Sequence[int | None] | None = None
    hashes: Sequence[str | None] | None = None
    prev_hashes: Sequence[str | None] | None = None
    fees: Sequence[int | None] | None = None
    transactions: Sequence[int | None] | None = None
    sizes: Sequence[int | None] | None = None
    weights: Sequence[int | None] | None = None

    def __len__(self) -> int:
        return len(self.heights)


class EventMaker:
    """Turn consecutive chunks of one file into events.

    Where the file has no hashes they are derived: SHA-256 over chain, parent hash, height, time and evidence. So the same rows
    give the same hashes in every replay, whichever part of the file is asked for, and such blocks are marked synthetic.
    """

    def __init__(self, chain: str, source: str) -> None:
        self._chain = chain
        self._source = source
        self._prev_hash = NO_PARENT

    def skip(self, columns: BlockColumns) -> None:
        """Go over rows that nobody wants: only the chain of hashes goes on."""
        for index in range(len(columns)):
            self._prev_hash = self._hash(columns, index)

    def events(self, columns: BlockColumns, seen_at_ms: int) -> list[BlockEvent]:
        """The events of a chunk, in its order. Values are validated as the contract says (pydantic's ValidationError)."""
        if not any(
            (columns.hashes, columns.scripts, columns.addresses, columns.transactions, columns.sizes, columns.weights)
        ):
            return self._labelled_events(columns, seen_at_ms)
        events = []
        for index in range(len(columns)):
            script = _at(columns.scripts, index) or ""
            block_hash = self._hash(columns, index)
            prev_hash = _at(columns.prev_hashes, index) or self._prev_hash
            events.append(
                BlockEvent(
                    chain=self._chain,
                    height=columns.heights[index],
                    hash=block_hash,
                    prev_hash=prev_hash,
                    time=columns.times[index],
                    bits=_at(columns.bits, index) or REPLAY_BITS,
                    coinbase_script=script,
                    payout_addresses=tuple(_at(columns.addresses, index) or ()),
                    label=_label(_at(columns.labels, index)),
                    fees_sats=_at(columns.fees, index),
                    transactions=_at(columns.transactions, index),
                    size_bytes=_at(columns.sizes, index),
                    weight=_at(columns.weights, index),
                    source=self._source,
                    seen_at_ms=seen_at_ms,
                    synthetic=_at(columns.hashes, index) is None,
                )
            )
            self._prev_hash = block_hash
        return events

    def _labelled_events(self, columns: BlockColumns, seen_at_ms: int) -> list[BlockEvent]:
        """The common case, a file of heights, times and labels, without a look-up per cell."""
        chain, source, prev_hash = self._chain, self._source, self._prev_hash
        rows = len(columns)
        labels = columns.labels or [None] * rows
        bits = columns.bits or [REPLAY_BITS] * rows
        fees = columns.fees or [None] * rows
        events = []
        for height, time, label, target, fee in zip(columns.heights, columns.times, labels, bits, fees, strict=True):
            block_hash = _derived_hash(chain, prev_hash, height, time, label or "")
            events.append(
                BlockEvent(
                    chain=chain,
                    height=height,
                    hash=block_hash,
                    prev_hash=prev_hash,
                    time=time,
                    bits=target or REPLAY_BITS,
                    label=None if label == UNKNOWN_LABEL else label or None,
                    fees_sats=fee,
                    source=source,
                    seen_at_ms=seen_at_ms,
                    synthetic=True,
                )
            )
            prev_hash = block_hash
        self._prev_hash = prev_hash
        return events

    def _hash(self, columns: BlockColumns, index: int) -> str:
        known = _at(columns.hashes, index)
        if known is not None:
            return known
        evidence = _at(columns.labels, index) or ""
        if columns.scripts is not None or columns.addresses is not None:
            addresses = _at(columns.addresses, index) or ()
            evidence = "\0".join((evidence, _at(columns.scripts, index) or "", *addresses))
        return _derived_hash(self._chain, self._prev_hash, columns.heights[index], columns.times[index], evidence)


def _derived_hash(chain: str, prev_hash: str, height: int, time: int, evidence: str) -> str:
    text = f"{chain}\0{prev_hash}\0{height}\0{time}\0{evidence}"
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _label(label: str | None) -> str | None:
    return None if label == UNKNOWN_LABEL else label or None


def _at(column: Sequence[T | None] | None, index: int) -> T | None:
    return None if column is None else column[index]
