"""The limits of the embedded ClickHouse, from the settings."""

from __future__ import annotations

from counterpoise.settings.model import Settings
from engines.clickhouse.client_limits import Limits


def embedded_limits(settings: Settings) -> Limits:
    """As the engine takes them; names of hosts are compared in lower case."""
    embedded = settings.embedded
    return Limits(
        server_memory_bytes=embedded.max_memory_bytes,
        reader_memory_bytes=embedded.reader_memory_bytes,
        reader_seconds=embedded.reader_seconds,
        reader_statements=embedded.reader_statements,
        allowed_hosts=frozenset(map(str.lower, embedded.allowed_hosts)),
    )
