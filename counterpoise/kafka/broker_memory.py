"""The one check for a broker that lost its memory: are the topics still the ones whose offsets are known here?

A broker that restarts empty comes back with topics of the same names, made anew. It takes a commit of an offset that means nothing
there, so every message below would be skipped; and it no longer holds what it acknowledged. A topic's id is made with the topic.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import OffsetSpec

from counterpoise.errors import CounterpoiseError, RetryableError
from counterpoise.kafka.clients import make_admin, require_broker, translated
from counterpoise.settings.endpoints import KafkaTarget


class BrokerLostMemory(Exception):  # noqa: N818 - not wrong, an event: start again from what ClickHouse holds
    """The broker forgot messages that ClickHouse may not hold yet."""


class BrokerMemory:
    """Content of some topics at the first check, and the acknowledgements since. Safe to share between threads."""

    def __init__(self, target: KafkaTarget, topics: Sequence[str]) -> None:
        self._target = target
        self._topics = tuple(topics)
        self._lock = threading.Lock()
        self._admin: KafkaAdminClient | None = None
        self._first: Mapping[str, Any] | None = None
        self._acknowledged: dict[TopicPartition, int] = {}
        self._ends: dict[TopicPartition, int] = {}
        self._went_back = False

    @property
    def went_back(self) -> bool:
        """Whether an acknowledged offset was not above the one before: the loss is plain without a question to the broker."""
        return self._went_back

    @property
    def is_owed(self) -> bool:
        """Whether the broker acknowledged anything that it could have lost."""
        return bool(self._acknowledged)

    def acknowledged(self, topic: str, partition: int, offset: int) -> None:
        """Note where a message was stored; a negative offset (a duplicate of an idempotent send) carries no information."""
        if offset < 0:
            return
        at = TopicPartition(topic, partition)
        with self._lock:
            self._went_back |= offset <= self._acknowledged.get(at, -1)
            self._acknowledged[at] = offset

    def is_lost(self) -> bool:
        """Whether a topic was made anew or is gone, or a partition ends before where it ended. The first call finds no loss.

        A partition's end is compared with an earlier end and not with what was acknowledged: as the end the embedded broker names
        the first offset of its last batch. RetryableError where no broker answers: nothing is known then.
        """
        with self._lock:
            if self._went_back:
                return True
            now = self._ask(self._read_ids)
            if self._first is None:
                self._first = now
            if now != self._first:
                return True
            if not self._acknowledged:
                return False
            ends = self._ask(self._read_ends)
            went_back = any(end < self._ends.get(at, 0) for at, end in ends.items())
            self._ends |= ends
            return went_back

    def start_over(self) -> None:
        """Take the topics as they are now; what was seen of earlier ones is void. RetryableError as `is_lost`."""
        with self._lock:
            self._first = self._ask(self._read_ids)
            self._acknowledged.clear()
            self._ends.clear()
            self._went_back = False

    def close(self) -> None:
        """Close the connection; the next question opens a new one."""
        with self._lock:
            self._drop_client()

    def _ask(self, question: Any) -> Any:
        try:
            with translated(self._target):
                if self._admin is None:
                    require_broker(self._target)
                    self._admin = make_admin(
                        self._target, "counterpoise-topics", request_timeout_ms=5_000, bootstrap_timeout_ms=5_000
                    )
                return question(self._admin)
        except CounterpoiseError:
            self._drop_client()
            raise
        except OSError as error:
            self._drop_client()
            raise RetryableError(f"Kafka at {self._target.bootstrap}: {error}") from error

    def _read_ids(self, admin: KafkaAdminClient) -> Mapping[str, Any]:
        found = admin.describe_topics(list(self._topics))
        return {topic["name"]: topic.get("topic_id") for topic in found if topic["error_code"] == 0}

    def _read_ends(self, admin: KafkaAdminClient) -> Mapping[TopicPartition, int]:
        wanted = dict.fromkeys(self._acknowledged, OffsetSpec.LATEST)
        return {at: found.offset for at, found in admin.list_partition_offsets(wanted).items()}

    def _drop_client(self) -> None:
        admin, self._admin = self._admin, None
        if admin is not None:
            admin.close()
