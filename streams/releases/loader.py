"""The state of the releases from ClickHouse: what arrived, and what is written of it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.contracts.releases import ReleaseEvent
from streams.releases.fold.growth import GrowthRow
from streams.releases.fold.release_fold import Current

CONTENTS_A_QUERY = 500

_CONTENTS = "SELECT DISTINCT content_id FROM release_chunks_log FINAL WHERE series = {series:String} AND chunks > 0"
_EVENTS = """
    SELECT content_id, any(event) FROM release_chunks_log
    WHERE series = {series:String} AND content_id IN {ids:Array(String)} AND chunks > 0 GROUP BY content_id
"""
_WRITTEN = """
    SELECT release_id, catalogue_id, toUnixTimestamp64Milli(withdrawn_at) FROM releases_log FINAL WHERE series = {series:String}
"""
_CURRENT = """
    SELECT series, kind, toString(period_start), toString(period_end), release_id FROM release_current_log FINAL
    WHERE series = {series:String}
"""
_GROWTH = """
    SELECT series, list_id, toString(period_start), toString(period_end), span, release_id, base_release_id,
        toString(base_period_end), total_ratio, like_for_like_ratio, compared_share, parts_added, parts_dropped, method_changed
    FROM growth_log FINAL WHERE series = {series:String}
"""
_CATALOGUE = "SELECT series, argMax(catalogue_id, version) FROM series_log GROUP BY series"


@dataclass(frozen=True, slots=True)
class WrittenRows:
    """What the tables hold of a complete release: the entry its rows rest on, and when it was taken back."""

    catalogue_id: str
    withdrawn_at_ms: int | None


def stored_series(clickhouse: ClickHouse) -> list[str]:
    """Every series of which anything arrived."""
    return [str(name) for (name,) in clickhouse.query("SELECT DISTINCT series FROM release_chunks_log ORDER BY series")]


def stored_contents(clickhouse: ClickHouse, series: str) -> set[str]:
    """The ids of all chunks and withdrawals of a series."""
    return {str(content) for (content,) in clickhouse.query(_CONTENTS, {"series": series})}


def stored_events(clickhouse: ClickHouse, series: str, contents: Collection[str]) -> list[tuple[str, ReleaseEvent]]:
    """These chunks and withdrawals, each with its id."""
    ids = sorted(contents)
    found: list[tuple[str, ReleaseEvent]] = []
    for start in range(0, len(ids), CONTENTS_A_QUERY):
        rows = clickhouse.query(_EVENTS, {"series": series, "ids": ids[start : start + CONTENTS_A_QUERY]})
        found += [(str(content), ReleaseEvent.model_validate_json(event)) for content, event in rows]
    return found


def written_releases(clickhouse: ClickHouse, series: str) -> dict[str, WrittenRows]:
    """The complete releases that are written, by id."""
    rows = clickhouse.query(_WRITTEN, {"series": series})
    return {str(release_id): WrittenRows(str(catalogue_id), at) for release_id, catalogue_id, at in rows}


def current_pointers(clickhouse: ClickHouse, series: str) -> set[Current]:
    """The pointers that are written."""
    return {Current(*row) for row in clickhouse.query(_CURRENT, {"series": series})}


def growth_written(clickhouse: ClickHouse, series: str) -> set[GrowthRow]:
    """The rows of growth that are written."""
    rows = clickhouse.query(_GROWTH, {"series": series})
    return {_growth_row(row) for row in rows}


def catalogue_written(clickhouse: ClickHouse) -> dict[str, str]:
    """The entry of the catalogue that is current in the tables, by series."""
    return {str(series): str(catalogue_id) for series, catalogue_id in clickhouse.query(_CATALOGUE)}


def _growth_row(row: tuple[Any, ...]) -> GrowthRow:
    values = dict(zip(GrowthRow.__slots__, row, strict=True))
    for name in ("parts_added", "parts_dropped"):
        values[name] = tuple(values[name])
    return GrowthRow(**values)
