"""A scored window under other joining dates of the entity map that it was scored with."""

from __future__ import annotations

from typing import Any, Final

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.clickhouse.pool_blocks import PoolBlocks
from counterpoise.documents import DocumentError, parse_json
from counterpoise.errors import ConfigError
from counterpoise.pools.entity_map import EntityMap, entity_map_from_document
from counterpoise.risk.mergers import Concentration
from desk.entity_readings import Reading, Sensitivity, sensitivity

READING_NOTES: Final[dict[Reading, str]] = {
    "earliest": "assumed members were always in",
    "map": "the map's days, as stored",
    "seen": "in from the first published observation",
    "never": "assumed members never joined",
}
_DOCUMENT: Final = "SELECT document FROM attribution_sets WHERE attribution_id = {id:String}"


def read_entity_map(clickhouse: ClickHouse, attribution_id: str) -> EntityMap:
    """The entity map of a stored attribution set. ConfigError where the set is not stored or its document has no map."""
    rows = clickhouse.query(_DOCUMENT, {"id": attribution_id})
    origin = f"attribution set {attribution_id}"
    if not rows:
        raise ConfigError(f"{origin} is not stored: `counterpoise status` shows what is")
    try:
        document = parse_json(str(rows[0][0]))
    except DocumentError as error:
        raise ConfigError(f"{origin}: not JSON: {error}") from None
    entities = document.get("entities") if isinstance(document, dict) else None
    if entities is None:
        raise ConfigError(f"{origin} has no entity map")
    return entity_map_from_document(entities, origin)


def read_sensitivity(clickhouse: ClickHouse, read: PoolBlocks) -> Sensitivity:
    """The window under each reading of the assumed dates. ConfigError as for the map."""
    entity_map = read_entity_map(clickhouse, read.attribution_id)
    return sensitivity(read.raw, read.views["raw"].unknown, entity_map, read.time.date())


def sensitivity_json(found: Sensitivity) -> dict[str, Any]:
    """Every figure by name."""

    def figures(one: Concentration) -> dict[str, Any]:
        return {
            "largest": one.largest,
            "largest_share": one.largest_share,
            "top4_share": one.top4_share,
            "hhi_10000": one.hhi_points,
            "nakamoto_half": one.nakamoto_half,
        }

    return {
        "readings": {reading: figures(one) for reading, one in found.readings.items()},
        "members": [
            {
                "group": one.group,
                "pool": one.member.pool,
                "blocks": one.blocks,
                "start": one.member.start.isoformat() if one.member.start else None,
                "confidence": one.member.confidence,
                "seen": one.member.seen.isoformat() if one.member.seen else None,
                "seen_in": one.member.seen_in or None,
                "without": figures(one.without),
            }
            for one in found.members
        ],
    }
