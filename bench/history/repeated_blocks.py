"""Blocks of a chain, over and over: heights, hashes and header times go on, and the shares of the pools come again. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256

from counterpoise.contracts.blocks import BlockEvent


def repeated(blocks: Sequence[BlockEvent], count: int) -> Iterator[BlockEvent]:
    """`count` blocks of one chain: `blocks` as they are, then again above their tip for as long as it takes.

    A repetition begins one mean spacing after the last block of the one before. Its hashes are made up, each from its parent's.
    ValueError where there are fewer than two blocks to repeat.
    """
    if len(blocks) < 2:
        raise ValueError(f"{len(blocks)} blocks have no spacing: at least two can be repeated")
    spacing = round((blocks[-1].time - blocks[0].time) / (len(blocks) - 1))
    span = blocks[-1].time - blocks[0].time + max(1, spacing)
    tip = ""
    for place in range(count):
        turn, index = divmod(place, len(blocks))
        block = blocks[index]
        if turn:
            height, at = block.height + turn * len(blocks), block.time + turn * span
            own = sha256(f"{tip}{height}".encode()).hexdigest()
            # Nothing of it is from outside: the fields that change keep what the contract asks for.
            changed = {"height": height, "time": at, "hash": own, "prev_hash": tip, "seen_at_ms": 1_000 * at}
            block = block.model_copy(update={**changed, "synthetic": True})
        tip = block.hash
        yield block
