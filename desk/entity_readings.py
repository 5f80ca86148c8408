"""How much the entity view of a window depends on dates without a source: the same blocks under other joining dates. Pure.

A membership whose `confidence` is `assumed` has a source that names it and no date. Four readings bracket it:

earliest  the pool was always a member
map       the day in the map, which is what the stored entity view uses
seen      the day of the first published observation; without one it never joined
never     it never joined

Memberships with a published date are the same in all four.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal, get_args

from counterpoise.pools.entity_map import EntityMap, Membership
from counterpoise.risk.mergers import Concentration, concentration

Reading = Literal["earliest", "map", "seen", "never"]
READINGS: Final[tuple[Reading, ...]] = get_args(Reading)


@dataclass(frozen=True, slots=True)
class MemberEffect:
    """An assumed member with blocks in the window: what the entity view under the map is without this one membership."""

    group: str
    member: Membership
    blocks: int
    without: Concentration


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """The window under each reading, and the effect of each assumed membership that the map applies on that day."""

    readings: Mapping[Reading, Concentration]
    members: tuple[MemberEffect, ...]


def entity_blocks(
    blocks: Mapping[str, int], entity_map: EntityMap, day: date, reading: Reading = "map", without: str = ""
) -> dict[str, int]:
    """Blocks by entity at the end of a window on `day`; a pool outside any group is its own entity.

    `without` names a pool whose assumed membership is left out.
    """
    entity_of: dict[str, str] = {}
    for group in entity_map.groups:
        for member in group.members:
            assumed = member.confidence == "assumed"
            left_out = assumed and member.pool == without
            # An assumed membership that is read as older than the map has it wins over an earlier owner.
            free = assumed or member.pool not in entity_of
            if free and not left_out and _joined(member, day, reading if assumed else "map"):
                entity_of[member.pool] = group.slug
    found: Counter[str] = Counter()
    for pool, count in blocks.items():
        found[entity_of.get(pool, pool)] += count
    return dict(found)


def sensitivity(blocks: Mapping[str, int], unknown: int, entity_map: EntityMap, day: date) -> Sensitivity:
    """Top four, HHI and the rest of a window under each reading. ValueError without blocks."""

    def under(reading: Reading, without: str = "") -> Concentration:
        return concentration(entity_blocks(blocks, entity_map, day, reading, without), unknown)

    members = [
        MemberEffect(group.slug, member, blocks[member.pool], under("map", member.pool))
        for group in entity_map.groups
        for member in group.members
        if member.confidence == "assumed" and blocks.get(member.pool) and _joined(member, day, "map")
    ]
    members.sort(key=lambda one: (-one.blocks, one.member.pool))
    return Sensitivity({reading: under(reading) for reading in READINGS}, tuple(members))


def _joined(member: Membership, day: date, reading: Reading) -> bool:
    if member.end is not None and member.end <= day:
        return False
    if reading == "map":
        return member.start is None or member.start <= day
    if reading == "seen":
        return member.seen is not None and member.seen <= day
    return reading == "earliest"
