"""Which format the rows of a chain were scored in, and how far a rescore has come."""

from __future__ import annotations

from typing import Final

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.clickhouse.columns import Column
from counterpoise.clickhouse.versions import SEQUENCE_BITS, epoch_of
from counterpoise.metrics.scoring_format import SCORING_FORMAT
from counterpoise.windows import ONE_SERIES

_MARK = """
    SELECT to_height, whole FROM scoring_log FINAL
    WHERE attribution_id = {id:String} AND chain = {chain:String} AND format = {format:String}
"""

_OF_SET = "WHERE attribution_id = {id:String} AND chain = {chain:String}"

# Both, for detectors are written first and concentration reaches lower.
_WRITTEN = f"""
    SELECT height FROM concentration_log {_OF_SET} AND {ONE_SERIES} AND version >= {{version:UInt64}}
    UNION ALL SELECT height FROM detectors_log {_OF_SET} AND version >= {{version:UInt64}}
"""  # noqa: S608 - composed of our own constants

_RESCORED = f"SELECT to_height, version FROM scoring_log FINAL {_OF_SET} AND format = {{format:String}} AND whole"  # noqa: S608

_OLDER = f"""
    SELECT height FROM concentration_log FINAL {_OF_SET} AND {ONE_SERIES}
        AND height > {{to:UInt32}} AND height >= {{low:UInt32}} AND version < {{version:UInt64}}
    ORDER BY height LIMIT 1
"""  # noqa: S608

NO_HEIGHT: Final = 0xFFFF_FFFF
"""Above every height."""


def written_from(clickhouse: ClickHouse, chain: str, attribution_id: str, *, epoch: int) -> int:
    """The lowest height with a row of this epoch or of a later one; NO_HEIGHT where there is none."""
    asked = {"id": attribution_id, "chain": chain, "version": epoch << SEQUENCE_BITS}
    rows = clickhouse.query(f"SELECT height FROM ({_WRITTEN}) ORDER BY height LIMIT 1", asked)  # noqa: S608
    return int(rows[0][0]) if rows else NO_HEIGHT


def untrusted_from(clickhouse: ClickHouse, chain: str, attribution_id: str, *, low: int = 0) -> int:
    """The lowest height above a whole rescore, `low` or higher, whose rows are older than its mark; NO_HEIGHT where there is none.

    They are of a writer that loaded in the middle of that rescore, and so had no states or old ones.
    """
    asked = {"id": attribution_id, "chain": chain}
    for to_height, version in clickhouse.query(_RESCORED, {**asked, "format": SCORING_FORMAT}):
        first_of_epoch = epoch_of(int(version)) << SEQUENCE_BITS
        rows = clickhouse.query(_OLDER, {**asked, "to": int(to_height), "low": low, "version": first_of_epoch})
        return int(rows[0][0]) if rows else NO_HEIGHT
    return NO_HEIGHT


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
