"""Are the topics that we read still the ones whose offsets we hold?

A broker that lost its memory comes back with topics of the same names, made anew, and takes a commit of an offset that means nothing
there: every message below it would be skipped, by this process and by the next. A topic's id is made with the topic and tells.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from counterpoise.errors import RetryableError
from counterpoise.kafka.clients import require_broker


class TopicIdentity:
    """The ids of some topics, as they were at the first look. Safe to share between threads."""

    def __init__(self, bootstrap: str, names: tuple[str, ...]) -> None:
        self._bootstrap = bootstrap
        self._names = names
        self._lock = threading.Lock()
        self._admin: KafkaAdminClient | None = None
        self._first: Mapping[str, Any] | None = None

    def has_changed(self) -> bool:
        """Whether a topic was made anew, or is gone, since the first call, which finds nothing changed.

        RetryableError where no broker answers: nothing is known then.
        """
        with self._lock:
            now = self._read()
            if self._first is None:
                self._first = now
            return now != self._first

    def close(self) -> None:
        """Close the connection; the next look opens a new one."""
        with self._lock:
            self._forget_client()

    def _read(self) -> Mapping[str, Any]:
        try:
            if self._admin is None:
                require_broker(self._bootstrap)
                self._admin = KafkaAdminClient(
                    bootstrap_servers=self._bootstrap,
                    client_id="counterpoise-topics",
                    request_timeout_ms=5_000,
                    bootstrap_timeout_ms=5_000,
                )
            found = self._admin.describe_topics(list(self._names))
        except (KafkaError, OSError) as error:
            self._forget_client()
            raise RetryableError(f"Kafka at {self._bootstrap}: {error}") from error
        return {topic["name"]: topic.get("topic_id") for topic in found if topic["error_code"] == 0}

    def _forget_client(self) -> None:
        admin, self._admin = self._admin, None
        if admin is not None:
            admin.close()
