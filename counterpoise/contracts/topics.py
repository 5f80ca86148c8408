"""Every Kafka topic, in one place: what it carries, its key, partitions, how long it keeps what, and how large a message may be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

DAY_MS: Final = 86_400_000

DEFAULT_PARTITIONS: Final = 4
"""Partitions of each topic that is spread, unless the setting `kafka.partitions` overrides it."""


@dataclass(frozen=True, slots=True)
class Topic:
    """`name` without the dataset's prefix. `key` names in words the key of events, by which they are ordered.

    `partitions` is 1, or for a topic that is spread, the default count.
    """

    name: str
    carries: str
    key: str
    partitions: int
    retention_ms: int
    compact: bool
    max_message_bytes: int

    def full_name(self, prefix: str) -> str:
        """The name on the broker: `<prefix>.<name>`."""
        return f"{prefix}.{self.name}"

    @property
    def is_spread(self) -> bool:
        """Whether its keys are spread over the number of partitions in the settings."""
        return self.partitions > 1

    def count(self, spread_over: int) -> int:
        """Its partitions where topics that are spread have `spread_over`."""
        return spread_over if self.is_spread else self.partitions

    def config(self) -> dict[str, str]:
        """Topic settings as Kafka takes them."""
        return {
            "cleanup.policy": "compact" if self.compact else "delete",
            "retention.ms": str(self.retention_ms),
            "max.message.bytes": str(self.max_message_bytes),
        }


BLOCKS = Topic("blocks.v1", "BlockEvent envelopes", "chain", DEFAULT_PARTITIONS, 30 * DAY_MS, False, 8 * 1024 * 1024)
BLOCK_REQUESTS = Topic("block-requests.v1", "BlockRequest", "chain", 1, DAY_MS, False, 64 * 1024)
EDGE_AI = Topic(
    "edge-ai.v1", "ReleaseEvent envelopes", "series", DEFAULT_PARTITIONS, 365 * DAY_MS, False, 8 * 1024 * 1024
)
SCORES = Topic("scores.v1", "ScoreEvent envelopes", "chain", DEFAULT_PARTITIONS, 30 * DAY_MS, False, 1024 * 1024)
PAIRS = Topic(
    "pairs.v1", "PairEvent envelopes", "series/list/chain/view/window", DEFAULT_PARTITIONS, DAY_MS, False, 1024 * 1024
)
DEAD_LETTERS = Topic("dead-letters.v1", "DeadLetter", "service", 1, 30 * DAY_MS, False, 256 * 1024)

TOPICS: Final[tuple[Topic, ...]] = (BLOCKS, BLOCK_REQUESTS, EDGE_AI, SCORES, PAIRS, DEAD_LETTERS)
