"""Which partition a key goes to, as every producer here decides it (Kafka's default: murmur2 of the key)."""

from __future__ import annotations

from kafka.partitioner.default import murmur2


def partition_of(key: bytes, partitions: int) -> int:
    """The partition, 0 … `partitions` − 1, of messages with this key."""
    return (int(murmur2(key)) & 0x7FFF_FFFF) % partitions
