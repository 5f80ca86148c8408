"""Observe running services from outside: their status, their lag in Kafka, and whether their engines answer."""

from __future__ import annotations

import socket
import time

from counterpoise.errors import CounterpoiseError
from counterpoise.kafka.lag import CONSUMERS, PartitionLag, group_id, read_lag
from counterpoise.runtime.service_status import newest_status
from counterpoise.settings.endpoints import clickhouse_target, kafka_target
from counterpoise.settings.model import Settings
from desk.supervise.stall_watch import Sight

_CONNECT_TIMEOUT_SECONDS = 2.0


def clickhouse_accepts(settings: Settings) -> bool:
    """True if a server's port accepts a connection; queries are not checked."""
    try:
        addresses = clickhouse_target(settings).addresses
    except CounterpoiseError:
        return False
    return any(_accepts(address) for address in addresses)


def _accepts(address: tuple[str, int]) -> bool:
    try:
        with socket.create_connection(address, timeout=_CONNECT_TIMEOUT_SECONDS):
            return True
    except OSError:
        return False


class Observer:
    """Observes all services of a dataset at once; blocks for some seconds if Kafka does not answer."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def look(self, services: list[str]) -> dict[str, Sight]:
        """A sight of each service."""
        consuming = tuple(name for name in services if name in CONSUMERS)
        rows = self._lag(consuming)
        sinks_answer = rows is not None and clickhouse_accepts(self._settings)
        return {name: self._sight(name, rows or [], sinks_answer) for name in services}

    def _lag(self, services: tuple[str, ...]) -> list[PartitionLag] | None:
        try:
            return read_lag(kafka_target(self._settings), self._settings.dataset, services)
        except CounterpoiseError:
            return None

    def _sight(self, service: str, rows: list[PartitionLag], sinks_answer: bool) -> Sight:
        said = newest_status(self._settings.run_dir, service, self._settings.health.host, time.time())
        if service not in CONSUMERS:
            return Sight(said, sinks_answer=sinks_answer)
        mine = [row for row in rows if row.group == group_id(self._settings.dataset, service)]
        return Sight(said, sum(row.lag for row in mine), sum(row.committed or 0 for row in mine), sinks_answer)
