"""What the release fold decided, into ClickHouse, in the order that a crash can be healed from.

A release's own row is written last of its rows: where it is there, they are. Pointers and growth follow from what is there and are
compared as a whole. Any call may raise RetryableError; calling it again with the same arguments ends in the same tables.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.clickhouse.columns import concatenate
from counterpoise.clickhouse.rows.release_rows import (
    chunk_columns,
    current_columns,
    event_json,
    observation_columns,
    release_columns,
)
from counterpoise.clickhouse.rows.series_rows import series_columns, series_entry_columns
from counterpoise.contracts.releases import ReleaseEvent
from counterpoise.runtime.crash_points import crash_point
from counterpoise.series.catalogue import Series
from streams.releases.columns import dispersion_columns, growth_columns, placement_columns
from streams.releases.fold.growth import GrowthRow
from streams.releases.fold.release_dispersion import ReleaseRows
from streams.releases.fold.release_fold import Current, StoredRelease


class ReleaseSinks:
    """The tables of releases. One thread at a time."""

    def __init__(self, clickhouse: ClickHouse) -> None:
        self.clickhouse = clickhouse

    def write_catalogue(self, entries: Sequence[Series], version: int) -> None:
        """Make these entries of the catalogue the current ones."""
        self.clickhouse.insert("series_entries_log", series_entry_columns(entries, version))
        self.clickhouse.insert("series_log", series_columns(entries, version))

    def write_chunks(self, events: Sequence[ReleaseEvent], version: int) -> None:
        """What arrived, as it came."""
        self.clickhouse.insert("release_chunks_log", chunk_columns(events, [event_json(e) for e in events], version))
        crash_point("streams-after-chunks")

    def forget_chunks(self, series: str, release_ids: Collection[str], version: int) -> None:
        """Forget all that arrived of releases that never became whole: rows of no chunk in its place.

        No DELETE: that needs a right to ALTER, waits without end on a full disk, and on a cluster for every server.
        """
        self.clickhouse.execute(
            "INSERT INTO release_chunks_log"
            " SELECT series, release_id, withdrawn, chunk, 0, content_id, 0, '', {version:UInt64} FROM release_chunks_log FINAL"
            " WHERE series = {series:String} AND release_id IN {ids:Array(String)} AND chunks > 0",
            {"series": series, "ids": sorted(release_ids), "version": version},
        )

    def write_releases(
        self, stored: Sequence[StoredRelease], rows: Sequence[ReleaseRows], catalogue_id: str, version: int
    ) -> None:
        """Complete releases of one series; `rows[i]` is what is derived from `stored[i]`."""
        releases = [one.release for one in stored]
        self.clickhouse.insert("release_observations_log", observation_columns(releases, version))
        dispersion = [row for one in rows for row in one.dispersion]
        self.clickhouse.insert("dispersion_log", dispersion_columns(dispersion, version))
        placement = [row for one in rows for row in one.placement]
        self.clickhouse.insert("placement_log", placement_columns(placement, version))
        crash_point("streams-after-dispersion")
        withdrawn = [one.withdrawn_at_ms for one in stored]
        columns = release_columns(releases, withdrawn, [catalogue_id] * len(stored), version)
        self.clickhouse.insert("releases_log", columns)
        crash_point("streams-after-releases")

    def write_current(self, moved: Sequence[Current], version: int) -> None:
        """Pointers that moved; those of None are deleted."""
        pointers = [(one.series, one.kind, one.period_start, one.period_end, one.release_id) for one in moved]
        self.clickhouse.insert("release_current_log", current_columns(pointers, version))

    def write_growth(self, rows: Sequence[GrowthRow], gone: Sequence[GrowthRow], version: int) -> None:
        """Growth that is new or different, and tombstones for what has no base any more, in one insert."""
        columns = growth_columns(rows, version)
        if gone:
            columns = concatenate(columns, growth_columns(gone, version, deleted=True))
        self.clickhouse.insert("growth_log", columns)
