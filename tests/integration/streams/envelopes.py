"""Messages as Kafka would give them, made by hand."""

from __future__ import annotations

from collections.abc import Sequence

from counterpoise.contracts.blocks import BLOCK_KIND, BlockEvent
from counterpoise.contracts.envelope import encode
from counterpoise.contracts.topics import BLOCKS
from counterpoise.kafka.partition import partition_of


def envelope_of(dataset: str, events: Sequence[BlockEvent], offset: int = 0) -> tuple[str, int, int, bytes, bytes]:
    """Topic, partition, offset, key and value of a message with blocks of one chain."""
    key = events[0].chain.encode()
    value = encode(events, kind=BLOCK_KIND, dataset=dataset, producer="test", sent_at_ms=1)
    return BLOCKS.full_name(dataset), partition_of(key, BLOCKS.partitions), offset, key, value
