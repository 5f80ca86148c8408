"""What the asymmetry fold decided, into ClickHouse.

Any call may raise RetryableError; calling it again with the same arguments ends in the same tables.
"""

from __future__ import annotations

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.runtime.crash_points import crash_point
from streams.asymmetry.columns import asymmetry_columns, asymmetry_tombstones, part_columns
from streams.asymmetry.fold.asymmetry_fold import AsymmetryChanges
from streams.asymmetry.fold.score import Pair


class AsymmetrySinks:
    """The tables of the asymmetry. One thread at a time."""

    def __init__(self, clickhouse: ClickHouse) -> None:
        self.clickhouse = clickhouse

    def write_asymmetry(self, pair: Pair, changes: AsymmetryChanges, version: int) -> None:
        """Rows of one pair and the parts of their change. Parts first: they show only beside the row that they belong to."""
        self.clickhouse.insert("asymmetry_changes_log", part_columns(pair, changes.parts, version))
        crash_point("streams-after-parts")
        self.clickhouse.insert("asymmetry_log", asymmetry_columns(changes.rows, version))
        self.clickhouse.insert("asymmetry_log", asymmetry_tombstones(pair, changes.removed, version))
        crash_point("streams-after-asymmetry")
