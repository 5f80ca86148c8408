"""Which partition a key goes to, as every producer here decides it.

A chain's name goes to the chain's number modulo the count, so that known chains share a partition only where there is no room. Any
other key goes where Kafka's default puts it: murmur2 of the key.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kafka.partitioner import DefaultPartitioner, Partitioner
from kafka.partitioner.default import murmur2

from counterpoise.chain.chain_registry import CHAINS

_NUMBERS = {name.encode(): chain.number for name, chain in CHAINS.items()}


def hashed_partition(key: bytes, partitions: int) -> int:
    """Where Kafka's default puts a key, 0 … `partitions` − 1."""
    return (int(murmur2(key)) & 0x7FFF_FFFF) % partitions


def partition_of(key: bytes, partitions: int) -> int:
    """The partition, 0 … `partitions` − 1, of messages with this key."""
    number = _NUMBERS.get(key)
    return hashed_partition(key, partitions) if number is None else number % partitions


class KeyPartitioner(Partitioner):  # type: ignore[misc]
    """`partition_of` for kafka-python; messages without a key go where its default puts them."""

    def __init__(self) -> None:
        self._default = DefaultPartitioner()

    def partition(  # noqa: PLR0917 - kafka-python's signature
        self,
        topic: str,
        key: Any,
        serialized_key: bytes | None,
        value: Any,
        serialized_value: bytes | None,
        cluster: Any,
    ) -> int:
        """The partition of one message, among those of the topic in the broker's metadata."""
        found = cluster.partitions_for_topic(topic)
        if serialized_key is None or not found:
            return int(self._default.partition(topic, key, serialized_key, value, serialized_value, cluster))
        return int(sorted(found)[partition_of(serialized_key, len(found))])


def partition_among(key: bytes | None, every: Sequence[int], available: Sequence[int]) -> int:
    """`partition_of` in the form that aiokafka and Faust ask for; without a key, the first partition that is available."""
    if key is None:
        return (available or every)[0]
    return sorted(every)[partition_of(key, len(every))]
