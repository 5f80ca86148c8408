"""Which format the rows of a chain were scored in, and how far a rescore has come."""

from __future__ import annotations

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.clickhouse.columns import Column
from counterpoise.metrics.scoring_format import SCORING_FORMAT

_MARK = """
    SELECT to_height, whole FROM scoring_log FINAL
    WHERE attribution_id = {id:String} AND chain = {chain:String} AND format = {format:String}
"""


def scored_to(clickhouse: ClickHouse, chain: str, attribution_id: str) -> tuple[int, bool] | None:
    """(height, whole): rows up to there are in this version's format; None where none is known to be."""
    asked = {"id": attribution_id, "chain": chain, "format": SCORING_FORMAT}
    rows = clickhouse.query(_MARK, asked)
    return (int(rows[0][0]), bool(rows[0][1])) if rows else None


def mark_scored(
    clickhouse: ClickHouse, chain: str, attribution_id: str, *, to_height: int, whole: bool, version: int
) -> None:
    """Note how far the rows are in this version's format."""
    columns: dict[str, Column] = {
        "attribution_id": [attribution_id],
        "chain": [chain],
        "format": [SCORING_FORMAT],
        "to_height": [to_height],
        "whole": [whole],
        "version": [version],
    }
    clickhouse.insert("scoring_log", columns)
