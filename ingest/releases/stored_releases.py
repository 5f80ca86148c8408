"""Which releases ClickHouse holds for good: the only thing that ends an entry's stay in the journal."""

from __future__ import annotations

from collections.abc import Collection

from counterpoise.clickhouse.client import ClickHouse
from ingest.releases.journal.entry import WITHDRAWN

IDS_A_QUERY = 1_000

_QUERY = """
SELECT release_id, false FROM releases_log WHERE release_id IN {ids:Array(String)}
UNION DISTINCT
SELECT release_id, true FROM release_chunks_log FINAL WHERE release_id IN {ids:Array(String)} AND withdrawn AND chunks > 0
"""


class StoredReleases:
    """Asks one database, from one thread.

    A release is held once it is there complete, its content checked against its id; a withdrawal once it is stored.
    """

    def __init__(self, clickhouse: ClickHouse) -> None:
        self._clickhouse = clickhouse

    def __call__(self, keys: Collection[str]) -> set[str]:
        """Those of the entries' keys that are held. Raises RetryableError while ClickHouse is away."""
        ids = sorted({key.removesuffix(WITHDRAWN) for key in keys})
        found: set[str] = set()
        for start in range(0, len(ids), IDS_A_QUERY):
            rows = self._clickhouse.query(_QUERY, {"ids": ids[start : start + IDS_A_QUERY]})
            found.update(f"{release_id}{WITHDRAWN if withdrawn else ''}" for release_id, withdrawn in rows)
        return found.intersection(keys)
